//! Checks: how the machine sleeps, wakes, and keeps evidence.

use super::Outcome;
use super::context::Context;
use crate::kernel::sleep::LiveBlocker;

pub(super) fn states(context: &Context<'_>) -> Outcome {
    let sleep = &context.sleep;
    if !sleep.can("mem") && !sleep.can("freeze") && !sleep.can("standby") {
        let why = match context.configured("CONFIG_SUSPEND") {
            Some(false) => ": the kernel was built without CONFIG_SUSPEND",
            _ => "",
        };
        return Outcome::fail(
            format!("the machine cannot suspend{why}"),
            "there is nothing to trace",
            "use a kernel with CONFIG_SUSPEND=y; in a virtual machine, one whose firmware offers S3",
        );
    }
    let mem = match (sleep.can("mem"), sleep.mem_sleep.chosen.as_deref()) {
        (true, Some("deep")) => "; mem means deep (S3)".to_owned(),
        (true, Some(other)) => format!("; mem means {other}"),
        _ => String::new(),
    };
    let others: Vec<&str> = sleep
        .mem_sleep
        .words
        .iter()
        .filter(|word| sleep.mem_sleep.chosen.as_ref() != Some(word))
        .map(String::as_str)
        .collect();
    let also = if others.is_empty() { String::new() } else { format!(", can mean {}", others.join(", ")) };
    Outcome::ok(format!("{}{mem}{also}", sleep.states.join(" ")))
}

pub(super) fn pm_test(context: &Context<'_>) -> Outcome {
    if context.sleep.pm_test.words.is_empty() {
        return Outcome::warn(
            context.why_absent("CONFIG_PM_DEBUG"),
            "suspend --pm-test does not work; real suspends do",
            "use a kernel with CONFIG_PM_DEBUG=y",
        );
    }
    match context.sleep.pm_test.chosen.as_deref() {
        None | Some("none") => Outcome::ok(context.sleep.pm_test.words.join(" ")),
        Some(level) => Outcome::warn(
            format!("set to {level}"),
            "the machine only pretends to sleep, for everybody",
            "echo none > /sys/power/pm_test",
        ),
    }
}

pub(super) fn wake_clock(context: &Context<'_>) -> Outcome {
    if context.sleep.wake_clocks.is_empty() {
        return Outcome::warn(
            "no clock with a wake-up alarm",
            "the machine has to be woken by hand (suspend --wake does not work)",
            "load the driver of the clock, e.g.: modprobe rtc_cmos",
        );
    }
    let names: Vec<&str> = context.sleep.wake_clocks.iter().map(|clock| clock.name.as_str()).collect();
    Outcome::ok(names.join(", "))
}

pub(super) fn live(context: &Context<'_>) -> Outcome {
    const LOST: &str = "lockups are reported after the fact (watch mode), not while the machine is stuck";
    let blockers = context.sleep.live_blockers();
    if blockers.is_empty() {
        return Outcome::ok("possible: /dev/snapshot and S3 are there");
    }
    let reasons: Vec<String> = blockers.iter().map(ToString::to_string).collect();
    let remedies: Vec<&str> = blockers.iter().map(|&blocker| live_remedy(context, blocker)).collect();
    Outcome::warn(reasons.join("; "), LOST, remedies.join("; "))
}

fn live_remedy(context: &Context<'_>, blocker: LiveBlocker) -> &'static str {
    match blocker {
        LiveBlocker::NoDevice if context.configured("CONFIG_HIBERNATION_SNAPSHOT_DEV") == Some(true) => {
            "mount -t devtmpfs devtmpfs /dev"
        }
        LiveBlocker::NoDevice => "use a kernel with CONFIG_HIBERNATION_SNAPSHOT_DEV=y",
        LiveBlocker::NoHibernate => "boot without nohibernate",
        LiveBlocker::LockedDown => "switch Secure Boot off",
        LiveBlocker::Disabled => "end programs that use memfd_secret, then try again",
        LiveBlocker::NoDeep => "look for S3 in the firmware set-up (\"Sleep state: Linux\")",
    }
}

pub(super) fn notifiers(context: &Context<'_>) -> Outcome {
    if !context.sleep.live_blockers().is_empty() {
        return Outcome::ok("not used: no live mode");
    }
    Outcome::note(
        "live mode enters sleep through /dev/snapshot",
        "drivers are told PM_HIBERNATION_PREPARE where an ordinary suspend tells PM_SUSPEND_PREPARE, and kernel \
         threads are not frozen; a driver that cares is traced as it behaves then",
    )
}

pub(super) fn console(context: &Context<'_>) -> Outcome {
    match context.system.text("/sys/module/printk/parameters/console_suspend").as_deref() {
        Some("N") => Outcome::ok("stays on"),
        Some("Y") => Outcome::warn(
            "the kernel silences its consoles while devices sleep",
            "a verdict in the kernel log reaches no serial console or screen while the machine is stuck",
            "echo N > /sys/module/printk/parameters/console_suspend, or boot with no_console_suspend",
        ),
        _ => Outcome::warn(
            "unknown",
            "a verdict in the kernel log may reach no console while the machine is stuck",
            "boot with no_console_suspend",
        ),
    }
}

pub(super) fn pstore(context: &Context<'_>) -> Outcome {
    let backend = context.system.text("/sys/module/pstore/parameters/backend").unwrap_or_default();
    let pmsg = context.system.exists("/dev/pmsg0");
    if matches!(backend.as_str(), "" | "(null)") {
        return Outcome::warn(
            "no pstore backend is active",
            "when the machine has to be reset, only what reached a disk, a serial line or the network is left",
            "modprobe efi_pstore (UEFI), or reserve memory for ramoops (ramoops.mem_address=...)",
        );
    }
    if pmsg {
        return Outcome::ok(format!("{backend}, takes messages of programs (/dev/pmsg0)"));
    }
    Outcome::note(
        format!("{backend}, kernel log only"),
        "it keeps the log of a panic; plain messages need CONFIG_PSTORE_PMSG",
    )
}
