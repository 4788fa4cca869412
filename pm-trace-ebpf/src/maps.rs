//! Every map.

use aya_ebpf::bindings::bpf_timer;
use aya_ebpf::btf_maps;
use aya_ebpf::macros::{btf_map, map};
use aya_ebpf::maps::{Array, LruHashMap, PerCpuArray, RingBuf};
use pm_trace_common::COMM_LEN;
use pm_trace_common::control::{Control, Counters, PerCpu};
use pm_trace_common::hook::Hook;
use pm_trace_common::watchdog::State;

/// Every record goes through here. User space sets the size: it has to last for the whole frozen time.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(16 << 20, 0);

/// The window switch.
#[map]
pub static CONTROL: Array<Control> = Array::with_max_entries(1, 0);

/// Where the kernel counts what a CPU is inside of.
#[map]
pub static PER_CPU: Array<PerCpu> = Array::with_max_entries(1, 0);

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
    /// When it began, `CLOCK_BOOTTIME`.
    pub since: u64,
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

/// Ports whose error handling a thread runs, by thread id.
#[map]
pub static EH_TASKS: LruHashMap<u32, u64> = LruHashMap::with_max_entries(256, 0);

/// A step of a device that has begun and not ended, by `struct device *`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OpenStep {
    /// When it began, `CLOCK_BOOTTIME`.
    pub since: u64,
    /// Who carries it out.
    pub tid: u32,
    /// A `pm_trace_common::pm::Step`.
    pub step: u16,
    /// A `pm_trace_common::watchdog::callback` value.
    pub callback: u16,
    /// Name of the task.
    pub comm: [u8; COMM_LEN],
}

/// Steps that have begun and not ended.
#[map]
pub static OPEN_STEPS: LruHashMap<u64, OpenStep> = LruHashMap::with_max_entries(8192, 0);

/// Devices by the address of their lock.
#[map]
pub static DEVICE_LOCKS: LruHashMap<u64, u64> = LruHashMap::with_max_entries(8192, 0);

/// What a task was last seen to wait for other than a lock. No event says that such a wait is over: whoever
/// looks has to ask the object.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OpenWait {
    /// When it began, `CLOCK_BOOTTIME`.
    pub since: u64,
    /// Address of the completion, queue or work.
    pub object: u64,
    /// One of [`wait_kind`].
    pub kind: u32,
    /// Always 0.
    pub reserved: u32,
}

/// Values of [`OpenWait::kind`].
pub mod wait_kind {
    /// A completion, for ever.
    pub const COMPLETION: u32 = 1;
    /// A request queue.
    pub const QUEUE: u32 = 2;
    /// A work.
    pub const WORK: u32 = 3;
    /// Asynchronous calls.
    pub const ASYNC: u32 = 4;
    /// Something that ends by itself.
    pub const TIMED: u32 = 5;
}

/// The last such wait of each thread.
#[map]
pub static OPEN_WAITS: LruHashMap<u32, OpenWait> = LruHashMap::with_max_entries(8192, 0);

/// What a worker carries out.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OpenWork {
    /// `struct work_struct *`
    pub work: u64,
    /// Its function, or that of the asynchronous call behind it.
    pub function: u64,
}

/// What each worker carries out, by thread id.
#[map]
pub static OPEN_WORKS: LruHashMap<u32, OpenWork> = LruHashMap::with_max_entries(1024, 0);

/// The watchdog's state.
#[map]
pub static WATCHDOG: Array<State> = Array::with_max_entries(1, 0);

/// Holds the watchdog's timer.
#[repr(C)]
pub struct Clock {
    /// The timer.
    pub timer: bpf_timer,
}

/// The watchdog's timer. A map of its own, described by BTF, as the kernel demands; only a program that may have
/// timers may touch it.
#[btf_map]
pub static TIMER: btf_maps::Array<Clock, 1> = btf_maps::Array::new();
