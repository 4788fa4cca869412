//! The device tree as nested lists that open and close without a script.

use crate::diagnose::{Waits, seconds};
use crate::event::DeviceInfo;
use crate::history::DeviceView;
use crate::model::Model;
use crate::report::Report;
use std::collections::BTreeSet;

/// Devices above this number are closed when the page opens, all but those that lead to a finding.
const OPEN: usize = 400;

/// A device.
pub(super) struct TreeRow<'a> {
    /// Its id, which links lead to.
    pub(super) dev: u32,
    pub(super) name: &'a str,
    /// Its driver, bus or class.
    pub(super) sort: &'a str,
    /// Where it stands in words.
    pub(super) state: &'static str,
    /// The longest callback; empty if there was none.
    pub(super) callback: String,
    /// What is worth seeing about it: `found`, `critical` or nothing.
    pub(super) mark: &'static str,
    /// There are devices below it.
    pub(super) parent: bool,
    /// They are shown when the page opens.
    pub(super) open: bool,
    /// How many lists end after it.
    pub(super) closes: usize,
}

/// The tree of all devices at the end of the trace.
pub(super) fn rows<'a>(model: &'a Model, waits: &Waits, report: &Report) -> Vec<TreeRow<'a>> {
    let rows = DeviceView::default().rows(model, waits);
    let found: BTreeSet<u32> =
        report.findings.iter().flat_map(|found| &found.devices).map(|dev| dev.id).collect();
    let critical: BTreeSet<u32> = super::bars::critical_devices(report).collect();
    let few = rows.len() <= OPEN;
    let mut out: Vec<TreeRow<'a>> = Vec::with_capacity(rows.len());
    // Places of the devices whose lists are open.
    let mut open: Vec<usize> = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        // Deep trees are cut: what counts is where the next row stands.
        let next = rows.get(place + 1).map_or(0, |next| usize::from(next.depth));
        let depth = usize::from(row.depth);
        let parent = next > depth;
        let info = model.device(row.dev).and_then(|device| device.info.as_ref());
        let text = |get: fn(&'a DeviceInfo) -> &'a String| info.map_or("", |info| get(info));
        let sorts = [text(|i| &i.driver), text(|i| &i.bus), text(|i| &i.class)];
        let mark = match row.dev.0 {
            dev if found.contains(&dev) => "found",
            dev if critical.contains(&dev) => "critical",
            _ => "",
        };
        if mark == "found" {
            open.iter().for_each(|&above| out[above].open = true);
        }
        out.push(TreeRow {
            dev: row.dev.0,
            name: text(|info| &info.name),
            sort: sorts.into_iter().find(|sort| !sort.is_empty()).unwrap_or_default(),
            state: row.standing.state.words(),
            callback: if row.standing.callback > 0 { seconds(row.standing.callback) } else { String::new() },
            mark,
            parent,
            open: few,
            closes: if parent { 0 } else { depth.saturating_sub(next) },
        });
        if parent {
            open.push(place);
        } else {
            open.truncate(next);
        }
    }
    out
}
