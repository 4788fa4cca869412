//! Waits that are not locks: completions, request queues, works, asynchronous calls.

use crate::device::power;
use crate::emit::{enter, failure};
use crate::kernel::{embedded, pointer, stack, word};
use crate::maps::{PM_COMPLETIONS, WAITED_COMPLETIONS, wait_kind};
use crate::watch;
use aya_ebpf::EbpfContext as _;
use aya_ebpf::macros::kprobe;
use aya_ebpf::programs::ProbeContext;
use pm_trace_common::header::kind_types;
use pm_trace_common::hook::Hook;
use pm_trace_common::member::Member;
use pm_trace_common::pm::power as power_bits;
use pm_trace_common::wait::{self, completion, queue};

#[inline(always)]
fn completion_wait(ctx: &ProbeContext, hook: Hook, flags: u32) -> u32 {
    let Some(hit) = enter(hook) else { return 0 };
    let Some(address) = ctx.arg::<u64>(0) else { return 0 };
    hit.failed(failure(WAITED_COMPLETIONS.insert(address, 1, 0)));
    hit.failed(watch::waits_for_completion(address, flags & completion::TIMEOUT != 0));
    let timeout = if flags & completion::TIMEOUT != 0 { ctx.arg::<u64>(1).unwrap_or(0) } else { 0 };
    hit.emit::<kind_types::CompletionWait>(|to| {
        // SAFETY: `emit` hands out memory of the payload's type; `ctx` is this program's context.
        unsafe {
            (*to).completion = address;
            // At once: zeroes in a row would be left to a function, see `crate::kernel`.
            (&raw mut (*to).timeout).write_volatile(timeout);
            (*to).flags = flags;
            (*to).reserved = 0;
            stack(&raw mut (*to).stack, ctx.as_ptr());
        }
    });
    0
}

/// `wait_for_completion(struct completion *x)`
#[kprobe]
pub fn wait_completion(ctx: ProbeContext) -> u32 {
    completion_wait(&ctx, Hook::WaitCompletion, 0)
}

/// `wait_for_completion_timeout(struct completion *x, unsigned long timeout)`
#[kprobe]
pub fn wait_completion_timeout(ctx: ProbeContext) -> u32 {
    completion_wait(&ctx, Hook::WaitCompletionTimeout, completion::TIMEOUT)
}

/// `wait_for_completion_io(struct completion *x)`
#[kprobe]
pub fn wait_completion_io(ctx: ProbeContext) -> u32 {
    completion_wait(&ctx, Hook::WaitCompletionIo, completion::IO)
}

/// `wait_for_completion_io_timeout(struct completion *x, unsigned long timeout)`
#[kprobe]
pub fn wait_completion_io_timeout(ctx: ProbeContext) -> u32 {
    completion_wait(&ctx, Hook::WaitCompletionIoTimeout, completion::IO | completion::TIMEOUT)
}

/// `complete(struct completion *x)`, for completions that somebody was seen to wait for.
#[kprobe]
pub fn complete(ctx: ProbeContext) -> u32 {
    completed(&ctx, Hook::Complete, 0)
}

/// `complete_all(struct completion *x)`: the end of a device's step, if the completion is a device's.
#[kprobe]
pub fn complete_all(ctx: ProbeContext) -> u32 {
    let Some(address) = ctx.arg::<u64>(0) else { return 0 };
    // SAFETY: the value is a plain number, whoever writes it meanwhile.
    let Some(dev) = (unsafe { PM_COMPLETIONS.get(address) }).copied() else {
        return completed(&ctx, Hook::CompleteAll, completion::ALL);
    };
    if let Some(hit) = enter(Hook::CompleteAll) {
        watch::step_ends(dev);
        hit.emit::<kind_types::StepEnd>(|to| {
            // SAFETY: `emit` hands out memory of the payload's type.
            unsafe {
                (*to).dev = dev;
                (*to).power = power(dev);
                (*to).reserved = 0;
            }
        });
    }
    0
}

#[inline(always)]
fn completed(ctx: &ProbeContext, hook: Hook, flags: u32) -> u32 {
    let Some(hit) = enter(hook) else { return 0 };
    let Some(address) = ctx.arg::<u64>(0) else { return 0 };
    // SAFETY: only the presence of the key counts.
    if unsafe { WAITED_COMPLETIONS.get(address) }.is_some() {
        hit.send::<kind_types::Completed>(wait::Completed { completion: address, flags, reserved: 0 });
    }
    0
}

/// The bits of `BLK_MQ_REQ_*` (include/linux/blk-mq.h).
const BLK_MQ_REQ_NOWAIT: u32 = 0;
const BLK_MQ_REQ_PM: u32 = 2;

/// `blk_queue_enter(struct request_queue *q, blk_mq_req_flags_t flags)`
#[kprobe]
pub fn queue_enter(ctx: ProbeContext) -> u32 {
    let asked = ctx.arg::<u64>(1).unwrap_or(0) as u32;
    // Without branches, as in `crate::kernel`.
    let is_set = |bit: u32| asked >> bit & 1;
    let flags = (is_set(BLK_MQ_REQ_PM) * queue::PM) | (is_set(BLK_MQ_REQ_NOWAIT) * queue::NOWAIT);
    enter_queue(&ctx, Hook::QueueEnter, flags)
}

/// `__bio_queue_enter(struct request_queue *q, struct bio *bio)`
#[kprobe]
pub fn bio_queue_enter(ctx: ProbeContext) -> u32 {
    enter_queue(&ctx, Hook::BioQueueEnter, queue::BIO)
}

#[inline(always)]
fn enter_queue(ctx: &ProbeContext, hook: Hook, flags: u32) -> u32 {
    let Some(hit) = enter(hook) else { return 0 };
    let Some(address) = ctx.arg::<u64>(0) else { return 0 };
    let pm_only = word(address, Member::QueuePmOnly) as i32;
    let freeze_depth = word(address, Member::QueueFreezeDepth) as i32;
    if pm_only <= 0 && freeze_depth <= 0 {
        return 0;
    }
    let queuedata = pointer(address, Member::QueueData);
    // PM-only queues are SCSI's (drivers/scsi/scsi_lib.c): their queuedata is the scsi_device.
    let state = power(embedded(queuedata, Member::SdevDevice));
    hit.emit::<kind_types::QueueWait>(|to| {
        // SAFETY: `emit` hands out memory of the payload's type; `ctx` is this program's context.
        unsafe {
            (*to).queue = address;
            (*to).queuedata = queuedata;
            (*to).flags = flags;
            (*to).pm_only = pm_only;
            (*to).freeze_depth = freeze_depth;
            (*to).power = if pm_only > 0 { state } else { power_bits::UNKNOWN };
            stack(&raw mut (*to).stack, ctx.as_ptr());
        }
    });
    // What fails instead, and what a PM-only queue admits, does not wait. This comes last, since each of its branches has
    // the verifier walk the rest again.
    let admitted = flags & queue::PM != 0 && freeze_depth <= 0;
    if flags & queue::NOWAIT == 0 && !admitted {
        hit.failed(watch::waits(wait_kind::QUEUE, address));
    }
    0
}

/// `__flush_work(struct work_struct *work, bool from_cancel)`
#[kprobe]
pub fn flush_work(ctx: ProbeContext) -> u32 {
    flushed(&ctx, Hook::FlushWork)
}

/// `flush_work(struct work_struct *work)`
#[kprobe]
pub fn flush_work_outer(ctx: ProbeContext) -> u32 {
    flushed(&ctx, Hook::FlushWorkOuter)
}

#[inline(always)]
fn flushed(ctx: &ProbeContext, hook: Hook) -> u32 {
    let Some(hit) = enter(hook) else { return 0 };
    let Some(work) = ctx.arg::<u64>(0) else { return 0 };
    hit.failed(watch::waits(wait_kind::WORK, work));
    hit.emit::<kind_types::FlushWork>(|to| {
        // SAFETY: `emit` hands out memory of the payload's type; `ctx` is this program's context.
        unsafe {
            (*to).work = work;
            (*to).function = pointer(work, Member::WorkFunction);
            stack(&raw mut (*to).stack, ctx.as_ptr());
        }
    });
    0
}

/// `async_synchronize_cookie_domain(async_cookie_t cookie, struct async_domain *domain)`
#[kprobe]
pub fn async_synchronize(ctx: ProbeContext) -> u32 {
    let Some(hit) = enter(Hook::AsyncSynchronize) else { return 0 };
    hit.failed(watch::waits(wait_kind::ASYNC, 0));
    hit.emit::<kind_types::AsyncWait>(|to| {
        // SAFETY: `emit` hands out memory of the payload's type; `ctx` is this program's context.
        unsafe {
            (*to).cookie = ctx.arg::<u64>(0).unwrap_or(0);
            (*to).domain = ctx.arg::<u64>(1).unwrap_or(0);
            stack(&raw mut (*to).stack, ctx.as_ptr());
        }
    });
    0
}
