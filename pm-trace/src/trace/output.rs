//! A bounded queue of blocks in front of a sink, emptied by the caller or by a thread of its own.

use super::packet::Packet;
use super::sink::Sink;
use crate::patient::GiveUp;
use crate::pulse::Pulse;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How long a thread waits before it tries a failed write again.
const RETRY: Duration = Duration::from_millis(500);

/// Bytes that wait from which on blocks are written as they are: a disk that answers again, or that is to be done with, is
/// not kept waiting for what makes them small.
const HURRY: usize = 4 << 20;
/// The same for a thread that is to end.
const HURRY_TO_END: usize = 1 << 20;

/// How long a thread that was told to give up may take to end.
const GIVING_UP: Duration = Duration::from_secs(1);

/// What becomes of a block that could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnError {
    /// It is kept and tried again: nothing may be missing as long as memory lasts.
    Keep,
    /// It is dropped: the next one may succeed.
    Drop,
}

/// A failed write.
#[derive(Debug)]
pub(super) struct Trouble {
    /// Bytes written before it.
    pub offset: u64,
    /// Why.
    pub error: io::Error,
}

/// Blocks on their way to a sink. [`Output::offer`] never waits for the sink while a thread serves it.
pub(super) struct Output {
    shared: Arc<Shared>,
    /// The sink, while no thread has it.
    sink: Option<Box<dyn Sink>>,
    worker: Option<JoinHandle<Box<dyn Sink>>>,
    limit: usize,
    on_error: OnError,
    /// Ends the sink's waiting for another side that takes nothing.
    give_up: Option<GiveUp>,
}

struct Shared {
    pulse: Arc<Pulse>,
    state: Mutex<State>,
    /// There is something to do, or the thread ended.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Arc<Packet>>,
    bytes: usize,
    dropped: u64,
    /// The newest failure; cleared by a success.
    trouble: Option<Trouble>,
    /// A failure that nobody was told of yet.
    fresh: bool,
    /// How often syncing was asked for, and how much of that is done.
    asked: u64,
    done: u64,
    stop: bool,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output {
    /// An output without a thread, which would have this pulse. `limit`: most bytes that wait.
    pub(super) fn new(sink: Box<dyn Sink>, limit: usize, on_error: OnError, pulse: Arc<Pulse>) -> Self {
        let shared = Arc::new(Shared { pulse, state: Mutex::default(), changed: Condvar::new() });
        let give_up = sink.give_up();
        Self { shared, sink: Some(sink), worker: None, limit, on_error, give_up }
    }

    /// The sign of life of its thread.
    pub(super) fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.shared.pulse)
    }

    /// Changes how many bytes may wait from now on.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Queues a block. If too much waits already, the block is dropped and counted.
    pub(super) fn offer(&self, block: Arc<Packet>) {
        let mut state = self.shared.lock();
        if state.bytes + block.size() > self.limit {
            state.dropped += 1;
            return;
        }
        state.bytes += block.size();
        state.queue.push_back(block);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Writes what waits, unless a thread does.
    pub(super) fn drain(&mut self) {
        if let Some(sink) = &mut self.sink {
            while work(&self.shared, sink.as_mut(), self.on_error) == Worked::Wrote {}
        }
    }

    /// Makes durable what was written; with a thread, asks it to.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Some(sink) => sink.sync(),
            None => {
                self.shared.lock().asked += 1;
                self.shared.changed.notify_all();
                Ok(())
            }
        }
    }

    /// Waits until the thread, if there is one, has done what [`Output::sync`] asked of it so far. False if it has not
    /// within `timeout`.
    pub(super) fn settle(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.shared.lock();
        let asked = state.asked;
        while self.worker.is_some() && state.done < asked {
            let left = deadline.saturating_duration_since(Instant::now());
            // What fails is told, and tried again with the next block.
            if left.is_zero() || state.trouble.is_some() {
                return false;
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Hands the sink to a new thread, a child of the calling one. Does nothing if one has it.
    pub(super) fn start(&mut self, name: &str) -> io::Result<()> {
        let Some(mut sink) = self.sink.take() else { return Ok(()) };
        if let Some(give_up) = &self.give_up {
            give_up.set(false);
        }
        {
            let mut state = self.shared.lock();
            state.stop = false;
            state.ended = false;
        }
        let (give, take) = std::sync::mpsc::channel::<Box<dyn Sink>>();
        let (shared, on_error) = (Arc::clone(&self.shared), self.on_error);
        let spawned = Builder::new().name(name.to_owned()).spawn(move || {
            // The sender is kept until the sink was sent, so this fails only with the parent gone.
            let Ok(mut sink) = take.recv() else { return Box::new(Nowhere) as Box<dyn Sink> };
            let _living = shared.pulse.live();
            serve(&shared, sink.as_mut(), on_error);
            shared.lock().ended = true;
            shared.changed.notify_all();
            sink
        });
        match spawned {
            Ok(worker) => {
                if let Err(unsent) = give.send(sink) {
                    sink = unsent.0;
                    self.sink = Some(sink);
                } else {
                    self.worker = Some(worker);
                }
                Ok(())
            }
            Err(error) => {
                self.sink = Some(sink);
                Err(error)
            }
        }
    }

    /// Ends the thread when it has written what waits, and takes the sink back. False if it did not end in
    /// time, because its sink blocks: it goes on then.
    pub(super) fn stop(&mut self, timeout: Duration) -> bool {
        let Some(worker) = self.worker.take() else { return true };
        let mut deadline = Instant::now() + timeout;
        let mut state = self.shared.lock();
        state.stop = true;
        self.shared.changed.notify_all();
        while !state.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // One that waits for another side need not wait any longer: what is left is dropped.
                if let Some(give_up) = self.give_up.as_ref().filter(|give_up| !give_up.is_set()) {
                    give_up.set(true);
                    deadline = Instant::now() + GIVING_UP;
                    continue;
                }
                drop(state);
                self.worker = Some(worker);
                return false;
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        self.sink = worker.join().ok();
        true
    }

    /// Blocks that were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.shared.lock().dropped
    }

    /// Blocks and bytes that wait.
    pub(super) fn waiting(&self) -> (u64, usize) {
        let state = self.shared.lock();
        (state.queue.len() as u64, state.bytes)
    }

    /// The newest failure, if it was not followed by a success.
    pub(super) fn trouble(&self) -> Option<String> {
        self.shared.lock().trouble.as_ref().map(|t| t.error.to_string())
    }

    /// The first failure of a row that nobody was told of. Given once.
    pub(super) fn fresh_trouble(&self) -> Option<Trouble> {
        let mut state = self.shared.lock();
        if !std::mem::take(&mut state.fresh) {
            return None;
        }
        state.trouble.as_ref().map(|t| Trouble { offset: t.offset, error: copy(&t.error) })
    }
}

/// What a step of work did.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worked {
    Wrote,
    Nothing,
    Failed,
}

/// Writes the oldest block.
fn work(shared: &Shared, sink: &mut dyn Sink, on_error: OnError) -> Worked {
    let (block, hurry) = {
        let state = shared.lock();
        let Some(block) = state.queue.front().cloned() else { return Worked::Nothing };
        (block, state.bytes > if state.stop { HURRY_TO_END } else { HURRY })
    };
    let offset = sink.written();
    let written = shared.pulse.busy(|| sink.write(block.bytes(hurry)));
    let mut state = shared.lock();
    let failed = written.is_err();
    match written {
        Ok(()) => state.trouble = None,
        Err(error) => {
            state.fresh = state.trouble.is_none() || state.fresh;
            state.trouble = Some(Trouble { offset, error });
        }
    }
    if failed && on_error == OnError::Keep {
        return Worked::Failed;
    }
    state.queue.pop_front();
    state.bytes -= block.size();
    state.dropped += u64::from(failed);
    Worked::Wrote
}

/// The thread.
fn serve(shared: &Shared, sink: &mut dyn Sink, on_error: OnError) {
    loop {
        match work(shared, sink, on_error) {
            Worked::Wrote => continue,
            Worked::Failed => {
                let state = shared.lock();
                if state.stop {
                    return;
                }
                drop(shared.changed.wait_timeout(state, RETRY));
                continue;
            }
            Worked::Nothing => {}
        }
        let state = shared.lock();
        if !state.queue.is_empty() {
            continue;
        }
        let asked = state.asked;
        if state.done < asked {
            drop(state);
            // A failure shows in the next write, or in the sync at the end.
            let _ = shared.pulse.busy(|| sink.sync());
            shared.lock().done = asked;
            shared.changed.notify_all();
            continue;
        }
        if state.stop {
            return;
        }
        drop(shared.changed.wait(state));
    }
}

/// A sink that was never handed over.
struct Nowhere;

impl Sink for Nowhere {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn written(&self) -> u64 {
        0
    }
}

/// An equal error, since errors cannot be cloned.
fn copy(error: &io::Error) -> io::Error {
    error
        .raw_os_error()
        .map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}
