//! Checks: the watchdog in the kernel, and where what it says ends up.

use super::Outcome;
use super::context::Context;
use crate::kernel::evidence::{self, TpPrintk};

pub(super) fn watchdog(context: &Context<'_>) -> Outcome {
    match (evidence::can_have_timers(context.system), evidence::can_print(context.system)) {
        (Some(true), _) => Outcome::ok("a BPF timer, which runs during a transition only"),
        (_, Some(true)) => Outcome::note(
            "a clock of the boot CPU: this kernel's programs can have no timers",
            "that CPU is woken twice a second as long as a recording waits",
        ),
        (_, None) => Outcome::warn(
            "unknown: the kernel's symbols cannot be read",
            "whether a lockup in watch mode is named is known when a recording starts",
            "mount -t proc proc /proc",
        ),
        (_, Some(false)) => Outcome::warn(
            "none: this kernel has no bpf_trace_vprintk (Linux 5.16)",
            "a lockup in watch mode leaves no verdict",
            "use live mode (suspend --live), or a newer kernel",
        ),
    }
}

pub(super) fn console(context: &Context<'_>) -> Outcome {
    match evidence::tp_printk(context.system) {
        TpPrintk::On => Outcome::ok("goes to the kernel log (tp_printk)"),
        TpPrintk::Off => Outcome::warn(
            "stays in the trace buffer: tp_printk is switched off",
            "a console does not show what the watchdog says",
            "pm-trace arm",
        ),
        TpPrintk::Impossible => Outcome::warn(
            "stays in the trace buffer: the kernel was booted without tp_printk",
            "a console does not show what the watchdog says, and it cannot be switched on now",
            "boot with tp_printk",
        ),
    }
}

pub(super) fn persistent(context: &Context<'_>) -> Outcome {
    const LOST: &str = "a reset loses what the watchdog says, unless a console took it";
    let instances = evidence::persistent_instances(context.system);
    let (on, off): (Vec<String>, Vec<String>) =
        instances.into_iter().partition(|name| evidence::is_on(context.system, name));
    if !on.is_empty() {
        return Outcome::ok(format!("trace instance {}", on.join(", ")));
    }
    if !off.is_empty() {
        let result =
            format!("trace instance {} is there, but does not take the watchdog's lines", off.join(", "));
        return Outcome::warn(result, LOST, "pm-trace arm");
    }
    match evidence::can_persist(context.system) {
        Some(false) => {
            Outcome::note("this kernel cannot keep a trace in reserved memory (Linux 6.12 can)", LOST)
        }
        _ => Outcome::warn(
            "no trace instance in reserved memory",
            LOST,
            "boot with reserve_mem=12M:4096:pmtrace trace_instance=pmtrace@pmtrace ('pm-trace arm' explains)",
        ),
    }
}
