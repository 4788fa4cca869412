//! Where a walk along the chain of waits stands.

use crate::maps::OpenStep;
use core::cell::UnsafeCell;
use pm_trace_common::COMM_LEN;
use pm_trace_common::watchdog::MAX_HOPS;

/// Bytes of a chain's code: a power of two, of which the last byte stays 0.
pub(super) const CODE_LEN: usize = 32;
/// Places for a line's values: a power of two, and more than a line has.
pub(super) const VALUES: usize = 16;
/// Places for tasks that a walk remembers: a power of two.
const SEEN: usize = 16;

const _: () = assert!(MAX_HOPS as usize <= SEEN, "a walk remembers the task of each hop");
const _: () = assert!(2 * MAX_HOPS as usize + 1 < CODE_LEN, "a hop is a step and a wait, with a letter each");

/// Where a walk stands, and the line that is printed next.
///
/// All that links of the chain say stands in here, not in variables: the verifier goes on from each way through a link,
/// unless it finds there what it found at the end of another one, and of what is in memory it keeps nothing.
#[repr(C)]
pub(super) struct Walk {
    /// Values of the line that is printed next, as its format wants them.
    pub values: [u64; VALUES],
    /// Number of the report.
    pub report: u32,
    /// Number of the next line.
    pub line: u32,
    /// The task at which the walk is; 0 ends it.
    pub tid: u32,
    /// The line to which the chain leads back; 0 if it does not.
    pub back: u32,
    /// Letters in `code`.
    pub letters: u32,
    /// The task that the transition is driven by.
    pub driver: u32,
    /// Steps that are open.
    pub open_steps: u32,
    /// A search for who carries out a work; 0 for nobody.
    pub runner: u32,
    /// Since when the oldest step is open.
    pub oldest: u64,
    /// The device to whose step the walk goes next; 0 for none.
    pub dev: u64,
    /// Name of the task at which the walk is.
    pub comm: [u8; COMM_LEN],
    /// Name of the task that drives the transition.
    pub driver_comm: [u8; COMM_LEN],
    /// The chain's code.
    pub code: [u8; CODE_LEN],
    /// The step that is told, without who carries it out: the walk is at that task.
    pub step: OpenStep,
    /// The link that is told.
    pub link: Link,
    /// Tasks seen, one for each hop.
    seen: [Seen; SEEN],
}

/// What a link of the chain says: a task, and what it waits for.
#[repr(C)]
pub(super) struct Link {
    /// When the wait began, `CLOCK_BOOTTIME`.
    pub since: u64,
    /// What is waited for.
    pub object: u64,
    /// The device that this belongs to; 0 for none.
    pub about: u64,
    /// Address of the name of the next task; 0 if it is not known yet.
    pub next_comm: u64,
    /// The next task; 0 if it is not known yet.
    pub next: u32,
    /// Flags of a lock.
    pub flags: u32,
    /// Number of the line's format.
    pub format: u32,
    /// The letter of the link; 0 for none.
    pub letter: u32,
    /// Among the values, where the device stands.
    pub about_at: u32,
    /// Where the time stands, and behind it what the task carries out.
    pub since_at: u32,
    /// Whether the chain ends here.
    pub ends: u32,
    /// Always 0.
    pub reserved: u32,
}

/// A task that a walk came across.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Seen {
    tid: u32,
    line: u32,
}

/// Memory for one walk. Plain memory of the programs rather than an entry of a map of its own, which each function would
/// have to look up. Only the watchdog touches it, which does not interrupt itself.
#[repr(transparent)]
struct Place(UnsafeCell<core::mem::MaybeUninit<Walk>>);

// SAFETY: see `Place`.
unsafe impl Sync for Place {}

#[unsafe(no_mangle)]
static WALK: Place = Place(UnsafeCell::new(core::mem::MaybeUninit::zeroed()));

/// The walk.
#[inline(always)]
pub(super) fn walk() -> *mut Walk {
    WALK.0.get().cast()
}

/// Writes to the walk: at once, and so that nothing remains of it in a variable. See [`Walk`].
///
/// # Safety
/// `to` must point into the walk.
#[inline(always)]
pub(super) unsafe fn put<T>(to: *mut T, value: T) {
    // SAFETY: by contract.
    unsafe { to.write_volatile(value) }
}

/// Reads what was written to the walk, as unknown to the verifier as it is to the next link.
///
/// # Safety
/// `from` must point into the walk.
#[inline(always)]
pub(super) unsafe fn get<T: Copy>(from: *const T) -> T {
    // SAFETY: by contract.
    unsafe { from.read_volatile() }
}

/// Copies the name of a task.
///
/// # Safety
/// `to` must point into the walk, `from` be valid; both must be aligned to 8 bytes.
#[inline(always)]
pub(super) unsafe fn put_comm(to: *mut [u8; COMM_LEN], from: *const [u8; COMM_LEN]) {
    let (to, from) = (to.cast::<u64>(), from.cast::<u64>());
    // SAFETY: by contract; the size is twice that of a word.
    unsafe {
        put(to, *from);
        put(to.add(1), *from.add(1));
    }
}

/// Forgets the tasks of the walk before.
///
/// # Safety
/// `walk` must be the walk.
#[inline(always)]
pub(super) unsafe fn forget(walk: *mut Walk) {
    // SAFETY: by contract, and the index is bounded.
    unsafe {
        let seen = (&raw mut (*walk).seen).cast::<Seen>();
        let mut place = 0;
        while place < MAX_HOPS as usize {
            put(seen.add(place).cast::<u64>(), 0);
            place += 1;
        }
    }
}

/// Notes in `back` the line of this task, if the walk came across it before.
///
/// # Safety
/// `walk` must be the walk.
#[inline(always)]
pub(super) unsafe fn look_back(walk: *mut Walk, tid: u32) {
    // SAFETY: by contract, and the indices are bounded.
    unsafe {
        let seen = (&raw const (*walk).seen).cast::<Seen>();
        let mut place = 0;
        while place < MAX_HOPS as usize {
            let task = seen.add(place);
            if (*task).tid == tid {
                put(&raw mut (*walk).back, (*task).line);
            }
            place += 1;
        }
    }
}

/// Notes that this hop came to the task at the line that is next.
///
/// # Safety
/// `walk` must be the walk.
#[inline(always)]
pub(super) unsafe fn remember(walk: *mut Walk, hop: u32, tid: u32) {
    // SAFETY: by contract, and the index is bounded.
    unsafe {
        let seen = (&raw mut (*walk).seen).cast::<Seen>().add(hop as usize & (SEEN - 1));
        (*seen).tid = tid;
        (*seen).line = (*walk).line;
    }
}
