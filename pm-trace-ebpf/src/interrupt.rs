//! Whether the current task does something, or an interrupt that interrupted it.

use crate::kernel::{read, try_read, word};
use crate::maps::PER_CPU;
use aya_ebpf::helpers::generated::{bpf_get_current_task, bpf_get_smp_processor_id};
use pm_trace_common::member::Member;
use pm_trace_common::work::context;

/// Parts of the preempt count (include/linux/preempt.h): a softirq is carried out, levels of interrupts, of NMIs.
const SOFTIRQ: u32 = 1 << 8;
const HARDIRQ_ONE: u32 = 1 << 16;
const HARDIRQ: u32 = 0xf << 16;
const NMI_ONE: u32 = 1 << 20;
const NMI: u32 = 0xf << 20;

/// A `pm_trace_common::work::context` value.
///
/// A kprobe that is a breakpoint counts as an NMI itself. Nothing that asks here runs in a real one. A kernel with
/// PREEMPT_RT counts softirqs in the task, since there they are carried out by one.
#[inline(always)]
pub fn context() -> u32 {
    let Some(count) = preempt_count() else { return context::UNKNOWN };
    let count = if count & NMI == 0 { count } else { count.wrapping_sub(NMI_ONE + HARDIRQ_ONE) };
    // SAFETY: the helper has no preconditions.
    let softirqs = word(unsafe { bpf_get_current_task() }, Member::TaskSoftirqs);
    if count & HARDIRQ != 0 || (count | softirqs) & SOFTIRQ != 0 { context::INTERRUPT } else { context::TASK }
}

#[inline(always)]
fn preempt_count() -> Option<u32> {
    let places = PER_CPU.get(0)?;
    if places.offsets == 0 || places.preempt_count == 0 {
        return None;
    }
    // SAFETY: the helper has no preconditions.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    let data = read::<u64>(places.offsets.wrapping_add(8 * u64::from(cpu)));
    let (count, error) = try_read::<u32>(data.wrapping_add(places.preempt_count));
    (error == 0).then_some(count)
}
