//! Checks: what recording needs of the kernel.

use pm_trace_common::member::Member;

use super::Outcome;
use super::context::Context;
use crate::kernel::KernelError;
use crate::kernel::layout::{Layout, MissingMember, MissingReason};

const BTF_REMEDY: &str = "use a kernel with CONFIG_DEBUG_INFO_BTF=y (all large distributions have it)";
/// Modules whose structures the programs read.
const MODULES: [&str; 2] = ["scsi_mod", "libata"];
/// Without these nothing can be said about a lockup.
const ESSENTIAL: [Member; 5] = [
    Member::DeviceName,
    Member::DeviceMutex,
    Member::DevicePmCompletion,
    Member::MutexOwner,
    Member::TaskTid,
];

pub(super) fn kernel_btf(context: &Context<'_>) -> Outcome {
    match &context.layout {
        Ok(_) => Outcome::ok(crate::kernel::layout::VMLINUX),
        Err(error) => {
            let why = match error {
                KernelError::Read { path, source, .. } => format!("cannot read {path}: {source}"),
                KernelError::Btf { path, source } => format!("{path} is not usable: {source}"),
                other => other.to_string(),
            };
            Outcome::fail(why, "no structure of the kernel can be read: nothing works", BTF_REMEDY)
        }
    }
}

/// What a check says that would look at the kernel's types.
fn without_types() -> Outcome {
    Outcome::warn("not looked at", "it is unknown without the kernel's types", "first, make those readable")
}

/// Whether the module as a whole is the reason why a member is missing.
fn is_about_module(missing: &MissingMember) -> bool {
    matches!(
        missing.reason,
        MissingReason::NotLoaded | MissingReason::NoModuleBtf | MissingReason::BadModuleBtf(_)
    )
}

pub(super) fn module_btf(context: &Context<'_>) -> Outcome {
    let Ok(layout) = &context.layout else {
        return without_types();
    };
    let (mut found, mut lacking, mut remedies) = (Vec::new(), Vec::new(), Vec::new());
    for module in MODULES {
        let of_module = |missing: &&MissingMember| missing.member.place().module == module;
        let own = context.system.exists(&format!("/sys/kernel/btf/{module}"));
        match layout.missing.iter().filter(of_module).find(|missing| is_about_module(missing)) {
            None if own => found.push(format!("{module}: from its own BTF")),
            None if context.system.exists(&format!("/sys/module/{module}/initstate")) => {
                found.push(format!("{module}: from the BTF of a module that uses it"));
            }
            None => found.push(format!("{module}: in the kernel image")),
            Some(missing) => {
                let (what, remedy) = match &missing.reason {
                    MissingReason::NotLoaded => {
                        (format!("{module} is not loaded"), format!("modprobe {module}"))
                    }
                    MissingReason::BadModuleBtf(why) => {
                        (format!("{module}: {why}"), format!("rebuild {module} with a current pahole"))
                    }
                    _ => (
                        format!("{module} has no type information"),
                        format!(
                            "kernel: CONFIG_DEBUG_INFO_BTF_MODULES=y; {module} built apart: pahole --btf_base"
                        ),
                    ),
                };
                lacking.push(what);
                remedies.push(remedy);
            }
        }
    }
    if lacking.is_empty() {
        return Outcome::ok(found.join("; "));
    }
    Outcome::warn(
        lacking.join("; "),
        "what happens inside SCSI and ATA (rescans, commands, error handling) is not seen; other devices are",
        remedies.join("; "),
    )
}

pub(super) fn members(context: &Context<'_>) -> Outcome {
    let Ok(layout) = &context.layout else {
        return without_types();
    };
    let missing: Vec<&MissingMember> =
        layout.missing.iter().filter(|missing| !is_about_module(missing)).collect();
    let mut results: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let mut lost: Vec<&str> = missing.iter().map(|missing| loss(missing.member)).collect();
    lost.dedup();
    if rescan_unclear(layout) {
        results.push("the argument of scsi_rescan_device is unknown".to_owned());
        lost.push("rescans of SCSI devices");
    }
    let known = Member::COUNT - layout.missing.len();
    if results.is_empty() {
        return Outcome::ok(format!("{known} of {} known", Member::COUNT));
    }
    let consequence = format!("not seen: {}", lost.join(", "));
    const REMEDY: &str = "report the kernel's release to pm-trace: it is new, or unusually configured";
    if missing.iter().any(|missing| ESSENTIAL.contains(&missing.member)) {
        let remedy = match context.configured("CONFIG_PM_SLEEP") {
            Some(false) => "use a kernel with CONFIG_PM_SLEEP=y: this one cannot sleep at all",
            _ => REMEDY,
        };
        return Outcome::fail(results.join("; "), consequence, remedy);
    }
    Outcome::warn(results.join("; "), consequence, REMEDY)
}

/// Whether SCSI is there, but nobody can say what its rescan function takes.
fn rescan_unclear(layout: &Layout) -> bool {
    layout.rescan_takes_sdev.is_none() && layout.offset(Member::SdevDevice).is_some()
}

/// What is not seen without a member.
fn loss(member: Member) -> &'static str {
    match member.place().structure {
        "device" => match member {
            Member::DeviceName | Member::DeviceMutex | Member::DevicePmCompletion => {
                "devices and who waits for them"
            }
            Member::DeviceSuppliers => "device links",
            Member::DeviceParent => "parents of devices",
            _ => "some properties of devices",
        },
        "bus_type" | "class" | "device_driver" => "names of buses, classes or drivers",
        "device_link" => "device links",
        "mutex" | "rw_semaphore" | "rt_mutex_base" => "holders of locks",
        "task_struct" => "tasks",
        "request_queue" => "waits on request queues",
        "work_struct" | "delayed_work" | "pool_workqueue" | "workqueue_struct" => "works and who queued them",
        "async_entry" => "asynchronous calls",
        "scsi_device" | "Scsi_Host" | "scsi_cmnd" => "SCSI devices and commands",
        _ => "ATA ports and error handling",
    }
}

pub(super) fn bpf(context: &Context<'_>) -> Outcome {
    const LOST: &str = "no program can be loaded into the kernel";
    let switch = context.system.exists("/proc/sys/kernel/unprivileged_bpf_disabled");
    if !switch && context.configured("CONFIG_BPF_SYSCALL") != Some(true) {
        let remedy = "use a kernel with CONFIG_BPF_SYSCALL=y and mount /proc";
        return Outcome::fail(context.why_absent("CONFIG_BPF_SYSCALL"), LOST, remedy);
    }
    if context.configured("CONFIG_BPF_EVENTS") == Some(false) {
        let remedy = "use a kernel with CONFIG_BPF_EVENTS=y (wants KPROBE_EVENTS or UPROBE_EVENTS)";
        return Outcome::fail(context.why_absent("CONFIG_BPF_EVENTS"), LOST, remedy);
    }
    match context.system.text("/proc/sys/net/core/bpf_jit_enable").as_deref() {
        Some("0") => Outcome::warn(
            "system call there, compiler (JIT) off",
            "programs are interpreted and disturb the machine several times as much",
            "sysctl net.core.bpf_jit_enable=1",
        ),
        Some(_) => Outcome::ok("system call and compiler (JIT) there"),
        None => Outcome::ok("system call there"),
    }
}

pub(super) fn ring_buffer(context: &Context<'_>) -> Outcome {
    match &context.layout {
        Ok(layout) if layout.has_struct("bpf_ringbuf") => Outcome::ok("there"),
        Ok(_) => Outcome::fail(
            "this kernel has none (Linux 5.8 brought it)",
            "events cannot be brought out of the kernel",
            "use a newer kernel",
        ),
        Err(_) => without_types(),
    }
}

pub(super) fn kprobes(context: &Context<'_>) -> Outcome {
    const LOST: &str = "most hooks cannot be placed: devices, locks, queues, error handling are not seen";
    const REMEDY: &str = "use a kernel with CONFIG_KPROBES=y and CONFIG_KPROBE_EVENTS=y";
    for option in ["CONFIG_KPROBES", "CONFIG_KPROBE_EVENTS"] {
        if context.configured(option) == Some(false) {
            return Outcome::fail(context.why_absent(option), LOST, REMEDY);
        }
    }
    if context.system.text("/sys/kernel/debug/kprobes/enabled").as_deref() == Some("0") {
        let remedy = "echo 1 > /sys/kernel/debug/kprobes/enabled";
        return Outcome::fail("switched off in /sys/kernel/debug/kprobes/enabled", LOST, remedy);
    }
    if context.system.exists("/sys/bus/event_source/devices/kprobe/type") {
        Outcome::ok("there")
    } else {
        Outcome::fail(context.why_absent("CONFIG_KPROBE_EVENTS"), LOST, REMEDY)
    }
}

pub(super) fn tracefs(context: &Context<'_>) -> Outcome {
    let is_mounted = |root: &&&str| context.system.exists(&format!("{root}/events"));
    match ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"].iter().find(is_mounted) {
        Some(root) => Outcome::ok(format!("mounted at {root}")),
        None if context.configured("CONFIG_TRACEPOINTS") == Some(false) => Outcome::fail(
            context.why_absent("CONFIG_TRACEPOINTS"),
            "phases, callbacks and lock contention are not seen",
            "use a kernel with CONFIG_FTRACE=y",
        ),
        None => Outcome::warn(
            "not mounted or not readable",
            "tracepoints that are found by their file are not seen",
            "as root: mount -t tracefs tracefs /sys/kernel/tracing",
        ),
    }
}
