//! Suspending the machine, watched.

use super::freezer::{FreezeError, Frozen};
use super::live;
use super::recorder::{Integrity, LINGER_MOST, LINGER_QUIET, RecordError, RecordOptions, Recorder};
use super::switches::{self, SwitchError, WakeAlarm};
use super::voice::{self, Voice};
use crate::event::Nanos;
use crate::trace::Mode;
use nix::sys::mman::{MlockAllFlags, mlockall, munlockall};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long threads may take to end before user space is thawed.
const THREADS_END: Duration = Duration::from_secs(5);
/// Stack of the collector's thread. Memory is locked, so it is all there.
const COLLECTOR_STACK: usize = 2 << 20;

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
    /// Threads of the live collector.
    #[error("the live collector could not run: {0}")]
    Collector(std::io::Error),
    /// A thread would have been left behind.
    #[error(
        "a thread of pm-trace is still writing to an output that blocks; user space is thawed when pm-trace \
         ends, and the kernel then warns about the thread"
    )]
    ThreadLeft,
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

/// Runs one cycle of suspend and resume.
///
/// # Errors
/// The machine's switches cannot be set, or the recording fails as a whole. That the suspend itself did not
/// come about is in [`Cycle::result`].
pub fn cycle(
    recorder: &mut Recorder,
    options: &SuspendOptions,
    record: &RecordOptions,
) -> Result<Cycle, SuspendError> {
    let _level = options.pm_test.as_deref().map(switches::pm_test).transpose()?;
    let alarm = options.wake.map(WakeAlarm::set).transpose()?;
    recorder.open_window()?;
    let began = super::recorder::boottime();
    let result = match record.mode {
        Mode::Live => live_cycle(recorder),
        Mode::Watch => switches::enter(&options.state).map_err(Into::into),
    };
    let away = super::recorder::boottime().saturating_sub(began);
    drop(alarm);
    linger(recorder);
    recorder.close_window()?;
    recorder.drain();
    Ok(Cycle { result, away, integrity: recorder.end_cycle()? })
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

/// Memory locked in place: a page that has to come from a suspended disk would stop the collector.
struct Locked;

impl Locked {
    fn lock() -> Self {
        if let Err(error) = mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE) {
            log::warn!(
                "cannot lock memory ({error}): pm-trace may stop if its pages are on a suspended disk"
            );
        }
        Self
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        if let Err(error) = munlockall() {
            log::debug!("cannot unlock memory: {error}");
        }
    }
}

fn live_cycle(recorder: &mut Recorder) -> Result<(), SuspendError> {
    let _locked = Locked::lock();
    let kernel_log = voice::kernel_log();
    let frozen = Frozen::freeze()?;
    // From here on every new thread is exempt, and has to be gone before the thaw.
    let result = awake(recorder, &frozen, kernel_log);
    if matches!(result, Err(SuspendError::ThreadLeft)) {
        return result;
    }
    frozen.thaw()?;
    result
}

fn awake(
    recorder: &mut Recorder,
    frozen: &Frozen,
    kernel_log: Option<std::fs::File>,
) -> Result<(), SuspendError> {
    let mut voice = Voice::start(kernel_log).map_err(SuspendError::Collector)?;
    let background = recorder.writer().go_background();
    let result = match background {
        Ok(()) => suspend_with_collector(recorder, frozen, &mut voice),
        Err(error) => Err(SuspendError::Record(error.into())),
    };
    let written = recorder.writer().go_foreground(THREADS_END);
    let said = voice.finish(THREADS_END);
    if written && said { result } else { Err(SuspendError::ThreadLeft) }
}

fn suspend_with_collector(
    recorder: &mut Recorder,
    frozen: &Frozen,
    voice: &mut Voice,
) -> Result<(), SuspendError> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let collector = std::thread::Builder::new()
            .name("collector".to_owned())
            .stack_size(COLLECTOR_STACK)
            .spawn_scoped(scope, || live::collect(recorder, voice, &done))
            .map_err(SuspendError::Collector)?;
        let suspended = frozen.suspend();
        done.store(true, Ordering::Release);
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
