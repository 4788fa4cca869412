//! The device tree in rows: filtered, folded, ordered.

use crate::diagnose::{DeviceState, Standing, Waits, standing};
use crate::event::{DeviceInfo, ObjId};
use crate::model::Model;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Deepest indentation.
const DEPTH: u16 = 24;

/// What the rows are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As a tree, by name.
    #[default]
    Tree,
    /// The longest callback first.
    Callback,
    /// What is stuck or under way first, then what sleeps.
    State,
    /// What changed last comes first.
    Since,
}

impl Order {
    /// The one after it.
    pub fn next(self) -> Self {
        match self {
            Self::Tree => Self::Callback,
            Self::Callback => Self::State,
            Self::State => Self::Since,
            Self::Since => Self::Tree,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Callback => "callback",
            Self::State => "state",
            Self::Since => "since",
        }
    }
}

/// A row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeviceRow {
    /// The device.
    pub dev: ObjId,
    /// How deep it stands in the tree.
    pub depth: u16,
    /// How many devices below it are folded away.
    pub folded: u32,
    /// It has children in the tree.
    pub parent: bool,
    /// Where it stands.
    pub standing: Standing,
    /// How many wait for a step of it.
    pub waited_on: usize,
}

/// How the tree is shown.
#[derive(Clone, Debug, Default)]
pub struct DeviceView {
    /// What it is ordered by.
    pub order: Order,
    /// The other way round.
    pub reverse: bool,
    /// Devices whose children are folded away.
    pub folded: HashSet<ObjId>,
    /// Terms that all must be true: `driver:sr state:suspended !bus:pci name`.
    pub filter: String,
}

/// The terms of a filter, for help.
pub const DEVICE_TERMS: [(&str, &str); 5] = [
    ("name", "the name contains this"),
    ("driver:sr", "the driver's name contains this"),
    ("bus:scsi", "the bus or class contains this"),
    ("state:susp", "the state contains this; state:waited picks what something waits for"),
    ("!bus:pci", "not what follows the '!'"),
];

impl DeviceView {
    /// The rows to be shown.
    pub fn rows(&self, model: &Model, waits: &Waits) -> Vec<DeviceRow> {
        let known: BTreeMap<ObjId, &DeviceInfo> =
            model.devices().filter_map(|(id, device)| Some((id, device.info.as_deref()?))).collect();
        let row = |dev: ObjId| row(dev, model, waits);
        let passing =
            || known.iter().filter_map(|(&dev, info)| row(dev).filter(|row| self.passes(info, row)));
        if self.order == Order::Tree {
            let shown = (!self.filter.trim().is_empty())
                .then(|| with_ancestors(&known, passing().map(|row| row.dev)));
            return self.tree(&known, &row, shown.as_ref());
        }
        let mut rows: Vec<DeviceRow> = passing().collect();
        match self.order {
            Order::Callback => rows.sort_by_key(|row| (Reverse(row.standing.callback), row.dev)),
            Order::State => rows.sort_by_key(|row| (rank(row), row.standing.since, row.dev)),
            Order::Since | Order::Tree => rows.sort_by_key(|row| (Reverse(row.standing.since), row.dev)),
        }
        if self.reverse {
            rows.reverse();
        }
        rows
    }

    fn passes(&self, info: &DeviceInfo, row: &DeviceRow) -> bool {
        self.filter.split_whitespace().all(|term| {
            let (negated, term) = term.strip_prefix('!').map_or((false, term), |rest| (true, rest));
            let term = term.to_lowercase();
            let has = |text: &str, part: &str| text.to_lowercase().contains(part);
            let is = match term.split_once(':') {
                Some(("driver", part)) => has(&info.driver, part),
                Some(("bus" | "class", part)) => has(&info.bus, part) || has(&info.class, part),
                Some(("state", part)) if "waited".starts_with(part) && part.len() > 2 => row.waited_on > 0,
                Some(("state", part)) => row.standing.state.words().contains(part),
                Some(("name", part)) => has(&info.name, part),
                _ => has(&info.name, &term),
            };
            is != negated
        })
    }

    fn tree(
        &self,
        known: &BTreeMap<ObjId, &DeviceInfo>,
        row: &dyn Fn(ObjId) -> Option<DeviceRow>,
        shown: Option<&BTreeSet<ObjId>>,
    ) -> Vec<DeviceRow> {
        let visible = |dev: &ObjId| shown.is_none_or(|shown| shown.contains(dev));
        let mut children: BTreeMap<Option<ObjId>, Vec<ObjId>> = BTreeMap::new();
        for (&dev, info) in known.iter().filter(|(dev, _)| visible(dev)) {
            let parent = info.parent.filter(|parent| known.contains_key(parent) && *parent != dev);
            children.entry(parent).or_default().push(dev);
        }
        for siblings in children.values_mut() {
            siblings.sort_by_cached_key(|dev| natural(&known[dev].name));
            if self.reverse {
                siblings.reverse();
            }
        }
        let none = Vec::new();
        let of = |dev: Option<ObjId>| children.get(&dev).unwrap_or(&none);
        let mut out = Vec::with_capacity(known.len());
        let mut open: Vec<(ObjId, u16)> = of(None).iter().rev().map(|&dev| (dev, 0)).collect();
        while let Some((dev, depth)) = open.pop() {
            let Some(row) = row(dev) else { continue };
            let below = of(Some(dev));
            // A filter shows what it finds, folded or not.
            let folded = shown.is_none() && self.folded.contains(&dev);
            let hidden = if folded { descendants(&children, dev) } else { 0 };
            out.push(DeviceRow { depth: depth.min(DEPTH), folded: hidden, parent: !below.is_empty(), ..row });
            if !folded && out.len() <= known.len() {
                open.extend(below.iter().rev().map(|&child| (child, depth + 1)));
            }
        }
        out
    }
}

fn row(dev: ObjId, model: &Model, waits: &Waits) -> Option<DeviceRow> {
    let standing = standing(model, model.device(dev)?);
    let waited_on = waits.waited_on.get(&dev).copied().unwrap_or_default();
    Some(DeviceRow { dev, depth: 0, folded: 0, parent: false, standing, waited_on })
}

/// What is most worth looking at comes first.
fn rank(row: &DeviceRow) -> u8 {
    match row.standing.state {
        _ if row.waited_on > 0 && row.standing.state.is_down() => 0,
        DeviceState::Failed(_) => 1,
        DeviceState::In(_) => 2,
        DeviceState::Resumed => 4,
        DeviceState::Active | DeviceState::Removed => 5,
        _ => 3,
    }
}

fn with_ancestors(
    known: &BTreeMap<ObjId, &DeviceInfo>,
    found: impl Iterator<Item = ObjId>,
) -> BTreeSet<ObjId> {
    let mut shown = BTreeSet::new();
    for dev in found {
        let mut at = Some(dev);
        while let Some(dev) = at.filter(|&dev| shown.insert(dev)) {
            at = known.get(&dev).and_then(|info| info.parent);
        }
    }
    shown
}

fn descendants(children: &BTreeMap<Option<ObjId>, Vec<ObjId>>, dev: ObjId) -> u32 {
    let (mut count, mut open) = (0u32, vec![dev]);
    while let Some(dev) = open.pop() {
        let below = children.get(&Some(dev)).map_or(&[][..], Vec::as_slice);
        count = count.saturating_add(u32::try_from(below.len()).unwrap_or(u32::MAX));
        // Parents in a circle, from a damaged file, must not be followed for ever.
        if count as usize > children.len() * 64 + 65_536 {
            break;
        }
        open.extend(below);
    }
    count
}

/// A name in pieces that order `usb2` before `usb10`: text, then a number, and so on.
fn natural(name: &str) -> Vec<(&str, u64)> {
    let mut pieces = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let word = rest.bytes().position(|byte| byte.is_ascii_digit()).unwrap_or(rest.len());
        let (text, tail) = rest.split_at(word);
        let digits = tail.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(tail.len());
        let (number, tail) = tail.split_at(digits);
        pieces.push((text, number.parse().unwrap_or(u64::MAX)));
        rest = tail;
    }
    pieces
}
