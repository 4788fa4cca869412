//! `pm-trace doctor`: can this machine be traced, and what is lost if not everything is there?
//!
//! The checks are a table (`CHECKS`); each says what it found, what follows from it, and what to do. They
//! look at facts (files, type information, capabilities) and change nothing. A check fails only if tracing is
//! impossible without what it looks at; everything else is a warning with its price.

mod access;
mod context;
mod recording;
mod render;
mod sleeping;
mod watching;

use serde::Serialize;

use crate::kernel::system::System;
use context::Context;

/// Version of the JSON form.
pub const FORMAT: u32 = 1;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Tracing works, with less.
    Warn,
    /// Tracing does not work.
    Fail,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Check {
    /// Stable name, e.g. `kernel-btf`.
    pub id: &'static str,
    /// What was looked at, in words.
    pub title: &'static str,
    /// How it came out.
    pub status: Status,
    /// What was found.
    pub result: String,
    /// What follows from that; empty if nothing does.
    pub consequence: String,
    /// What to do about it; empty if nothing has to be done.
    pub remedy: String,
}

/// The answer of [`run`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct DoctorReport {
    /// [`FORMAT`]
    format: u32,
    /// Whether the machine can be traced: no check failed.
    traceable: bool,
    /// Whether live mode can be had: tracing while the machine sleeps and while it is stuck.
    live_possible: bool,
    /// Release of the kernel.
    pub kernel: String,
    /// Vendor and model of the machine.
    pub machine: String,
    /// The checks, in the order of the table.
    pub checks: Vec<Check>,
}

impl DoctorReport {
    /// Whether the machine can be traced.
    pub fn traceable(&self) -> bool {
        self.traceable
    }

    /// Whether live mode can be had.
    pub fn live_possible(&self) -> bool {
        self.live_possible
    }

    /// Exit code of the command: 0, or 4 if this machine cannot be traced.
    pub fn exit_code(&self) -> u8 {
        if self.traceable { 0 } else { 4 }
    }

    /// The report for a terminal of 100 columns, free of control characters.
    pub fn to_text(&self) -> String {
        render::text(self)
    }

    /// The check with this id.
    pub fn check(&self, id: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.id == id)
    }
}

/// What a check found.
struct Outcome {
    status: Status,
    result: String,
    consequence: String,
    remedy: String,
}

impl Outcome {
    fn ok(result: impl Into<String>) -> Self {
        Self { status: Status::Ok, result: result.into(), consequence: String::new(), remedy: String::new() }
    }

    fn warn(result: impl Into<String>, consequence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            status: Status::Warn,
            result: result.into(),
            consequence: consequence.into(),
            remedy: remedy.into(),
        }
    }

    fn fail(result: impl Into<String>, consequence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { status: Status::Fail, ..Self::warn(result, consequence, remedy) }
    }

    /// Worth knowing, and nothing to be done about.
    fn note(result: impl Into<String>, consequence: impl Into<String>) -> Self {
        Self { status: Status::Ok, ..Self::warn(result, consequence, "") }
    }
}

/// A line of the table.
struct CheckSpec {
    id: &'static str,
    title: &'static str,
    run: fn(&Context<'_>) -> Outcome,
}

/// Every check.
const CHECKS: &[CheckSpec] = &[
    CheckSpec { id: "access", title: "Root or capabilities", run: access::capabilities },
    CheckSpec { id: "lockdown", title: "Kernel lockdown", run: access::lockdown },
    CheckSpec { id: "symbols", title: "Kernel symbols", run: access::symbols },
    CheckSpec { id: "perf", title: "Perf events", run: access::perf },
    CheckSpec { id: "kernel-btf", title: "Kernel types (BTF)", run: recording::kernel_btf },
    CheckSpec { id: "module-btf", title: "Module types (BTF)", run: recording::module_btf },
    CheckSpec { id: "members", title: "Structure members", run: recording::members },
    CheckSpec { id: "bpf", title: "BPF", run: recording::bpf },
    CheckSpec { id: "ring-buffer", title: "BPF ring buffer", run: recording::ring_buffer },
    CheckSpec { id: "kprobes", title: "Kprobes", run: recording::kprobes },
    CheckSpec { id: "tracefs", title: "Tracepoints (tracefs)", run: recording::tracefs },
    CheckSpec { id: "sleep-states", title: "Sleep states", run: sleeping::states },
    CheckSpec { id: "pm-test", title: "Test levels (pm_test)", run: sleeping::pm_test },
    CheckSpec { id: "wake-clock", title: "Wake-up clock", run: sleeping::wake_clock },
    CheckSpec { id: "live", title: "Live mode", run: sleeping::live },
    CheckSpec { id: "notifiers", title: "Live mode's notifiers", run: sleeping::notifiers },
    CheckSpec { id: "console", title: "Console while asleep", run: sleeping::console },
    CheckSpec { id: "watchdog", title: "Watchdog in the kernel", run: watching::watchdog },
    CheckSpec { id: "watchdog-console", title: "What the watchdog says", run: watching::console },
    CheckSpec { id: "persistent-trace", title: "Trace kept over a reset", run: watching::persistent },
    CheckSpec { id: "pstore", title: "Evidence after a reset", run: sleeping::pstore },
];

/// Looks at a machine.
pub fn run(system: &dyn System) -> DoctorReport {
    let context = Context::gather(system);
    let checks: Vec<Check> = CHECKS
        .iter()
        .map(|spec| {
            let Outcome { status, result, consequence, remedy } = (spec.run)(&context);
            Check { id: spec.id, title: spec.title, status, result, consequence, remedy }
        })
        .collect();
    let traceable = checks.iter().all(|check| check.status != Status::Fail);
    DoctorReport {
        format: FORMAT,
        traceable,
        live_possible: traceable && context.sleep.live_blockers().is_empty(),
        kernel: context.machine.release.clone(),
        machine: context.machine.name(),
        checks,
    }
}

#[cfg(test)]
mod tests;
