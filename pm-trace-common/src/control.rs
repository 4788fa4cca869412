//! What user space and the programs tell each other through maps.

/// Values of the window switch, [`Control::armed`].
pub mod armed {
    /// Programs do nothing.
    pub const NO: u32 = 0;
    /// Nothing yet: the window opens by itself when a transition starts.
    pub const WAITING: u32 = 1;
    /// The window is open: programs record.
    pub const OPEN: u32 = 2;
}

/// The one element of the map `CONTROL`, written by both sides.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Control {
    /// An [`armed`] value.
    pub armed: u32,
    /// Number of the window. User space raises it when it opens or re-arms one; devices are described
    /// once for each.
    pub window: u32,
}

/// The one element of the map `PER_CPU`, written by user space before a window opens: where the kernel counts what
/// a CPU is inside of. Zeroes if it is not known.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerCpu {
    /// Address of `__per_cpu_offset`, one word for each CPU.
    pub offsets: u64,
    /// Address of the preempt count in the CPU's own data, to which that word has to be added.
    pub preempt_count: u64,
}

/// Counters of one hook, one element of the per-CPU map `COUNTERS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// How often the program ran in an open window.
    pub hits: u64,
    /// Records it submitted; one hit may submit several, or none if the program filters.
    pub records: u64,
    /// Records lost because the ring buffer was full.
    pub lost: u64,
    /// Other failures: a map was full, a read faulted.
    pub errors: u64,
}

/// Fewest nanoseconds in state D that are worth a record.
pub const BLOCKED_NS: u64 = 20_000_000;

/// Most device links described for one consumer.
pub const MAX_LINKS: u32 = 16;
