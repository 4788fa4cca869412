//! Blocked tasks.

use crate::emit::{enter, header_of, window};
use crate::kernel::{embedded, owner, read, string, word};
use crate::maps::{BLOCKED_SINCE, EH_TASKS, LOCK_WAITS};
use aya_ebpf::helpers::generated::{bpf_get_task_stack, bpf_ktime_get_boot_ns};
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use pm_trace_common::ata;
use pm_trace_common::control::BLOCKED_NS;
use pm_trace_common::header::{Header, kind_types};
use pm_trace_common::hook::Hook;
use pm_trace_common::member::Member;

/// `TASK_UNINTERRUPTIBLE`, and what makes it no state D: `TASK_NOLOAD` (idle kernel threads) and
/// `TASK_FROZEN` (include/linux/sched.h).
const UNINTERRUPTIBLE: u32 = 0x2;
/// `TASK_INTERRUPTIBLE`
const INTERRUPTIBLE: u32 = 0x1;
const NOT_BLOCKED: u32 = 0x400 | 0x8000;

#[inline(always)]
fn is_blocked(state: u32) -> bool {
    state & UNINTERRUPTIBLE != 0 && state & NOT_BLOCKED == 0
}

/// Makes a record's header name `task` instead of the current one.
///
/// # Safety
/// `header` must be valid for writes.
#[inline(always)]
unsafe fn name_task(header: *mut Header, task: u64) {
    // SAFETY: `header` is valid by contract, what is read is checked.
    unsafe {
        (*header).tid = word(task, Member::TaskTid);
        (*header).tgid = word(task, Member::TaskTgid);
        string(&raw mut (*header).comm, embedded(task, Member::TaskComm));
    }
}

/// `trace_sched_switch(bool preempt, struct task_struct *prev, struct task_struct *next, ...)`
///
/// Notes when a task leaves the CPU in state D; when it comes back after long, says for how long.
#[raw_tracepoint(tracepoint = "sched_switch")]
pub fn sched_switch(ctx: RawTracePointContext) -> i32 {
    if window().is_none() {
        return 0;
    }
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    let prev = ctx.arg::<u64>(1);
    if is_blocked(word(prev, Member::TaskState)) {
        // A task whose note finds no room is merely not timed.
        let _ = BLOCKED_SINCE.insert(word(prev, Member::TaskTid), now, 0);
    }
    handler_sleeps(prev);
    let next = ctx.arg::<u64>(2);
    let tid = word(next, Member::TaskTid);
    // SAFETY: the value is a plain number, and only switches of this task write it.
    let Some(since) = (unsafe { BLOCKED_SINCE.get(tid) }).copied() else { return 0 };
    if BLOCKED_SINCE.remove(tid).is_err() {
        return 0;
    }
    let duration = now.saturating_sub(since);
    if duration < BLOCKED_NS {
        return 0;
    }
    let Some(hit) = enter(Hook::SchedSwitch) else { return 0 };
    hit.emit::<kind_types::Blocked>(|to| {
        // SAFETY: `emit` hands out memory of the payload's type.
        unsafe {
            (*to).since = since;
            (*to).duration = duration;
            name_task(header_of(to), next);
        }
    });
    0
}

/// No event says that ATA error handling ends. Its thread waits for the next time in an interruptible sleep
/// (scsi_error_handler(), drivers/scsi/scsi_error.c); all its other sleeps are uninterruptible.
#[inline(always)]
fn handler_sleeps(prev: u64) {
    if word(prev, Member::TaskState) & INTERRUPTIBLE == 0 {
        return;
    }
    let tid = word(prev, Member::TaskTid);
    // SAFETY: the value is a plain number, and only this task writes it.
    let Some(port) = (unsafe { EH_TASKS.get(tid) }).copied() else { return };
    if EH_TASKS.remove(tid).is_err() {
        return;
    }
    let Some(hit) = enter(Hook::SchedSwitch) else { return };
    let print_id = word(port, Member::PortNumber);
    hit.send::<kind_types::AtaEhEnd>(ata::AtaEhEnd { port, print_id, reserved: 0 });
}

/// `struct bpf_iter__task` (kernel/bpf/task_iter.c).
#[repr(C)]
pub struct TaskIterator {
    meta: u64,
    task: *mut aya_ebpf::bindings::task_struct,
}

/// Shows every task that is in state D now. User space starts it when a transition makes no progress.
///
/// # Safety
/// Called by the kernel with the context of a task iterator.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
pub unsafe extern "C" fn task_snapshot(ctx: *mut TaskIterator) -> i32 {
    // SAFETY: the kernel passes a valid context; its task is NULL at the end of the walk.
    let task = unsafe { (*ctx).task };
    if task.is_null() || window().is_none() {
        return 0;
    }
    // Once more, as a mere number: the verifier wants no arithmetic with the pointer that it knows.
    // SAFETY: as above.
    let address = read::<u64>(unsafe { &raw const (*ctx).task } as u64);
    let state = word(address, Member::TaskState);
    if !is_blocked(state) {
        return 0;
    }
    let Some(hit) = enter(Hook::TaskSnapshot) else { return 0 };
    let tid = word(address, Member::TaskTid);
    // SAFETY: copied at once; only the waiting task writes its own entry, and it is asleep.
    let wait = unsafe { LOCK_WAITS.get(tid) }.copied();
    // SAFETY: as above.
    let since = unsafe { BLOCKED_SINCE.get(tid) }.copied().unwrap_or(0);
    hit.emit::<kind_types::TaskSnapshot>(|to| {
        // SAFETY: `emit` hands out memory of the payload's type; `task` is the iterator's own.
        unsafe {
            name_task(header_of(to), address);
            (*to).since = since;
            (*to).state = state;
            let (lock, flags) = wait.map_or((0, 0), |wait| (wait.lock, wait.flags));
            (*to).lock = lock;
            (*to).lock_flags = flags;
            owner(&raw mut (*to).owner, lock, flags, tid);
            let frames = &raw mut (*to).stack.frames;
            (*to).stack.len = bpf_get_task_stack(task, frames.cast(), size_of_val(&*frames) as u32, 0);
        }
    });
    0
}
