//! Kernel objects as events describe them.

use super::{ObjId, Power, SymId};
use minicbor::{Decode, Encode};
use pm_trace_common::lock::flags;
use schemars::JsonSchema;
use serde::Serialize;

/// Identity of a device.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, JsonSchema)]
pub struct DeviceInfo {
    /// The device.
    #[n(0)]
    pub dev: ObjId,
    /// Its parent.
    #[n(1)]
    pub parent: Option<ObjId>,
    /// `dev_name()`
    #[n(2)]
    pub name: String,
    /// Name of its bus, empty if it has none.
    #[n(3)]
    pub bus: String,
    /// Name of its class, empty if it has none.
    #[n(4)]
    pub class: String,
    /// Name of its driver, empty if it has none.
    #[n(5)]
    pub driver: String,
    /// Its PM state when it was described.
    #[n(6)]
    pub power: Power,
    /// Its lock (`dev->mutex`), `None` if the offset is unknown on this kernel.
    #[n(7)]
    pub lock: Option<ObjId>,
    /// Its PM completion (`dev->power.completion`), `None` if the offset is unknown.
    #[n(8)]
    pub completion: Option<ObjId>,
    /// Suppliers that were not described because it has too many.
    #[n(9)]
    pub links_left: u32,
}

/// Why a device's step waits for other devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceWaitKind {
    /// `dpm_wait_for_superior`: for its parent and its suppliers.
    #[n(1)]
    Superior,
    /// `dpm_wait_for_subordinate`: for its children and its consumers.
    #[n(2)]
    Subordinate,
    /// `device_pm_wait_for_dev`
    #[n(3)]
    Explicit,
}

/// Kind of a sleeping lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LockKind {
    /// `struct mutex`
    #[n(0)]
    Mutex,
    /// `struct rw_semaphore`, wanted for reading.
    #[n(1)]
    RwsemRead,
    /// `struct rw_semaphore`, wanted for writing.
    #[n(2)]
    RwsemWrite,
    /// `rt_mutex`, or a lock of an RT kernel built on it.
    #[n(3)]
    RtMutex,
    /// `percpu_rw_semaphore`
    #[n(4)]
    PercpuRwsem,
    /// `struct semaphore`, or a kind this version does not know.
    #[n(5)]
    Other,
}

impl LockKind {
    /// The kind that the flags of `lock:contention_begin` (`pm_trace_common::lock::flags`) speak of.
    pub fn of_contention(flags: u32) -> Self {
        if flags & flags::MUTEX != 0 {
            Self::Mutex
        } else if flags & flags::PERCPU != 0 {
            Self::PercpuRwsem
        } else if flags & flags::WRITE != 0 {
            // Also on an RT kernel, where the flag RT comes with it.
            Self::RwsemWrite
        } else if flags & flags::READ != 0 {
            Self::RwsemRead
        } else if flags & flags::RT != 0 {
            Self::RtMutex
        } else {
            Self::Other
        }
    }
}

/// An ATA port at one of libata's traced places.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, JsonSchema)]
pub struct AtaPort {
    /// Which place.
    #[n(0)]
    pub what: AtaOp,
    /// The port.
    #[n(1)]
    pub port: ObjId,
    /// The port's device (`ap->tdev`), which the PM core suspends and resumes.
    #[n(2)]
    pub dev: Option<ObjId>,
    /// `ap->host->dev`: the controller.
    #[n(3)]
    pub controller: Option<ObjId>,
    /// `ap->print_id`: the number in `ata2`.
    #[n(4)]
    pub print_id: u32,
    /// `ap->pflags`
    #[n(5)]
    pub pflags: u32,
    /// `ap->scsi_scan_mutex`
    #[n(6)]
    pub scan_mutex: Option<ObjId>,
    /// `ap->scsi_rescan_task`
    #[n(7)]
    pub rescan_work: Option<ObjId>,
    /// The SCSI device, for a revalidation.
    #[n(8)]
    pub sdev: Option<ObjId>,
    /// `PM_EVENT_*` of a power request.
    #[n(9)]
    pub event: i32,
    /// For a power request: it does not wait for error handling to end.
    #[n(10)]
    pub is_async: bool,
    /// The function that called the traced one, if it could be named.
    #[n(11)]
    pub caller: Option<SymId>,
}

/// A traced place of libata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AtaOp {
    /// `ata_port_pm_resume`
    #[n(1)]
    PortResume,
    /// `ata_port_pm_suspend`
    #[n(2)]
    PortSuspend,
    /// `ata_port_request_pm`
    #[n(3)]
    RequestPm,
    /// `ata_scsi_port_error_handler`
    #[n(4)]
    Eh,
    /// `ata_eh_handle_port_resume`
    #[n(5)]
    EhPortResume,
    /// `ata_eh_recover`
    #[n(6)]
    EhRecover,
    /// `ata_eh_revalidate_and_attach` (seen at `ata_dev_revalidate` where it is inlined)
    #[n(7)]
    Revalidate,
    /// `ata_scsi_dev_rescan`
    #[n(8)]
    Rescan,
    /// `ata_port_wait_eh`
    #[n(9)]
    WaitEh,
}

/// A SCSI device at one of scsi_mod's traced places.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, JsonSchema)]
pub struct ScsiDevice {
    /// Which place.
    #[n(0)]
    pub what: ScsiOp,
    /// The SCSI device.
    #[n(1)]
    pub sdev: ObjId,
    /// Its `struct device` (`sdev_gendev`).
    #[n(2)]
    pub dev: Option<ObjId>,
    /// Its request queue.
    #[n(3)]
    pub queue: Option<ObjId>,
    /// `enum scsi_device_state`
    #[n(4)]
    pub state: u32,
    /// PM state of its `struct device`.
    #[n(5)]
    pub power: Power,
    /// `q->pm_only`
    #[n(6)]
    pub pm_only: i32,
}

/// A traced place of scsi_mod that concerns a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScsiOp {
    /// `scsi_rescan_device`
    #[n(1)]
    Rescan,
    /// `scsi_device_quiesce`
    #[n(2)]
    Quiesce,
    /// `scsi_device_resume`
    #[n(3)]
    Resume,
    /// `scsi_resume_device`
    #[n(4)]
    ResumeDevice,
}

/// A stage in the life of a SCSI command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandStage {
    /// `scsi_execute_cmd`: a driver asks for it.
    #[n(1)]
    Execute,
    /// Sent to the host.
    #[n(2)]
    Dispatch,
    /// Came back.
    #[n(3)]
    Done,
    /// Timed out.
    #[n(4)]
    Timeout,
}
