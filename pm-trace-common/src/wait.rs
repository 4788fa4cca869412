//! Waits that are not locks: completions, request queues, works, async domains.

use crate::Stack;

/// How a completion is waited for.
pub mod completion {
    /// The wait counts as I/O wait (`wait_for_completion_io*`).
    pub const IO: u32 = 1 << 0;
    /// The wait ends by itself (`*_timeout`).
    pub const TIMEOUT: u32 = 1 << 1;
    /// `complete_all`, not `complete`.
    pub const ALL: u32 = 1 << 2;
}

/// `wait_for_completion*`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CompletionWait {
    /// `struct completion *`
    pub completion: u64,
    /// Timeout in jiffies; 0 if there is none.
    pub timeout: u64,
    /// [`completion`] flags.
    pub flags: u32,
    /// Always 0.
    pub reserved: u32,
    /// Where it waits.
    pub stack: Stack,
}

/// `complete`, `complete_all`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Completed {
    /// `struct completion *`
    pub completion: u64,
    /// [`completion`] flags.
    pub flags: u32,
    /// Always 0.
    pub reserved: u32,
}

/// How a request queue is entered.
pub mod queue {
    /// `blk_queue_enter` with `BLK_MQ_REQ_PM`: a power-management request, which a PM-only queue admits.
    pub const PM: u32 = 1 << 0;
    /// `blk_queue_enter` with `BLK_MQ_REQ_NOWAIT`: fails instead of waiting.
    pub const NOWAIT: u32 = 1 << 1;
    /// `__bio_queue_enter`: a bio, never a power-management request.
    pub const BIO: u32 = 1 << 2;
}

/// A task enters a request queue that is PM-only (`pm_only > 0`) or frozen (`mq_freeze_depth > 0`).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct QueueWait {
    /// `struct request_queue *`
    pub queue: u64,
    /// `q->queuedata`: the `struct scsi_device *` of a SCSI device's queue.
    pub queuedata: u64,
    /// [`queue`] flags.
    pub flags: u32,
    /// `q->pm_only`
    pub pm_only: i32,
    /// `q->mq_freeze_depth`
    pub freeze_depth: i32,
    /// [`crate::pm::power`] bits of the SCSI device, if the queue is one's.
    pub power: u32,
    /// Where it waits.
    pub stack: Stack,
}

/// `__flush_work`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FlushWork {
    /// `struct work_struct *`
    pub work: u64,
    /// `work->func`
    pub function: u64,
    /// Where it waits.
    pub stack: Stack,
}

/// `async_synchronize_cookie_domain`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct AsyncWait {
    /// `struct async_domain *`; 0 means every domain.
    pub domain: u64,
    /// Calls with a smaller cookie are waited for; all ones means every call.
    pub cookie: u64,
    /// Where it waits.
    pub stack: Stack,
}
