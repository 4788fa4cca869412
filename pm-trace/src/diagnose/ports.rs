//! How long error handling of each ATA port took.

use super::describe::Namer;
use crate::event::Nanos;
use crate::model::{EhRun, Transition};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Error handling of an ATA port in a transition. libata suspends and resumes ports by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EhSummary {
    /// `ata2`
    pub port: String,
    /// How often it ran.
    pub runs: u32,
    /// How long it ran in all, in nanoseconds.
    pub took: Nanos,
    /// The end of each run was seen. If not, `took` counts to the last thing that was.
    pub ended: bool,
    /// Resets of links.
    pub resets: u32,
    /// Resets that failed.
    pub resets_failed: u32,
    /// How long resets took in all, in nanoseconds.
    pub resetting: Nanos,
}

/// By port, the longest first.
pub(super) fn error_handling(namer: &Namer<'_>, transition: &Transition) -> Vec<EhSummary> {
    let mut ports: BTreeMap<_, EhSummary> = BTreeMap::new();
    for run in &transition.error_handling {
        let entry = ports.entry(run.port).or_insert_with(|| EhSummary {
            port: namer.port(run.port),
            runs: 0,
            took: 0,
            ended: true,
            resets: 0,
            resets_failed: 0,
            resetting: 0,
        });
        add(entry, run);
    }
    let mut ports: Vec<_> = ports.into_values().collect();
    ports.sort_by(|one, other| (other.took, &one.port).cmp(&(one.took, &other.port)));
    ports
}

fn add(entry: &mut EhSummary, run: &EhRun) {
    entry.runs = entry.runs.saturating_add(1);
    entry.took = entry.took.saturating_add(run.last.time.saturating_sub(run.start.time));
    entry.ended &= run.ended;
    entry.resets = entry.resets.saturating_add(run.resets);
    entry.resets_failed = entry.resets_failed.saturating_add(run.resets_failed);
    entry.resetting = entry.resetting.saturating_add(run.resetting);
}
