//! The links of the chain: each from a task to whom it waits for.

use super::names;
use super::print::{self, Owner};
use super::walk::{Walk, before, letter, remember, task};
use crate::kernel::{embedded, holder, pointer, string, try_read, word};
use crate::maps::{
    BLOCKED_SINCE, DEVICE_LOCKS, LOCK_WAITS, OPEN_STEPS, OPEN_WAITS, OPEN_WORKS, OpenLockWait, OpenStep,
    OpenWait, OpenWork, PM_COMPLETIONS, WALK, WATCHDOG, wait_kind,
};
use aya_ebpf::helpers::generated::bpf_for_each_map_elem;
use core::ffi::c_void;
use pm_trace_common::COMM_LEN;
use pm_trace_common::member::Member;
use pm_trace_common::pm::{Step, power};
use pm_trace_common::watchdog::{callback, code};

/// Goes on with whoever carries out the step of the device that is next: tells of the step, unless the walk has been
/// there.
///
/// # Safety
/// `walk` must be the element of the map.
#[inline(always)]
unsafe fn go_to_step(walk: *mut Walk) {
    // SAFETY: by contract; entries are copied at once.
    unsafe {
        let dev = (*walk).dev;
        if dev == 0 {
            return;
        }
        (*walk).dev = 0;
        let open = OPEN_STEPS.get(dev).copied().unwrap_or_else(to_come);
        if before(walk, open.tid) {
            return;
        }
        (*walk).told = (*walk).line;
        (*walk).tid = open.tid;
        (*walk).comm = open.comm;
        letter(walk, code::STEP);
        print::step(walk, dev, &open);
        print::path(walk, dev);
    }
}

/// The step of a device that has not begun: the task that drives the transition has yet to come to it.
#[inline(always)]
fn to_come() -> OpenStep {
    let mut open = OpenStep {
        since: 0,
        tid: 0,
        step: Step::Resume as u16,
        callback: callback::NOT_CALLED as u16,
        comm: [0; COMM_LEN],
    };
    if let Some(state) = WATCHDOG.get_ptr(0) {
        // SAFETY: the element is valid.
        unsafe {
            open.tid = (*state).driver;
            open.comm = (*state).driver_comm;
        }
    }
    open
}

/// One link of the walk, with the step that it starts from if there is one; returns 1 at its end.
pub(super) unsafe extern "C" fn hop(_: u32, _: *mut c_void) -> i64 {
    let Some(walk) = WALK.get_ptr_mut(0) else { return 1 };
    // SAFETY: the element is valid, and only the watchdog touches it, which does not interrupt itself.
    unsafe {
        // Here alone: each place that calls it has the verifier walk it again.
        go_to_step(walk);
        let tid = (*walk).tid;
        if tid == 0 || before(walk, tid) {
            return 1;
        }
        remember(walk, tid);
        if let Some(wait) = LOCK_WAITS.get(tid).copied() {
            return lock(walk, &wait);
        }
        if let Some(wait) = OPEN_WAITS.get(tid).copied()
            && BLOCKED_SINCE.get(tid).is_some()
        {
            return other(walk, &wait);
        }
        no_wait(walk);
    }
    1
}

/// The chain ends at a task of which no wait is known.
///
/// # Safety
/// `walk` must be the element of the map.
#[inline(always)]
unsafe fn no_wait(walk: *mut Walk) -> i64 {
    // SAFETY: by contract.
    unsafe {
        letter(walk, code::TASK);
        let since = BLOCKED_SINCE.get((*walk).tid).copied().unwrap_or(0);
        print::task(walk, &task(walk), since);
    }
    1
}

/// The task waits for a lock: on to its owner.
///
/// # Safety
/// `walk` must be the element of the map.
#[inline(always)]
unsafe fn lock(walk: *mut Walk, wait: &OpenLockWait) -> i64 {
    // SAFETY: by contract.
    let owner = holder(wait.lock, wait.flags, unsafe { (*walk).tid });
    // SAFETY: by contract; what is read of the owner is checked.
    unsafe {
        let dev = DEVICE_LOCKS.get(wait.lock).copied().unwrap_or(0);
        letter(walk, code::LOCK);
        let waiter = task(walk);
        let owner =
            Owner { tid: word(owner, Member::TaskTid), comm: embedded(owner, Member::TaskComm).unwrap_or(0) };
        print::lock(walk, &waiter, wait, dev, &owner);
        (*walk).tid = owner.tid;
        string(&raw mut (*walk).comm, owner.comm);
    }
    0
}

/// The task was seen to wait for something of which no end is told: ask the object whether it still does.
///
/// # Safety
/// `walk` must be the element of the map.
#[inline(never)]
unsafe fn other(walk: *mut Walk, wait: &OpenWait) -> i64 {
    // SAFETY: by contract.
    unsafe {
        match wait.kind {
            wait_kind::COMPLETION if is_pending(wait.object) => completion(walk, wait),
            wait_kind::QUEUE
                if word(wait.object, Member::QueuePmOnly) as i32 > 0
                    || word(wait.object, Member::QueueFreezeDepth) as i32 > 0 =>
            {
                queue(walk, wait)
            }
            wait_kind::WORK => work(walk, wait),
            wait_kind::ASYNC => {
                letter(walk, code::ASYNC);
                print::other(walk, &task(walk), names::async_calls(), 0, wait.since);
                1
            }
            _ => no_wait(walk),
        }
    }
}

/// Whether a completion is not completed. One that cannot be read is gone, with the stack it was on.
#[inline(always)]
fn is_pending(completion: u64) -> bool {
    embedded(completion, Member::CompletionDone).is_some_and(|done| try_read::<u32>(done) == (0, 0))
}

/// The task waits for a completion: on to the step that ends with it, if it is a device's.
///
/// # Safety
/// `walk` must be the element of the map.
#[inline(always)]
unsafe fn completion(walk: *mut Walk, wait: &OpenWait) -> i64 {
    // SAFETY: by contract; entries are copied at once.
    unsafe {
        let waiter = task(walk);
        match PM_COMPLETIONS.get(wait.object).copied() {
            Some(dev) => {
                print::other(walk, &waiter, names::step_word(), dev, wait.since);
                (*walk).dev = dev;
                0
            }
            None => {
                letter(walk, code::COMPLETION);
                print::other(walk, &waiter, names::completion(), 0, wait.since);
                1
            }
        }
    }
}

/// The task waits to enter a queue: on to the resume that opens it.
///
/// # Safety
/// `walk` must be the element of the map.
#[inline(always)]
unsafe fn queue(walk: *mut Walk, wait: &OpenWait) -> i64 {
    // SAFETY: by contract.
    unsafe {
        letter(walk, code::QUEUE);
        // PM-only queues are SCSI's (drivers/scsi/scsi_lib.c): their queuedata is the scsi_device.
        let pm_only = word(wait.object, Member::QueuePmOnly);
        let sdev = if pm_only as i32 > 0 { pointer(wait.object, Member::QueueData) } else { 0 };
        let dev = if sdev == 0 { 0 } else { embedded(sdev, Member::SdevDevice).unwrap_or(0) };
        let bits = if dev == 0 { power::UNKNOWN } else { crate::device::power(dev) };
        let suspended = bits & power::UNKNOWN == 0 && bits & power::SUSPENDED != 0;
        print::queue(walk, &task(walk), wait, dev, suspended);
        if !suspended && OPEN_STEPS.get(dev).is_none() {
            return 1;
        }
        (*walk).dev = dev;
    }
    0
}

/// A search for who carries out a work.
#[repr(C)]
struct Runner {
    work: u64,
    tid: u32,
    reserved: u32,
}

/// The task waits for a work: on to who carries it out.
///
/// # Safety
/// `walk` must be the element of the map.
#[inline(always)]
unsafe fn work(walk: *mut Walk, wait: &OpenWait) -> i64 {
    let mut runner = Runner { work: wait.object, tid: 0, reserved: 0 };
    let look: unsafe extern "C" fn(*mut c_void, *const u32, *const OpenWork, *mut Runner) -> i64 = runs;
    // SAFETY: by contract; the callback has the type that the helper calls.
    unsafe {
        bpf_for_each_map_elem(
            (&raw const OPEN_WORKS).cast_mut().cast(),
            look as *mut c_void,
            (&raw mut runner).cast(),
            0,
        );
        if runner.tid == 0 {
            // Nobody runs it now: it is over, or still queued. Neither is told as a wait.
            return no_wait(walk);
        }
        letter(walk, code::WORK);
        print::work(walk, &task(walk), wait, runner.tid);
        (*walk).tid = runner.tid;
        (*walk).comm = [0; COMM_LEN];
    }
    0
}

unsafe extern "C" fn runs(
    _: *mut c_void,
    tid: *const u32,
    open: *const OpenWork,
    runner: *mut Runner,
) -> i64 {
    // SAFETY: the helper passes on valid entries and what `work` gave it.
    unsafe {
        if (*open).work == (*runner).work {
            (*runner).tid = *tid;
            return 1;
        }
    }
    0
}
