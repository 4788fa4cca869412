//! From what a log says to events, as a recording of the same would have them.
//!
//! A log has callbacks where a recording has steps: the PM core's step of a device, with the waits for other devices
//! before its callback, and steps of devices without a callback, leave nothing in a log. So a step lasts as long as
//! its callback here. As in a recording, nothing outside of a transition is kept.

use super::HashMap;
use super::devices::Devices;
use super::ftrace::Record;
use super::grammar::{Function, Said};
use crate::capture::ids::ObjectIds;
use crate::event::{Body, Comm, Event, LockKind, Nanos, ObjId, Power, SymId, TaskRef};
use pm_trace_common::control::BLOCKED_NS;
use pm_trace_common::{lock::flags, pm::power};
use std::collections::hash_map::Entry;
use std::hash::Hash;

/// Most tasks followed, and most functions named.
const MOST: usize = 1 << 16;
/// Longest name of a function or a phase kept, in bytes.
const LONGEST: usize = 128;
/// Mutexes that a log does not name get addresses of their own, each wait another: see `devices`.
const UNNAMED: u64 = 3 << 61;

/// Turns what a log says into events, in the order of the log.
#[derive(Default)]
pub(super) struct Converter {
    ids: ObjectIds,
    devices: Devices,
    symbols: HashMap<String, SymId>,
    /// The callback that each task is inside of.
    callbacks: HashMap<u32, Callback>,
    /// The lock that each task waits for.
    locks: HashMap<u32, ObjId>,
    /// Since when each task is in state D.
    blocked: HashMap<u32, Nanos>,
    unnamed: u64,
    /// The task that runs the transition.
    driver: Option<u32>,
    /// A transition is under way.
    open: bool,
    /// What found no room: devices beyond all bounds.
    pub(super) refused: u64,
}

struct Callback {
    dev: ObjId,
    is_step: bool,
}

const UNKNOWN: Power = Power(power::UNKNOWN);

impl Converter {
    /// Takes in what an event of the log says; `out` gets the events that follow from it.
    pub(super) fn take(&mut self, record: &Record<'_>, said: &Said<'_>, out: &mut Vec<Event>) {
        let at = At { time: record.time, cpu: record.cpu, task: record.task, out };
        if let Said::Phase { action, value, start } = *said {
            return self.phase(at, action, value, start);
        }
        if let Said::Switch { from, blocked, to, to_comm } = *said {
            return self.switch(at, from, blocked, TaskRef { tid: to, comm: Comm::new(to_comm) });
        }
        if !self.open {
            return;
        }
        match *said {
            Said::Phase { .. } | Said::Switch { .. } => {}
            Said::CallbackStart { .. } => self.callback_start(at, said),
            Said::CallbackEnd { driver, name, error } => self.callback_end(at, driver, name, error),
            Said::LockWait { lock, flags } => {
                // A task that spins goes on to sleep, and says so, or never waits.
                if let (0, Some(lock)) = (flags & flags::SPIN, self.ids.id(lock)) {
                    self.lock_wait(at, lock, LockKind::of_contention(flags));
                }
            }
            Said::MutexWait => {
                self.unnamed += 1;
                if let Some(lock) = self.ids.id(UNNAMED + self.unnamed) {
                    self.lock_wait(at, lock, LockKind::Mutex);
                }
            }
            Said::LockWaitEnd { lock, acquired } => {
                let lock = self.ids.id(lock);
                self.lock_wait_end(at, acquired, |waited| Some(waited) == lock);
            }
            Said::MutexWaitEnd => self.lock_wait_end(at, true, |_| true),
            Said::AsyncWait => at.say(Body::AsyncWait { domain: None, all: true, stack: Vec::new() }),
            Said::WorkQueued { work, function, workqueue } => {
                let Some(work) = self.ids.id(work) else { return };
                let workqueue = cut(workqueue);
                let mut at = at;
                let function = self.symbol(function, &mut at);
                at.say(Body::WorkQueued {
                    work,
                    function,
                    workqueue,
                    wq_flags: 0,
                    queue: None,
                    max_active: None,
                    interrupt: None,
                });
            }
            Said::WorkStart { work, function } => {
                self.work(at, work, function, |work, function| Body::WorkStart { work, function });
            }
            Said::WorkEnd { work, function } => {
                self.work(at, work, function, |work, function| Body::WorkEnd { work, function });
            }
        }
    }

    fn phase(&mut self, at: At<'_>, action: &str, value: i32, start: bool) {
        let is_steps = action.starts_with("dpm_");
        let opens = is_steps || matches!(action, "suspend_enter" | "sync_filesystems" | "freeze_processes");
        if start && opens && !self.open {
            self.open = true;
            self.callbacks.clear();
            self.locks.clear();
        }
        if !self.open {
            return;
        }
        if is_steps && start {
            self.driver = Some(at.task.tid);
        }
        self.open = start || action != "thaw_processes";
        at.say(Body::Phase { action: cut(action), value, start });
    }

    fn callback_start(&mut self, mut at: At<'_>, said: &Said<'_>) {
        let Said::CallbackStart { device, ops, event, step } = *said else { return };
        let mut news = Vec::new();
        let dev = self.devices.id(device, &mut self.ids, &mut news);
        for info in news {
            at.say_and(Body::Device(info));
        }
        let tid = at.task.tid;
        let Some(dev) = dev.filter(|_| has_room(&self.callbacks, &tid)) else {
            self.refused += 1;
            return;
        };
        if let Some(step) = step {
            // Steps that the task of the transition does not take itself are asynchronous.
            let is_async = self.driver.is_some_and(|driver| driver != tid);
            at.say_and(Body::StepStart { dev, step, is_async, power: UNKNOWN });
        }
        at.say(Body::CallbackStart { dev, event, ops: cut(ops) });
        self.callbacks.insert(tid, Callback { dev, is_step: step.is_some() });
    }

    fn callback_end(&mut self, mut at: At<'_>, driver: &str, name: &str, error: i32) {
        let Entry::Occupied(open) = self.callbacks.entry(at.task.tid) else { return };
        if !self.devices.is(open.get().dev, driver, name) {
            // Its start was lost, or there was no room for it.
            return;
        }
        let callback = open.remove();
        at.say_and(Body::CallbackEnd { dev: callback.dev, error });
        if callback.is_step {
            at.say(Body::StepEnd { dev: callback.dev, power: UNKNOWN });
        }
    }

    fn lock_wait(&mut self, at: At<'_>, lock: ObjId, lock_kind: LockKind) {
        if !has_room(&self.locks, &at.task.tid) {
            return;
        }
        self.locks.insert(at.task.tid, lock);
        at.say(Body::LockWait { lock, lock_kind, owner: None, stack: Vec::new(), shared: false });
    }

    fn lock_wait_end(&mut self, at: At<'_>, acquired: bool, is_it: impl Fn(ObjId) -> bool) {
        let waited = self.locks.get(&at.task.tid).copied();
        if let Some(lock) = waited.filter(|&lock| is_it(lock)) {
            self.locks.remove(&at.task.tid);
            at.say(Body::LockWaitEnd { lock, acquired });
        }
    }

    fn switch(&mut self, at: At<'_>, from: u32, blocked: bool, to: TaskRef) {
        if blocked && has_room(&self.blocked, &from) {
            self.blocked.insert(from, at.time);
        }
        let Some(since) = self.blocked.remove(&to.tid).filter(|_| from != to.tid) else { return };
        let duration = at.time.saturating_sub(since);
        if self.open && duration >= BLOCKED_NS {
            let at = At { task: to, ..at };
            at.say(Body::Blocked { since, duration });
        }
    }

    fn work(
        &mut self,
        mut at: At<'_>,
        work: u64,
        function: Function<'_>,
        body: fn(ObjId, Option<SymId>) -> Body,
    ) {
        if let Some(work) = self.ids.id(work) {
            let function = self.symbol(function, &mut at);
            at.say(body(work, function));
        }
    }

    /// The function's id, which is given a name when it is first used.
    fn symbol(&mut self, function: Function<'_>, at: &mut At<'_>) -> Option<SymId> {
        if function.name.is_empty() {
            return None;
        }
        let (name, module) = (cut(function.name), cut(function.module));
        if let Some(&id) = self.symbols.get(&name) {
            return Some(id);
        }
        if self.symbols.len() >= MOST {
            return None;
        }
        let id = SymId(u32::try_from(self.symbols.len()).ok()? + 1);
        self.symbols.insert(name.clone(), id);
        at.say_and(Body::Symbol { id, name, module });
        Some(id)
    }
}

fn cut(text: &str) -> String {
    crate::text::cut(text, LONGEST).to_owned()
}

/// Whether a table takes this key.
fn has_room<K: Hash + Eq, V>(table: &HashMap<K, V>, key: &K) -> bool {
    table.len() < MOST || table.contains_key(key)
}

/// When and where something happened, and where the events about it go.
struct At<'a> {
    time: Nanos,
    cpu: u16,
    task: TaskRef,
    out: &'a mut Vec<Event>,
}

impl At<'_> {
    fn say(mut self, body: Body) {
        self.say_and(body);
    }

    /// The same, with more to say.
    fn say_and(&mut self, body: Body) {
        self.out.push(Event { time: self.time, cpu: self.cpu, task: self.task, body });
    }
}
