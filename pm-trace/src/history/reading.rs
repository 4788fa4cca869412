//! A trace file on its way into a history: a thread reads, and whoever wants the history folds what was read.
//!
//! Reading and folding take about as long as each other. Batches go back and forth between the two: memory that is
//! there already costs nothing.

use super::{EventLog, History};
use crate::event::Event;
use crate::model::Model;
use crate::trace::{Error, Trace};
use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Events that are read before they are handed over for folding, and how often that may happen ahead.
const BATCH: usize = 2048;
const BATCHES: usize = 8;

/// Events read together.
#[derive(Default)]
struct Batch {
    events: Vec<Event>,
    log: EventLog,
    /// Bytes of the file up to here.
    read: u64,
}

/// What became of taking events within some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Some were folded.
    Some,
    /// None was there in time.
    Late,
    /// All have been folded, and the history knows what was wrong with the file.
    All,
}

/// A trace file that is being read.
pub struct Reading {
    batches: Receiver<Batch>,
    spent: Sender<Batch>,
    /// Gives the trace back for what it says about itself.
    reader: Option<JoinHandle<Trace>>,
    /// Bytes of the file, and those of what was folded.
    size: u64,
    read: u64,
}

impl Reading {
    /// Begins to read. Nothing is in the history yet.
    ///
    /// # Errors
    /// It is no readable trace. Damage inside of it is no error but a note.
    pub fn begin(path: &Path) -> Result<(History, Self), Error> {
        let trace = Trace::open(path)?;
        let history = History::new(trace.session().cloned());
        let size = fs::metadata(path).map_or(0, |meta| meta.len());
        let (sender, batches) = sync_channel(BATCHES);
        let (spent, returned) = channel();
        let reader = thread::Builder::new()
            .name("read".to_owned())
            .spawn(move || read_batches(trace, &sender, &returned))
            .map_err(|source| Error::Read { path: path.to_owned(), offset: 0, source })?;
        Ok((history, Self { batches, spent, reader: Some(reader), size, read: 0 }))
    }

    /// Folds the next events, and waits for them if none are there yet; every event is shown to `each` with the model
    /// after it. False: there are no more, and the history knows what was wrong with the file.
    pub fn take(&mut self, history: &mut History, each: impl FnMut(&Event, &Model)) -> bool {
        let Ok(batch) = self.batches.recv() else {
            self.finish(history);
            return false;
        };
        self.fold(batch, history, each);
        true
    }

    /// The same, for whoever cannot wait longer than this.
    pub fn take_within(&mut self, longest: Duration, history: &mut History) -> Taken {
        match self.batches.recv_timeout(longest) {
            Ok(batch) => self.fold(batch, history, |_, _| {}),
            Err(RecvTimeoutError::Timeout) => return Taken::Late,
            Err(RecvTimeoutError::Disconnected) => {
                self.finish(history);
                return Taken::All;
            }
        }
        Taken::Some
    }

    fn fold(&mut self, batch: Batch, history: &mut History, mut each: impl FnMut(&Event, &Model)) {
        history.log.append(&batch.log);
        for event in &batch.events {
            history.fold(event);
            each(event, history.head());
        }
        self.read = batch.read;
        // The reader may have come to the end.
        let _ = self.spent.send(batch);
    }

    /// The reader has come to the end: what was wrong with the file.
    fn finish(&mut self, history: &mut History) {
        if let Some(reader) = self.reader.take() {
            let trace = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            history.notes = trace.notes().iter().map(ToString::to_string).collect();
        }
    }

    /// How much of the file has been folded, in percent.
    pub fn percent(&self) -> u8 {
        let percent = u128::from(self.read) * 100 / u128::from(self.size.max(1));
        u8::try_from(percent.min(100)).unwrap_or(100)
    }
}

/// Reads a trace to its end, and gives it back.
fn read_batches(mut trace: Trace, sender: &SyncSender<Batch>, returned: &Receiver<Batch>) -> Trace {
    let mut batch = Batch::default();
    while let Some(event) = trace.next() {
        batch.log.push(&event, trace.event_bytes());
        batch.events.push(event);
        if batch.events.len() < BATCH {
            continue;
        }
        batch.read = trace.position();
        let mut next = returned.try_recv().unwrap_or_default();
        next.events.clear();
        next.log.clear();
        // Nobody wants the rest of a trace that was closed meanwhile.
        if sender.send(std::mem::replace(&mut batch, next)).is_err() {
            return trace;
        }
    }
    batch.read = trace.position();
    let _ = sender.send(batch);
    trace
}
