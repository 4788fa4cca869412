//! Where a walk along the chain of waits stands.

use super::print::Task;
use crate::maps::OPEN_WORKS;
use pm_trace_common::COMM_LEN;

/// Most bytes of a chain's code.
const CODE_LEN: usize = 32;
/// Tasks that a walk remembers.
const SEEN: usize = 16;

/// Where a walk stands.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Walk {
    /// Number of the report.
    pub(super) report: u32,
    /// Number of the next line.
    pub(super) line: u32,
    /// The task at which the walk is; 0 ends it.
    pub(super) tid: u32,
    /// The line to which the chain leads back; 0 if it does not.
    pub(super) back: u32,
    /// Letters in `code`.
    pub(super) letters: u32,
    /// Tasks in `seen`.
    pub(super) tasks: u32,
    /// The line that tells of the task at which the walk is, if one did before its wait.
    pub(super) told: u32,
    /// Always 0.
    reserved: u32,
    /// The device to whose step the walk goes next; 0 for none.
    pub(super) dev: u64,
    /// Name of the task at which the walk is.
    pub(super) comm: [u8; COMM_LEN],
    /// The chain's code.
    pub(super) code: [u8; CODE_LEN],
    /// Tasks seen.
    seen: [Seen; SEEN],
}

/// A task that a walk came across.
#[repr(C)]
#[derive(Clone, Copy)]
struct Seen {
    tid: u32,
    line: u32,
}

/// Adds a letter to the code.
///
/// # Safety
/// `walk` must be the element of the map.
#[inline(always)]
pub(super) unsafe fn letter(walk: *mut Walk, letter: u8) {
    // SAFETY: by contract, and the index is bounded. The last byte stays 0.
    unsafe {
        let place = (*walk).letters as usize;
        if place < CODE_LEN - 1 {
            (&raw mut (*walk).code).cast::<u8>().add(place & (CODE_LEN - 1)).write(letter);
            (&raw mut (*walk).code).cast::<u8>().add((place + 1) & (CODE_LEN - 1)).write(0);
            (*walk).letters = place as u32 + 1;
        }
    }
}

/// Whether the walk came across this task before; if so it ends here, and leads back there.
///
/// # Safety
/// `walk` must be the element of the map.
#[inline(always)]
pub(super) unsafe fn before(walk: *mut Walk, tid: u32) -> bool {
    // SAFETY: by contract, and indices are bounded.
    unsafe {
        let seen = (&raw const (*walk).seen).cast::<Seen>();
        let mut place = 0;
        while place < SEEN {
            let task = seen.add(place);
            if place < (*walk).tasks as usize && (*task).tid == tid {
                (*walk).back = (*task).line;
                (*walk).tid = 0;
                return true;
            }
            place += 1;
        }
    }
    false
}

/// Notes that the walk is at this task, and at which line.
///
/// # Safety
/// `walk` must be the element of the map.
#[inline(always)]
pub(super) unsafe fn remember(walk: *mut Walk, tid: u32) {
    // SAFETY: by contract, and the index is bounded.
    unsafe {
        let place = (*walk).tasks as usize;
        if place < SEEN {
            let seen = (&raw mut (*walk).seen).cast::<Seen>().add(place & (SEEN - 1));
            (*seen).tid = tid;
            (*seen).line = if (*walk).told != 0 { (*walk).told } else { (*walk).line };
            (*walk).tasks = place as u32 + 1;
        }
        (*walk).told = 0;
    }
}

/// What the task at which the walk is carries out.
///
/// # Safety
/// `walk` must be the element of the map.
#[inline(always)]
pub(super) unsafe fn task(walk: *mut Walk) -> Task {
    // SAFETY: by contract; entries are copied at once.
    unsafe {
        let work = OPEN_WORKS.get((*walk).tid).map_or(0, |work| work.function);
        Task { tid: (*walk).tid, comm: &raw const (*walk).comm, work }
    }
}
