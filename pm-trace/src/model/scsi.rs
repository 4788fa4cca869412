//! SCSI devices and their request queues.

use super::At;
use crate::event::{Nanos, ObjId, TaskRef};

/// A `struct scsi_device`.
#[derive(Clone, Debug, Default)]
pub struct Sdev {
    /// Its `struct device` (`sdev_gendev`).
    pub dev: Option<ObjId>,
    /// Its request queue.
    pub queue: Option<ObjId>,
    /// `enum scsi_device_state` as read last.
    pub state: u32,
    /// `scsi_rescan_device` began on it last.
    pub rescanned: Option<At>,
}

/// A command that was sent to a SCSI device and has not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// The SCSI device.
    pub sdev: ObjId,
    /// Operation code.
    pub opcode: u8,
    /// When it was sent.
    pub sent: At,
    /// After how many nanoseconds it times out; `None` if that is unknown.
    pub timeout: Option<Nanos>,
}

/// A command that timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut {
    /// The command.
    pub command: InFlight,
    /// When the block layer noticed.
    pub at: At,
}

/// A `struct request_queue`.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// The SCSI device it belongs to.
    pub sdev: Option<ObjId>,
    /// That device's `struct device`.
    pub dev: Option<ObjId>,
    /// `q->pm_only` as read last.
    pub pm_only: i32,
    /// It was quiesced (`scsi_device_quiesce`) and not opened again (`scsi_device_resume`).
    pub quiesced: Option<Quiesced>,
}

/// A queue was made PM-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiesced {
    /// When.
    pub at: At,
    /// By whom.
    pub task: TaskRef,
    /// In the suspend step of this device, if it was in one.
    pub in_suspend_of: Option<ObjId>,
}
