//! Reading a trace.

use super::ahead::{self, Ahead, Rows};
use super::block::{
    self, BlockHeader, EVENT_PREFIX, EVENTS_PREFIX, FILE_HEADER, FORMAT_VERSION, FileHeader, MAX_EVENT, kind,
};
use super::columns::Unpacker;
use super::note::{Notes, Problem};
use super::packet;
use super::scan::{Blocks, Next};
use super::{Checkpoint, Error, Note, Result, Session, Totals};
use crate::event::{Body, Event, Nanos, TaskRef};
use crate::text;
use minicbor::Decode;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How far from its beginning the first block of a file is looked for, in bytes.
const SEARCH: u64 = 64 * 1024;

/// A trace being read: the session, then, as an iterator, the events.
///
/// What cannot be read is skipped and noted, and an event [`Body::Undecoded`] stands where events are
/// missing or cannot be decoded. After the last event [`Trace::notes`] and [`Trace::summary`] are complete.
/// No more than a few blocks are in memory at a time.
pub struct Trace<R = File> {
    blocks: Blocks<R>,
    /// Blocks that other threads unpack; `None` for a stream, whose end may not have been written yet.
    ahead: Option<Ahead>,
    unpacker: Unpacker,
    session: Option<Session>,
    notes: Notes,
    summary: Summary,
    /// Payload of the current events block and its offset in the file.
    events: Vec<u8>,
    events_offset: u64,
    /// How much of it was read.
    cursor: usize,
    /// Where in it the newest event stands; empty if that stands for lost ones.
    newest: std::ops::Range<usize>,
    /// Number that the next block should have.
    next_block: u32,
    /// Number that the next event should have.
    next_event: u64,
    /// Damage that was passed and not noted yet, in bytes from an offset on.
    damage: Option<(u64, u64)>,
    /// Time, CPU and task of the newest event.
    last: (Nanos, u16, TaskRef),
    /// Stands for lost events; goes out before the next one.
    gap: Option<Event>,
    /// End of the newest whole block.
    whole: u64,
    finished: bool,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Events read whole.
    pub events: u64,
    /// Events that could not be decoded.
    pub undecoded: u64,
    /// Events known to be missing between others or before the end.
    pub lost: u64,
    /// Blocks read whole.
    pub blocks: u64,
    /// The newest counters.
    pub checkpoint: Option<Checkpoint>,
    /// The end, if the trace was closed.
    pub totals: Option<Totals>,
}

impl Trace<File> {
    /// Opens a file and reads its session.
    ///
    /// # Errors
    ///
    /// If it cannot be opened, is empty, no trace, of a newer version, or ends before its first block.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|source| Error::open(path, source))?;
        let kind = file.metadata().map(|meta| meta.file_type());
        if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) {
            return Err(Error::Directory { path: path.to_owned() });
        }
        Self::read_with(path, file, kind.is_ok_and(|kind| kind.is_file()).then(Ahead::new))
    }
}

impl<R: Read> Trace<R> {
    /// Reads the session from any stream. `name` stands for it in errors.
    ///
    /// # Errors
    ///
    /// As [`Trace::open`].
    pub fn read(name: &Path, source: R) -> Result<Self> {
        Self::read_with(name, source, None)
    }

    fn read_with(name: &Path, source: R, ahead: Option<Ahead>) -> Result<Self> {
        let mut trace = Self {
            blocks: Blocks::new(source),
            ahead,
            unpacker: Unpacker::default(),
            session: None,
            notes: Notes::default(),
            summary: Summary::default(),
            events: Vec::new(),
            events_offset: 0,
            cursor: 0,
            newest: 0..0,
            next_block: 0,
            next_event: 0,
            damage: None,
            last: Default::default(),
            gap: None,
            whole: 0,
            finished: false,
        };
        trace.begin(name.to_owned())?;
        trace.next_events();
        if trace.summary.blocks == 0 {
            let (path, length) = (name.to_owned(), trace.blocks.position());
            return Err(match trace.blocks.window().take_error() {
                Some(source) => Error::Read { path, offset: length, source },
                None => Error::Truncated { path, length },
            });
        }
        if trace.session.is_none() {
            trace.notes.session_missing("the block that describes them is damaged or missing");
        }
        Ok(trace)
    }

    /// How and on what the trace was recorded; `None` if that part is damaged.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// What was found wrong so far; complete after the last event.
    pub fn notes(&self) -> &[Note] {
        self.notes.list()
    }

    /// What was read so far; complete after the last event.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The encoded form of the event that came last; empty if it has none, because it stands for lost ones.
    pub fn event_bytes(&self) -> &[u8] {
        self.events.get(self.newest.clone()).unwrap_or_default()
    }

    /// How far in the file the current block of events ends, in bytes.
    pub fn position(&self) -> u64 {
        self.whole
    }

    /// Passes the file header, or finds out that this is no trace.
    fn begin(&mut self, path: PathBuf) -> Result<()> {
        let first = self.blocks.window().peek(FILE_HEADER);
        let (length, header) = (first.len() as u64, block::parse_file_header(first));
        let begins = text::beginning(first);
        match header {
            _ if length == 0 => {
                return Err(match self.blocks.window().take_error() {
                    Some(source) => Error::Read { path, offset: 0, source },
                    None => Error::Empty { path },
                });
            }
            FileHeader::Version(version) if version > FORMAT_VERSION => {
                return Err(Error::Newer { path, version, supported: FORMAT_VERSION });
            }
            FileHeader::Version(_) => {
                self.blocks.window().advance(FILE_HEADER);
                return Ok(());
            }
            FileHeader::Damaged if length < FILE_HEADER as u64 => {
                return Err(Error::Truncated { path, length });
            }
            FileHeader::Damaged | FileHeader::Absent => {}
        }
        if !self.blocks.find(SEARCH) {
            return Err(Error::Foreign { path, begins, searched: self.blocks.position() });
        }
        let offset = self.blocks.position();
        let problem = if offset == FILE_HEADER as u64 { Problem::FileHeader } else { Problem::LeadingBytes };
        self.notes.add(0, offset, problem);
        Ok(())
    }

    /// Goes to the next block of events, taking in what stands before it, or to the end.
    fn next_events(&mut self) {
        while !self.finished {
            let header = match self.blocks.next() {
                Next::Block(header) if header.sequence >= self.next_block => header,
                Next::Block(_) | Next::FileHeader => {
                    self.note_damage(None);
                    self.notes.add(self.blocks.position(), 0, Problem::AnotherTrace);
                    return self.finish();
                }
                Next::Damage { offset, length } => {
                    self.damage = Some((offset, length));
                    continue;
                }
                Next::Truncated { offset, length } => {
                    self.notes.add(offset, length, Problem::Truncated);
                    return self.finish();
                }
                Next::End => {
                    self.note_damage(None);
                    return self.finish();
                }
            };
            self.note_damage(Some(header.sequence - self.next_block));
            self.next_block = header.sequence.saturating_add(1);
            self.summary.blocks += 1;
            let is_events = self.take_block(&header);
            self.blocks.pass(&header);
            self.whole = self.blocks.position();
            if is_events {
                return;
            }
        }
    }

    /// Takes in a block. True if it has events to be read.
    fn take_block(&mut self, header: &BlockHeader) -> bool {
        let offset = self.blocks.position();
        let what = match header.kind {
            kind::SESSION => "session",
            kind::EVENTS | kind::COLUMNS | kind::DENSE => "block of events",
            kind::CHECKPOINT => "checkpoint",
            kind::END => "end of the trace",
            kind => {
                self.notes.unknown_block(kind, offset);
                return false;
            }
        };
        let taken = if matches!(header.kind, kind::EVENTS | kind::COLUMNS | kind::DENSE) {
            self.rows(header).map(|rows| self.take_events(rows, offset)).map(|()| true)
        } else {
            let unpacked = packet::unpack(header.packing, self.blocks.payload(header));
            unpacked.and_then(|payload| self.take_payload(header.kind, &payload, offset)).map(|()| false)
        };
        match taken {
            Ok(has_events) => has_events,
            Err(reason) if header.kind == kind::SESSION => {
                self.notes.session_missing(&reason);
                false
            }
            Err(reason) => {
                self.notes.add(offset, 0, Problem::BadBlock { what, reason });
                false
            }
        }
    }

    /// The events of the block at the position.
    fn rows(&mut self, header: &BlockHeader) -> std::result::Result<Rows, String> {
        let offset = self.blocks.position();
        let unpacked = self.ahead.as_mut().and_then(|ahead| {
            ahead.look(&mut self.blocks, header);
            ahead.take(offset)
        });
        unpacked.unwrap_or_else(|| ahead::rows(header, self.blocks.payload(header), &mut self.unpacker))
    }

    fn take_payload(&mut self, kind: u16, payload: &[u8], offset: u64) -> std::result::Result<(), String> {
        match kind {
            kind::SESSION => {
                let session = decode::<Session>(payload)?;
                self.session = self.session.take().or(Some(session));
            }
            kind::CHECKPOINT => self.summary.checkpoint = Some(decode(payload)?),
            kind::END => {
                let mut totals = decode::<Totals>(payload)?;
                if totals.hooks.is_empty() {
                    totals.hooks = self.summary.checkpoint.clone().unwrap_or_default().hooks;
                }
                self.expect_event(totals.events, offset);
                self.summary.totals = Some(totals);
            }
            _ => {}
        }
        Ok(())
    }

    fn take_events(&mut self, rows: Rows, offset: u64) {
        self.events = rows.bytes;
        if let Some(reason) = rows.fault {
            let what = "rest of a block of events";
            self.notes.add(offset, 0, Problem::BadBlock { what, reason });
        }
        self.events_offset = offset + block::BLOCK_HEADER as u64;
        self.cursor = EVENTS_PREFIX;
        let first = block::u64_at(&self.events, 0);
        self.expect_event(first, offset);
        self.next_event = first;
    }

    /// Notes the events that are missing if the next one has number `number`.
    fn expect_event(&mut self, number: u64, offset: u64) {
        let Some(missing) = number.checked_sub(self.next_event).filter(|&missing| missing > 0) else {
            return;
        };
        self.next_event = number;
        self.summary.lost = self.summary.lost.saturating_add(missing);
        self.notes.add(offset, 0, Problem::EventsLost { events: missing });
        let reason = format!("lost to damage or gaps in the trace file before byte {offset}");
        self.gap = Some(self.stand_in(missing, reason));
    }

    /// Notes the damage before a block, and that `blocks` blocks are missing there; before the end, `None`.
    fn note_damage(&mut self, blocks: Option<u32>) {
        match self.damage.take() {
            Some((offset, length)) => self.notes.add(offset, length, Problem::Damaged { blocks }),
            None if blocks.is_some_and(|blocks| blocks > 0) => {
                self.notes.add(self.blocks.position(), 0, Problem::Damaged { blocks });
            }
            None => {}
        }
    }

    /// The next event of the current block.
    fn next_in_block(&mut self) -> Option<Event> {
        let rest = self.events.get(self.cursor..).filter(|rest| !rest.is_empty())?;
        let offset = self.events_offset + self.cursor as u64;
        let length = block::u32_at(rest, 0) as usize;
        let bytes = rest.get(EVENT_PREFIX..).and_then(|rest| rest.get(..length));
        let Some(bytes) = bytes.filter(|bytes| bytes.len() <= MAX_EVENT) else {
            let reason = format!("an event claims {length} bytes");
            self.notes.add(offset, 0, Problem::BadBlock { what: "rest of a block of events", reason });
            self.cursor = self.events.len();
            return None;
        };
        let decoded = decode::<Event>(bytes);
        self.newest = if decoded.is_ok() {
            self.cursor + EVENT_PREFIX..self.cursor + EVENT_PREFIX + length
        } else {
            0..0
        };
        self.cursor += EVENT_PREFIX + length;
        self.next_event = self.next_event.saturating_add(1);
        Some(match decoded {
            Ok(event) => {
                self.summary.events += 1;
                self.last = (event.time, event.cpu, event.task);
                event
            }
            Err(reason) => {
                self.summary.undecoded += 1;
                self.notes.undecoded(offset, &reason);
                self.stand_in(1, reason)
            }
        })
    }

    /// An event that stands for others, at the time and place of the newest.
    fn stand_in(&self, records: u64, reason: String) -> Event {
        let (time, cpu, task) = self.last;
        Event { time, cpu, task, body: Body::Undecoded { records, reason } }
    }

    fn finish(&mut self) {
        self.finished = true;
        if let Some(error) = self.blocks.window().take_error() {
            self.notes.add(self.blocks.position(), 0, Problem::ReadFailed { reason: error.to_string() });
        }
        if self.summary.totals.is_none() {
            self.notes.add(self.whole, 0, Problem::NotClosed);
        }
        self.notes.complete();
    }
}

impl<R: Read> Iterator for Trace<R> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(gap) = self.gap.take() {
                self.newest = 0..0;
                return Some(gap);
            }
            if let Some(event) = self.next_in_block() {
                return Some(event);
            }
            if self.finished {
                return None;
            }
            self.next_events();
        }
    }
}

/// Decodes a value that takes all of these bytes.
fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> std::result::Result<T, String> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode::<T>().map_err(|error| error.to_string())?;
    if decoder.position() == bytes.len() {
        Ok(value)
    } else {
        Err(format!("{} more bytes than it should have", bytes.len() - decoder.position()))
    }
}
