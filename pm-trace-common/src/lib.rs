//! Wire types shared by pm-trace's eBPF programs and its collector.
//!
//! Everything here crosses the BPF ring buffer or a BPF map, so it is `#[repr(C)]`, has no padding that
//! is not spelled out, and holds only integers and byte arrays: no `Option`, `bool` or enum with a niche,
//! whose layout is no contract between two compilation targets.
//!
//! | module | subject |
//! |---|---|
//! | [`hook`] | the ids of the hooks, one program each |
//! | [`header`] | what every record begins with, and the ids of the record kinds |
//! | [`pm`] | PM core: phases, devices, callbacks, waits between devices |
//! | [`lock`] | contention of sleeping locks |
//! | [`wait`] | waits on completions, request queues, works, async domains |
//! | [`work`] | who queues which work and who runs it |
//! | [`ata`] | libata ports, error handling, rescan |
//! | [`scsi`] | SCSI devices and commands |
//! | [`task`] | blocked tasks |
//! | [`member`] | the kernel structure members the programs read, as a table |
//! | [`control`] | the armed switch and the per-hook counters |
//! | [`watchdog`] | the lines that the watchdog in the kernel prints, and its state |
#![no_std]

pub mod ata;
pub mod control;
pub mod header;
pub mod hook;
pub mod lock;
pub mod member;
pub mod pm;
pub mod scsi;
pub mod task;
pub mod wait;
pub mod watchdog;
pub mod work;

/// `TASK_COMM_LEN` (include/linux/sched.h).
pub const COMM_LEN: usize = 16;

/// Frames kept of a kernel stack.
pub const STACK_DEPTH: usize = 20;

/// A kernel stack, innermost frame first.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    /// Bytes the kernel wrote into `frames`, or a negative errno of `bpf_get_stack`.
    pub len: i64,
    /// Return addresses.
    pub frames: [u64; STACK_DEPTH],
}
