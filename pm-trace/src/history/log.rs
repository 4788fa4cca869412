//! Events in their encoded form, with an index of what they are about.

use super::HashMap;
use crate::event::{Body, Comm, Event, Nanos, ObjId};
use crate::model::{At, Model};

/// What an event is about: the subjects of the programs, which are those of the files that record them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Names, losses: about the trace itself.
    Trace,
    /// The PM core.
    Pm,
    /// Locks.
    Lock,
    /// Completions, queues, flushing, asynchronous calls.
    Wait,
    /// Works.
    Work,
    /// libata.
    Ata,
    /// SCSI.
    Scsi,
    /// Tasks.
    Task,
}

/// Every subject with its name, in the order of [`Subject`].
pub const SUBJECTS: [(Subject, &str); 8] = [
    (Subject::Trace, "trace"),
    (Subject::Pm, "pm"),
    (Subject::Lock, "lock"),
    (Subject::Wait, "wait"),
    (Subject::Work, "work"),
    (Subject::Ata, "ata"),
    (Subject::Scsi, "scsi"),
    (Subject::Task, "task"),
];

impl Subject {
    /// Its name.
    pub fn name(self) -> &'static str {
        SUBJECTS[self as usize].1
    }

    /// Of an event.
    pub fn of(body: &Body) -> Self {
        match body {
            Body::Symbol { .. } | Body::Lost { .. } | Body::Undecoded { .. } | Body::Tracer => Self::Trace,
            Body::Phase { .. }
            | Body::Device(_)
            | Body::Link { .. }
            | Body::StepStart { .. }
            | Body::StepEnd { .. }
            | Body::CallbackStart { .. }
            | Body::CallbackEnd { .. }
            | Body::DeviceWait { .. }
            | Body::WakeupSource { .. }
            | Body::RuntimePm { .. }
            | Body::RuntimePmEnd { .. } => Self::Pm,
            Body::LockWait { .. } | Body::LockWaitEnd { .. } => Self::Lock,
            Body::CompletionWait { .. }
            | Body::Completed { .. }
            | Body::QueueWait { .. }
            | Body::FlushWork { .. }
            | Body::AsyncWait { .. } => Self::Wait,
            Body::WorkQueued { .. }
            | Body::WorkDelayed { .. }
            | Body::WorkStart { .. }
            | Body::WorkEnd { .. }
            | Body::AsyncRun { .. } => Self::Work,
            Body::Ata(_) | Body::AtaEhEnd { .. } | Body::AtaReset { .. } => Self::Ata,
            Body::Scsi(_) | Body::ScsiCommand { .. } | Body::ScsiEhWakeup { .. } => Self::Scsi,
            Body::Blocked { .. } | Body::TaskSnapshot { .. } | Body::SnapshotEnd { .. } => Self::Task,
        }
    }
}

/// What the index tells about an event.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// When.
    pub time: Nanos,
    /// Thread id of its task.
    pub tid: u32,
    /// Its task's name, a number for [`EventLog::comm`].
    pub comm: u32,
    /// The device it is about; [`Entry::device`].
    dev: u32,
    /// What it is about.
    pub subject: Subject,
    /// End of its encoded form.
    end: u64,
}

/// Stands for "no device" in the index.
const NO_DEVICE: u32 = u32::MAX;

impl Entry {
    /// The device it is about.
    pub fn device(&self) -> Option<ObjId> {
        (self.dev != NO_DEVICE).then_some(ObjId(self.dev))
    }
}

/// Events that there is room for from the start, about those of a cycle, and bytes of each: growing to it by doubling would
/// touch as much memory again. What is not used of it is never asked of the kernel.
const FIRST: (usize, usize) = (2048, 48);

/// Events, each encoded as in a trace file: about 50 bytes, with 32 more for its index entry.
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    comms: Vec<String>,
    numbers: HashMap<Comm, u32>,
    /// Latest time so far, one for each event: times may go back a little between CPUs.
    latest: Nanos,
    goes_back: bool,
}

impl EventLog {
    pub(super) fn push(&mut self, event: &Event, bytes: &[u8]) {
        if self.entries.is_empty() {
            self.entries.reserve_exact(FIRST.0);
            self.bytes.reserve_exact(FIRST.0 * FIRST.1);
        }
        if bytes.is_empty() {
            crate::event::encode(event, &mut self.bytes);
        } else {
            self.bytes.extend_from_slice(bytes);
        }
        self.goes_back |= event.time < self.latest;
        self.latest = self.latest.max(event.time);
        let comm = self.number(event.task.comm);
        self.entries.push(Entry {
            time: event.time,
            tid: event.task.tid,
            comm,
            dev: device_of(&event.body).map_or(NO_DEVICE, |dev| dev.0),
            subject: Subject::of(&event.body),
            end: self.bytes.len() as u64,
        });
    }

    fn number(&mut self, comm: Comm) -> u32 {
        *self.numbers.entry(comm).or_insert_with(|| {
            self.comms.push(comm.as_str());
            u32::try_from(self.comms.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// Takes in all events of another one, behind its own.
    pub(super) fn append(&mut self, piece: &Self) {
        let mut comms = vec![0; piece.comms.len()];
        for (&comm, &number) in &piece.numbers {
            comms[number as usize] = self.number(comm);
        }
        let first = piece.entries.iter().map(|entry| entry.time).min();
        self.goes_back |= piece.goes_back || first.is_some_and(|first| first < self.latest);
        self.latest = self.latest.max(piece.latest);
        let start = self.bytes.len() as u64;
        self.bytes.extend_from_slice(&piece.bytes);
        let entries = piece.entries.iter();
        self.entries.extend(entries.map(|entry| Entry {
            comm: comms[entry.comm as usize],
            end: start + entry.end,
            ..*entry
        }));
    }

    /// Forgets everything, and keeps the memory for what comes.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.comms.clear();
        self.numbers.clear();
        (self.latest, self.goes_back) = (0, false);
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What the index tells about an event.
    pub fn entry(&self, number: usize) -> Option<&Entry> {
        self.entries.get(number)
    }

    /// The index, in the order of events.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A task's name by its number in an [`Entry`].
    pub fn comm(&self, number: u32) -> &str {
        self.comms.get(number as usize).map_or("", String::as_str)
    }

    /// Every name that a task had, in the order of their numbers.
    pub fn comms(&self) -> impl Iterator<Item = &str> {
        self.comms.iter().map(String::as_str)
    }

    /// An event, decoded.
    pub fn event(&self, number: usize) -> Option<Event> {
        let end = index(self.entries.get(number)?.end);
        let start = number.checked_sub(1).map_or(0, |before| index(self.entries[before].end));
        minicbor::decode(self.bytes.get(start..end)?).ok()
    }

    /// Time of the first event; 0 if there is none.
    pub fn first_time(&self) -> Nanos {
        self.entries.first().map_or(0, |entry| entry.time)
    }

    /// Time of an event, or of the last one before it.
    pub fn time(&self, number: usize) -> Nanos {
        self.entries.get(number).or(self.entries.last()).map_or(0, |entry| entry.time)
    }

    /// How many events happened until `time`, that time included.
    pub fn until(&self, time: Nanos) -> usize {
        let sorted = self.entries.partition_point(|entry| entry.time <= time);
        if !self.goes_back {
            return sorted;
        }
        // A binary search lands near; what is a little out of order is near, too.
        const NEAR: usize = 256;
        let end = (sorted + NEAR).min(self.entries.len());
        let start = sorted.saturating_sub(NEAR);
        let last = self.entries[start..end].iter().rposition(|entry| entry.time <= time);
        last.map_or(start, |place| start + place + 1)
    }

    /// Bytes of memory that events and index take.
    pub fn memory(&self) -> usize {
        self.bytes.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// Names the device of an event where only the model knows it.
    pub(super) fn refine(&mut self, number: usize, body: &Body, model: &Model) {
        if let Some(dev) = device_in(body, model)
            && let Some(entry) = self.entries.get_mut(number)
        {
            entry.dev = dev.0;
        }
    }

    /// The event that evidence names, as a number of events: what [`super::History::at`] takes to show it.
    pub fn after(&self, at: At) -> usize {
        usize::try_from(at.event).unwrap_or(usize::MAX).saturating_add(1).min(self.len())
    }
}

fn index(end: u64) -> usize {
    usize::try_from(end).unwrap_or(usize::MAX)
}

/// The device an event is about, as far as the event itself says.
fn device_of(body: &Body) -> Option<ObjId> {
    match body {
        Body::Device(info) => Some(info.dev),
        Body::Link { consumer, .. } => Some(*consumer),
        Body::StepStart { dev, .. }
        | Body::StepEnd { dev, .. }
        | Body::CallbackStart { dev, .. }
        | Body::CallbackEnd { dev, .. }
        | Body::DeviceWait { dev, .. }
        | Body::RuntimePm { dev, .. }
        | Body::RuntimePmEnd { dev, .. } => Some(*dev),
        Body::QueueWait { dev, .. } | Body::ScsiCommand { dev, .. } => *dev,
        Body::AsyncRun { data, .. } => *data,
        Body::Ata(port) => port.dev,
        Body::Scsi(device) => device.dev,
        _ => None,
    }
}

/// The device that only the model knows an event to be about: whose lock, whose completion.
fn device_in(body: &Body, model: &Model) -> Option<ObjId> {
    match body {
        Body::LockWait { lock, .. } | Body::LockWaitEnd { lock, .. } => model.device_of_lock(*lock),
        Body::CompletionWait { completion, .. } | Body::Completed { completion, .. } => {
            model.device_of_completion(*completion)
        }
        _ => None,
    }
}
