//! The watchdog's report: a look whether the transition moves, and if not, a walk along the chain of waits that
//! prints each link. It follows one chain, from the step that has been open for longest, and judges nothing
//! but where the chain leads back to; what that means is for user space to say (`pm-trace/src/watchdog/`).

mod names;
mod print;

use crate::kernel::{embedded, holder, pointer, string, word, word32};
use crate::maps::{
    BLOCKED_SINCE, DEVICE_LOCKS, LOCK_WAITS, OPEN_STEPS, OPEN_WAITS, OPEN_WORKS, OpenLockWait, OpenStep,
    OpenWait, OpenWork, PM_COMPLETIONS, WALK, WATCHDOG, wait_kind,
};
use crate::watch::current;
use aya_ebpf::helpers::generated::{bpf_for_each_map_elem, bpf_ktime_get_ns, bpf_loop};
use core::ffi::c_void;
use pm_trace_common::COMM_LEN;
use pm_trace_common::member::Member;
use pm_trace_common::pm::{Step, power};
use pm_trace_common::watchdog::{MAX_HOPS, State, callback, code};
use print::{Owner, Task};

/// Most bytes of a chain's code.
const CODE_LEN: usize = 32;
/// Tasks that a walk remembers.
const SEEN: usize = 16;
/// How often the time between two tellings of a stall doubles at most.
const MAX_DOUBLINGS: u32 = 12;

/// Where a walk stands.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Walk {
    /// Number of the report.
    report: u32,
    /// Number of the next line.
    line: u32,
    /// The task at which the walk is; 0 ends it.
    tid: u32,
    /// The line to which the chain leads back; 0 if it does not.
    back: u32,
    /// Letters in `code`.
    letters: u32,
    /// Tasks in `seen`.
    tasks: u32,
    /// The line that tells of the task at which the walk is, if one did before its wait.
    told: u32,
    /// Always 0.
    reserved: u32,
    /// Name of the task at which the walk is.
    comm: [u8; COMM_LEN],
    /// The chain's code.
    code: [u8; CODE_LEN],
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
        if oldest.dev != 0 {
            go_to_step(walk, oldest.dev);
        }
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

/// Adds a letter to the code.
///
/// # Safety
/// `walk` must be the element of the map.
#[inline(always)]
unsafe fn letter(walk: *mut Walk, letter: u8) {
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

/// Goes on with whoever carries out the step of a device: tells of the step, unless the walk has been there.
///
/// # Safety
/// `walk` must be the element of the map.
#[inline(never)]
unsafe fn go_to_step(walk: *mut Walk, dev: u64) -> u32 {
    // SAFETY: by contract; entries are copied at once.
    unsafe {
        let open = OPEN_STEPS.get(dev).copied().unwrap_or_else(to_come);
        if before(walk, open.tid) {
            return 0;
        }
        (*walk).told = (*walk).line;
        (*walk).tid = open.tid;
        (*walk).comm = open.comm;
        letter(walk, code::STEP);
        print::step(walk, dev, &open);
        print::path(walk, dev);
    }
    0
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

/// Whether the walk came across this task before; if so it ends here, and leads back there.
///
/// # Safety
/// `walk` must be the element of the map.
#[inline(always)]
unsafe fn before(walk: *mut Walk, tid: u32) -> bool {
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

/// One link of the walk; returns 1 at its end.
unsafe extern "C" fn hop(_: u32, _: *mut c_void) -> i64 {
    let Some(walk) = WALK.get_ptr_mut(0) else { return 1 };
    // SAFETY: the element is valid, and only the watchdog touches it, which does not interrupt itself.
    unsafe {
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

/// Notes that the walk is at this task, and at which line.
///
/// # Safety
/// `walk` must be the element of the map.
#[inline(always)]
unsafe fn remember(walk: *mut Walk, tid: u32) {
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
unsafe fn task(walk: *mut Walk) -> Task {
    // SAFETY: by contract; entries are copied at once.
    unsafe {
        let work = OPEN_WORKS.get((*walk).tid).map_or(0, |work| work.function);
        Task { tid: (*walk).tid, comm: &raw const (*walk).comm, work }
    }
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
        let owner = Owner {
            tid: word32(owner, Member::TaskTid),
            comm: embedded(owner, Member::TaskComm).unwrap_or(0),
        };
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
            wait_kind::COMPLETION if word(wait.object, Member::CompletionDone) == Some(0) => {
                completion(walk, wait)
            }
            wait_kind::QUEUE
                if word32(wait.object, Member::QueuePmOnly) as i32 > 0
                    || word32(wait.object, Member::QueueFreezeDepth) as i32 > 0 =>
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
                go_to_step(walk, dev);
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
        let pm_only = word32(wait.object, Member::QueuePmOnly);
        let sdev = if pm_only as i32 > 0 { pointer(wait.object, Member::QueueData) } else { 0 };
        let dev = embedded(sdev, Member::SdevDevice).unwrap_or(0);
        let bits = if dev == 0 { power::UNKNOWN } else { crate::device::power(dev) };
        let suspended = bits & power::UNKNOWN == 0 && bits & power::SUSPENDED != 0;
        print::queue(walk, &task(walk), wait, dev, suspended);
        if !suspended && OPEN_STEPS.get(dev).is_none() {
            return 1;
        }
        go_to_step(walk, dev);
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
