//! Every map.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, LruHashMap, PerCpuArray, RingBuf};
use pm_trace_common::control::{Control, Counters};
use pm_trace_common::hook::Hook;

/// Every record goes through here. User space sets the size: it has to last for the whole frozen time.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(16 << 20, 0);

/// The window switch.
#[map]
pub static CONTROL: Array<Control> = Array::with_max_entries(1, 0);

/// What each hook did. Per CPU, and safe without atomic operations: the kernel lets no program interrupt
/// itself on one CPU.
#[map]
pub static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(Hook::COUNT as u32, 0);

/// Windows in which a device was last described, by `struct device *`.
#[map]
pub static DESCRIBED: LruHashMap<u64, u32> = LruHashMap::with_max_entries(8192, 0);

/// Devices by the address of their PM completion, entered when a step starts.
#[map]
pub static PM_COMPLETIONS: LruHashMap<u64, u64> = LruHashMap::with_max_entries(8192, 0);

/// Completions that somebody waits for, or did.
#[map]
pub static WAITED_COMPLETIONS: LruHashMap<u64, u32> = LruHashMap::with_max_entries(8192, 0);

/// A wait for a lock, by thread id.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OpenLockWait {
    /// Address of the lock.
    pub lock: u64,
    /// `pm_trace_common::lock::flags`
    pub flags: u32,
    /// Always 0.
    pub reserved: u32,
}

/// Waits for locks that have begun and not ended, by thread id.
#[map]
pub static LOCK_WAITS: LruHashMap<u32, OpenLockWait> = LruHashMap::with_max_entries(8192, 0);

/// Calls of runtime PM that were told: thread id and `struct device *`. A call may contain one for the parent.
#[map]
pub static RUNTIME_CALLS: LruHashMap<[u64; 2], u32> = LruHashMap::with_max_entries(8192, 0);

/// When a task left the CPU in state D, by thread id.
#[map]
pub static BLOCKED_SINCE: LruHashMap<u32, u64> = LruHashMap::with_max_entries(8192, 0);
