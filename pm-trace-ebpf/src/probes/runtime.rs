//! Runtime PM: who asks for a device, and who gets it there.

use crate::device::{describe, power};
use crate::emit::{enter, failure, window};
use crate::kernel::{stack, word};
use crate::maps::RUNTIME_CALLS;
use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::generated::bpf_get_current_pid_tgid;
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use pm_trace_common::header::kind_types;
use pm_trace_common::hook::Hook;
use pm_trace_common::member::Member;
use pm_trace_common::pm::{self, runtime_op};

/// `RPM_ASYNC` (include/linux/pm_runtime.h): the call only queues a work.
const ASYNC: u64 = 1;
/// `RPM_ACTIVE`, `RPM_SUSPENDED` (include/linux/pm.h, enum rpm_status).
const ACTIVE: u32 = 0;
const SUSPENDED: u32 = 2;

#[inline(always)]
fn key(dev: u64) -> [u64; 2] {
    // SAFETY: the helper has no preconditions.
    [unsafe { bpf_get_current_pid_tgid() } as u32 as u64, dev]
}

/// Only calls that find the device in another state than asked for say anything: the others return at once.
#[inline(always)]
fn call(ctx: &RawTracePointContext, hook: Hook, op: u32, there: u32) -> i32 {
    if window().is_none() {
        return 0;
    }
    let dev = ctx.arg::<u64>(0);
    let status = word(dev, Member::DeviceRuntimeStatus);
    if status == there || ctx.arg::<u64>(1) & ASYNC != 0 {
        return 0;
    }
    let Some(hit) = enter(hook) else { return 0 };
    // One that finds no room is not told to end.
    hit.failed(failure(RUNTIME_CALLS.insert(key(dev), 1, 0)));
    describe(dev, hit);
    hit.emit::<kind_types::RuntimePm>(|to| {
        // SAFETY: `emit` hands out memory of the payload's type; `ctx` is this program's context.
        unsafe {
            (*to).dev = dev;
            (*to).op = op;
            (*to).status = status;
            (*to).flags = ctx.arg::<u64>(1) as u32;
            (*to).power = power(dev);
            stack(&raw mut (*to).stack, ctx.as_ptr());
        }
    });
    0
}

/// `trace_rpm_resume(struct device *dev, int flags)`
#[raw_tracepoint(tracepoint = "rpm_resume")]
pub fn runtime_resume(ctx: RawTracePointContext) -> i32 {
    call(&ctx, Hook::RuntimeResume, runtime_op::RESUME, ACTIVE)
}

/// `trace_rpm_suspend(struct device *dev, int flags)`
#[raw_tracepoint(tracepoint = "rpm_suspend")]
pub fn runtime_suspend(ctx: RawTracePointContext) -> i32 {
    call(&ctx, Hook::RuntimeSuspend, runtime_op::SUSPEND, SUSPENDED)
}

/// `trace_rpm_return_int(struct device *dev, unsigned long ip, int ret)`
#[raw_tracepoint(tracepoint = "rpm_return_int")]
pub fn runtime_return(ctx: RawTracePointContext) -> i32 {
    if window().is_none() {
        return 0;
    }
    let dev = ctx.arg::<u64>(0);
    let key = key(dev);
    // SAFETY: only the presence of the key counts.
    if unsafe { RUNTIME_CALLS.get(key) }.is_none() {
        return 0;
    }
    if RUNTIME_CALLS.remove(key).is_err() {
        return 0;
    }
    let Some(hit) = enter(Hook::RuntimeReturn) else { return 0 };
    let result = ctx.arg::<u64>(2) as i32;
    hit.send::<kind_types::RuntimePmEnd>(pm::RuntimePmEnd { dev, result, reserved: 0 });
    0
}
