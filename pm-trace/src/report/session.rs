//! The session as reports show it.

use crate::trace::{ProbeRecord, Session};
use schemars::JsonSchema;
use serde::Serialize;

/// How and on what a trace was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SessionInfo {
    /// Version of the program that recorded.
    pub recorded_by: String,
    /// Its command line.
    pub command: Vec<String>,
    /// When it started, in UTC; of an imported log in its own time zone, without the `Z`.
    pub started: String,
    /// Kernel release, like `6.1.0-56-amd64`.
    pub kernel: String,
    /// Kernel version, like `#1 SMP PREEMPT_DYNAMIC Debian ...`.
    pub kernel_version: String,
    /// Architecture, like `x86_64`.
    pub architecture: String,
    /// Vendor and model of the machine; empty if unknown.
    pub product: String,
    /// The kernel's command line.
    pub cmdline: String,
    /// CPUs online.
    pub cpus: u32,
    /// Clocks at the start.
    pub clocks: ClockInfo,
    /// Structure members that this kernel lacks: name and reason.
    pub missing: Vec<MissingInfo>,
    /// Size of the ring buffer in bytes.
    pub ring_bytes: u64,
    /// Sleep state asked for; `null` if the trace did not start the suspend itself.
    pub state: Option<String>,
    /// What the trace was made from if it was not recorded; `null` if it was.
    pub imported: Option<ImportInfo>,
}

/// Logs of other tools that a trace was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ImportInfo {
    /// What each log is.
    pub from: Vec<String>,
    /// What is to be known about a trace from such logs, in sentences.
    pub notes: Vec<String>,
}

/// Clocks read at one moment, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ClockInfo {
    /// `CLOCK_BOOTTIME`, the clock of all times in the report.
    pub boottime: u64,
    /// `CLOCK_MONOTONIC`, the clock of the kernel log.
    pub monotonic: u64,
    /// `CLOCK_REALTIME`
    pub realtime: u64,
}

/// A structure member that the kernel lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MissingInfo {
    /// `structure.member`
    pub member: String,
    /// Why it is missing.
    pub reason: String,
}

/// A hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProbeInfo {
    /// Its name.
    pub hook: String,
    /// Its subject.
    pub subject: String,
    /// Function or tracepoint it was put on; `null` if on none.
    pub place: Option<String>,
    /// Why it was put on none.
    pub skipped: Option<String>,
    /// What the trace lacks without it.
    pub lost: String,
}

impl From<&Session> for SessionInfo {
    fn from(session: &Session) -> Self {
        Self {
            recorded_by: session.tool.clone(),
            command: session.command.clone(),
            started: session.started.clone(),
            kernel: session.kernel.release.clone(),
            kernel_version: session.kernel.version.clone(),
            architecture: session.kernel.machine.clone(),
            product: session.product.clone(),
            cmdline: session.cmdline.clone(),
            cpus: session.cpus,
            clocks: ClockInfo {
                boottime: session.clocks.boottime,
                monotonic: session.clocks.monotonic,
                realtime: session.clocks.realtime,
            },
            missing: session
                .missing
                .iter()
                .map(|member| MissingInfo { member: member.member.clone(), reason: member.reason.clone() })
                .collect(),
            ring_bytes: session.ring_bytes,
            state: session.state.clone(),
            imported: session
                .imported
                .as_ref()
                .map(|imported| ImportInfo { from: imported.from.clone(), notes: imported.notes.clone() }),
        }
    }
}

/// The hooks of a session.
pub(super) fn probes(session: &Session) -> Vec<ProbeInfo> {
    let info = |probe: &ProbeRecord| ProbeInfo {
        hook: probe.hook.clone(),
        subject: probe.subject.clone(),
        place: probe.place.clone(),
        skipped: probe.skipped.clone(),
        lost: probe.lost.clone(),
    };
    session.probes.iter().map(info).collect()
}
