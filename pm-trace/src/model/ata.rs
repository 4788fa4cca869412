//! ATA ports.

use super::At;
use crate::event::{Nanos, ObjId, TaskRef};

/// A `struct ata_port`.
#[derive(Clone, Debug, Default)]
pub struct Port {
    /// `ap->print_id`: the number in `ata2`.
    pub print_id: u32,
    /// Its device, which the PM core suspends and resumes.
    pub dev: Option<ObjId>,
    /// The controller.
    pub controller: Option<ObjId>,
    /// `ap->scsi_scan_mutex`
    pub scan_mutex: Option<ObjId>,
    /// `ap->scsi_rescan_task`
    pub rescan_work: Option<ObjId>,
    /// Number of the transition that the following is about.
    pub(crate) transition: u32,
    /// `ata_port_pm_resume` was called.
    pub resume_called: Option<At>,
    /// The resume callback of the port's device returned.
    pub resume_returned: Option<At>,
    /// Error handling was asked to change the power state.
    pub power_request: Option<PowerRequest>,
    /// Error handling began.
    pub eh: Option<Acted>,
    /// Error handling resumes the port (`ata_eh_handle_port_resume`).
    pub eh_resume: Option<Acted>,
    /// Error handling recovers the port's links (`ata_eh_recover`).
    pub recover: Option<Acted>,
    /// Error handling revalidated a device.
    pub revalidated: Option<Acted>,
    /// `ata_scsi_dev_rescan` began.
    pub rescan: Option<Acted>,
    /// A link is being reset.
    pub(crate) resetting: Option<At>,
}

/// Somebody did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acted {
    /// Who.
    pub task: TaskRef,
    /// When.
    pub at: At,
}

/// One run of error handling of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EhRun {
    /// The port.
    pub port: ObjId,
    /// Its start (`ata_scsi_port_error_handler`).
    pub start: At,
    /// The last event that belongs to it.
    pub last: At,
    /// Its thread went back to sleep: `last` is its end.
    pub ended: bool,
    /// Hard and soft resets of links.
    pub resets: u32,
    /// Resets that returned an error.
    pub resets_failed: u32,
    /// How long they took together, in nanoseconds.
    pub resetting: Nanos,
}

/// `ata_port_request_pm`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerRequest {
    /// Who asked, and when.
    pub by: Acted,
    /// `PM_EVENT_*`
    pub event: i32,
    /// The caller does not wait for error handling to end.
    pub is_async: bool,
}

/// A rescan that put itself off until the device was ready, and then ran to its end.
#[derive(Clone, Debug)]
pub struct DeferredRescan {
    /// The port.
    pub port: ObjId,
    /// How often.
    pub times: u32,
    /// First time.
    pub first: At,
    /// Start of the run that went through.
    pub ran: At,
    /// End of that run.
    pub ended: At,
    /// Who queued it at first.
    pub origin: Option<TaskRef>,
}

impl Port {
    /// Forgets what belongs to another transition.
    pub(crate) fn enter(&mut self, transition: u32) {
        if self.transition == transition {
            return;
        }
        *self = Self {
            print_id: self.print_id,
            dev: self.dev,
            controller: self.controller,
            scan_mutex: self.scan_mutex,
            rescan_work: self.rescan_work,
            transition,
            ..Self::default()
        };
    }

    /// `ata2`
    pub fn name(&self) -> String {
        format!("ata{}", self.print_id)
    }
}
