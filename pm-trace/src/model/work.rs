//! Works: who queued them, who runs them.

use super::At;
use super::task::Context;
use crate::event::{SymId, TaskRef};

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
}

/// Somebody queued a work.
#[derive(Clone, Debug)]
pub struct QueuedBy {
    /// Who.
    pub task: TaskRef,
    /// When.
    pub at: At,
    /// What the task was inside of, innermost.
    pub context: Option<Context>,
    /// If that is error handling of an ATA port: when it had revalidated a device.
    pub revalidated: Option<At>,
    /// Name of the workqueue, empty if unknown.
    pub workqueue: String,
    /// Jiffies of delay, if it was asked for with one.
    pub delay: Option<u64>,
}
