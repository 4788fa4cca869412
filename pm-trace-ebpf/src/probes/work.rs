//! Who queues which work, and who runs it.

use crate::emit::enter;
use crate::interrupt;
use crate::kernel::{bytes, container, embedded, pointer, word};
use crate::watch;
use aya_ebpf::macros::{kprobe, raw_tracepoint};
use aya_ebpf::programs::{ProbeContext, RawTracePointContext};
use pm_trace_common::header::kind_types;
use pm_trace_common::hook::Hook;
use pm_trace_common::member::Member;
use pm_trace_common::work;

/// `trace_workqueue_queue_work(int req_cpu, struct pool_workqueue *pwq, struct work_struct *work)`
#[raw_tracepoint(tracepoint = "workqueue_queue_work")]
pub fn work_queue(ctx: RawTracePointContext) -> i32 {
    let Some(hit) = enter(Hook::WorkQueue) else { return 0 };
    let item = ctx.arg::<u64>(2);
    let workqueue = pointer(ctx.arg::<u64>(1), Member::PoolWorkqueue);
    hit.emit::<kind_types::WorkQueued>(|to| {
        // SAFETY: `emit` hands out memory of the payload's type.
        unsafe {
            (*to).work = item;
            (*to).function = pointer(item, Member::WorkFunction);
            (*to).wq_flags = word(workqueue, Member::WorkqueueFlags);
            (*to).max_active = word(workqueue, Member::WorkqueueMaxActive);
            (*to).workqueue = workqueue;
            (*to).context = interrupt::context();
            (*to).reserved = 0;
            bytes(&raw mut (*to).wq_name, embedded(workqueue, Member::WorkqueueName));
        }
    });
    0
}

/// `queue_delayed_work_on(int cpu, struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay)`
#[kprobe]
pub fn work_delay(ctx: ProbeContext) -> u32 {
    let Some(hit) = enter(Hook::WorkDelay) else { return 0 };
    let Some(delayed) = ctx.arg::<u64>(2) else { return 0 };
    let item = embedded(delayed, Member::DelayedWork);
    if item == 0 {
        return 0;
    }
    hit.send::<kind_types::WorkDelayed>(work::WorkDelayed {
        work: item,
        function: pointer(item, Member::WorkFunction),
        delay: ctx.arg::<u64>(3).unwrap_or(0),
        context: interrupt::context(),
        reserved: 0,
    });
    0
}

/// `trace_workqueue_execute_start(struct work_struct *work)`
#[raw_tracepoint(tracepoint = "workqueue_execute_start")]
pub fn work_start(ctx: RawTracePointContext) -> i32 {
    let Some(hit) = enter(Hook::WorkStart) else { return 0 };
    let item = ctx.arg::<u64>(0);
    let function = pointer(item, Member::WorkFunction);
    watch::works(item, function);
    hit.send::<kind_types::WorkStart>(work::WorkRun { work: item, function });
    0
}

/// `trace_workqueue_execute_end(struct work_struct *work, work_func_t function)`: the work itself may be
/// gone by now.
#[raw_tracepoint(tracepoint = "workqueue_execute_end")]
pub fn work_end(ctx: RawTracePointContext) -> i32 {
    let Some(hit) = enter(Hook::WorkEnd) else { return 0 };
    watch::works_no_more();
    hit.send::<kind_types::WorkEnd>(work::WorkRun { work: ctx.arg(0), function: ctx.arg(1) });
    0
}

/// `async_run_entry_fn(struct work_struct *work)`
#[kprobe]
pub fn async_run(ctx: ProbeContext) -> u32 {
    let Some(hit) = enter(Hook::AsyncRun) else { return 0 };
    let Some(item) = ctx.arg::<u64>(0) else { return 0 };
    let Some(entry) = container(item, Member::AsyncWork) else { return 0 };
    let function = pointer(entry, Member::AsyncFunction);
    watch::works(item, function);
    hit.send::<kind_types::AsyncRun>(work::AsyncRun {
        work: item,
        function,
        data: pointer(entry, Member::AsyncData),
        domain: pointer(entry, Member::AsyncDomain),
    });
    0
}
