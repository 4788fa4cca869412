//! What people and programs read: text for a terminal, JSON for scripts, short lines for the kernel log.
//!
//! A [`Report`] is plain data; [`Report::text`], [`Report::markdown`] and [`Report::json`] show it. Names from the kernel or from
//! a file are untrusted: in text, characters that act on a terminal are replaced. The JSON is versioned by
//! [`SCHEMA`] and described by `docs/report.schema.json` and `docs/findings.md`.

mod finding;
pub mod html;
mod markdown;
mod session;
mod text;
mod verdict;

#[cfg(test)]
mod figures_tests;
#[cfg(test)]
mod tests;

pub use finding::{headline, in_a_line};
pub use session::{ImportInfo, ProbeInfo, SessionInfo};
pub use verdict::{kmsg_lines, verdict, verdict_in};

use crate::diagnose::{self, CycleSummary, Explained, Finding, Severity};
use crate::model::Model;
use crate::trace::Session;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Version of the JSON report. Fields may be added under the same number; what exists keeps its meaning.
pub const SCHEMA: u32 = 1;

/// A report about one trace.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// Version of this format.
    pub schema: u32,
    /// The program that wrote it.
    pub tool: ToolInfo,
    /// How and on what the trace was recorded; `null` if that is unknown.
    pub session: Option<SessionInfo>,
    /// Each suspend and resume in figures, oldest first.
    pub cycles: Vec<CycleSummary>,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// What the trace lacks.
    pub loss: LossInfo,
    /// Every hook: where it was put, or why not.
    pub probes: Vec<ProbeInfo>,
}

/// The program that wrote a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ToolInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What a trace lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LossInfo {
    /// Events in the trace.
    pub events: u64,
    /// Records lost because the ring buffer was full.
    pub lost: u64,
    /// The same by program.
    pub lost_by_hook: BTreeMap<String, u64>,
    /// Records that could not be decoded.
    pub undecoded: u64,
    /// What was wrong with the first of them; empty if there is none.
    pub undecoded_reason: String,
    /// Objects that found no room in the tables.
    pub refused: u64,
    /// What was wrong with the file: it ends early, has damaged blocks, ...
    pub notes: Vec<String>,
}

impl Report {
    /// A report about everything the model has seen; `findings` come from [`crate::diagnose`], `notes` from
    /// the reader of the file.
    pub fn new(session: Option<&Session>, model: &Model, findings: Vec<Finding>, notes: Vec<String>) -> Self {
        let loss = model.loss();
        Self {
            schema: SCHEMA,
            tool: ToolInfo {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            session: session.map(SessionInfo::from),
            cycles: diagnose::cycles(model),
            findings,
            loss: LossInfo {
                events: model.events(),
                lost: loss.lost,
                lost_by_hook: loss.hooks.clone(),
                undecoded: loss.undecoded,
                undecoded_reason: loss.reason.clone(),
                refused: model.refused(),
                notes,
            },
            probes: session.map(session::probes).unwrap_or_default(),
        }
    }

    /// A report about a trace that was read from a file.
    pub fn of(explained: &Explained) -> Self {
        let notes = explained.notes.iter().map(ToString::to_string).collect();
        Self::new(explained.session.as_ref(), explained.model(), explained.findings.clone(), notes)
    }

    /// The worst that was found.
    pub fn severity(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// For a terminal: at most 100 columns, lines end in a line feed.
    pub fn text(&self) -> String {
        self.text_in(crate::text::WIDTH)
    }

    /// The same for a terminal of so many columns.
    pub fn text_in(&self, columns: usize) -> String {
        text::report(self, columns)
    }

    /// For a mail or a bug tracker, at most 76 columns.
    pub fn markdown(&self) -> String {
        markdown::report(self)
    }

    /// For programs: one JSON object, indented, with a line feed at its end.
    ///
    /// # Errors
    /// Never for a report made by [`Report::new`]; the serializer's error is passed on.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|json| json + "\n")
    }
}

/// The JSON schema of [`Report`], as in `docs/report.schema.json`.
///
/// # Errors
/// Never in practice; the serializer's error is passed on.
pub fn schema() -> serde_json::Result<String> {
    let schema = schemars::schema_for!(Report);
    serde_json::to_string_pretty(&schema).map(|json| json + "\n")
}
