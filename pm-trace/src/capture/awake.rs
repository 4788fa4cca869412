//! Staying awake in any suspend, whoever starts it.
//!
//! A thread that was created between `SNAPSHOT_FREEZE` and `SNAPSHOT_UNFREEZE` has `PF_SUSPEND_TASK` and keeps it: no
//! later freezer touches it. The kernel does not mean that to be: `thaw_processes()` (kernel/power/process.c) warns at
//! each thaw about a task other than the caller that has the flag, which taints the kernel, and panics one with
//! `panic_on_warn`.

use super::freezer::{FreezeError, Frozen};
use super::guard;
use super::live::{Collector, Desk};
use super::record::{Ended, Until, Window};
use super::recorder::{Integrity, RecordError, Recorder};
use super::suspend::{Live, SuspendError};
use super::voice::Voice;
use crate::kernel::system::System;
use crate::pulse::Pulse;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::Builder;
use std::time::{Duration, Instant};

/// Stack of the collector's thread.
const COLLECTOR_STACK: usize = 2 << 20;
/// Between two looks whether to end.
const LOOK: Duration = Duration::from_millis(100);
/// How long threads may take to end.
const THREADS_END: Duration = Duration::from_secs(5);
/// Orders that wait for the guard.
const ORDERS: usize = 8;

/// What it costs, in words for the person who asks for it.
pub const PRICE: &str = "staying awake in suspends that others start leaves threads that the kernel does not expect. At each \
    thaw, now included, it prints a warning (thaw_processes, kernel/power/process.c) and taints itself (W); with \
    panic_on_warn it would panic";

/// Why it cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum AwakeError {
    /// It would panic the machine.
    #[error(
        "--stay-awake makes the kernel warn at each thaw, and this machine panics at a warning (kernel.panic_on_warn is \
         set). Nothing was done; leave --stay-awake out, or 'sysctl kernel.panic_on_warn=0'"
    )]
    PanicOnWarn,
    /// The kernel has no such device.
    #[error(transparent)]
    Freeze(#[from] FreezeError),
}

/// Refuses where it would panic the machine or cannot be had, before anything is changed.
///
/// # Errors
/// [`AwakeError`].
pub fn check(system: &dyn System) -> Result<(), AwakeError> {
    if system.text("/proc/sys/kernel/panic_on_warn").is_some_and(|value| value != "0") {
        return Err(AwakeError::PanicOnWarn);
    }
    Ok(Frozen::probe()?)
}

/// Freezes user space for a moment to create threads that stay awake, and has them record until it is time to stop or
/// `stop` is set; `told` is called after each transition.
///
/// # Errors
/// User space cannot be frozen for that moment, or the recording fails as a whole.
pub fn run(
    recorder: &mut Recorder,
    live: &Live,
    until: Until,
    stop: &AtomicBool,
    told: impl FnMut(&mut Recorder, &Integrity) + Send,
) -> Result<Ended, SuspendError> {
    let done = AtomicBool::new(false);
    let collecting = Pulse::new("collector", "nobody looks for lockups, and nothing is recorded any more");
    let guarding = Pulse::new("guard", "nobody looks after the collector, and --on-stall does nothing");
    recorder.await_transition()?;
    let frozen = Frozen::freeze()?;
    // Everything that is to stay awake is created between here and the thaw.
    let voice = Voice::start(live.outputs()).map_err(SuspendError::Collector)?;
    recorder.writer().go_background().map_err(RecordError::from)?;
    let mut others = recorder.writer().pulses();
    others.extend(voice.pulses());
    others.push(Arc::clone(&guarding));
    let (orders, taken) = sync_channel(ORDERS);
    let desk = Desk {
        voice: &voice,
        orders,
        stall_after: live.stall_after(),
        pulse: Arc::clone(&collecting),
        others,
    };
    let guard = live.guard(&voice, guarding, collecting);
    let awake: &mut Recorder = &mut *recorder;
    let ended = std::thread::scope(|scope| {
        let (desk, guard, done) = (&desk, &guard, &done);
        let collector = Builder::new().name("collector".to_owned()).stack_size(COLLECTOR_STACK);
        let collector = collector
            .spawn_scoped(scope, move || collect(awake, desk, until, stop, done, told))
            .map_err(SuspendError::Collector)?;
        let guarded = Builder::new().name("guard".to_owned());
        let guarded = guarded.spawn_scoped(scope, move || guard::keep(guard, &taken, done));
        let thawed = frozen.thaw();
        if guarded.is_err() || thawed.is_err() {
            done.store(true, Ordering::Release);
        }
        let ended = match collector.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        done.store(true, Ordering::Release);
        guarded.map_err(SuspendError::Collector)?;
        thawed?;
        Ok::<_, SuspendError>(ended?)
    });
    recorder.writer().go_foreground(THREADS_END);
    let blocked = voice.finish(THREADS_END);
    if !blocked.is_empty() {
        log::warn!("still blocked: {}", blocked.join(", "));
    }
    ended
}

/// The collector's thread.
fn collect(
    recorder: &mut Recorder,
    desk: &Desk<'_>,
    until: Until,
    stop: &AtomicBool,
    done: &AtomicBool,
    mut told: impl FnMut(&mut Recorder, &Integrity),
) -> Result<Ended, RecordError> {
    let _living = desk.pulse.live();
    let started = Instant::now();
    let mut collector = Collector::new(desk);
    let mut window = Window::new();
    loop {
        std::thread::sleep(LOOK);
        let drained = collector.step(recorder);
        let mut ended =
            (stop.load(Ordering::Acquire) || done.load(Ordering::Acquire)).then_some(Ended::Signal);
        if until.timeout.is_some_and(|timeout| started.elapsed() >= timeout) {
            ended.get_or_insert(Ended::Timeout);
        }
        if let Some(integrity) = window.step(recorder, drained)? {
            told(recorder, &integrity);
            collector = Collector::new(desk);
            if until.cycles.is_some_and(|cycles| window.cycles() >= cycles) {
                ended.get_or_insert(Ended::Cycles);
            } else {
                recorder.await_transition()?;
            }
        }
        // A transition that is under way is recorded to its end, unless a signal asks to stop.
        if let Some(ended) = ended
            && (ended == Ended::Signal || !recorder.window_is_open()?)
        {
            recorder.close_window()?;
            recorder.drain();
            return Ok(ended);
        }
    }
}
