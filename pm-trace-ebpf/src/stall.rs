//! The watchdog's report: a look whether the transition moves, and if not, a walk along the chain of waits that
//! prints each link. It follows one chain, from the step that has been open for longest, and judges nothing
//! but where the chain leads back to; what that means is for user space to say (`pm-trace/src/watchdog/`).

mod links;
mod names;
mod print;
mod walk;

use crate::maps::{OPEN_STEPS, OpenStep, WALK, WATCHDOG};
use crate::watch::current;
use aya_ebpf::helpers::generated::{bpf_for_each_map_elem, bpf_ktime_get_ns, bpf_loop};
use core::ffi::c_void;
use links::hop;
use pm_trace_common::watchdog::{MAX_HOPS, State};
pub use walk::Walk;

/// How often the time between two tellings of a stall doubles at most.
const MAX_DOUBLINGS: u32 = 12;

/// Whether there is something to look for: devices are under way, or the end of a stall is to be told.
#[inline(always)]
pub fn must_look() -> bool {
    let Some(state) = WATCHDOG.get_ptr(0) else { return false };
    // SAFETY: the element is valid.
    unsafe { current(&raw const (*state).active) != 0 || current(&raw const (*state).told) != 0 }
}

/// Looks whether the transition moves.
#[inline(always)]
pub fn look() {
    let Some(state) = WATCHDOG.get_ptr_mut(0) else { return };
    // SAFETY: the element is valid; what other programs write is read as it is now, and only the watchdog writes
    // the rest.
    unsafe {
        (*state).looks += 1;
        let limit = (*state).stall_after;
        let progress = current(&raw const (*state).progress);
        if (*state).told != 0 && progress > (*state).stuck_since {
            over(state, progress);
            (*state).told = 0;
        }
        if limit == 0 || current(&raw const (*state).active) == 0 || current(&raw const (*state).asleep) != 0
        {
            return;
        }
        let now = bpf_ktime_get_ns();
        let told = (*state).told;
        let doublings = if told > MAX_DOUBLINGS { MAX_DOUBLINGS } else { told };
        if now < progress || now - progress < limit << doublings {
            return;
        }
        if told == 0 {
            (*state).episode += 1;
            (*state).stuck_since = progress;
        }
        (*state).told = told + 1;
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
        print::over((*state).report, (*state).episode, progress - (*state).stuck_since);
    }
}

/// The step that has been open for longest.
#[repr(C)]
struct Oldest {
    dev: u64,
    since: u64,
    count: u32,
    reserved: u32,
}

/// Prints a report.
///
/// # Safety
/// `state` must be the element of the map.
#[inline(always)]
unsafe fn report(state: *mut State, quiet: u64) {
    let Some(walk) = WALK.get_ptr_mut(0) else { return };
    let mut oldest = Oldest { dev: 0, since: u64::MAX, count: 0, reserved: 0 };
    let look: unsafe extern "C" fn(*mut c_void, *const u64, *const OpenStep, *mut Oldest) -> i64 = compare;
    let step: unsafe extern "C" fn(u32, *mut c_void) -> i64 = hop;
    // SAFETY: the elements are valid; the callbacks have the types that the helpers call
    // (kernel/bpf/hashtab.c, bpf_for_each_hash_elem; kernel/bpf/bpf_iter.c, bpf_loop).
    unsafe {
        (*state).report += 1;
        (*walk).report = (*state).report;
        (*walk).line = 0;
        (*walk).back = 0;
        (*walk).letters = 0;
        (*walk).tasks = 0;
        (*walk).told = 0;
        (*walk).code[0] = 0;
        bpf_for_each_map_elem(
            (&raw const OPEN_STEPS).cast_mut().cast(),
            look as *mut c_void,
            (&raw mut oldest).cast(),
            0,
        );
        print::stall(walk, state, quiet, oldest.count);
        (*walk).tid = (*state).driver;
        (*walk).comm = (*state).driver_comm;
        (*walk).dev = oldest.dev;
        bpf_loop(MAX_HOPS, step as *mut c_void, core::ptr::null_mut(), 0);
        print::end(walk, (*state).episode);
    }
}

unsafe extern "C" fn compare(
    _: *mut c_void,
    dev: *const u64,
    open: *const OpenStep,
    oldest: *mut Oldest,
) -> i64 {
    // SAFETY: the helper passes on valid entries and what `report` gave it.
    unsafe {
        (*oldest).count += 1;
        if (*open).since < (*oldest).since {
            (*oldest).since = (*open).since;
            (*oldest).dev = *dev;
        }
    }
    0
}
