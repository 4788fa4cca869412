//! Contention of sleeping locks: mutexes, rwsems, and on RT kernels everything built on rt_mutex.

use crate::{COMM_LEN, Stack};

/// `LCB_F_*` of `lock:contention_begin` (include/trace/events/lock.h).
pub mod flags {
    /// Spinning, not sleeping.
    pub const SPIN: u32 = 1 << 0;
    /// A reader.
    pub const READ: u32 = 1 << 1;
    /// A writer.
    pub const WRITE: u32 = 1 << 2;
    /// `rt_mutex` and what is built on it.
    pub const RT: u32 = 1 << 3;
    /// `percpu_rw_semaphore`
    pub const PERCPU: u32 = 1 << 4;
    /// `struct mutex`
    pub const MUTEX: u32 = 1 << 5;
}

/// Bit of [`Owner::bits`] of an rwsem that says readers hold it; the task named then, if any, is only the last of them
/// that took it, and may be gone (`RWSEM_READER_OWNED`, kernel/locking/rwsem.c). An RT kernel has no such bit: it is
/// set where a writer who waits holds the lock's own rt_mutex already.
pub const READER_OWNED: u32 = 1 << 0;

/// Who holds a lock, as the lock itself says.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// Thread id; 0 if the lock names no owner, or the owner could not be read.
    pub tid: u32,
    /// Bits of the owner word that are no part of the pointer (`MUTEX_FLAG_*`, `RWSEM_*`).
    pub bits: u32,
    /// Name of the owner, NUL-padded.
    pub comm: [u8; COMM_LEN],
}

/// `lock:contention_begin` for a task that will sleep.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LockWait {
    /// Address of the lock.
    pub lock: u64,
    /// [`flags`].
    pub flags: u32,
    /// Always 0.
    pub reserved: u32,
    /// Owner at that time.
    pub owner: Owner,
    /// Where the lock is wanted.
    pub stack: Stack,
}

/// `lock:contention_end`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LockWaitEnd {
    /// Address of the lock.
    pub lock: u64,
    /// 0 if the lock was taken, a negative errno if not.
    pub result: i32,
    /// Always 0.
    pub reserved: u32,
}
