//! The one currency of the program: what happened, free of kernel addresses and of any kernel's layout.
//!
//! `capture` makes events from ring-buffer records, `trace` stores and reads them, `model` folds them.
//! Addresses were replaced by small ids ([`ObjId`], [`SymId`]) at the seam, so a trace tells nothing about
//! the machine's address space; what is embedded in what ("this mutex is that device's lock") was worked
//! out there too and stands in the events as ids.
//!
//! Every type carries explicit CBOR indices: fields and variants may be added under new indices, and must
//! never be renumbered (see `trace`).

mod body;
mod clocks;
mod encode;
mod ids;
mod objects;
mod step;

use minicbor::{Decode, Encode};
use schemars::JsonSchema;
use serde::Serialize;

pub use body::Body;
pub use clocks::Clocks;
pub(crate) use encode::encode;
pub use ids::{Comm, Frame, Nanos, ObjId, Power, Stack, SymId, TaskRef};
pub use objects::{AtaOp, AtaPort, CommandStage, DeviceInfo, DeviceWaitKind, LockKind, ScsiDevice, ScsiOp};
pub use pm_trace_common::pm::Step;
pub use step::{step_from_number, step_label, step_of_phase};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, JsonSchema)]
pub struct Event {
    /// When.
    #[n(0)]
    pub time: Nanos,
    /// On which CPU.
    #[n(1)]
    pub cpu: u16,
    /// In the context of which task. For an interrupt this is the task it interrupted.
    #[n(2)]
    pub task: TaskRef,
    /// What.
    #[n(3)]
    pub body: Body,
}

/// Nanoseconds in a microsecond.
const MICROSECOND: Nanos = 1000;

/// The beginning of the microsecond: events of this machine are told to that, as by ftrace. What is below costs more
/// room in a trace than all else of an event, and tells nothing about a device.
pub const fn whole_microseconds(time: Nanos) -> Nanos {
    time / MICROSECOND * MICROSECOND
}

impl Event {
    /// The event with its times in whole microseconds.
    #[must_use]
    pub fn to_microseconds(mut self) -> Self {
        self.time = whole_microseconds(self.time);
        match &mut self.body {
            Body::Blocked { since, duration } => {
                *since = whole_microseconds(*since);
                *duration = whole_microseconds(*duration);
            }
            Body::TaskSnapshot { since: Some(since), .. } | Body::SnapshotEnd { began: since, .. } => {
                *since = whole_microseconds(*since);
            }
            _ => {}
        }
        self
    }
}
