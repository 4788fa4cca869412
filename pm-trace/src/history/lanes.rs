//! What a lane of the timeline is called, and which lanes findings are about.

use super::{HashSet, History, Lane};
use crate::diagnose::Finding;
use crate::event::ObjId;

/// The lanes that findings are about.
pub fn marked(findings: &[Finding]) -> HashSet<Lane> {
    let devices = findings.iter().flat_map(|finding| &finding.devices).map(|dev| Lane::Device(ObjId(dev.id)));
    let tasks = findings.iter().flat_map(|finding| &finding.tasks).map(|task| Lane::Task(task.tid));
    devices.chain(tasks).collect()
}

impl History {
    /// What a lane is called.
    pub fn lane_name(&self, lane: Lane) -> String {
        match lane {
            Lane::Phases => "phases".to_owned(),
            Lane::Device(dev) => {
                let info = self.head().device(dev).and_then(|device| device.info.as_ref());
                let Some(info) = info else { return format!("device #{}", dev.0) };
                let sort = [&info.driver, &info.bus, &info.class].into_iter().find(|text| !text.is_empty());
                sort.map_or_else(|| info.name.clone(), |sort| [&info.name, " (", sort, ")"].concat())
            }
            Lane::Task(tid) => self.spans().task(tid).to_string(),
        }
    }
}
