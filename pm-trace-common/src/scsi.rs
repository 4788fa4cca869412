//! SCSI devices and commands.

/// A SCSI device at one of the places of scsi_mod that are traced.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ScsiDevice {
    /// `struct scsi_device *`
    pub sdev: u64,
    /// `sdev->request_queue`
    pub queue: u64,
    /// `enum scsi_device_state` (include/scsi/scsi_device.h)
    pub state: u32,
    /// [`crate::pm::power`] bits of `sdev->sdev_gendev`.
    pub power: u32,
    /// `q->pm_only`
    pub pm_only: i32,
    /// Always 0.
    pub reserved: u32,
}

/// A command.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ScsiCommand {
    /// `struct scsi_cmnd *`; 0 while the command is only asked for (`scsi_execute_cmd`).
    pub command: u64,
    /// `struct scsi_device *`
    pub sdev: u64,
    /// First byte of the command: its operation code.
    pub opcode: u32,
    /// What the command returned (`scsi_dispatch_cmd_done`), otherwise 0.
    pub result: i32,
    /// `request->timeout` in jiffies, when it goes to the host; otherwise, and if it could not be read, 0.
    pub timeout: u32,
    /// Always 0.
    pub reserved: u32,
}

/// A SCSI host.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ScsiHost {
    /// `struct Scsi_Host *`
    pub host: u64,
    /// `shost->host_no`
    pub host_no: u32,
    /// Always 0.
    pub reserved: u32,
}
