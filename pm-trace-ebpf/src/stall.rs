//! The watchdog's report: a look whether the transition moves, and if not, a walk along the chain of waits that
//! prints each link. It follows one chain, from the step that has been open for longest, and judges nothing
//! but where the chain leads back to; what that means is for user space to say (`pm-trace/src/watchdog/`).

mod links;
mod names;
mod print;
mod walk;

use crate::maps::{OPEN_STEPS, OpenStep};
use crate::watch::current;
use aya_ebpf::helpers::generated::{bpf_for_each_map_elem, bpf_ktime_get_ns, bpf_loop};
use core::ffi::c_void;
use links::hop;
use pm_trace_common::watchdog::{MAX_HOPS, State};
use walk::{forget, put_comm, walk};

/// How often the time between two tellings of a stall doubles at most.
const MAX_DOUBLINGS: u32 = 12;

/// Whether there is something to look for: devices are under way, or the end of a stall is to be told.
///
/// # Safety
/// `state` must be the element of the map.
#[inline(always)]
pub unsafe fn must_look(state: *const State) -> bool {
    // SAFETY: by contract.
    unsafe { current(&raw const (*state).active) | current(&raw const (*state).told) != 0 }
}

/// Looks whether the transition moves.
///
/// # Safety
/// `state` must be the element of the map.
#[inline(always)]
pub unsafe fn look(state: *mut State) {
    // SAFETY: by contract; what other programs write is read as it is now, and only the watchdog writes
    // the rest.
    unsafe {
        (*state).looks += 1;
        let limit = (*state).stall_after;
        let progress = current(&raw const (*state).progress);
        if current(&raw const (*state).told) != 0 && progress > (*state).stuck_since {
            over(state, progress);
            (*state).told = 0;
        }
        if limit == 0 || current(&raw const (*state).active) == 0 || current(&raw const (*state).asleep) != 0
        {
            return;
        }
        let now = bpf_ktime_get_ns();
        let told = current(&raw const (*state).told);
        let doublings = if told > MAX_DOUBLINGS { MAX_DOUBLINGS } else { told };
        if now < progress || now - progress < limit << doublings {
            return;
        }
        // Read again, so that the verifier knows no more of it in one case than in another.
        if current(&raw const (*state).told) == 0 {
            (*state).episode += 1;
            (*state).stuck_since = progress;
        }
        (*state).told = current(&raw const (*state).told) + 1;
        report(state, now - progress);
    }
}

/// Tells that the stall is over.
///
/// # Safety
/// `state` must be the element of the map.
#[inline(always)]
unsafe fn over(state: *mut State, progress: u64) {
    // SAFETY: by contract.
    unsafe {
        (*state).report += 1;
        (*walk()).report = (*state).report;
        print::over(walk(), state, progress - (*state).stuck_since);
    }
}

/// Prints a report.
///
/// # Safety
/// `state` must be the element of the map.
#[inline(always)]
unsafe fn report(state: *mut State, quiet: u64) {
    let walk = walk();
    let look: unsafe extern "C" fn(*mut c_void, *const u64, *const OpenStep, *mut c_void) -> i64 = compare;
    let step: unsafe extern "C" fn(u32, *mut c_void) -> i64 = hop;
    // SAFETY: the elements are valid; the callbacks have the types that the helpers call
    // (kernel/bpf/hashtab.c, bpf_for_each_hash_elem; kernel/bpf/bpf_iter.c, bpf_loop).
    unsafe {
        (*state).report += 1;
        (*walk).report = (*state).report;
        (*walk).line = 0;
        (*walk).back = 0;
        (*walk).letters = 0;
        (*walk).driver = (*state).driver;
        put_comm(&raw mut (*walk).driver_comm, &raw const (*state).driver_comm);
        (*walk).tid = (*walk).driver;
        put_comm(&raw mut (*walk).comm, &raw const (*state).driver_comm);
        (*walk).dev = 0;
        (*walk).open_steps = 0;
        (*walk).oldest = u64::MAX;
        forget(walk);
        bpf_for_each_map_elem(
            (&raw const OPEN_STEPS).cast_mut().cast(),
            look as *mut c_void,
            core::ptr::null_mut(),
            0,
        );
        print::stall(walk, state, quiet);
        bpf_loop(MAX_HOPS, step as *mut c_void, core::ptr::null_mut(), 0);
        print::end(walk, state);
    }
}

/// Looks for the step that has been open for longest.
unsafe extern "C" fn compare(_: *mut c_void, dev: *const u64, open: *const OpenStep, _: *mut c_void) -> i64 {
    let walk = walk();
    // SAFETY: the helper passes on valid entries.
    unsafe {
        (*walk).open_steps += 1;
        if (*open).since < (*walk).oldest {
            (*walk).oldest = (*open).since;
            (*walk).dev = *dev;
        }
    }
    0
}
