//! One function for each line.

use super::Walk;
use super::names;
use crate::kernel::{pointer, word};
use crate::maps::{OpenLockWait, OpenStep, OpenWait};
use aya_ebpf::helpers::generated::{bpf_ktime_get_boot_ns, bpf_trace_vprintk};
use pm_trace_common::COMM_LEN;
use pm_trace_common::member::Member;
use pm_trace_common::watchdog::{self, State};

/// A task with what it carries out.
pub struct Task {
    pub tid: u32,
    pub comm: *const [u8; COMM_LEN],
    /// Function of its work.
    pub work: u64,
}

/// Who holds a lock.
pub struct Owner {
    pub tid: u32,
    /// Address of the name.
    pub comm: u64,
}

/// Prints a line. A line that cannot be printed is one that `pm-trace recover` will miss by its number.
#[inline(always)]
fn print<const N: usize>(format: &'static str, values: &[u64; N]) {
    const { assert!(N <= watchdog::MAX_VALUES) };
    // SAFETY: the format ends with a NUL; the helper checks the addresses among the values.
    unsafe {
        bpf_trace_vprintk(
            format.as_ptr().cast(),
            format.len() as u32,
            values.as_ptr().cast(),
            size_of_val(values) as u32,
        );
    }
}

/// The number of the line that is printed now.
///
/// # Safety
/// `walk` must be the element of the map.
#[inline(always)]
unsafe fn next(walk: *mut Walk) -> u64 {
    // SAFETY: by contract.
    unsafe {
        let line = (*walk).line;
        (*walk).line = line + 1;
        u64::from(line)
    }
}

const fn seconds(nanos: u64) -> u64 {
    nanos / 1_000_000_000
}

const fn millis(nanos: u64) -> u64 {
    nanos / 1_000_000 % 1000
}

fn boottime() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// Tells devices of equal names apart without telling addresses; 0 for none.
#[inline(always)]
fn number(dev: u64) -> u64 {
    if dev == 0 {
        return 0;
    }
    let hash = (dev >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    if hash == 0 { 1 } else { hash }
}

#[inline(always)]
fn name(dev: u64) -> u64 {
    pointer(dev, Member::DeviceName)
}

/// # Safety
/// `walk` and `state` must be the elements of the maps. So it is for all functions here.
#[inline(never)]
pub unsafe fn stall(walk: *mut Walk, state: *mut State, quiet: u64, open: u32) -> u32 {
    // SAFETY: by contract.
    unsafe {
        let now = boottime();
        print(
            watchdog::STALL,
            &[
                u64::from((*walk).report),
                next(walk),
                u64::from((*state).episode),
                u64::from((*state).told),
                seconds(now),
                millis(now),
                seconds(quiet),
                millis(quiet),
                &raw const (*state).phase as u64,
                u64::from((*state).driver),
                &raw const (*state).driver_comm as u64,
                u64::from(open),
            ],
        );
    }
    0
}

/// # Safety
/// See [`stall`].
#[inline(never)]
pub unsafe fn step(walk: *mut Walk, dev: u64, open: &OpenStep) -> u32 {
    // SAFETY: by contract.
    unsafe {
        print(
            watchdog::STEP,
            &[
                u64::from((*walk).report),
                next(walk),
                names::step(open.step),
                number(dev),
                name(dev),
                pointer(pointer(dev, Member::DeviceBus), Member::BusName),
                pointer(pointer(dev, Member::DeviceDriver), Member::DriverName),
                u64::from(open.tid),
                // The walk is at this task already.
                &raw const (*walk).comm as u64,
                seconds(open.since),
                millis(open.since),
                u64::from(open.callback),
            ],
        );
    }
    0
}

/// # Safety
/// See [`stall`].
#[inline(never)]
pub unsafe fn path(walk: *mut Walk, dev: u64) -> u32 {
    let first = pointer(dev, Member::DeviceParent);
    let second = pointer(first, Member::DeviceParent);
    let third = pointer(second, Member::DeviceParent);
    let fourth = pointer(third, Member::DeviceParent);
    let fifth = pointer(fourth, Member::DeviceParent);
    // SAFETY: by contract.
    unsafe {
        print(
            watchdog::PATH,
            &[
                u64::from((*walk).report),
                next(walk),
                number(dev),
                name(dev),
                name(first),
                name(second),
                name(third),
                name(fourth),
                name(fifth),
            ],
        );
    }
    0
}

/// # Safety
/// See [`stall`].
#[inline(never)]
pub unsafe fn lock(walk: *mut Walk, task: &Task, wait: &OpenLockWait, dev: u64, owner: &Owner) -> u32 {
    // SAFETY: by contract.
    unsafe {
        print(
            watchdog::LOCK,
            &[
                u64::from((*walk).report),
                next(walk),
                u64::from(task.tid),
                task.comm as u64,
                names::lock(wait.flags),
                number(dev),
                name(dev),
                u64::from(owner.tid),
                owner.comm,
                seconds(wait.since),
                millis(wait.since),
                task.work,
            ],
        );
    }
    0
}

/// # Safety
/// See [`stall`].
#[inline(never)]
pub unsafe fn queue(walk: *mut Walk, task: &Task, wait: &OpenWait, dev: u64, suspended: bool) -> u32 {
    // SAFETY: by contract.
    unsafe {
        print(
            watchdog::QUEUE,
            &[
                u64::from((*walk).report),
                next(walk),
                u64::from(task.tid),
                task.comm as u64,
                number(dev),
                name(dev),
                u64::from(word(wait.object, Member::QueuePmOnly)),
                u64::from(word(wait.object, Member::QueueFreezeDepth)),
                u64::from(suspended),
                seconds(wait.since),
                millis(wait.since),
                task.work,
            ],
        );
    }
    0
}

/// # Safety
/// See [`stall`].
#[inline(never)]
pub unsafe fn other(walk: *mut Walk, task: &Task, on: u64, dev: u64, since: u64) -> u32 {
    // SAFETY: by contract.
    unsafe {
        print(
            watchdog::OTHER,
            &[
                u64::from((*walk).report),
                next(walk),
                u64::from(task.tid),
                task.comm as u64,
                on,
                number(dev),
                name(dev),
                seconds(since),
                millis(since),
                task.work,
            ],
        );
    }
    0
}

/// # Safety
/// See [`stall`].
#[inline(never)]
pub unsafe fn work(walk: *mut Walk, task: &Task, wait: &OpenWait, runner: u32) -> u32 {
    // SAFETY: by contract.
    unsafe {
        print(
            watchdog::WORK,
            &[
                u64::from((*walk).report),
                next(walk),
                u64::from(task.tid),
                task.comm as u64,
                pointer(wait.object, Member::WorkFunction),
                u64::from(runner),
                0,
                seconds(wait.since),
                millis(wait.since),
                task.work,
            ],
        );
    }
    0
}

/// # Safety
/// See [`stall`].
#[inline(never)]
pub unsafe fn task(walk: *mut Walk, task: &Task, since: u64) -> u32 {
    // SAFETY: by contract.
    unsafe {
        print(
            watchdog::TASK,
            &[
                u64::from((*walk).report),
                next(walk),
                u64::from(task.tid),
                task.comm as u64,
                u64::from(since != 0),
                seconds(since),
                millis(since),
                task.work,
            ],
        );
    }
    0
}

/// # Safety
/// See [`stall`].
#[inline(never)]
pub unsafe fn end(walk: *mut Walk, episode: u32) -> u32 {
    // SAFETY: by contract.
    unsafe {
        print(
            watchdog::END,
            &[
                u64::from((*walk).report),
                next(walk),
                u64::from(episode),
                &raw const (*walk).code as u64,
                u64::from((*walk).back),
            ],
        );
    }
    0
}

/// The stall is over.
#[inline(always)]
pub fn over(report: u32, episode: u32, lasted: u64) {
    let now = boottime();
    print(
        watchdog::OVER,
        &[
            u64::from(report),
            0,
            u64::from(episode),
            seconds(now),
            millis(now),
            seconds(lasted),
            millis(lasted),
        ],
    );
}
