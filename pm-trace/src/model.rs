//! What the kernel's objects are doing, folded from events.
//!
//! [`Model::apply`] is a pure fold: no clock, no I/O, nothing printed. The same events give the same model,
//! live, from a file, or in a test. Memory is bounded whatever the events say: every table has a cap, and
//! what did not fit is counted in [`Model::refused`].
//!
//! Identities may arrive after their first use (a lock is waited for before its device is described), so
//! nothing is resolved while folding: the tables keep ids, and readers look names up when they need them.

mod ata;
mod bounded;
mod device;
mod fold;
mod path;
mod runtime;
mod scsi;
mod sync;
mod task;
mod touch;
mod transition;
mod work;

#[cfg(test)]
mod tests;

pub use ata::{Acted, DeferredRescan, EhRun, Port, PowerRequest};
pub use device::{Device, Link, Sighting, StepRun};
pub use path::{CriticalPath, PathPart};
pub use runtime::RuntimeRun;
pub use scsi::{InFlight, Queue, Quiesced, Sdev, TimedOut};
pub use sync::{Completion, Lock, Owned, OwnerFrom};
pub use task::{CommandAsked, Context, DeviceWaiting, Entered, Task, Wait, WaitOn};
pub use touch::{Touch, TouchKind};
pub use transition::{ASLEEP, Abort, Direction, Loss, PhaseRun, StepTime, Transition, Wakeup};
pub use work::{QueuedBy, Work, WorkQueue};

use crate::event::{Event, Frame, Nanos, ObjId, Stack, SymId, TaskRef};
use bounded::Bounded;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which event says so: its number in the trace, counted from 0, and its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct At {
    /// When, in nanoseconds of `CLOCK_BOOTTIME`.
    pub time: Nanos,
    /// Number of the event.
    pub event: u64,
}

/// A kernel function by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its name in kallsyms.
    pub name: String,
    /// Its module, empty for the kernel image.
    pub module: String,
}

/// The last look at all blocked tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// When the look began.
    pub began: Nanos,
    /// The event that says it is complete.
    pub at: At,
    /// Every task it counted was shown: only then does a task's absence mean something.
    pub whole: bool,
}

/// State of everything that events tell about. A clone is cheap: objects are shared until they change.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub(crate) events: u64,
    pub(crate) now: Nanos,
    pub(crate) symbols: Bounded<SymId, Symbol>,
    pub(crate) devices: Bounded<ObjId, Device>,
    pub(crate) lock_devices: Arc<BTreeMap<ObjId, ObjId>>,
    pub(crate) completion_devices: Arc<BTreeMap<ObjId, ObjId>>,
    pub(crate) tasks: Bounded<u32, Task>,
    pub(crate) waiting: BTreeSet<u32>,
    pub(crate) locks: Bounded<ObjId, Lock>,
    pub(crate) completions: Bounded<ObjId, Completion>,
    pub(crate) queues: Bounded<ObjId, Queue>,
    pub(crate) sdevs: Bounded<ObjId, Sdev>,
    pub(crate) commands: Bounded<ObjId, InFlight>,
    pub(crate) works: Bounded<ObjId, Work>,
    pub(crate) async_running: BTreeMap<ObjId, u32>,
    pub(crate) runtime: Bounded<ObjId, RuntimeRun>,
    pub(crate) ports: Bounded<ObjId, Port>,
    pub(crate) port_devices: BTreeMap<ObjId, ObjId>,
    pub(crate) scan_mutexes: BTreeMap<ObjId, ObjId>,
    pub(crate) rescan_works: BTreeMap<ObjId, ObjId>,
    pub(crate) transitions: Vec<Transition>,
    pub(crate) transitions_left: u64,
    pub(crate) loss: Loss,
    pub(crate) snapshot: Option<Snapshot>,
}

impl Model {
    /// A model that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one event. Events come in the order of the trace; a time that goes back is tolerated.
    pub fn apply(&mut self, event: &Event) {
        let at = At { time: event.time, event: self.events };
        self.events += 1;
        self.now = self.now.max(event.time);
        fold::apply(self, event, at);
        if let Some(transition) = self.transitions.last_mut() {
            transition.events += u64::from(transition.ended.is_none() || transition.ended == Some(at));
        }
    }

    /// How many events were applied.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Latest time seen in an event.
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// The transitions seen, oldest first. Only the first 4096 are kept, and always the last one.
    pub fn transitions(&self) -> &[Transition] {
        &self.transitions
    }

    /// The transition that is under way, or the last one.
    pub fn transition(&self) -> Option<&Transition> {
        self.transitions.last()
    }

    /// The device with this id, if it was ever mentioned.
    pub fn device(&self, dev: ObjId) -> Option<&Device> {
        self.devices.get(&dev)
    }

    /// Every device mentioned, in order of id.
    pub fn devices(&self) -> impl Iterator<Item = (ObjId, &Device)> {
        self.devices.iter().map(|(&id, device)| (id, device))
    }

    /// The device whose lock (`dev->mutex`) this is.
    pub fn device_of_lock(&self, lock: ObjId) -> Option<ObjId> {
        self.lock_devices.get(&lock).copied()
    }

    /// The device whose PM completion (`dev->power.completion`) this is.
    pub fn device_of_completion(&self, completion: ObjId) -> Option<ObjId> {
        self.completion_devices.get(&completion).copied()
    }

    /// The task with this thread id.
    pub fn task(&self, tid: u32) -> Option<&Task> {
        self.tasks.get(&tid)
    }

    /// Whether the task only recorded: a thread of the program that did, and none that carries out a transition.
    pub fn only_recorded(&self, tid: u32) -> bool {
        let drives = |transition: &Transition| transition.task.is_some_and(|task| task.tid == tid);
        self.task(tid).is_some_and(|task| task.is_tracer) && !self.transitions().iter().any(drives)
    }

    /// Thread ids of the tasks that wait for something, in order.
    pub fn waiting(&self) -> impl Iterator<Item = u32> {
        self.waiting.iter().copied()
    }

    /// What a task waits for.
    pub fn wait(&self, tid: u32) -> Option<&Wait> {
        // Few tasks wait at a time: these are asked first.
        self.waiting.get(&tid).and_then(|tid| self.task(*tid)?.wait.as_ref())
    }

    /// A lock somebody waits for.
    pub fn lock(&self, lock: ObjId) -> Option<&Lock> {
        self.locks.get(&lock)
    }

    /// A completion somebody waits for.
    pub fn completion(&self, completion: ObjId) -> Option<&Completion> {
        self.completions.get(&completion)
    }

    /// A request queue.
    pub fn queue(&self, queue: ObjId) -> Option<&Queue> {
        self.queues.get(&queue)
    }

    /// A SCSI device.
    pub fn sdev(&self, sdev: ObjId) -> Option<&Sdev> {
        self.sdevs.get(&sdev)
    }

    /// The command of a SCSI device that has been in flight for longest.
    pub fn in_flight(&self, sdev: ObjId) -> Option<&InFlight> {
        let of = self.commands.iter().map(|(_, command)| command).filter(|command| command.sdev == sdev);
        of.min_by_key(|command| command.sent)
    }

    /// A work that is queued or runs.
    pub fn work(&self, work: ObjId) -> Option<&Work> {
        self.works.get(&work)
    }

    /// Every work that is queued or runs, in order of id.
    pub fn works(&self) -> impl Iterator<Item = (ObjId, &Work)> {
        self.works.iter().map(|(&id, work)| (id, work))
    }

    /// The runtime resume or suspend of a device that is under way.
    pub fn runtime(&self, dev: ObjId) -> Option<&RuntimeRun> {
        self.runtime.get(&dev)
    }

    /// Thread ids of the workers that run asynchronous calls, by the work of the call.
    pub fn async_running(&self) -> impl Iterator<Item = (ObjId, u32)> {
        self.async_running.iter().map(|(&work, &tid)| (work, tid))
    }

    /// An ATA port.
    pub fn port(&self, port: ObjId) -> Option<&Port> {
        self.ports.get(&port)
    }

    /// Every ATA port, in order of id.
    pub fn ports(&self) -> impl Iterator<Item = (ObjId, &Port)> {
        self.ports.iter().map(|(&id, port)| (id, port))
    }

    /// The port whose `scsi_scan_mutex` this is.
    pub fn port_of_scan_mutex(&self, lock: ObjId) -> Option<ObjId> {
        self.scan_mutexes.get(&lock).copied()
    }

    /// The port whose device this is.
    pub fn port_of_device(&self, dev: ObjId) -> Option<ObjId> {
        self.port_devices.get(&dev).copied()
    }

    /// The port below which this device is, by its parents.
    pub fn port_above(&self, dev: ObjId) -> Option<ObjId> {
        self.ancestors(dev).find_map(|ancestor| self.port_of_device(ancestor))
    }

    /// The parents of a device, nearest first; at most 64 of them.
    pub fn ancestors(&self, dev: ObjId) -> impl Iterator<Item = ObjId> {
        std::iter::successors(Some(dev), |&dev| self.device(dev)?.parent()).skip(1).take(64)
    }

    /// A kernel function.
    pub fn symbol(&self, id: SymId) -> Option<&Symbol> {
        self.symbols.get(&id)
    }

    /// Name of a function; empty if it was never told.
    pub fn function_name(&self, function: Option<SymId>) -> &str {
        function.and_then(|id| self.symbol(id)).map_or("", |symbol| symbol.name.as_str())
    }

    /// Name of a frame's function; empty if it was never told.
    pub fn frame_name(&self, frame: &Frame) -> &str {
        self.function_name(Some(frame.symbol))
    }

    /// Whether the stack shows this function; suffixes the compiler adds (`.constprop.0`) do not matter.
    pub fn stack_has(&self, stack: &Stack, function: &str) -> bool {
        stack.iter().any(|frame| base_name(self.frame_name(frame)) == function)
    }

    /// What was lost or unreadable.
    pub fn loss(&self) -> &Loss {
        &self.loss
    }

    /// The last complete look at all blocked tasks.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// How many objects found no room in the tables.
    pub fn refused(&self) -> u64 {
        [
            self.symbols.refused(),
            self.devices.refused(),
            self.tasks.refused(),
            self.locks.refused(),
            self.completions.refused(),
            self.queues.refused(),
            self.sdevs.refused(),
            self.commands.refused(),
            self.works.refused(),
            self.runtime.refused(),
            self.ports.refused(),
            self.transitions_left,
        ]
        .iter()
        .sum()
    }

    /// The task as the model knows it, or only its number.
    pub fn task_ref(&self, tid: u32) -> TaskRef {
        self.task(tid).map_or(TaskRef { tid, ..TaskRef::default() }, |task| task.who)
    }
}

/// A function's name without the suffixes that compilers add to copies of it.
pub fn base_name(name: &str) -> &str {
    name.split_once('.').map_or(name, |(base, _)| base)
}
