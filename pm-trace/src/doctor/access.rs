//! Checks: what this process may do.

use super::Outcome;
use super::context::{Capability, Context};
use crate::kernel::KernelError;
use crate::kernel::sleep::Lockdown;

const AS_ROOT: &str = "run pm-trace as root: sudo pm-trace doctor";

pub(super) fn capabilities(context: &Context<'_>) -> Outcome {
    let has = |capability| context.capabilities.has(capability);
    let admin = has(Capability::SysAdmin);
    let (bpf, perfmon) = (admin || has(Capability::Bpf), admin || has(Capability::Perfmon));
    let wanted = [
        (bpf, "CAP_BPF"),
        (perfmon, "CAP_PERFMON"),
        (admin, "CAP_SYS_ADMIN"),
        (has(Capability::Syslog), "CAP_SYSLOG"),
    ];
    let names = |there: bool| -> Vec<&str> {
        wanted.iter().filter(|(has, _)| *has == there).map(|&(_, name)| name).collect()
    };
    let missing = names(false).join(", ");
    if !bpf || !perfmon {
        let result = format!("this process has not: {missing}");
        return Outcome::fail(result, "no program can be loaded into the kernel", AS_ROOT);
    }
    if missing.is_empty() {
        return Outcome::ok("CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYSLOG");
    }
    let mut lost = Vec::new();
    if !admin {
        lost.push("no live mode (/dev/snapshot wants CAP_SYS_ADMIN)");
    }
    if !has(Capability::Syslog) {
        lost.push("stacks without function names (addresses want CAP_SYSLOG)");
    }
    Outcome::warn(format!("this process has not: {missing}"), lost.join("; "), AS_ROOT)
}

pub(super) fn lockdown(context: &Context<'_>) -> Outcome {
    const REMEDY: &str = "switch Secure Boot off in the firmware set-up, and boot without lockdown= on the kernel's command line";
    let secure_boot = secure_boot(context);
    match context.sleep.lockdown {
        Lockdown::None => Outcome::ok(format!("none{secure_boot}")),
        Lockdown::Integrity => Outcome::warn(
            format!("integrity{secure_boot}"),
            "tracing works; hibernation is forbidden and with it live mode",
            REMEDY,
        ),
        Lockdown::Confidentiality => Outcome::fail(
            format!("confidentiality{secure_boot}"),
            "kprobes and reading kernel memory from BPF programs are forbidden",
            REMEDY,
        ),
        Lockdown::Unknown if context.configured("CONFIG_SECURITY_LOCKDOWN_LSM") == Some(false) => {
            Outcome::ok(format!("the kernel has none{secure_boot}"))
        }
        Lockdown::Unknown if context.system.exists("/sys/kernel/security/lsm") => {
            Outcome::ok(format!("not active{secure_boot}"))
        }
        Lockdown::Unknown => Outcome::warn(
            format!("unknown: /sys/kernel/security is not mounted or not readable{secure_boot}"),
            "if the kernel is locked down, live mode or all tracing will be refused",
            "mount -t securityfs securityfs /sys/kernel/security",
        ),
    }
}

/// `, Secure Boot is on`, if the firmware tells.
fn secure_boot(context: &Context<'_>) -> &'static str {
    const VARIABLE: &str = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    // Four bytes of attributes come before the value.
    match context.system.read(VARIABLE).ok().as_deref() {
        Some([_, _, _, _, 1]) => ", Secure Boot is on",
        Some([_, _, _, _, 0]) => ", Secure Boot is off",
        _ => "",
    }
}

pub(super) fn symbols(context: &Context<'_>) -> Outcome {
    match &context.symbols {
        Ok(symbols) => Outcome::ok(format!("{} functions with addresses", symbols.len())),
        Err(KernelError::SymbolsHidden) => {
            let restrict = context.system.text("/proc/sys/kernel/kptr_restrict").unwrap_or_default();
            let shown = if restrict.is_empty() { "unknown" } else { &restrict };
            Outcome::warn(
                format!("addresses are hidden (kernel.kptr_restrict is {shown})"),
                "stacks have no function names, and places for probes cannot be looked up beforehand",
                "run as root; if that is not enough: sysctl kernel.kptr_restrict=1",
            )
        }
        Err(error) => Outcome::warn(
            error.to_string(),
            "stacks have no function names, and places for probes cannot be looked up beforehand",
            "use a kernel with CONFIG_KALLSYMS=y and mount /proc",
        ),
    }
}

pub(super) fn perf(context: &Context<'_>) -> Outcome {
    let allowed = [Capability::Perfmon, Capability::SysAdmin].iter().any(|&c| context.capabilities.has(c));
    let Some(level) = context.system.text("/proc/sys/kernel/perf_event_paranoid") else {
        return Outcome::fail(
            context.why_absent("CONFIG_PERF_EVENTS"),
            "no program can be attached to a probe",
            "use a kernel with CONFIG_PERF_EVENTS=y",
        );
    };
    let result = format!("kernel.perf_event_paranoid is {level}");
    if allowed || level.parse::<i32>().is_ok_and(|level| level < 0) {
        return Outcome::ok(result);
    }
    Outcome::fail(result, "this process may not attach probes", AS_ROOT)
}
