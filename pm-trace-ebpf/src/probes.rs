//! The programs, one file per subject, named like the wire types they send.

mod ata;
mod lock;
mod pm;
mod runtime;
mod scsi;
mod task;
mod wait;
mod watchdog;
mod work;
