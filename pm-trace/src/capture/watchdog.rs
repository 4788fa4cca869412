//! The watchdog in the kernel: BPF code that looks every half second whether a transition moves, and prints
//! what it waits for if not. What it prints is read back by [`crate::watchdog`].

use super::arming::{OTHER_KIND, load_failure};
use super::probes::{ProbeError, Probes};
use crate::kernel::btf;
use crate::kernel::layout::Layout;
use aya::programs::perf_event::{PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent};
use aya::programs::{BtfTracePoint, PerfEvent, Program};
use pm_trace_common::watchdog::PERIOD_NS;
use std::time::Duration;

/// How the watchdog gets to run while everything else may be stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// A BPF timer, wound up by each phase of a transition (Linux 5.15): costs nothing in between.
    Timer,
    /// A clock of the boot CPU, all the time that tracing is armed.
    Clock,
}

impl Flavour {
    /// Every flavour, the preferred one first.
    pub const ALL: [Self; 2] = [Self::Timer, Self::Clock];

    /// Name of its program.
    pub const fn program(self) -> &'static str {
        match self {
            Self::Timer => "watchdog_timer",
            Self::Clock => "watchdog_clock",
        }
    }

    /// What it is, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Timer => "a BPF timer",
            Self::Clock => "a clock of the boot CPU",
        }
    }
}

/// The tracepoint that winds the timer up.
const TRACEPOINT: &str = "suspend_resume";

/// The boot CPU: the one that stays when the others are taken offline (kernel/cpu.c, `freeze_secondary_cpus`).
const BOOT_CPU: u32 = 0;

/// Sets the watchdog to work: the first of `flavours` that this kernel takes. Reports begin when nothing has moved
/// for `stall_after`.
///
/// # Errors
/// The kernel takes none of them; the reasons.
pub fn start(
    probes: &mut Probes,
    layout: &Layout,
    flavours: &[Flavour],
    stall_after: Duration,
) -> Result<Flavour, ProbeError> {
    probes.set_stall_after(u64::try_from(stall_after.as_nanos()).unwrap_or(u64::MAX))?;
    let mut reasons = Vec::new();
    for &flavour in flavours {
        match probes.load_watchdog(flavour, layout).and_then(|()| attach(probes, flavour)) {
            Ok(()) => return Ok(flavour),
            Err(reason) => reasons.push(format!("{}: {reason}", flavour.words())),
        }
    }
    Err(ProbeError::Watchdog(reasons.join("; ")))
}

/// Loads the program of a flavour, if it is not loaded yet. The reason if it cannot be.
pub(super) fn load(program: &mut Program, flavour: Flavour, layout: &Layout) -> Result<(), String> {
    match (flavour, program) {
        (Flavour::Timer, Program::BtfTracePoint(program)) if program.fd().is_err() => {
            load_timer(program, layout)
        }
        (Flavour::Clock, Program::PerfEvent(program)) if program.fd().is_err() => {
            program.load().map_err(|error| load_failure(&error))
        }
        (Flavour::Timer, Program::BtfTracePoint(_)) | (Flavour::Clock, Program::PerfEvent(_)) => Ok(()),
        _ => Err(OTHER_KIND.to_owned()),
    }
}

fn load_timer(program: &mut BtfTracePoint, layout: &Layout) -> Result<(), String> {
    let name = format!("btf_trace_{TRACEPOINT}");
    let id = layout.typedef(&name).ok_or_else(|| format!("the kernel's BTF has no {name}"))?;
    // aya takes the kernel's types as a whole, and parsing all of them takes longer than all the rest of arming.
    // All it wants of them is the number of this one.
    let stand_in = btf::stand_in(&name, id);
    let stand_in = aya::Btf::parse(&stand_in, aya::Endianness::default())
        .map_err(|error| format!("cannot hand over the number of {name}: {error}"))?;
    program.load(TRACEPOINT, &stand_in).map_err(|error| load_failure(&error))
}

fn attach(probes: &mut Probes, flavour: Flavour) -> Result<(), String> {
    let attached = match probes.bpf_mut().program_mut(flavour.program()) {
        Some(Program::BtfTracePoint(program)) => program.attach().map(drop),
        Some(Program::PerfEvent(program)) => attach_clock(program).map(drop),
        _ => return Ok(()),
    };
    attached.map_err(|error| super::probes::chain(&error))
}

fn attach_clock(
    program: &mut PerfEvent,
) -> Result<aya::programs::perf_event::PerfEventLinkId, aya::programs::ProgramError> {
    program.attach(
        PerfEventConfig::Software(SoftwareEvent::CpuClock),
        PerfEventScope::AllProcessesOneCpu { cpu: BOOT_CPU },
        SamplePolicy::Period(PERIOD_NS),
        false,
    )
}
