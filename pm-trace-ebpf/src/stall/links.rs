//! The links of the chain: each from a task to whom it waits for.

use super::names;
use super::print::{self, print, value};
use super::walk::{Walk, get, look_back, put, put_comm, remember, walk};
use crate::kernel::{embedded, holder, pointer, same, string, try_read, word};
use crate::maps::{
    BLOCKED_SINCE, DEVICE_LOCKS, LOCK_WAITS, OPEN_STEPS, OPEN_WAITS, OPEN_WORKS, OpenWork, PM_COMPLETIONS,
    wait_kind,
};
use aya_ebpf::helpers::generated::bpf_for_each_map_elem;
use core::ffi::c_void;
use pm_trace_common::lock::flags;
use pm_trace_common::member::Member;
use pm_trace_common::pm::{Step, power};
use pm_trace_common::watchdog::{callback, code};

/// One link of the walk, with the step that it starts from if there is one; returns 1 at its end.
pub(super) unsafe extern "C" fn hop(number: u32, _: *mut c_void) -> i64 {
    let walk = walk();
    // SAFETY: only the watchdog touches the walk, and does not interrupt itself.
    unsafe {
        if (*walk).dev != 0 {
            find_step(walk);
        }
        look_back(walk, (*walk).tid);
        if get(&raw const (*walk).back) != 0 {
            return 1;
        }
        remember(walk, number, (*walk).tid);
        if (*walk).dev != 0 {
            print::step(walk, (*walk).dev);
            print::path(walk);
            (*walk).dev = 0;
        }
        let tid = (*walk).tid;
        if tid == 0 {
            return 1;
        }
        no_wait(walk, tid);
        if let Some(wait) = LOCK_WAITS.get_ptr(tid) {
            put(&raw mut (*walk).link.since, (*wait).since);
            put(&raw mut (*walk).link.object, (*wait).lock);
            put(&raw mut (*walk).link.flags, (*wait).flags);
            lock(walk);
        } else if let Some(wait) = OPEN_WAITS.get_ptr(tid)
            && get(&raw const (*walk).link.since) != 0
        {
            other(walk, (*wait).kind, (*wait).object, (*wait).since);
        }
        tell(walk);
        // The verifier wants to see that it is one of the two.
        i64::from(get(&raw const (*walk).link.ends) & 1)
    }
}

/// Goes to the step of the device that is next, and to whoever carries it out. The task that drives the transition has
/// yet to come to one that has not begun.
///
/// # Safety
/// `walk` must be the walk. So it is for all functions here.
#[inline(always)]
unsafe fn find_step(walk: *mut Walk) {
    // SAFETY: by contract; entries are copied at once.
    unsafe {
        let step = &raw mut (*walk).step;
        put(&raw mut (*step).since, 0);
        put(&raw mut (*step).step, Step::Resume as u16);
        put(&raw mut (*step).callback, callback::NOT_CALLED as u16);
        put(&raw mut (*walk).tid, (*walk).driver);
        put_comm(&raw mut (*walk).comm, &raw const (*walk).driver_comm);
        if let Some(open) = OPEN_STEPS.get_ptr((*walk).dev) {
            put(&raw mut (*step).since, (*open).since);
            put(&raw mut (*step).step, (*open).step);
            put(&raw mut (*step).callback, (*open).callback);
            put(&raw mut (*walk).tid, (*open).tid);
            put_comm(&raw mut (*walk).comm, &raw const (*open).comm);
        }
    }
}

/// Begins the line with what holds as long as no wait of the task is known: the chain ends with it.
///
/// # Safety
/// See [`find_step`].
#[inline(always)]
unsafe fn no_wait(walk: *mut Walk, tid: u32) {
    // SAFETY: by contract; entries are copied at once.
    unsafe {
        let link = &raw mut (*walk).link;
        put(&raw mut (*link).since, 0);
        if let Some(since) = BLOCKED_SINCE.get_ptr(tid) {
            put(&raw mut (*link).since, *since);
        }
        value(walk, 4, 1 - same(get(&raw const (*link).since), 0));
        put(&raw mut (*link).format, print::TASK);
        put(&raw mut (*link).letter, code::TASK.into());
        put(&raw mut (*link).since_at, 5);
        // Nowhere.
        put(&raw mut (*link).about_at, 12);
        put(&raw mut (*link).about, 0);
        put(&raw mut (*link).next, 0);
        put(&raw mut (*link).next_comm, 0);
        put(&raw mut (*link).ends, 1);
    }
}

/// Prints the line of the link, and goes on to the next task.
///
/// # Safety
/// See [`find_step`].
#[inline(always)]
unsafe fn tell(walk: *mut Walk) {
    // SAFETY: by contract; entries are copied at once.
    unsafe {
        // As it stands there now: see `Walk`.
        let link = &raw const (*walk).link;
        let (about_at, since_at) = (get(&raw const (*link).about_at), get(&raw const (*link).since_at));
        let (format, letter) = (get(&raw const (*link).format), get(&raw const (*link).letter));
        value(walk, 2, (*walk).tid.into());
        value(walk, 3, &raw const (*walk).comm as u64);
        print::device(walk, about_at, get(&raw const (*link).about));
        print::time(walk, since_at, get(&raw const (*link).since));
        value(walk, since_at + 2, 0);
        if let Some(work) = OPEN_WORKS.get_ptr((*walk).tid) {
            value(walk, since_at + 2, (*work).function);
        }
        print(format, letter);
        (*walk).tid = get(&raw const (*link).next);
        string(&raw mut (*walk).comm, get(&raw const (*link).next_comm));
    }
}

/// The task waits for a lock: on to its owner.
///
/// # Safety
/// See [`find_step`].
#[inline(always)]
unsafe fn lock(walk: *mut Walk) {
    // SAFETY: by contract; what is read of the owner is checked.
    unsafe {
        let link = &raw mut (*walk).link;
        if let Some(dev) = DEVICE_LOCKS.get_ptr((*link).object) {
            put(&raw mut (*link).about, *dev);
        }
        let wanted = (*link).flags;
        if wanted & flags::MUTEX != 0 {
            value(walk, 4, names::mutex());
        } else if wanted & (flags::RT | flags::PERCPU) == 0 && wanted & (flags::READ | flags::WRITE) != 0 {
            value(walk, 4, names::rwsem());
        } else {
            value(walk, 4, names::any_lock());
        }
        let owner = holder((*link).object, get(&raw const (*link).flags), (*walk).tid);
        put(&raw mut (*link).next, word(owner, Member::TaskTid));
        put(&raw mut (*link).next_comm, embedded(owner, Member::TaskComm));
        value(walk, 7, (*link).next.into());
        value(walk, 8, (*link).next_comm);
        put(&raw mut (*link).about_at, 5);
        put(&raw mut (*link).since_at, 9);
        put(&raw mut (*link).format, print::LOCK);
        put(&raw mut (*link).letter, code::LOCK.into());
        put(&raw mut (*link).ends, 0);
    }
}

/// The task was seen to wait for something of which no end is told: ask the object whether it still does.
///
/// # Safety
/// See [`find_step`].
#[inline(always)]
unsafe fn other(walk: *mut Walk, kind: u32, object: u64, since: u64) {
    // SAFETY: by contract.
    unsafe {
        let link = &raw mut (*walk).link;
        put(&raw mut (*link).object, object);
        match kind {
            wait_kind::COMPLETION if is_pending(object) => completion(walk),
            wait_kind::QUEUE
                if word(object, Member::QueuePmOnly) as i32 > 0
                    || word(object, Member::QueueFreezeDepth) as i32 > 0 =>
            {
                queue(walk);
            }
            wait_kind::WORK => work(walk),
            wait_kind::ASYNC => {
                value(walk, 4, names::async_calls());
                put(&raw mut (*link).about_at, 5);
                put(&raw mut (*link).since_at, 7);
                put(&raw mut (*link).format, print::OTHER);
                put(&raw mut (*link).letter, code::ASYNC.into());
            }
            _ => {}
        }
        if get(&raw const (*link).format) != print::TASK {
            put(&raw mut (*link).since, since);
        }
    }
}

/// Whether a completion is not completed. One that cannot be read is gone, with the stack it was on.
#[inline(always)]
fn is_pending(completion: u64) -> bool {
    try_read::<u32>(embedded(completion, Member::CompletionDone)) == (0, 0)
}

/// The task waits for a completion: on to the step that ends with it, if it is a device's.
///
/// # Safety
/// See [`find_step`].
#[inline(always)]
unsafe fn completion(walk: *mut Walk) {
    // SAFETY: by contract; entries are copied at once.
    unsafe {
        let link = &raw mut (*walk).link;
        value(walk, 4, names::completion());
        put(&raw mut (*link).letter, code::COMPLETION.into());
        if let Some(dev) = PM_COMPLETIONS.get_ptr((*link).object) {
            let dev = *dev;
            put(&raw mut (*link).about, dev);
            (*walk).dev = dev;
            value(walk, 4, names::step_word());
            put(&raw mut (*link).letter, 0);
            put(&raw mut (*link).ends, 0);
        }
        put(&raw mut (*link).about_at, 5);
        put(&raw mut (*link).since_at, 7);
        put(&raw mut (*link).format, print::OTHER);
    }
}

/// The task waits to enter a queue: on to the resume that opens it.
///
/// # Safety
/// See [`find_step`].
#[inline(always)]
unsafe fn queue(walk: *mut Walk) {
    // SAFETY: by contract.
    unsafe {
        let link = &raw mut (*walk).link;
        let object = (*link).object;
        // PM-only queues are SCSI's (drivers/scsi/scsi_lib.c): their queuedata is the scsi_device.
        let pm_only = word(object, Member::QueuePmOnly);
        let sdev = pointer(object, Member::QueueData);
        if pm_only as i32 > 0 && sdev != 0 {
            put(&raw mut (*link).about, embedded(sdev, Member::SdevDevice));
        }
        let dev = get(&raw const (*link).about);
        let bits = crate::device::power(dev);
        let is_set = |bit: u32| bits >> bit.trailing_zeros() & 1;
        let suspended = is_set(power::SUSPENDED) & !is_set(power::UNKNOWN);
        value(walk, 6, pm_only.into());
        value(walk, 7, word(object, Member::QueueFreezeDepth).into());
        value(walk, 8, suspended.into());
        if suspended != 0 || OPEN_STEPS.get_ptr(dev).is_some() {
            (*walk).dev = dev;
            put(&raw mut (*link).ends, 0);
        }
        put(&raw mut (*link).about_at, 4);
        put(&raw mut (*link).since_at, 9);
        put(&raw mut (*link).format, print::QUEUE);
        put(&raw mut (*link).letter, code::QUEUE.into());
    }
}

/// The task waits for a work: on to who carries it out. If nobody does now, it is over, or still queued. Neither is told
/// as a wait.
///
/// # Safety
/// See [`find_step`].
#[inline(always)]
unsafe fn work(walk: *mut Walk) {
    let look: unsafe extern "C" fn(*mut c_void, *const u32, *const OpenWork, *mut c_void) -> i64 = runs;
    // SAFETY: by contract; the callback has the type that the helper calls.
    unsafe {
        let link = &raw mut (*walk).link;
        (*walk).runner = 0;
        bpf_for_each_map_elem(
            (&raw const OPEN_WORKS).cast_mut().cast(),
            look as *mut c_void,
            core::ptr::null_mut(),
            0,
        );
        let runner = get(&raw const (*walk).runner);
        if runner == 0 {
            return;
        }
        put(&raw mut (*link).next, runner);
        value(walk, 4, pointer((*link).object, Member::WorkFunction));
        value(walk, 5, runner.into());
        value(walk, 6, 0);
        put(&raw mut (*link).since_at, 7);
        put(&raw mut (*link).format, print::WORK);
        put(&raw mut (*link).letter, code::WORK.into());
        put(&raw mut (*link).ends, 0);
    }
}

unsafe extern "C" fn runs(_: *mut c_void, tid: *const u32, open: *const OpenWork, _: *mut c_void) -> i64 {
    let walk = walk();
    // SAFETY: the helper passes on valid entries.
    unsafe {
        if (*open).work == (*walk).link.object {
            (*walk).runner = *tid;
            return 1;
        }
    }
    0
}
