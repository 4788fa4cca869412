//! What every record begins with.

use crate::{COMM_LEN, ata, lock, pm, scsi, task, wait, work};

/// Header of every record in the ring buffer. The payload of [`Kind`] follows it directly.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// `bpf_ktime_get_boot_ns`, taken after the ring-buffer slot was reserved: nanoseconds since boot,
    /// sleep included.
    pub time: u64,
    /// Thread id of the current task; of the task shown, for [`Kind::TaskSnapshot`].
    pub tid: u32,
    /// Thread group id of that task.
    pub tgid: u32,
    /// A [`Kind`].
    pub kind: u16,
    /// CPU the program ran on.
    pub cpu: u16,
    /// Size of header and payload in bytes.
    pub size: u16,
    /// The [`Hook`](crate::hook::Hook) whose program sent it.
    pub hook: u16,
    /// Name of that task, NUL-padded.
    pub comm: [u8; COMM_LEN],
}

const _: () = assert!(size_of::<Header>() == 40);

/// A record: header and payload.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Record<T> {
    /// What every record has.
    pub header: Header,
    /// What this kind has.
    pub payload: T,
}

/// One table of the record kinds: id, name, payload. Everything that lists kinds derives from it.
macro_rules! kinds {
    ($( $(#[$doc:meta])* $name:ident = $id:literal => $payload:ty ),+ $(,)?) => {
        /// Kind of a record. The ids are part of the interface between programs and collector; they are
        /// grouped by subject and have gaps for later kinds.
        #[repr(u16)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $( $(#[$doc])* $name = $id ),+ }

        impl Kind {
            /// Every kind, in order of id.
            pub const ALL: &'static [Kind] = &[$( Kind::$name ),+];

            /// The kind with this id.
            pub const fn from_id(id: u16) -> Option<Kind> {
                match id { $( $id => Some(Kind::$name), )+ _ => None }
            }

            /// Size in bytes of a record of this kind, header included.
            pub const fn record_size(self) -> usize {
                match self { $( Kind::$name => size_of::<Record<$payload>>() ),+ }
            }

            /// Name of the kind.
            pub const fn name(self) -> &'static str {
                match self { $( Kind::$name => stringify!($name) ),+ }
            }
        }

        $( impl KindOf for kind_types::$name { type Payload = $payload; const KIND: Kind = Kind::$name; } )+

        /// A type for each kind, to tie kind and payload together at compile time.
        pub mod kind_types { $( #[doc = concat!("[`super::Kind::", stringify!($name), "`]")] pub struct $name; )+ }
    };
}

/// Ties a kind to the type of its payload.
pub trait KindOf {
    /// Payload of the kind.
    type Payload;
    /// The kind.
    const KIND: Kind;
}

kinds! {
    /// A phase of the transition starts or ends (tracepoint `power:suspend_resume`).
    Phase = 0x0101 => pm::Phase,
    /// A device is seen for the first time in this window: its identity.
    DeviceInfo = 0x0110 => pm::DeviceInfo,
    /// A device link, read from the consumer's list of suppliers.
    DeviceLink = 0x0111 => pm::DeviceLink,
    /// The PM core starts one step of a device.
    StepStart = 0x0120 => pm::StepStart,
    /// The PM core has ended that step: `complete_all(&dev->power.completion)`.
    StepEnd = 0x0121 => pm::StepEnd,
    /// A PM callback of a device starts (tracepoint `power:device_pm_callback_start`).
    CallbackStart = 0x0130 => pm::CallbackStart,
    /// It returned (tracepoint `power:device_pm_callback_end`).
    CallbackEnd = 0x0131 => pm::CallbackEnd,
    /// A device's step is about to wait for other devices.
    DeviceWait = 0x0140 => pm::DeviceWait,
    /// Runtime PM of a device is asked for (tracepoints `rpm:rpm_resume`, `rpm:rpm_suspend`).
    RuntimePm = 0x0150 => pm::RuntimePm,
    /// And was answered (tracepoint `rpm:rpm_return_int`).
    RuntimePmEnd = 0x0151 => pm::RuntimePmEnd,
    /// A wakeup source is activated or deactivated (tracepoints `power:wakeup_source_activate`, `_deactivate`).
    WakeupSource = 0x0160 => pm::WakeupSource,

    /// A task starts to sleep for a lock (tracepoint `lock:contention_begin`).
    LockWait = 0x0201 => lock::LockWait,
    /// It stopped waiting (tracepoint `lock:contention_end`).
    LockWaitEnd = 0x0202 => lock::LockWaitEnd,

    /// A task waits for a completion.
    CompletionWait = 0x0301 => wait::CompletionWait,
    /// A completion that somebody waits for was completed.
    Completed = 0x0302 => wait::Completed,
    /// A task enters a request queue that admits only power-management requests, or none.
    QueueWait = 0x0310 => wait::QueueWait,
    /// A task waits for a work to finish (`__flush_work`).
    FlushWork = 0x0320 => wait::FlushWork,
    /// A task waits for asynchronous calls to finish (`async_synchronize_*`).
    AsyncWait = 0x0330 => wait::AsyncWait,

    /// A work was queued (tracepoint `workqueue:workqueue_queue_work`).
    WorkQueued = 0x0401 => work::WorkQueued,
    /// A delayed work was handed to its timer or, with no delay, to its queue (`queue_delayed_work_on`).
    WorkDelayed = 0x0402 => work::WorkDelayed,
    /// A worker starts a work (tracepoint `workqueue:workqueue_execute_start`).
    WorkStart = 0x0403 => work::WorkRun,
    /// It finished it (tracepoint `workqueue:workqueue_execute_end`).
    WorkEnd = 0x0404 => work::WorkRun,
    /// A worker runs an asynchronous call (`async_run_entry_fn`).
    AsyncRun = 0x0410 => work::AsyncRun,

    /// `ata_port_pm_resume`: the PM core resumes an ATA port.
    AtaPortResume = 0x0501 => ata::AtaPort,
    /// `ata_port_pm_suspend`: the PM core suspends an ATA port.
    /// `ata_port_request_pm`: the port asks its error handler to change power state.
    AtaRequestPm = 0x0503 => ata::AtaPort,
    /// `ata_scsi_port_error_handler`: error handling of the port runs.
    AtaEh = 0x0504 => ata::AtaPort,
    /// `ata_eh_handle_port_resume`, or what only it calls: error handling resumes the port.
    AtaEhPortResume = 0x0505 => ata::AtaPort,
    /// `ata_eh_recover`: resets and revalidation of the port's links.
    AtaEhRecover = 0x0506 => ata::AtaPort,
    /// `ata_eh_revalidate_and_attach`, or `ata_dev_revalidate`, which it calls.
    AtaRevalidate = 0x0507 => ata::AtaPort,
    /// `ata_scsi_dev_rescan` starts.
    AtaRescan = 0x0508 => ata::AtaPort,
    /// `ata_port_wait_eh`: a task waits until error handling of the port is over.
    AtaWaitEh = 0x0509 => ata::AtaPort,
    /// The thread that ran error handling of a port sleeps again (tracepoint `sched:sched_switch`).
    AtaEhEnd = 0x050a => ata::AtaEhEnd,
    /// A link is reset (tracepoints `libata:ata_link_hardreset_begin`, `_end`, `ata_link_softreset_*`).
    AtaReset = 0x050b => ata::AtaReset,

    /// `scsi_rescan_device` starts.
    ScsiRescan = 0x0601 => scsi::ScsiDevice,
    /// `scsi_device_quiesce`: the queue is made PM-only.
    ScsiQuiesce = 0x0602 => scsi::ScsiDevice,
    /// `scsi_device_resume`: the queue is opened again.
    ScsiResume = 0x0603 => scsi::ScsiDevice,
    /// `scsi_resume_device`: a driver's resume of a SCSI device outside of the PM core.
    ScsiResumeDevice = 0x0604 => scsi::ScsiDevice,
    /// A command is built and sent (`scsi_execute_cmd`, `__scsi_execute`).
    ScsiExecute = 0x0610 => scsi::ScsiCommand,
    /// A command goes to the host (tracepoint `scsi:scsi_dispatch_cmd_start`).
    ScsiDispatch = 0x0611 => scsi::ScsiCommand,
    /// A command came back (tracepoint `scsi:scsi_dispatch_cmd_done`).
    ScsiDone = 0x0612 => scsi::ScsiCommand,
    /// A command timed out (tracepoint `scsi:scsi_dispatch_cmd_timeout`).
    ScsiTimeout = 0x0613 => scsi::ScsiCommand,
    /// A host's error handler was woken (tracepoint `scsi:scsi_eh_wakeup`).
    ScsiEhWakeup = 0x0620 => scsi::ScsiHost,

    /// A task ran again after it was blocked for long (tracepoint `sched:sched_switch`).
    Blocked = 0x0701 => task::Blocked,
    /// A task that is blocked now, with its stack (iterator over tasks).
    TaskSnapshot = 0x0702 => task::TaskSnapshot,
}

/// Size of the largest record.
pub const MAX_RECORD: usize = {
    let mut max = 0;
    let mut i = 0;
    while i < Kind::ALL.len() {
        let size = Kind::ALL[i].record_size();
        // The programs submit whole 8-byte words, so no record may end in padding.
        assert!(size.is_multiple_of(8));
        if size > max {
            max = size;
        }
        i += 1;
    }
    max
};

const _: () = assert!(MAX_RECORD <= 512);
