//! JSON lines: one object for each line, told apart by its `type`; `docs/jsonl.schema.json` describes a line.

use super::phases::DevicePhase;
use super::recording::{Cycle, NamedEvent, Recording};
use super::waits::Wait;
use crate::diagnose::Finding;
use crate::report::SessionInfo;
use crate::text::{Form, Terminal};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// Version of the lines. Fields and types of lines may be added under the same number; what exists keeps its meaning.
pub const VERSION: u32 = 1;

/// A line.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    /// The first line: which trace, how and on what it was recorded.
    Trace(Box<Head>),
    /// A suspend and resume in figures.
    Cycle(Box<Cycle>),
    /// Something found, the worst first.
    Finding(Box<Finding>),
    /// A step of a device.
    DevicePhase(Box<DevicePhase>),
    /// A wait of a task.
    Wait(Box<Wait>),
    /// An event.
    Event(Box<NamedEvent>),
    /// The last line: without it something is missing.
    End(Totals),
}

/// Which trace.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Head {
    /// Version of this format.
    pub schema: u32,
    /// Tells the trace from all others.
    pub trace: String,
    /// Name of its file, without folders.
    pub file: String,
    /// How and on what it was recorded; `null` if that is unknown.
    pub session: Option<SessionInfo>,
}

/// How much there was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Totals {
    /// Events in the trace.
    pub events: u64,
    /// Records lost because the ring buffer was full.
    pub lost: u64,
    /// Records that could not be decoded.
    pub undecoded: u64,
    /// What was wrong with the file.
    pub notes: Vec<String>,
}

/// Writes the trace: its head, cycles, findings, steps, waits, events, totals.
///
/// # Errors
/// `out` cannot be written.
pub(super) fn write(recording: &Recording, out: &mut dyn Write) -> io::Result<()> {
    let head = Head {
        schema: VERSION,
        trace: recording.id.clone(),
        file: recording.file.clone(),
        session: recording.session.as_ref().map(SessionInfo::from),
    };
    let mut put = |line: Line| {
        let mut text = serde_json::to_string(&line)?;
        text.push('\n');
        Terminal::new(&mut *out, Form::Json).show(&text)
    };
    put(Line::Trace(Box::new(head)))?;
    for cycle in &recording.cycles {
        put(Line::Cycle(Box::new(cycle.clone())))?;
    }
    for finding in &recording.findings {
        put(Line::Finding(Box::new(finding.clone())))?;
    }
    for phase in &recording.phases {
        put(Line::DevicePhase(Box::new(phase.clone())))?;
    }
    for wait in &recording.waits {
        put(Line::Wait(Box::new(wait.clone())))?;
    }
    for event in recording.events() {
        put(Line::Event(Box::new(event)))?;
    }
    let loss = recording.history.head().loss();
    put(Line::End(Totals {
        events: recording.history.head().events(),
        lost: loss.lost,
        undecoded: loss.undecoded,
        notes: recording.notes.clone(),
    }))
}

/// The JSON schema of a line, as in `docs/jsonl.schema.json`.
///
/// # Errors
/// Never in practice; the serializer's error is passed on.
pub fn schema() -> serde_json::Result<String> {
    let schema = schemars::schema_for!(Line);
    serde_json::to_string_pretty(&schema).map(|json| json + "\n")
}
