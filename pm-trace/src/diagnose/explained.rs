//! A trace file from its first event to its findings: the one way for all that work on files.

use super::{Analysis, Finding};
use crate::event::Event;
use crate::model::Model;
use crate::trace::{Error, Note, Session, Summary, Trace};
use std::io::Read;
use std::path::Path;

/// A trace that was read to its end and explained.
#[derive(Debug)]
pub struct Explained {
    /// How and on what it was recorded; `None` if that part is damaged.
    pub session: Option<Session>,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// What was wrong with the file.
    pub notes: Vec<Note>,
    /// What was read, and the counters that stood in it.
    pub read: Summary,
    model: Model,
}

impl Explained {
    /// Reads a file.
    ///
    /// # Errors
    /// It is no readable trace. Damage inside of it is no error but a note.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::read_with(path, Analysis::default(), |_| {})
    }

    /// The same with an analysis that has rules of its own, and every event shown to `each`.
    ///
    /// # Errors
    /// As [`Explained::read`].
    pub fn read_with(path: &Path, analysis: Analysis, each: impl FnMut(&Event)) -> Result<Self, Error> {
        Ok(Self::of(Trace::open(path)?, analysis, each))
    }

    /// The same for a trace that is open already, wherever its bytes are.
    pub fn of<R: Read>(mut trace: Trace<R>, mut analysis: Analysis, mut each: impl FnMut(&Event)) -> Self {
        if let Some(session) = trace.session() {
            analysis.set_session(session);
        }
        for event in trace.by_ref() {
            analysis.apply(&event);
            each(&event);
        }
        Self {
            session: trace.session().cloned(),
            findings: analysis.findings_at_end(),
            notes: trace.notes().to_vec(),
            read: trace.summary().clone(),
            model: analysis.into_model(),
        }
    }

    /// What the events add up to.
    pub fn model(&self) -> &Model {
        &self.model
    }
}
