//! Who queues which work, and who runs it.

use crate::pm::LABEL_LEN;

/// `workqueue:workqueue_queue_work`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct WorkQueued {
    /// `struct work_struct *`
    pub work: u64,
    /// `work->func`
    pub function: u64,
    /// `WQ_*` flags of the workqueue (include/linux/workqueue.h).
    pub wq_flags: u32,
    /// How many of its works may run at a time (`wq->saved_max_active`); 0 if it could not be read.
    pub max_active: u32,
    /// Name of the workqueue, empty if it could not be read.
    pub wq_name: [u8; LABEL_LEN],
    /// `struct workqueue_struct *`; 0 if it could not be read.
    pub workqueue: u64,
}

/// `queue_delayed_work_on`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct WorkDelayed {
    /// `struct work_struct *` inside the delayed work.
    pub work: u64,
    /// `work->func`
    pub function: u64,
    /// Delay in jiffies.
    pub delay: u64,
}

/// `workqueue:workqueue_execute_start` and `_end`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct WorkRun {
    /// `struct work_struct *`
    pub work: u64,
    /// Function that runs.
    pub function: u64,
}

/// `async_run_entry_fn`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct AsyncRun {
    /// `struct work_struct *` of the entry.
    pub work: u64,
    /// `entry->func`
    pub function: u64,
    /// `entry->data`: the `struct device *` for the PM core's `async_resume` and its like.
    pub data: u64,
    /// `entry->domain`; 0 if it could not be read.
    pub domain: u64,
}
