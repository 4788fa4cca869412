//! Signs of life of threads that may block for ever or die, for others to look at.
//!
//! Looks are counted, not timed: while a machine sleeps, or no CPU is there to run anybody, nobody looks and
//! nobody is suspected.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a thread does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has ended, as it should.
    Ended,
    /// It panicked.
    Died,
    /// It waits for work.
    Idle,
    /// It does something that may block; the number tells one such thing from the next.
    Busy(u64),
}

/// A thread's sign of life, shared by the thread and those who look.
#[derive(Debug)]
pub struct Pulse {
    name: &'static str,
    lost: &'static str,
    /// Odd while busy.
    beats: AtomicU64,
    alive: AtomicBool,
    died: AtomicBool,
}

impl Pulse {
    /// For a thread of this name; `lost` says what is lost while it is blocked.
    pub fn new(name: &'static str, lost: &'static str) -> Arc<Self> {
        Arc::new(Self {
            name,
            lost,
            beats: AtomicU64::new(0),
            alive: AtomicBool::new(false),
            died: AtomicBool::new(false),
        })
    }

    /// Marks the calling thread alive until the guard is dropped; a drop in a panic marks it dead.
    pub fn live(self: &Arc<Self>) -> Living {
        self.beats.store(0, Ordering::Release);
        self.died.store(false, Ordering::Release);
        self.alive.store(true, Ordering::Release);
        Living(Arc::clone(self))
    }

    /// Does something that may block.
    pub fn busy<T>(&self, work: impl FnOnce() -> T) -> T {
        self.beats.fetch_or(1, Ordering::AcqRel);
        let done = work();
        self.beats.fetch_add(1, Ordering::AcqRel);
        done
    }

    /// Shows that a thread which is never idle goes on.
    pub fn beat(&self) {
        self.beats.fetch_add(2, Ordering::AcqRel);
        self.beats.fetch_or(1, Ordering::AcqRel);
    }

    /// What the thread does.
    pub fn state(&self) -> State {
        let beats = self.beats.load(Ordering::Acquire);
        match (self.died.load(Ordering::Acquire), self.alive.load(Ordering::Acquire)) {
            (true, _) => State::Died,
            (false, false) => State::Ended,
            (false, true) if beats % 2 == 1 => State::Busy(beats),
            (false, true) => State::Idle,
        }
    }
}

/// A thread that lives; see [`Pulse::live`].
#[derive(Debug)]
pub struct Living(Arc<Pulse>);

impl Drop for Living {
    fn drop(&mut self) {
        self.0.died.store(std::thread::panicking(), Ordering::Release);
        self.0.alive.store(false, Ordering::Release);
    }
}

/// Looks at threads again and again and tells what is new.
#[derive(Debug)]
pub struct Watcher {
    /// Looks without a change after which a busy thread counts as blocked.
    patience: u32,
    seen: Vec<Seen>,
}

#[derive(Debug)]
struct Seen {
    pulse: Arc<Pulse>,
    state: State,
    looks: u32,
    told: bool,
}

impl Watcher {
    /// Looks at `pulses`; one that is busy with the same thing for `patience` looks is blocked.
    pub fn new(pulses: impl IntoIterator<Item = Arc<Pulse>>, patience: u32) -> Self {
        let seen = |pulse| Seen { pulse, state: State::Ended, looks: 0, told: false };
        Self { patience, seen: pulses.into_iter().map(seen).collect() }
    }

    /// Looks once. Each sentence is told once for as long as it is true.
    pub fn look(&mut self) -> Vec<String> {
        let patience = self.patience;
        self.seen.iter_mut().filter_map(|seen| seen.look(patience)).collect()
    }

    /// Whether a thread of these is dead or blocked now.
    pub fn suspects(&self) -> bool {
        self.seen.iter().any(|seen| seen.told)
    }
}

impl Seen {
    fn look(&mut self, patience: u32) -> Option<String> {
        let state = self.pulse.state();
        let Pulse { name, lost, .. } = &*self.pulse;
        let before = std::mem::replace(&mut self.state, state);
        self.looks = if state == before { self.looks.saturating_add(1) } else { 0 };
        match state {
            State::Died if !self.told => {
                self.told = true;
                Some(format!("the thread '{name}' died: {lost}"))
            }
            State::Busy(_) if self.looks >= patience && !self.told => {
                self.told = true;
                Some(format!("the thread '{name}' is blocked: {lost}"))
            }
            State::Idle | State::Busy(_) if self.looks == 0 && self.told => {
                self.told = false;
                Some(format!("the thread '{name}' goes on"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocked is who is busy with one thing for long, not who is busy with many; and it is told once.
    #[test]
    fn a_blocked_thread_is_noticed_and_so_is_that_it_goes_on() {
        let (one, two) = (Pulse::new("one", "its words"), Pulse::new("two", "its words"));
        let (_one, _two) = (one.live(), two.live());
        let mut watcher = Watcher::new([Arc::clone(&one), Arc::clone(&two)], 3);
        one.beats.store(1, Ordering::Release);
        let mut told = Vec::new();
        for _ in 0..10 {
            two.beat();
            told.extend(watcher.look());
        }
        assert_eq!(told, ["the thread 'one' is blocked: its words"]);
        assert!(watcher.suspects());
        one.busy(|| ());
        assert_eq!(watcher.look(), ["the thread 'one' goes on"]);
        assert!(!watcher.suspects());
    }

    #[test]
    fn a_thread_that_panics_has_died_and_one_that_ends_has_not() {
        let (good, bad) = (Pulse::new("good", ""), Pulse::new("bad", "all"));
        let mut watcher = Watcher::new([Arc::clone(&good), Arc::clone(&bad)], 3);
        let ended = std::thread::spawn({
            let good = Arc::clone(&good);
            move || drop(good.live())
        });
        let died = std::thread::spawn({
            let bad = Arc::clone(&bad);
            move || {
                let _living = bad.live();
                // Without the message that a panic prints.
                std::panic::resume_unwind(Box::new(()));
            }
        });
        ended.join().unwrap();
        died.join().unwrap_err();
        assert_eq!(watcher.look(), ["the thread 'bad' died: all"]);
        assert_eq!(watcher.look(), Vec::<String>::new());
    }
}
