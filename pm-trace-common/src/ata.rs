//! libata: ports, error handling, rescan.

/// An ATA port at one of the places of libata that are traced.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct AtaPort {
    /// `struct ata_port *`
    pub port: u64,
    /// `ap->host->dev`: the controller; 0 if it could not be read.
    pub controller: u64,
    /// `dev->sdev` of the ATA device concerned, for a revalidation; otherwise 0.
    pub sdev: u64,
    /// `ap->print_id`: the number in `ata2`; 0 if it could not be read.
    pub print_id: u32,
    /// `ap->pflags` (`ATA_PFLAG_*`, include/linux/libata.h)
    pub pflags: u32,
    /// `PM_EVENT_*` of a power request.
    pub event: i32,
    /// 1 if a power request does not wait for error handling to end.
    pub is_async: u32,
    /// Return address of the traced function: which inlined caller it was.
    pub caller: u64,
}

/// The error handler of a port goes back to sleep.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct AtaEhEnd {
    /// `struct ata_port *`
    pub port: u64,
    /// `ap->print_id`
    pub print_id: u32,
    /// Always 0.
    pub reserved: u32,
}

/// Error handling resets a link.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct AtaReset {
    /// `struct ata_port *`
    pub port: u64,
    /// `ap->print_id`
    pub print_id: u32,
    /// 1 for a hard reset (COMRESET), 0 for a soft one.
    pub hard: u32,
    /// 1 at its end, 0 at its start.
    pub end: u32,
    /// What it returned, at its end.
    pub result: i32,
}
