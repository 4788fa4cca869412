//! Blocks of events unpacked by other threads before the reader comes to them: unpacking takes longer than all else.

use super::block::{BlockHeader, EVENTS_PREFIX, kind};
use super::columns::Unpacker;
use super::packet;
use super::scan::Blocks;
use std::collections::VecDeque;
use std::io::Read;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Most threads.
const THREADS: usize = 4;
/// Blocks that are unpacked, or about to be, for each thread.
const DEPTH: usize = 2;

/// The number of a block's first event and the rows of its events, and what was wrong behind them.
pub(super) struct Rows {
    pub(super) bytes: Vec<u8>,
    pub(super) fault: Option<String>,
}

/// The rows of a block of events.
///
/// # Errors
/// There are none.
pub(super) fn rows(header: &BlockHeader, payload: &[u8], unpacker: &mut Unpacker) -> Result<Rows, String> {
    let payload = packet::unpack(header.packing, payload)?;
    let (number, events) = payload.split_at_checked(EVENTS_PREFIX).ok_or("it is too short")?;
    let mut bytes = number.to_vec();
    // What was unpacked before a fault is good.
    let fault = packet::unpack_events(header.kind, events, unpacker, &mut bytes).err();
    Ok(Rows { bytes, fault })
}

struct Job {
    header: BlockHeader,
    payload: Vec<u8>,
    done: SyncSender<Result<Rows, String>>,
}

/// Blocks on their way.
pub(super) struct Ahead {
    /// Threads end when this is dropped.
    jobs: Sender<Job>,
    waiting: Arc<Mutex<Receiver<Job>>>,
    threads: usize,
    most: usize,
    /// Blocks by their offset, and what becomes of them.
    begun: VecDeque<(u64, Receiver<Result<Rows, String>>)>,
    /// Offset of the first block that was not looked at.
    next: u64,
}

impl Ahead {
    pub(super) fn new() -> Self {
        let (jobs, waiting) = channel();
        let most = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS);
        Self {
            jobs,
            waiting: Arc::new(Mutex::new(waiting)),
            threads: 0,
            most,
            begun: VecDeque::new(),
            next: 0,
        }
    }

    /// Begins with the blocks behind the one at the position, as far as they are whole.
    pub(super) fn look<R: Read>(&mut self, blocks: &mut Blocks<R>, header: &BlockHeader) {
        let behind = blocks.position() + header.size() as u64;
        self.next = self.next.max(behind);
        while self.begun.len() < self.most * DEPTH {
            let Some((header, payload)) = blocks.behind(self.next) else { return };
            if header.kind == kind::DENSE {
                let (done, result) = sync_channel(1);
                let job = Job { header, payload: payload.to_vec(), done };
                if self.jobs.send(job).is_err() {
                    return;
                }
                self.begun.push_back((self.next, result));
                self.employ();
            }
            self.next += header.size() as u64;
        }
    }

    /// The block at this offset, if it was begun with.
    pub(super) fn take(&mut self, offset: u64) -> Option<Result<Rows, String>> {
        // Those before it turned out to be damaged.
        while self.begun.front().is_some_and(|begun| begun.0 < offset) {
            self.begun.pop_front();
        }
        let (_, result) = self.begun.pop_front_if(|begun| begun.0 == offset)?;
        result.recv().ok()
    }

    /// One more thread, unless there are enough.
    fn employ(&mut self) {
        if self.threads >= self.most {
            return;
        }
        let waiting = Arc::clone(&self.waiting);
        let work = move || {
            let mut unpacker = Unpacker::default();
            loop {
                let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(job) = job else { return };
                // Nobody wants what a reader that is gone had asked for.
                let _ = job.done.send(rows(&job.header, &job.payload, &mut unpacker));
            }
        };
        if thread::Builder::new().name("unpack".to_owned()).spawn(work).is_ok() {
            self.threads += 1;
        }
    }
}
