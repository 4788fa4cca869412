//! PM core: phases, steps of devices, callbacks, waits between devices.

use crate::device::{describe, power};
use crate::emit::{Hit, enter, failure};
use crate::kernel::{embedded, string};
use crate::maps::{CONTROL, PM_COMPLETIONS};
use crate::watch;
use aya_ebpf::macros::{kprobe, raw_tracepoint};
use aya_ebpf::programs::{ProbeContext, RawTracePointContext};
use aya_log_ebpf::debug;
use pm_trace_common::control::armed;
use pm_trace_common::header::kind_types;
use pm_trace_common::hook::Hook;
use pm_trace_common::member::Member;
use pm_trace_common::pm::{self, Step, device_wait};
use pm_trace_common::watchdog::callback;

/// `trace_suspend_resume(const char *action, int val, bool start)`. The one program that runs while the
/// window is closed: if it waits for a transition, the first phase opens it.
#[raw_tracepoint(tracepoint = "suspend_resume")]
pub fn phase(ctx: RawTracePointContext) -> i32 {
    let start = u32::from(ctx.arg::<u64>(2) as u8);
    if start != 0 {
        open_window(&ctx);
    }
    let Some(hit) = enter(Hook::Phase) else { return 0 };
    watch::phase(ctx.arg(0), start);
    hit.emit::<kind_types::Phase>(|to| {
        // SAFETY: `emit` hands out memory of the payload's type.
        unsafe {
            string(&raw mut (*to).action, ctx.arg::<u64>(0));
            (*to).value = ctx.arg::<u64>(1) as i32;
            (*to).start = start;
        }
    });
    0
}

fn open_window(ctx: &RawTracePointContext) {
    let Some(control) = CONTROL.get_ptr_mut(0) else { return };
    // SAFETY: the element is valid; a race with user space ends with one of the two values, both meant.
    unsafe {
        let switch = &raw mut (*control).armed;
        if core::ptr::read_volatile(switch) == armed::WAITING {
            core::ptr::write_volatile(switch, armed::OPEN);
            say_opened(ctx, (*control).window);
        }
    }
}

/// A function of its own, which the kernel removes as a whole where the programs do not send diagnostics.
#[inline(never)]
fn say_opened(ctx: &RawTracePointContext, window: u32) -> u32 {
    debug!(ctx, "window {} opened by a transition", window);
    0
}

/// The end of a step is seen as the completion of the device's PM completion.
#[inline(always)]
fn expect_end(hit: Hit, dev: u64) {
    // One that finds no room is not seen to end.
    hit.failed(failure(PM_COMPLETIONS.insert(embedded(dev, Member::DevicePmCompletion), dev, 0)));
}

/// The first or the last step of a transition begins: `device_suspend(dev, state, async)` and
/// `device_resume(dev, state, async)`. Every device that is resumed was suspended before, also one whose
/// callbacks are skipped, so suspend describes it; in resume that would only cost the verifier's time. The
/// steps between them are seen by their first act, [`device_wait`].
#[inline(always)]
fn step(ctx: &ProbeContext, hook: Hook, step: Step) -> u32 {
    let Some(hit) = enter(hook) else { return 0 };
    let Some(dev) = ctx.arg::<u64>(0) else { return 0 };
    if matches!(step, Step::Suspend) {
        describe(dev, hit);
    }
    expect_end(hit, dev);
    hit.failed(watch::step_begins(dev, step));
    hit.emit::<kind_types::StepStart>(|to| {
        // SAFETY: `emit` hands out memory of the payload's type.
        unsafe {
            (*to).dev = dev;
            (*to).power = power(dev);
            (*to).step = step as u16;
            (*to).is_async = u16::from(ctx.arg::<u64>(2).unwrap_or(0) as u8);
        }
    });
    0
}

/// A device's suspend starts.
#[kprobe]
pub fn suspend(ctx: ProbeContext) -> u32 {
    step(&ctx, Hook::Suspend, Step::Suspend)
}

/// A device's resume starts.
#[kprobe]
pub fn resume(ctx: ProbeContext) -> u32 {
    step(&ctx, Hook::Resume, Step::Resume)
}

/// `trace_device_pm_callback_start(struct device *dev, const char *pm_ops, int event)`
#[raw_tracepoint(tracepoint = "device_pm_callback_start")]
pub fn callback_start(ctx: RawTracePointContext) -> i32 {
    let Some(hit) = enter(Hook::CallbackStart) else { return 0 };
    watch::callback_is(ctx.arg(0), callback::RUNNING);
    hit.emit::<kind_types::CallbackStart>(|to| {
        // SAFETY: `emit` hands out memory of the payload's type.
        unsafe {
            (*to).dev = ctx.arg(0);
            (*to).event = ctx.arg::<u64>(2) as i32;
            (*to).reserved = 0;
            string(&raw mut (*to).ops, ctx.arg::<u64>(1));
        }
    });
    0
}

/// `trace_device_pm_callback_end(struct device *dev, int error)`
#[raw_tracepoint(tracepoint = "device_pm_callback_end")]
pub fn callback_end(ctx: RawTracePointContext) -> i32 {
    let Some(hit) = enter(Hook::CallbackEnd) else { return 0 };
    watch::callback_is(ctx.arg(0), callback::RETURNED);
    hit.send::<kind_types::CallbackEnd>(pm::CallbackEnd {
        dev: ctx.arg(0),
        error: ctx.arg::<u64>(1) as i32,
        reserved: 0,
    });
    0
}

/// `dpm_wait_for_superior(struct device *dev, bool async)`
#[kprobe]
pub fn wait_superior(ctx: ProbeContext) -> u32 {
    device_wait(&ctx, Hook::WaitSuperior, device_wait::SUPERIOR)
}

/// `dpm_wait_for_subordinate(struct device *dev, bool async)`
#[kprobe]
pub fn wait_subordinate(ctx: ProbeContext) -> u32 {
    device_wait(&ctx, Hook::WaitSubordinate, device_wait::SUBORDINATE)
}

/// `device_pm_wait_for_dev(struct device *subordinate, struct device *dev)`
#[kprobe]
pub fn wait_for_dev(ctx: ProbeContext) -> u32 {
    device_wait(&ctx, Hook::WaitForDev, device_wait::EXPLICIT)
}

#[inline(always)]
fn device_wait(ctx: &ProbeContext, hook: Hook, why: u32) -> u32 {
    let Some(hit) = enter(hook) else { return 0 };
    let Some(dev) = ctx.arg::<u64>(0) else { return 0 };
    let second = ctx.arg::<u64>(1).unwrap_or(0);
    let explicit = why == device_wait::EXPLICIT;
    if !explicit {
        expect_end(hit, dev);
        hit.failed(watch::step_of_phase_begins(dev));
    }
    hit.send::<kind_types::DeviceWait>(pm::DeviceWait {
        dev,
        target: if explicit { second } else { 0 },
        why,
        is_async: if explicit { 0 } else { u32::from(second as u8) },
        power: if explicit { 0 } else { power(dev) },
        reserved: 0,
    });
    0
}

#[inline(always)]
fn wakeup(ctx: &RawTracePointContext, hook: Hook, active: bool) -> i32 {
    let Some(hit) = enter(hook) else { return 0 };
    hit.emit::<kind_types::WakeupSource>(|to| {
        // SAFETY: `emit` hands out memory of the payload's type.
        unsafe {
            (*to).active = u32::from(active);
            (*to).reserved = 0;
            string(&raw mut (*to).name, ctx.arg::<u64>(0));
        }
    });
    0
}

/// `trace_wakeup_source_activate(const char *name, unsigned int state)`
#[raw_tracepoint(tracepoint = "wakeup_source_activate")]
pub fn wakeup_activate(ctx: RawTracePointContext) -> i32 {
    wakeup(&ctx, Hook::WakeupActivate, true)
}

/// `trace_wakeup_source_deactivate(const char *name, unsigned int state)`
#[raw_tracepoint(tracepoint = "wakeup_source_deactivate")]
pub fn wakeup_deactivate(ctx: RawTracePointContext) -> i32 {
    wakeup(&ctx, Hook::WakeupDeactivate, false)
}
