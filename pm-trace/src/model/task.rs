//! Tasks: what they are inside of and what they wait for.

use super::At;
use super::work::QueuedBy;
use crate::event::{DeviceWaitKind, LockKind, Nanos, ObjId, Power, Stack, Step, SymId, TaskRef};
use std::sync::Arc;

/// Most contexts kept per task.
pub(crate) const CONTEXTS: usize = 16;

/// A thread.
#[derive(Clone, Debug)]
pub struct Task {
    /// Thread id and last known name.
    pub who: TaskRef,
    /// What it is inside of, outermost first.
    pub contexts: Vec<Entered>,
    /// What it waits for.
    pub wait: Option<Wait>,
    /// The wait that it goes on with once it has the lock that `wait` is for.
    pub(crate) outer: Option<Wait>,
    /// The device it announced to wait for others of.
    pub device_wait: Option<DeviceWaiting>,
    /// The SCSI command it asked for last, until it did something else.
    pub command: Option<CommandAsked>,
    /// When it made sure that a SCSI device is ready (`scsi_resume_device`).
    pub resumed_sdev: Option<At>,
    /// Last event that only it could cause.
    pub ran: At,
    /// The last snapshot that showed it.
    pub shown: Option<At>,
    /// It is a thread of the program that recorded.
    pub is_tracer: bool,
}

/// A context and since when the task is inside of it.
#[derive(Clone, Debug)]
pub struct Entered {
    /// What it is inside of.
    pub context: Context,
    /// Since when.
    pub at: At,
}

/// What a task can be inside of.
#[derive(Clone, Debug)]
pub enum Context {
    /// A worker runs a work.
    Work {
        /// The work.
        work: ObjId,
        /// Its function.
        function: Option<SymId>,
        /// Who set it going, if that was seen.
        origin: Option<Box<QueuedBy>>,
        /// How often the work put itself off before this run.
        deferrals: u32,
    },
    /// A worker runs an asynchronous call.
    Async {
        /// The work of the call.
        work: ObjId,
        /// The function.
        function: Option<SymId>,
        /// Its argument, a device for the PM core's calls.
        data: Option<ObjId>,
        /// The async domain it belongs to, if it was read.
        domain: Option<ObjId>,
    },
    /// Runtime PM of a device: its runtime resume or suspend.
    Runtime {
        /// The device.
        dev: ObjId,
        /// Resume, not suspend.
        resume: bool,
    },
    /// The PM core's step of a device.
    Step {
        /// The device.
        dev: ObjId,
        /// The step.
        step: Step,
    },
    /// A PM callback of a device.
    Callback {
        /// The device.
        dev: ObjId,
        /// Whose callback.
        ops: Arc<str>,
    },
    /// Error handling of an ATA port.
    AtaEh {
        /// The port.
        port: ObjId,
    },
    /// `ata_scsi_dev_rescan`
    AtaRescan {
        /// The port.
        port: ObjId,
    },
    /// `scsi_rescan_device`
    ScsiRescan {
        /// The SCSI device.
        sdev: ObjId,
        /// Its `struct device`.
        dev: Option<ObjId>,
    },
}

/// A task waits.
#[derive(Clone, Debug)]
pub struct Wait {
    /// For what.
    pub on: WaitOn,
    /// Since when.
    pub at: At,
    /// Where, as recorded when the wait began, or by the snapshot that found it.
    pub stack: Stack,
    /// The last snapshot that found it unchanged.
    pub confirmed: Option<At>,
}

/// What a task waits for.
#[derive(Clone, Debug)]
pub enum WaitOn {
    /// A lock.
    Lock {
        /// The lock.
        lock: ObjId,
        /// What it is.
        kind: LockKind,
    },
    /// A completion.
    Completion {
        /// The completion.
        completion: ObjId,
        /// Jiffies after which the wait ends by itself.
        timeout: Option<u64>,
        /// It counts as I/O wait.
        io: bool,
        /// The announced wait for devices that it is part of.
        within: Option<DeviceWaiting>,
        /// The SCSI command it waits for.
        command: Option<CommandAsked>,
    },
    /// To enter a request queue.
    Queue {
        /// The queue.
        queue: ObjId,
        /// The SCSI device.
        sdev: Option<ObjId>,
        /// Its `struct device`.
        dev: Option<ObjId>,
        /// With a bio.
        bio: bool,
        /// `q->pm_only` when it came.
        pm_only: i32,
        /// `q->mq_freeze_depth` when it came.
        freeze_depth: i32,
        /// PM bits of the device when it came.
        power: Power,
    },
    /// For a work to finish.
    Flush {
        /// The work.
        work: ObjId,
        /// Its function.
        function: Option<SymId>,
        /// The barrier's completion, once seen.
        completion: Option<ObjId>,
    },
    /// For asynchronous calls.
    Async {
        /// Of which domain; `None` for all.
        domain: Option<ObjId>,
        /// For every call, not only for those that are older than the wait.
        all: bool,
    },
    /// For another task that resumes or suspends a device by runtime PM.
    Runtime {
        /// The device.
        dev: ObjId,
    },
    /// For error handling of a port to end (`ata_port_wait_eh`).
    AtaEh {
        /// The port.
        port: ObjId,
    },
    /// A snapshot found it blocked; how that began was not seen.
    Unknown,
}

/// A task announced to wait for devices.
#[derive(Clone, Copy, Debug)]
pub struct DeviceWaiting {
    /// The device whose step waits.
    pub dev: ObjId,
    /// The device waited for, if the wait is explicit.
    pub target: Option<ObjId>,
    /// Why.
    pub why: DeviceWaitKind,
    /// When it was announced.
    pub at: At,
}

/// A SCSI command that a task asked for.
#[derive(Clone, Copy, Debug)]
pub struct CommandAsked {
    /// The SCSI device.
    pub sdev: ObjId,
    /// Its `struct device`.
    pub dev: Option<ObjId>,
    /// Operation code.
    pub opcode: u8,
    /// When.
    pub at: At,
}

impl Task {
    pub(crate) fn new(who: TaskRef) -> Self {
        Self {
            who,
            contexts: Vec::new(),
            wait: None,
            outer: None,
            device_wait: None,
            command: None,
            resumed_sdev: None,
            ran: At::default(),
            shown: None,
            is_tracer: false,
        }
    }

    /// Enters a context.
    pub(crate) fn enter(&mut self, context: Context, at: At) {
        if self.contexts.len() >= CONTEXTS {
            self.contexts.remove(0);
        }
        self.contexts.push(Entered { context, at });
    }

    /// Leaves the innermost context of which this is true, and all inside of it.
    pub(crate) fn leave(&mut self, is_it: impl Fn(&Context) -> bool) {
        if let Some(depth) = self.contexts.iter().rposition(|entered| is_it(&entered.context)) {
            self.contexts.truncate(depth);
        }
    }

    /// The innermost context.
    pub fn innermost(&self) -> Option<&Entered> {
        self.contexts.last()
    }

    /// The work it runs and who set it going.
    pub fn work(&self) -> Option<(ObjId, Option<SymId>, Option<&QueuedBy>)> {
        self.contexts.iter().rev().find_map(|entered| match &entered.context {
            Context::Work { work, function, origin, .. } => Some((*work, *function, origin.as_deref())),
            _ => None,
        })
    }

    /// The port whose rescan it runs (`ata_scsi_dev_rescan`).
    pub fn rescans_port(&self) -> Option<ObjId> {
        self.contexts.iter().rev().find_map(|entered| match entered.context {
            Context::AtaRescan { port } => Some(port),
            _ => None,
        })
    }

    /// The port whose error handling it runs.
    pub fn handles_port(&self) -> Option<ObjId> {
        self.contexts.iter().rev().find_map(|entered| match entered.context {
            Context::AtaEh { port } => Some(port),
            _ => None,
        })
    }
}

impl Context {
    /// A copy that does not say who set a work going: works queue works, without end.
    pub(crate) fn without_origin(&self) -> Self {
        match self {
            Self::Work { work, function, deferrals, .. } => {
                Self::Work { work: *work, function: *function, origin: None, deferrals: *deferrals }
            }
            context => context.clone(),
        }
    }
}

impl Wait {
    /// Whether it ends by itself after some time.
    pub fn has_timeout(&self) -> bool {
        matches!(self.on, WaitOn::Completion { timeout: Some(_), .. })
    }

    /// How long it has lasted at `now`, in nanoseconds.
    pub fn lasted(&self, now: Nanos) -> Nanos {
        now.saturating_sub(self.at.time)
    }
}
