//! Looks after the collector, which looks after all other live threads.

use super::last_resort::{LastResort, OnStall};
use super::live::Order;
use super::voice::Voice;
use crate::pulse::{Pulse, Watcher};
use crate::tty::Screen;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Between two looks.
const TICK: Duration = Duration::from_millis(250);
/// Looks without a sign of life after which the collector counts as blocked: 5 s.
const PATIENCE: u32 = 20;
/// How long the verdict may take to get out before the last resort.
const SETTLE: Duration = Duration::from_secs(3);

/// What the guard works with.
pub struct Guard<'a> {
    /// Its own sign of life.
    pub pulse: Arc<Pulse>,
    /// The collector's.
    pub collector: Arc<Pulse>,
    /// Where it speaks.
    pub voice: &'a Voice,
    /// What it does in the end.
    pub resort: &'a LastResort,
    /// What it brings to the screen.
    pub screen: Option<&'a Screen>,
    /// How long a collector that is dead or blocked is waited for before the last resort.
    pub after: Duration,
}

/// Looks, and carries out orders, until `done`. Says so if the collector dies or blocks, and takes the last resort
/// in its place if the machine has not come back some time after that.
pub fn keep(guard: &Guard<'_>, orders: &Receiver<Order>, done: &AtomicBool) {
    let Guard { voice, resort, .. } = *guard;
    let _living = guard.pulse.live();
    let mut watcher = Watcher::new([Arc::clone(&guard.collector)], PATIENCE);
    let (mut ticks, mut taken) = (0, false);
    let limit = u32::try_from(guard.after.as_millis() / TICK.as_millis()).unwrap_or(u32::MAX);
    while !done.load(Ordering::Acquire) {
        guard.pulse.beat();
        for news in watcher.look() {
            tell(voice, &news);
        }
        ticks = if watcher.suspects() { ticks + 1 } else { 0 };
        if ticks >= limit && !taken {
            taken = true;
            take(voice, resort, "nobody can tell why the machine is not back");
        }
        match orders.recv_timeout(TICK) {
            Ok(Order::Show) => {
                if let Some(Err(error)) = guard.screen.map(Screen::show) {
                    tell(voice, &format!("cannot bring the console to the screen: {error}"));
                }
            }
            Ok(Order::TakeLastResort(why)) if !taken => {
                taken = true;
                take(voice, resort, &why);
            }
            Ok(Order::TakeLastResort(_)) | Err(RecvTimeoutError::Timeout) => {}
            // The collector is gone.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(TICK),
        }
    }
}

/// Says a sentence everywhere.
pub fn tell(voice: &Voice, sentence: &str) {
    let line = format!("pm-trace: {}", crate::text::line(sentence));
    voice.say(format!("{line}\n"));
    voice.log([line]);
}

/// Takes the last resort, with the verdict out as far as it gets.
pub fn take(voice: &Voice, resort: &LastResort, why: &str) {
    let what = match resort.action() {
        OnStall::Wait => return,
        OnStall::Reboot => "restarting the machine (--on-stall reboot)",
        OnStall::Panic => "panicking, so that the kernel log is kept (--on-stall panic)",
    };
    tell(voice, &format!("{why}: {what}"));
    let behind = voice.settle(SETTLE);
    if !behind.is_empty() {
        tell(voice, &format!("not everything got out: {} did not take it in time", behind.join(", ")));
        // Some time for these words, on what is not blocked.
        std::thread::sleep(TICK);
    }
    if let Err(error) = resort.carry_out(|sentence| tell(voice, &sentence)) {
        tell(voice, &format!("that did not work: {error}"));
    }
}
