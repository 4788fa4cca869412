//! What the watchdog in the kernel said: its lines, read from wherever they survived, and findings made of them.
//!
//! `pm_trace_common::watchdog` has the format. A line stands anywhere in a line of text (after the time stamp of
//! the kernel log, after the name of the trace event), so [`parse_line`] looks for its beginning. Lines get lost
//! and cut; [`reports`] takes what there is, and each [`Report`] knows what is missing.

mod chain;
mod finding;
mod line;
mod report;

#[cfg(test)]
mod tests;

pub use line::{Body, Callback, Device, Line, Object, Task, parse_line};
pub use report::{Report, reports};

use crate::diagnose::Finding;

/// The findings that a text tells of: a console's log, a kernel log, a trace buffer. One for each stall, as it
/// was told last; empty if the watchdog said nothing in it.
pub fn findings_in(text: &str) -> Vec<Finding> {
    let lines: Vec<Line> = text.lines().filter_map(parse_line).collect();
    findings(&lines)
}

/// The findings that lines tell of, in their order: one for each stall, as it was told last and in full.
pub fn findings(lines: &[Line]) -> Vec<Finding> {
    let reports = reports(lines);
    let stalls = reports.chunk_by(Report::is_retold_by);
    let told = stalls.filter_map(|told| told.iter().rev().find(|report| report.is_whole()).or(told.last()));
    told.map(finding::of).collect()
}
