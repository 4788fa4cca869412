//! Writing a trace.

use super::block::{self, EVENT_PREFIX, EVENTS_PREFIX, MAX_EVENT, MAX_PAYLOAD, kind};
use super::file::{Overwrite, create_file, give_to_sudo_user, sync_directory};
use super::output::{OnError, Output};
use super::packet::{Effort, Packet};
use super::sink::{FileSink, Sink, StreamSink, open_tee};
use super::status::{Status, TeeStatus};
use super::{Checkpoint, Error, Mode, Result, Session, Totals};
use crate::event::{Body, Event, encode};
use crate::pulse::Pulse;
use minicbor::Encode;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Most bytes that wait for the file when it cannot be written.
const FILE_BACKLOG: usize = 256 << 20;

/// Most bytes that wait for the second output.
const TEE_BACKLOG: usize = 16 << 20;

/// Bytes of events, unpacked, after which a block is closed: the larger, the smaller is the file. Nothing is durable
/// before it is synchronised, which closes a block too.
const BLOCK: usize = 512 * 1024;

/// The same where a second output gets them while they happen, and is to have them soon. Those of watch mode come
/// all at once, after the thaw.
const BLOCK_FOR_TEE: usize = 64 * 1024;

/// How long [`Writer::finish`] waits for threads whose output blocks.
const FINISH_TIMEOUT: Duration = Duration::from_secs(10);

/// Writes a trace to a file and, if asked to, the same bytes to a second output.
///
/// Events are collected into blocks. A block goes to a queue for each output; the queue is emptied at once
/// by the caller, or, after [`Writer::go_background`], by threads, and then nothing here waits for a disk
/// or a serial line.
///
/// A file that cannot be written (a full disk, say) does not stop a recording: blocks wait in memory, up to
/// 256 MiB, and each later block tries again. The call that first meets the failure returns it; later ones
/// return `Ok` until writing worked again in between. [`Writer::finish`] says if the file stayed incomplete.
pub struct Writer {
    path: PathBuf,
    file: Output,
    tee: Option<Tee>,
    /// Payload of the events block that is being filled, its prefix included.
    payload: Vec<u8>,
    /// Bytes in it after which it is closed.
    most: usize,
    /// Events in it.
    pending: u64,
    events: u64,
    blocks: u32,
    background: bool,
    /// Without threads; with them it is little.
    effort: Effort,
    /// The directory entry is still to be made durable.
    unsettled: bool,
    /// The last checkpoint, so that what did not change since is not written again.
    checkpoint: Option<Checkpoint>,
}

struct Tee {
    path: PathBuf,
    output: Output,
}

impl Writer {
    /// Creates the file, readable by its owner only (the user who called `sudo`, if one did), writes the
    /// session and makes file and directory entry durable.
    ///
    /// # Errors
    ///
    /// If the file exists and `overwrite` refuses, or it cannot be created, written or synchronised.
    pub fn create(path: &Path, session: &Session, overwrite: Overwrite) -> Result<Self> {
        let mut writer = Self::in_file(path, session, overwrite, Effort::Full)?;
        let durable = writer.file.sync().and_then(|()| sync_directory(path));
        durable.map_err(|source| Error::Sync { path: path.to_owned(), source })?;
        Ok(writer)
    }

    /// The same for what can be made again: nothing is durable before [`Writer::finish`], and blocks are made small with
    /// little effort, which takes a tenth of the time.
    ///
    /// # Errors
    ///
    /// As [`Writer::create`].
    pub fn create_quickly(path: &Path, session: &Session, overwrite: Overwrite) -> Result<Self> {
        let mut writer = Self::in_file(path, session, overwrite, Effort::Little)?;
        writer.unsettled = true;
        Ok(writer)
    }

    fn in_file(path: &Path, session: &Session, overwrite: Overwrite, effort: Effort) -> Result<Self> {
        let file = create_file(path, overwrite)?;
        give_to_sudo_user(&file);
        let writer = Self::new(path, Box::new(FileSink::new(file)), session, effort)?;
        writer.report()?;
        Ok(writer)
    }

    /// Writes a trace to any stream. `name` stands for it in errors.
    ///
    /// # Errors
    ///
    /// If the session cannot be written.
    pub fn stream<W: Write + Send + 'static>(name: &str, stream: W, session: &Session) -> Result<Self> {
        let sink = Box::new(StreamSink::new(stream));
        let writer = Self::new(Path::new(name), sink, session, Effort::Full)?;
        writer.report()?;
        Ok(writer)
    }

    fn new(path: &Path, sink: Box<dyn Sink>, session: &Session, effort: Effort) -> Result<Self> {
        let mut writer = Self {
            path: path.to_owned(),
            file: Output::new(
                sink,
                FILE_BACKLOG,
                OnError::Keep,
                Pulse::new("trace-file", "the trace does not reach the disk"),
            ),
            tee: None,
            payload: Vec::new(),
            most: BLOCK,
            pending: 0,
            events: 0,
            blocks: 0,
            background: false,
            effort,
            unsettled: false,
            checkpoint: None,
        };
        writer.send(Packet::bare(block::file_header().to_vec()));
        writer.send_cbor(kind::SESSION, "session", session)?;
        Ok(writer)
    }

    /// Sends the same bytes to a second output from now on: a file, which is replaced, or a device; a
    /// terminal line is made raw, its speed left as it is. It never delays the trace file: what it cannot
    /// take in time it loses, and readers of it notice.
    ///
    /// It is written by a thread only, that is after [`Writer::go_background`], and in [`Writer::finish`].
    ///
    /// # Errors
    ///
    /// If it cannot be opened, or the session does not fit a block.
    pub fn tee(&mut self, path: &Path, session: &Session) -> Result<()> {
        let sink = open_tee(path).map_err(|source| Error::Tee { path: path.to_owned(), source })?;
        let output = Output::new(
            sink,
            TEE_BACKLOG,
            OnError::Drop,
            Pulse::new("trace-tee", "the second output gets no more of the trace"),
        );
        output.offer(Packet::bare(block::file_header().to_vec()).into());
        // The session again, under its own number: the copy begins like the file.
        output.offer(Packet::block(kind::SESSION, 0, cbor("session", session)?, Effort::Full).into());
        self.tee = Some(Tee { path: path.to_owned(), output });
        if session.mode == Mode::Live {
            self.most = BLOCK_FOR_TEE;
        }
        if self.background { self.go_background() } else { Ok(()) }
    }

    /// Lets threads do all writing from now on. They are children of the calling thread: one that was
    /// exempted from freezing has exempted children.
    ///
    /// # Errors
    ///
    /// If a thread cannot be started; writing then stays with the caller.
    pub fn go_background(&mut self) -> Result<()> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Write { path, offset: 0, source }
        };
        self.background = true;
        self.file.start("trace-file").map_err(failed(&self.path))?;
        if let Some(tee) = &mut self.tee {
            tee.output.start("trace-tee").map_err(failed(&tee.path))?;
        }
        Ok(())
    }

    /// Ends the threads when they have written what waits; writing is the caller's again, the second output
    /// pauses. False if a thread did not end within `timeout` because its output blocks; it is still there
    /// then, and this can be called again.
    pub fn go_foreground(&mut self, timeout: Duration) -> bool {
        let tee = self.tee.as_mut().is_none_or(|tee| tee.output.stop(timeout));
        let file = self.file.stop(timeout);
        self.background = !(tee && file);
        tee && file
    }

    /// Adds an event.
    ///
    /// # Errors
    ///
    /// If the file starts to fail; see [`Writer`]. The event is kept.
    pub fn append(&mut self, event: &Event) -> Result<()> {
        self.push(event);
        if self.payload.len() >= self.most { self.flush_block() } else { Ok(()) }
    }

    fn push(&mut self, event: &Event) {
        if self.payload.is_empty() {
            self.payload.extend_from_slice(&self.events.to_le_bytes());
        }
        let start = self.payload.len();
        self.payload.extend_from_slice(&[0; EVENT_PREFIX]);
        encode(event, &mut self.payload);
        let mut length = self.payload.len() - start - EVENT_PREFIX;
        if length > MAX_EVENT {
            let reason = format!("an event of {length} bytes is too large for a trace");
            let stand_in = Event { body: Body::Undecoded { records: 1, reason }, ..event.clone() };
            self.payload.truncate(start + EVENT_PREFIX);
            encode(&stand_in, &mut self.payload);
            length = self.payload.len() - start - EVENT_PREFIX;
        }
        // At most MAX_EVENT, or the stand-in.
        self.payload[start..start + EVENT_PREFIX].copy_from_slice(&(length as u32).to_le_bytes());
        self.pending += 1;
        self.events += 1;
    }

    /// Closes the block of events that is being filled and hands it to the outputs.
    ///
    /// # Errors
    ///
    /// If the file starts to fail; see [`Writer`]. The block is kept.
    pub fn flush_block(&mut self) -> Result<()> {
        if self.pending > 0 {
            debug_assert!(self.payload.len() > EVENTS_PREFIX);
            let payload = std::mem::take(&mut self.payload);
            self.pending = 0;
            self.send_block(kind::EVENTS, payload);
        }
        self.report()
    }

    /// Adds counters, after the events so far; none if they stand there already.
    ///
    /// # Errors
    ///
    /// If the file starts to fail; see [`Writer`]. Or if they do not fit a block.
    pub fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.flush_block()?;
        let same = |last: &Checkpoint| Checkpoint { time: checkpoint.time, ..last.clone() } == *checkpoint;
        if !self.checkpoint.as_ref().is_some_and(same) {
            self.send_cbor(kind::CHECKPOINT, "checkpoint", checkpoint)?;
            self.checkpoint = Some(checkpoint.clone());
        }
        self.report()
    }

    /// Closes the current block and makes the file durable. With threads this only asks for it and returns.
    ///
    /// # Errors
    ///
    /// If the file starts to fail, or cannot be synchronised.
    pub fn sync(&mut self) -> Result<()> {
        self.flush_block()?;
        self.file.sync().map_err(|source| Error::Sync { path: self.path.clone(), source })
    }

    /// Waits until what [`Writer::sync`] asked for is done. False if it is not within `timeout`: the disk is slow, or
    /// stuck.
    #[must_use]
    pub fn settle(&self, timeout: Duration) -> bool {
        self.file.settle(timeout)
    }

    /// Closes the trace: writes what is pending and the totals, whose counts of events and lost blocks are
    /// filled in, and makes it durable. Waits up to 10 s for an output that blocks.
    ///
    /// # Errors
    ///
    /// If the file is not complete on disk.
    pub fn finish(mut self, totals: Totals) -> Result<Status> {
        // A failure here is met again below.
        let _ = self.flush_block();
        let mut totals = Totals { events: self.events, blocks_lost: self.file.dropped(), ..totals };
        if self.checkpoint.as_ref().is_some_and(|last| last.hooks == totals.hooks) {
            // Readers take them from there.
            totals.hooks.clear();
        }
        self.send_cbor(kind::END, "totals", &totals)?;
        if let Some(tee) = &mut self.tee {
            // Its thread writes what waits; one that does not end in time ends with the program.
            let _ = tee.output.start("trace-tee");
            tee.output.stop(FINISH_TIMEOUT);
        }
        let stopped = self.file.stop(FINISH_TIMEOUT);
        self.file.drain();
        let status = self.status();
        let missing = status.dropped + self.file.waiting().0;
        if missing > 0 || !stopped {
            let reason = status.trouble.unwrap_or_else(|| "the disk does not answer".to_owned());
            return Err(Error::Incomplete { path: self.path.clone(), blocks: missing, reason });
        }
        let durable =
            self.file.sync().and_then(|()| if self.unsettled { sync_directory(&self.path) } else { Ok(()) });
        durable.map_err(|source| Error::Sync { path: self.path.clone(), source })?;
        Ok(status)
    }

    /// The signs of life of the threads that write.
    pub fn pulses(&self) -> Vec<Arc<Pulse>> {
        let tee = self.tee.as_ref().map(|tee| tee.output.pulse());
        std::iter::once(self.file.pulse()).chain(tee).collect()
    }

    /// Lets at most so many bytes wait for the file and for the second output, where memory cannot grow.
    pub fn limit_backlog(&mut self, file: usize, tee: usize) {
        self.file.set_limit(file.min(FILE_BACKLOG));
        if let Some(second) = &mut self.tee {
            second.output.set_limit(tee.min(TEE_BACKLOG));
        }
    }

    /// How writing goes.
    pub fn status(&self) -> Status {
        Status {
            events: self.events,
            blocks: self.blocks,
            waiting: self.file.waiting().1,
            dropped: self.file.dropped(),
            trouble: self.file.trouble(),
            tee: self.tee.as_ref().map(|tee| TeeStatus {
                dropped: tee.output.dropped(),
                waiting: tee.output.waiting().1,
                trouble: tee.output.trouble(),
            }),
        }
    }

    /// Where the trace goes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn send_cbor<T: Encode<()>>(&mut self, kind: u16, what: &'static str, value: &T) -> Result<()> {
        self.send_block(kind, cbor(what, value)?);
        Ok(())
    }

    fn send_block(&mut self, kind: u16, payload: Vec<u8>) {
        let effort = if self.background { Effort::Little } else { self.effort };
        let packet = Packet::block(kind, self.blocks, payload, effort);
        self.blocks += 1;
        self.send(packet);
    }

    fn send(&mut self, packet: Packet) {
        let packet = Arc::new(packet);
        if let Some(tee) = &self.tee {
            tee.output.offer(Arc::clone(&packet));
        }
        self.file.offer(packet);
        self.file.drain();
    }

    /// The failure that nobody was told of, if there is one.
    fn report(&self) -> Result<()> {
        self.file.fresh_trouble().map_or(Ok(()), |trouble| {
            Err(Error::Write { path: self.path.clone(), offset: trouble.offset, source: trouble.error })
        })
    }
}

impl Drop for Writer {
    /// Hands over what is pending. The trace stays without an end, which readers tell.
    fn drop(&mut self) {
        let _ = self.flush_block();
        self.go_foreground(Duration::from_millis(100));
        self.file.drain();
    }
}

/// CBOR of a value, if a block holds it.
fn cbor<T: Encode<()>>(what: &'static str, value: &T) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes);
    if bytes.len() > MAX_PAYLOAD {
        return Err(Error::TooLarge { what, length: bytes.len(), max: MAX_PAYLOAD });
    }
    Ok(bytes)
}
