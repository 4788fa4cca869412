//! Contention of sleeping locks.

use crate::emit::{enter, window};
use crate::kernel::{owner, stack};
use crate::maps::{LOCK_WAITS, OpenLockWait};
use crate::watch::tid;
use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::generated::bpf_ktime_get_boot_ns;
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use pm_trace_common::header::kind_types;
use pm_trace_common::hook::Hook;
use pm_trace_common::lock::{self, flags};

/// `trace_contention_begin(void *lock, unsigned int flags)`
///
/// A mutex announces its spinning first and its sleep then (kernel/locking/mutex.c); only the sleep counts.
#[raw_tracepoint(tracepoint = "contention_begin")]
pub fn lock_begin(ctx: RawTracePointContext) -> i32 {
    let wanted = ctx.arg::<u64>(1) as u32;
    if wanted & flags::SPIN != 0 {
        return 0;
    }
    let Some(hit) = enter(Hook::LockBegin) else { return 0 };
    let address = ctx.arg::<u64>(0);
    // SAFETY: the helper has no preconditions.
    let since = unsafe { bpf_ktime_get_boot_ns() };
    let wait = OpenLockWait { lock: address, flags: wanted, reserved: 0, since };
    if LOCK_WAITS.insert(tid(), wait, 0).is_err() {
        hit.failed(1);
        return 0;
    }
    hit.emit::<kind_types::LockWait>(|to| {
        // SAFETY: `emit` hands out memory of the payload's type; `ctx` is this program's context.
        unsafe {
            (*to).lock = address;
            (*to).flags = wanted;
            (*to).reserved = 0;
            owner(&raw mut (*to).owner, address, wanted, tid());
            stack(&raw mut (*to).stack, ctx.as_ptr());
        }
    });
    0
}

/// `trace_contention_end(void *lock, int ret)`
#[raw_tracepoint(tracepoint = "contention_end")]
pub fn lock_end(ctx: RawTracePointContext) -> i32 {
    if window().is_none() {
        return 0;
    }
    let tid = tid();
    let address = ctx.arg::<u64>(0);
    // Spinning ends here too; what was not announced is not ended.
    // SAFETY: only this task enters and removes its own wait.
    match unsafe { LOCK_WAITS.get(tid) } {
        Some(wait) if wait.lock == address => {}
        _ => return 0,
    }
    if LOCK_WAITS.remove(tid).is_err() {
        return 0;
    }
    let Some(hit) = enter(Hook::LockEnd) else { return 0 };
    hit.send::<kind_types::LockWaitEnd>(lock::LockWaitEnd {
        lock: address,
        result: ctx.arg::<u64>(1) as i32,
        reserved: 0,
    });
    0
}
