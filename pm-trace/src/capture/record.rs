//! Recording the suspends that something else starts.

use super::recorder::{Integrity, LINGER_MOST, LINGER_QUIET, RecordError, Recorder};
use std::process::ExitStatus;
use std::time::{Duration, Instant};
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};

/// Time between two looks at the ring buffer while nothing happens.
const TICK: Duration = Duration::from_millis(50);

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    /// After so many transitions.
    pub cycles: Option<u32>,
    /// After this time.
    pub timeout: Option<Duration>,
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All transitions that were asked for are recorded.
    Cycles,
    /// Time is over.
    Timeout,
    /// The command ended.
    Command(ExitStatus),
    /// The user stopped it.
    Signal,
}

/// Records until it is time to stop, or until the command that `start` starts has ended; `told` is called
/// after each transition. A transition that is under way then is recorded to its end.
///
/// # Errors
/// The recording fails as a whole, the command cannot be started, or signals cannot be received.
pub fn run(
    recorder: &mut Recorder,
    until: Until,
    start: impl FnOnce() -> std::io::Result<Option<Child>>,
    told: impl FnMut(&mut Recorder, &Integrity),
) -> Result<Ended, RecordError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(record(recorder, until, start, told))
}

async fn record(
    recorder: &mut Recorder,
    until: Until,
    start: impl FnOnce() -> std::io::Result<Option<Child>>,
    mut told: impl FnMut(&mut Recorder, &Integrity),
) -> Result<Ended, RecordError> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let deadline = until.timeout.map(|timeout| tokio::time::Instant::now() + timeout);
    let mut watch = Window::new();
    let mut ended = None;
    recorder.await_transition()?;
    let mut child = start()?;
    loop {
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            _ = interrupt.recv() => ended = Some(Ended::Signal),
            _ = terminate.recv() => ended = Some(Ended::Signal),
            () = sleep_until(deadline), if ended.is_none() => ended = Some(Ended::Timeout),
            status = wait(&mut child), if ended.is_none() => ended = Some(Ended::Command(status?)),
        }
        let drained = if recorder.window_is_open()? { recorder.drain() } else { 0 };
        if let Some(integrity) = watch.step(recorder, drained)? {
            told(recorder, &integrity);
            if until.cycles.is_some_and(|cycles| watch.cycles >= cycles) {
                ended.get_or_insert(Ended::Cycles);
            } else {
                recorder.await_transition()?;
            }
        }
        if let Some(ended) = ended
            && !(recorder.window_is_open()? && ended != Ended::Signal)
        {
            recorder.close_window()?;
            recorder.drain();
            return Ok(ended);
        }
    }
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn wait(child: &mut Option<Child>) -> std::io::Result<ExitStatus> {
    match child {
        Some(child) => child.wait().await,
        None => std::future::pending().await,
    }
}

/// The window that transitions open and quiet closes.
#[derive(Debug)]
pub struct Window {
    /// When something last happened.
    last: Instant,
    /// When the transition was last seen under way.
    under_way: Instant,
    /// It was open at the last look.
    open: bool,
    cycles: u32,
}

impl Default for Window {
    fn default() -> Self {
        Self::new()
    }
}

impl Window {
    /// No transition was seen yet.
    pub fn new() -> Self {
        Self { last: Instant::now(), under_way: Instant::now(), open: false, cycles: 0 }
    }

    /// Transitions so far.
    pub(super) fn cycles(&self) -> u32 {
        self.cycles
    }

    /// After so many events were drained: closes the window when a transition is over, and says whether all of it
    /// arrived.
    ///
    /// # Errors
    /// The window or the counters cannot be read.
    pub fn step(
        &mut self,
        recorder: &mut Recorder,
        drained: usize,
    ) -> Result<Option<Integrity>, RecordError> {
        if !recorder.window_is_open()? {
            return Ok(None);
        }
        // Open since the last look: its first event may still be on its way, and what was quiet was the time before.
        if !std::mem::replace(&mut self.open, true) {
            (self.last, self.under_way) = (Instant::now(), Instant::now());
        }
        if drained > 0 {
            self.last = Instant::now();
        }
        let under_way = recorder.model().transition().is_some_and(|transition| transition.phase().is_some());
        if under_way {
            self.under_way = Instant::now();
        }
        if under_way || (self.last.elapsed() < LINGER_QUIET && self.under_way.elapsed() < LINGER_MOST) {
            return Ok(None);
        }
        recorder.close_window()?;
        recorder.drain();
        self.open = false;
        self.cycles += 1;
        recorder.end_cycle().map(Some)
    }
}
