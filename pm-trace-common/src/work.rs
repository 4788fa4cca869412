//! Who queues which work, and who runs it.

use crate::pm::LABEL_LEN;

/// Values of [`WorkQueued::context`] and [`WorkDelayed::context`].
pub mod context {
    /// It could not be read.
    pub const UNKNOWN: u32 = 0;
    /// The current task did it.
    pub const TASK: u32 = 1;
    /// An interrupt or softirq did it, which interrupted the current task.
    pub const INTERRUPT: u32 = 2;
}

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
    /// A [`context`] value.
    pub context: u32,
    /// Always 0.
    pub reserved: u32,
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
    /// A [`context`] value.
    pub context: u32,
    /// Always 0.
    pub reserved: u32,
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
