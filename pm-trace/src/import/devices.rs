//! Who a device is, from a log that has names only.
//!
//! The kernel prints a device as its driver's name (that of its bus or class, if it has none), its own and its
//! parent's. Names are not unique: a SCSI disk, its `scsi_device` and its `bsg` device are all called `0:0:0:0`. The
//! three words together tell them apart. As a parent a device is named alone; of several it is then the one whose own
//! parent is called otherwise.

use super::HashMap;
use crate::capture::ids::ObjectIds;
use crate::event::{DeviceInfo, ObjId, Power};
use pm_trace_common::pm::power;

/// Most devices told apart, as many as the model keeps.
const MOST: usize = 1 << 16;
/// Most devices of one name.
const MOST_OF_A_NAME: usize = 64;
/// Longest name kept, in bytes; the kernel's events hold no longer ones.
const LONGEST: usize = 128;
/// Devices have no address in a log. The ids of objects are given by address, so they get addresses that no kernel
/// object has.
const ADDRESSES: u64 = 1 << 62;

/// A device as an event names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named<'a> {
    /// Its driver, bus or class; empty if it has none of them.
    pub(super) driver: &'a str,
    /// `dev_name()`
    pub(super) name: &'a str,
    /// Name of its parent; `None` if it has none.
    pub(super) parent: Option<&'a str>,
}

/// The devices of a log.
#[derive(Debug, Default)]
pub(super) struct Devices {
    by_name: HashMap<String, Vec<Known>>,
    count: usize,
}

#[derive(Debug)]
struct Known {
    id: ObjId,
    driver: String,
    parent: Option<String>,
    /// It was only named as a parent so far.
    only_named: bool,
}

impl Devices {
    /// The device's id; `None` if there are too many. What was not known of it or its parent before is described in
    /// `news`.
    pub(super) fn id(
        &mut self,
        named: Named<'_>,
        ids: &mut ObjectIds,
        news: &mut Vec<DeviceInfo>,
    ) -> Option<ObjId> {
        let named = Named {
            driver: crate::text::cut(named.driver, LONGEST),
            name: crate::text::cut(named.name, LONGEST),
            parent: named.parent.map(|parent| crate::text::cut(parent, LONGEST)),
        };
        let known = self.by_name.get_mut(named.name);
        let same = |known: &&mut Known| {
            !known.only_named && known.driver == named.driver && known.parent.as_deref() == named.parent
        };
        if let Some(known) = known.and_then(|known| known.iter_mut().find(same)) {
            return Some(known.id);
        }
        let parent = named.parent.and_then(|parent| self.parent(parent, ids, news));
        let id = self.meet(named, ids)?;
        news.push(info(id, parent, named.name, named.driver));
        Some(id)
    }

    /// Whether this device is the one with this driver and name.
    pub(super) fn is(&self, dev: ObjId, driver: &str, name: &str) -> bool {
        let of_name = self.by_name.get(crate::text::cut(name, LONGEST));
        let driver = crate::text::cut(driver, LONGEST);
        of_name.is_some_and(|all| all.iter().any(|known| known.id == dev && known.driver == driver))
    }

    /// A device that is seen itself for the first time, perhaps after it was named as a parent.
    fn meet(&mut self, named: Named<'_>, ids: &mut ObjectIds) -> Option<ObjId> {
        let parent = named.parent.map(str::to_owned);
        let of_name = self.by_name.entry(named.name.to_owned()).or_default();
        if named.parent != Some(named.name)
            && let Some(known) = of_name.iter_mut().find(|known| known.only_named)
        {
            *known = Known { id: known.id, driver: named.driver.to_owned(), parent, only_named: false };
            return Some(known.id);
        }
        self.add(named.name, named.driver.to_owned(), parent, false, ids)
    }

    /// The device of this name that others are below of.
    fn parent(&mut self, name: &str, ids: &mut ObjectIds, news: &mut Vec<DeviceInfo>) -> Option<ObjId> {
        let known = self.by_name.get(name);
        if let Some(known) =
            known.and_then(|known| known.iter().find(|known| known.parent.as_deref() != Some(name)))
        {
            return Some(known.id);
        }
        let id = self.add(name, String::new(), None, true, ids)?;
        news.push(info(id, None, name, ""));
        Some(id)
    }

    fn add(
        &mut self,
        name: &str,
        driver: String,
        parent: Option<String>,
        only_named: bool,
        ids: &mut ObjectIds,
    ) -> Option<ObjId> {
        let of_name = self.by_name.entry(name.to_owned()).or_default();
        if self.count >= MOST || of_name.len() >= MOST_OF_A_NAME {
            return None;
        }
        let id = ids.id(ADDRESSES + self.count as u64)?;
        // Nearly always it is the only one.
        of_name.reserve_exact(1);
        of_name.push(Known { id, driver, parent, only_named });
        self.count += 1;
        Some(id)
    }
}

fn info(dev: ObjId, parent: Option<ObjId>, name: &str, driver: &str) -> DeviceInfo {
    DeviceInfo {
        dev,
        parent,
        name: name.to_owned(),
        bus: String::new(),
        class: String::new(),
        driver: driver.to_owned(),
        power: Power(power::UNKNOWN),
        lock: None,
        completion: None,
        links_left: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meet(devices: &mut Devices, ids: &mut ObjectIds, words: [&str; 3]) -> (ObjId, Vec<DeviceInfo>) {
        let mut news = Vec::new();
        let parent = (words[2] != "none").then_some(words[2]);
        let id = devices.id(Named { driver: words[0], name: words[1], parent }, ids, &mut news);
        (id.unwrap(), news)
    }

    #[test]
    fn devices_of_one_name_are_told_apart() {
        let (mut devices, mut ids) = (Devices::default(), ObjectIds::default());
        let mut id = |words| meet(&mut devices, &mut ids, words).0;
        // As a suspend has them: children before their parents.
        let bsg = id(["bsg", "0:0:0:0", "0:0:0:0"]);
        let class = id(["scsi_device", "0:0:0:0", "0:0:0:0"]);
        let disk = id(["sd", "0:0:0:0", "target0:0:0"]);
        assert!(bsg != class && class != disk && bsg != disk);
        assert_eq!(id(["bsg", "0:0:0:0", "0:0:0:0"]), bsg);
        assert_eq!(id(["sd", "0:0:0:0", "target0:0:0"]), disk);
    }

    #[test]
    fn a_parent_is_the_device_itself_whoever_comes_first() {
        for child_first in [true, false] {
            let (mut devices, mut ids) = (Devices::default(), ObjectIds::default());
            let (child, parent) = (["bsg", "0:0:0:0", "0:0:0:0"], ["sd", "0:0:0:0", "none"]);
            let (first, second) = if child_first { (child, parent) } else { (parent, child) };
            let one = meet(&mut devices, &mut ids, first);
            let two = meet(&mut devices, &mut ids, second);
            let (child, parent) = if child_first { (one, two) } else { (two, one) };
            let described = child.1.iter().find(|info| info.dev == child.0).unwrap();
            assert_eq!(described.parent, Some(parent.0));
            let of_parent = parent.1.last().unwrap();
            assert_eq!((of_parent.driver.as_str(), of_parent.parent), ("sd", None));
        }
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let (mut devices, mut ids) = (Devices::default(), ObjectIds::default());
        let mut news = Vec::new();
        for driver in 0..2 * MOST_OF_A_NAME {
            let driver = driver.to_string();
            devices.id(Named { driver: &driver, name: "x", parent: None }, &mut ids, &mut news);
        }
        assert_eq!(news.len(), MOST_OF_A_NAME);
    }
}
