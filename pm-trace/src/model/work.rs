//! Works: who queued them, who runs them.

use super::At;
use super::task::Context;
use crate::event::{ObjId, SymId, TaskRef};

/// A work that is queued or runs.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// Its function.
    pub function: Option<SymId>,
    /// Who queued it for its next run.
    pub queued: Option<QueuedBy>,
    /// Who set it going before it began to put itself off.
    pub origin: Option<QueuedBy>,
    /// How often in a row it queued itself again from within its own run, with a delay.
    pub deferrals: u32,
    /// First of these.
    pub first_deferral: Option<At>,
    /// It queued itself again in the run that is under way.
    pub deferred_in_run: bool,
    /// Thread id of the worker that runs it.
    pub running: Option<u32>,
    /// Start of that run.
    pub started: Option<At>,
    /// The workqueue of that run.
    pub runs_on: Option<WorkQueue>,
}

/// A workqueue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkQueue {
    /// Which.
    pub queue: ObjId,
    /// Its name, empty if unknown.
    pub name: String,
    /// `WQ_*` flags.
    pub flags: u32,
    /// How many of its works may run at a time, for each CPU unless it is unbound; `None` if that is unknown.
    pub max_active: Option<u32>,
}

/// `WQ_UNBOUND`, `WQ_FREEZABLE`, `__WQ_ORDERED` (include/linux/workqueue.h).
const UNBOUND: u32 = 1 << 1;
const FREEZABLE: u32 = 1 << 2;
const ORDERED: u32 = 1 << 17;

impl WorkQueue {
    /// It stands still while user space is frozen (`WQ_FREEZABLE`).
    pub fn is_freezable(&self) -> bool {
        self.flags & FREEZABLE != 0
    }

    /// Its works are bound to no CPU, and `max_active` counts all of them (`WQ_UNBOUND`).
    pub fn is_unbound(&self) -> bool {
        self.flags & UNBOUND != 0
    }

    /// It runs one work at a time, in the order in which they were queued (`__WQ_ORDERED`).
    pub fn is_ordered(&self) -> bool {
        self.flags & ORDERED != 0
    }
}

/// Somebody queued a work.
#[derive(Clone, Debug)]
pub struct QueuedBy {
    /// Who, or whom the interrupt that did it interrupted.
    pub task: TaskRef,
    /// When.
    pub at: At,
    /// An interrupt did it; `None` if that is unknown.
    pub interrupt: Option<bool>,
    /// What the task was inside of, innermost. None for an interrupt: it does not act for the task.
    pub context: Option<Context>,
    /// If that is error handling of an ATA port: when it had revalidated a device.
    pub revalidated: Option<At>,
    /// The workqueue; `None` as long as a timer holds the work back, or if it is unknown.
    pub workqueue: Option<WorkQueue>,
    /// Jiffies of delay, if it was asked for with one.
    pub delay: Option<u64>,
}
