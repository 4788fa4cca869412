//! Blocked tasks.

use crate::{Stack, lock};

/// A task ran again after a long time in uninterruptible sleep (state D).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Blocked {
    /// Since when, in boot-time nanoseconds.
    pub since: u64,
    /// How long, in nanoseconds.
    pub duration: u64,
}

/// A task in state D, as the iterator over tasks finds it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TaskSnapshot {
    /// Since when it is off the CPU in this state, in boot-time nanoseconds; 0 if it was not seen to
    /// leave the CPU.
    pub since: u64,
    /// Lock it was seen to wait for; 0 if none.
    pub lock: u64,
    /// `task->__state`
    pub state: u32,
    /// [`lock::flags`] of that wait.
    pub lock_flags: u32,
    /// Owner of that lock now, read again from the lock.
    pub owner: lock::Owner,
    /// Where it sleeps.
    pub stack: Stack,
}
