//! A trace held in memory: its events, and the model as it was after any of them.
//!
//! [`History`] takes events in as they come, from a file or from a running recording, folds them, and keeps
//! what a view needs to move about in time: the events in their encoded form with an index, copies of the
//! model at regular distances ([`Model`]s share what did not change), and the [`Span`]s of a timeline; and the rows
//! of a tree of devices ([`DeviceView`]), which the page shows as the interactive view does. It decides nothing about
//! what events mean; what is found on the way is [`Analysis`]'s to say.

mod devices;
mod filter;
mod lanes;
mod log;
mod reading;
mod spans;

#[cfg(test)]
mod tests;

pub use devices::{DEVICE_TERMS, DeviceRow, DeviceView, Order};
pub use filter::{Filter, FilterError, TERMS};
pub use lanes::marked;
pub use log::{Entry, EventLog, SUBJECTS, Subject};
pub use reading::{Reading, Taken};
pub use spans::{Lane, Span, SpanKind, Spans};

use crate::diagnose::{Analysis, Finding};
use crate::event::{Body, Event, Nanos};
use crate::model::Model;
use crate::trace::Session;
use std::path::Path;

/// Tables that are asked several times for each event, or lane.
type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
type HashSet<T> = std::collections::HashSet<T, foldhash::fast::RandomState>;

/// Events between two copies of the model. Going back means folding at most so many again.
const STRIDE: usize = 1 << 13;
/// Most copies kept; when there are more, every other one is dropped and the distance doubles.
const COPIES: usize = 192;

/// Events and everything folded from them.
#[derive(Clone, Debug)]
pub struct History {
    session: Option<Session>,
    notes: Vec<String>,
    log: EventLog,
    spans: Spans,
    /// The model after all events, and what was found on the way.
    head: Analysis,
    /// The model after the first `stride * (n + 1)` events.
    copies: Vec<Model>,
    stride: usize,
    /// The model after so many events, where somebody looked last.
    seen: (usize, Model),
}

impl Default for History {
    fn default() -> Self {
        Self {
            session: None,
            notes: Vec::new(),
            log: EventLog::default(),
            spans: Spans::default(),
            head: Analysis::default(),
            copies: Vec::new(),
            stride: STRIDE,
            seen: (0, Model::new()),
        }
    }
}

impl History {
    /// Nothing yet, of a recording that is described by `session`.
    pub fn new(session: Option<Session>) -> Self {
        let mut history = Self { session, ..Self::default() };
        history.name_kernel();
        history
    }

    /// Known issues depend on the kernel.
    fn name_kernel(&mut self) {
        if let Some(session) = &self.session {
            self.head.set_session(session);
        }
    }

    /// Reads a trace file to its end.
    ///
    /// # Errors
    /// It is no readable trace. Damage inside of it is no error but a note.
    pub fn read(path: &Path) -> Result<Self, crate::trace::Error> {
        Self::read_with(path, |_, _| {})
    }

    /// The same, and every event is shown to `each` with the model after it.
    ///
    /// # Errors
    /// As [`History::read`].
    pub fn read_with(path: &Path, mut each: impl FnMut(&Event, &Model)) -> Result<Self, crate::trace::Error> {
        Self::read_as(path, Analysis::default(), &mut each)
    }

    /// The same with an analysis that has rules of its own.
    ///
    /// # Errors
    /// As [`History::read`].
    pub fn read_as(
        path: &Path,
        analysis: Analysis,
        mut each: impl FnMut(&Event, &Model),
    ) -> Result<Self, crate::trace::Error> {
        let (mut history, mut reading) = Reading::begin(path)?;
        // Before the first event.
        history.head = analysis;
        history.name_kernel();
        while reading.take(&mut history, &mut each) {}
        Ok(history)
    }

    /// Takes in one event.
    pub fn push(&mut self, event: &Event) {
        self.log.push(event, &[]);
        self.fold(event);
    }

    /// Folds the next event that is in the log.
    fn fold(&mut self, event: &Event) {
        self.pass(event);
        let head = self.head.model();
        let events = usize::try_from(head.events()).unwrap_or(usize::MAX);
        self.log.refine(events - 1, &event.body, head);
        if events.is_multiple_of(self.stride) {
            self.copies.push(head.clone());
            if self.copies.len() > COPIES {
                let mut place = 0;
                self.copies.retain(|_| {
                    place += 1;
                    place % 2 == 0
                });
                self.stride *= 2;
            }
        }
    }

    /// Folds an event that is not kept: for those who want what follows from all of them, and will not move about in time.
    pub fn pass(&mut self, event: &Event) {
        self.head.apply(event);
        self.spans.take(event, self.head.model());
    }

    /// Forgets all that happened and keeps who is who: what a recording without end has to do at times.
    pub fn forget(&mut self) {
        let mut fresh = Self::new(self.session.take());
        for event in (0..self.log.len()).filter_map(|number| self.log.event(number)) {
            if matches!(event.body, Body::Symbol { .. } | Body::Device(_) | Body::Link { .. }) {
                fresh.push(&event);
            }
        }
        fresh.note("older suspends are in the trace file only".to_owned());
        *self = fresh;
    }

    /// How and on what the trace was recorded.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// What was wrong with the file.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Something that a view should tell with the notes of the file.
    pub fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// The events.
    pub fn log(&self) -> &EventLog {
        &self.log
    }

    /// What lasted how long.
    pub fn spans(&self) -> &Spans {
        &self.spans
    }

    /// The model after all events.
    pub fn head(&self) -> &Model {
        self.head.model()
    }

    /// Everything found so far, the worst first, lockups that ended included: at the time `now`, in nanoseconds of
    /// `CLOCK_BOOTTIME`, while events still come; without it, in a trace that has ended.
    pub fn findings(&self, now: Option<Nanos>) -> Vec<Finding> {
        match now {
            Some(now) => self.head.findings(now.max(self.head.model().now())),
            None => self.head.findings_at_end(),
        }
    }

    /// The model after the first `events` events, at most all of them.
    pub fn at(&mut self, events: usize) -> &Model {
        let events = events.min(self.log.len());
        if events == self.log.len() {
            return self.head.model();
        }
        let copy = events / self.stride;
        if self.seen.0 > events || self.seen.0 < copy * self.stride {
            self.seen = match copy.checked_sub(1).and_then(|place| self.copies.get(place)) {
                Some(model) => (copy * self.stride, model.clone()),
                None => (0, Model::new()),
            };
        }
        while self.seen.0 < events {
            if let Some(event) = self.log.event(self.seen.0) {
                self.seen.1.apply(&event);
            }
            self.seen.0 += 1;
        }
        &self.seen.1
    }

    /// The model that [`History::at`] gave last for so many events, without moving.
    pub fn look(&self, events: usize) -> &Model {
        if events >= self.log.len() { self.head.model() } else { &self.seen.1 }
    }

    /// How many events happened until `time`, that time included.
    pub fn until(&self, time: Nanos) -> usize {
        self.log.until(time)
    }
}
