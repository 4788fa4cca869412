//! Suspending the machine, watched.

use super::companion;
use super::freezer::{FreezeError, Frozen};
use super::guard::{self, Guard, tell};
use super::last_resort::{LastResort, NoTrigger, OnStall};
use super::live::{self, Desk};
use super::memory::{self, Locked};
use super::outputs::{OutputError, Outputs};
use super::recorder::{Integrity, LINGER_MOST, LINGER_QUIET, RecordError, Recorder};
use super::stream::Address;
use super::switches::{self, SwitchError, WakeAlarm};
use super::voice::Voice;
use crate::event::Nanos;
use crate::pulse::Pulse;
use crate::tty::Screen;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

/// How long threads may take to end before user space is thawed.
const THREADS_END: Duration = Duration::from_secs(5);
/// How much longer the trace's file may take: a disk may first have to spin up, which takes 10 s and more.
const DISK_SPINS_UP: Duration = Duration::from_secs(25);
/// Stack of the collector's thread. Memory is locked, so it is all there.
const COLLECTOR_STACK: usize = 2 << 20;
/// And of the guard's.
const GUARD_STACK: usize = 256 << 10;
/// Orders that wait for the guard.
const ORDERS: usize = 8;

/// How to suspend.
#[derive(Clone, Debug)]
pub struct SuspendOptions {
    /// `mem`, `freeze` or `standby`.
    pub state: String,
    /// Seconds until the RTC wakes the machine.
    pub wake: Option<u32>,
    /// Level of `/sys/power/pm_test`.
    pub pm_test: Option<String>,
    /// How often.
    pub cycles: u32,
}

/// What to do while everything else is frozen.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// What holds the transition up for so long is a stall, and is when `on_stall` is due.
    pub stall_after: Duration,
    /// What to do then.
    pub on_stall: OnStall,
    /// Who gets what is said, besides the console.
    pub stream: Option<Address>,
    /// The console, instead of standard output.
    pub tty: Option<PathBuf>,
    /// Where the report goes when there is a verdict.
    pub report: PathBuf,
}

/// Live mode, ready: everything open, memory locked.
pub struct Live {
    stall_after: Duration,
    outputs: Outputs,
    resort: LastResort,
    screen: Option<Screen>,
    _locked: Locked,
}

impl Live {
    /// Opens and locks. [`memory::one_heap`] should have been called when the program had one thread.
    ///
    /// # Errors
    /// The console, the connection or the last resort cannot be had.
    pub fn prepare(options: &LiveOptions, recorder: &mut Recorder) -> Result<Self, SuspendError> {
        let tty = options.tty.as_deref();
        let mut outputs = Outputs::open(tty, options.stream.as_ref(), Some(options.report.clone()))?;
        // A view has the terminal to itself.
        outputs.stdout &= recorder.companion().is_none();
        let resort = LastResort::prepare(options.on_stall)?;
        let screen = tty.map(screen_of).transpose()?.flatten();
        recorder.writer().limit_backlog(memory::FILE_BACKLOG, memory::TEE_BACKLOG);
        Ok(Self { stall_after: options.stall_after, outputs, resort, screen, _locked: Locked::lock() })
    }
}

impl Live {
    /// Where the voice speaks.
    pub(super) fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// What is a stall.
    pub(super) fn stall_after(&self) -> Duration {
        self.stall_after
    }

    /// The guard of a collector.
    pub(super) fn guard<'a>(
        &'a self,
        voice: &'a Voice,
        pulse: Arc<Pulse>,
        collector: Arc<Pulse>,
    ) -> Guard<'a> {
        let (resort, screen, after) = (&self.resort, self.screen.as_ref(), self.stall_after);
        Guard { pulse, collector, voice, resort, screen, after }
    }
}

fn screen_of(path: &Path) -> Result<Option<Screen>, SuspendError> {
    Screen::of(path).map_err(|source| OutputError::Tty { path: path.to_owned(), source }.into())
}

/// Why a cycle failed.
#[derive(Debug, thiserror::Error)]
pub enum SuspendError {
    /// A switch of the machine.
    #[error(transparent)]
    Switch(#[from] SwitchError),
    /// Live mode.
    #[error(transparent)]
    Freeze(#[from] FreezeError),
    /// Recording.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Live mode enters S3 only.
    #[error(
        "live mode enters suspend-to-RAM ('mem') only, since /dev/snapshot offers nothing else: not '{0}'. \
         Leave out --live to record and report after the resume"
    )]
    NotLive(String),
    /// Live mode begins behind the freezer, and the kernel would not stop there.
    #[error(
        "live mode cannot stop at the test level 'freezer': the kernel looks at that level before the point where \
         /dev/snapshot enters, and the machine would really sleep. Take 'devices', or leave out --live"
    )]
    FreezerTest,
    /// A console or a connection for the verdict.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Restarting or panicking.
    #[error(transparent)]
    NoTrigger(#[from] NoTrigger),
    /// Threads of the live collector.
    #[error("the live collector could not run: {0}")]
    Collector(std::io::Error),
    /// A thread would have been left behind.
    #[error(
        "threads of pm-trace are still blocked in what they write to ({0}); user space is thawed when pm-trace \
         ends, and the kernel then warns about the threads"
    )]
    ThreadLeft(String),
}

/// What happened in a cycle.
#[derive(Debug)]
pub struct Cycle {
    /// Whether the suspend came about; what stopped it, if not.
    pub result: Result<(), SuspendError>,
    /// How long user space was away, in nanoseconds of the boot-time clock.
    pub away: Nanos,
    /// Whether all records arrived.
    pub integrity: Integrity,
}

/// Refuses what live mode cannot do, before anything is changed.
///
/// # Errors
/// [`SuspendError::NotLive`], [`SuspendError::FreezerTest`], [`SuspendError::Freeze`].
pub fn check_live(options: &SuspendOptions) -> Result<(), SuspendError> {
    if options.state != "mem" {
        return Err(SuspendError::NotLive(options.state.clone()));
    }
    // enter_state() tests TEST_FREEZER, suspend_devices_and_enter() only what comes later (kernel/power/suspend.c).
    if options.pm_test.as_deref() == Some("freezer") {
        return Err(SuspendError::FreezerTest);
    }
    Ok(Frozen::probe()?)
}

/// Runs one cycle of suspend and resume, awake meanwhile if `live` is ready.
///
/// # Errors
/// The machine's switches cannot be set, or the recording fails as a whole. That the suspend itself did not
/// come about is in [`Cycle::result`].
pub fn cycle(
    recorder: &mut Recorder,
    options: &SuspendOptions,
    live: Option<&Live>,
) -> Result<Cycle, SuspendError> {
    let _level = options.pm_test.as_deref().map(switches::pm_test).transpose()?;
    let alarm = options.wake.map(WakeAlarm::set).transpose()?;
    recorder.begin_cycle()?;
    recorder.open_window()?;
    let began = super::recorder::boottime();
    let result = match live {
        Some(live) => live_cycle(recorder, live),
        None => switches::enter(&options.state).map_err(Into::into),
    };
    let away = super::recorder::boottime().saturating_sub(began);
    drop(alarm);
    linger(recorder);
    recorder.close_window()?;
    recorder.drain();
    let integrity = recorder.end_cycle()?;
    recorder.sync();
    Ok(Cycle { result, away, integrity })
}

/// Goes on recording until things have calmed down.
fn linger(recorder: &mut Recorder) {
    let started = Instant::now();
    let mut last = started;
    while started.elapsed() < LINGER_MOST && last.elapsed() < LINGER_QUIET {
        if recorder.drain() > 0 {
            last = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn live_cycle(recorder: &mut Recorder, live: &Live) -> Result<(), SuspendError> {
    let before = memory::resident_kib();
    let frozen = Frozen::freeze()?;
    // From here on every new thread is exempt, and has to be gone before the thaw.
    let result = awake(recorder, &frozen, live);
    if matches!(result, Err(SuspendError::ThreadLeft(_))) {
        return result;
    }
    frozen.thaw()?;
    let after = memory::resident_kib();
    log::info!("memory: {after} KiB resident, {} KiB more than before", after.saturating_sub(before));
    result
}

fn awake(recorder: &mut Recorder, frozen: &Frozen, live: &Live) -> Result<(), SuspendError> {
    let voice = Voice::start(&live.outputs).map_err(SuspendError::Collector)?;
    let view = recorder.companion().map(|view| companion::Running::start(&view)).transpose();
    let view = view.map_err(SuspendError::Collector)?;
    let background = recorder.writer().go_background();
    let result = match background {
        Ok(()) => suspend_with_collector(recorder, frozen, live, &voice),
        Err(error) => Err(SuspendError::Record(error.into())),
    };
    let mut left = Vec::new();
    if !(recorder.writer().go_foreground(THREADS_END) || await_disk(recorder, &voice)) {
        left.push("the trace".to_owned());
    }
    left.extend(voice.finish(THREADS_END));
    if view.is_some_and(|view| !view.finish(THREADS_END)) {
        left.push("the view".to_owned());
    }
    if left.is_empty() { result } else { Err(SuspendError::ThreadLeft(left.join(", "))) }
}

/// Gives the disk more time, and says why user space is still frozen.
fn await_disk(recorder: &mut Recorder, voice: &Voice) -> bool {
    let most = DISK_SPINS_UP.as_secs();
    tell(
        voice,
        &format!(
            "the machine is awake; the trace is still being written, user space waits {most} s for that"
        ),
    );
    recorder.writer().go_foreground(DISK_SPINS_UP)
}

fn suspend_with_collector(
    recorder: &mut Recorder,
    frozen: &Frozen,
    live: &Live,
    voice: &Voice,
) -> Result<(), SuspendError> {
    let done = AtomicBool::new(false);
    let collecting = Pulse::new("collector", "nobody looks for lockups, and nothing is recorded any more");
    let guarding = Pulse::new("guard", "nobody looks after the collector, and --on-stall does nothing");
    let mut others = recorder.writer().pulses();
    others.extend(voice.pulses());
    others.push(Arc::clone(&guarding));
    let (orders, taken) = sync_channel(ORDERS);
    let desk = Desk { voice, orders, stall_after: live.stall_after, pulse: Arc::clone(&collecting), others };
    let guard = live.guard(voice, guarding, collecting);
    let named = |name: &str, stack| std::thread::Builder::new().name(name.to_owned()).stack_size(stack);
    let (desk, guard, done) = (&desk, &guard, &done);
    std::thread::scope(|scope| {
        let collector = named("collector", COLLECTOR_STACK)
            .spawn_scoped(scope, move || live::collect(recorder, desk, done))
            .map_err(SuspendError::Collector)?;
        let guarded = named("guard", GUARD_STACK)
            .spawn_scoped(scope, move || guard::keep(guard, &taken, done))
            .map_err(SuspendError::Collector);
        let suspended = if guarded.is_ok() { frozen.suspend() } else { Ok(()) };
        done.store(true, Ordering::Release);
        guarded?;
        match collector.join() {
            Ok(collected) => collected.map_err(SuspendError::Collector)?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        Ok(suspended?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It would put the machine to sleep for real, perhaps with no alarm to wake it.
    #[test]
    fn live_mode_refuses_to_stop_at_the_freezer() {
        let options = SuspendOptions {
            state: "mem".to_owned(),
            wake: None,
            pm_test: Some("freezer".to_owned()),
            cycles: 1,
        };
        assert!(matches!(check_live(&options), Err(SuspendError::FreezerTest)));
    }
}
