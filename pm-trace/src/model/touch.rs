//! Contexts that used a device around its resume although they do not belong to it.

use super::At;
use super::work::WorkQueue;
use crate::event::{Nanos, ObjId, SymId, TaskRef};

/// How a device was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TouchKind {
    /// `scsi_rescan_device`
    Rescan,
    /// It was asked for by runtime PM.
    RuntimePm,
    /// Its device lock was held, and its own resume had to wait for it.
    DeviceLock,
    /// A lock was held by a task that waited for the device's resume, and the resume of another device
    /// ([`Touch::initiator`]) wanted that lock.
    LockAcrossWait,
    /// A work that its suspend had queued ran when other devices were being resumed.
    SuspendedWork,
}

/// Somebody used a device that was not resumed yet, or had not been when that was set going.
#[derive(Clone, Debug)]
pub struct Touch {
    /// The device.
    pub dev: ObjId,
    /// How.
    pub kind: TouchKind,
    /// When.
    pub at: At,
    /// Who.
    pub task: TaskRef,
    /// The work that the task ran.
    pub function: Option<SymId>,
    /// On which workqueue.
    pub workqueue: Option<WorkQueue>,
    /// The device in whose name it was set going.
    pub initiator: ObjId,
    /// When it was set going.
    pub set_off: At,
    /// End of the device's resume, if that came first.
    pub resumed: Option<At>,
    /// The lock, for a kind that has one.
    pub lock: Option<ObjId>,
    /// How long the device's resume, or the one that wanted the lock, had to wait for it, in nanoseconds.
    pub held_up: Option<Nanos>,
    /// The kernel made sure first that the device was ready.
    pub guarded: bool,
}
