//! What a trace says about itself: the session at its start, counters on the way, totals at its end.

use crate::event::{Clocks, Nanos};
use crate::kernel::machine::Machine;
use minicbor::{Decode, Encode};

/// How and on what a trace was recorded. It holds nothing that identifies a machine or its owner: no
/// pointers, serial numbers or host names.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Session {
    /// Version of the program.
    #[n(0)]
    pub tool: String,
    /// Command line of the program.
    #[n(1)]
    pub command: Vec<String>,
    /// When the recording started, in UTC: `2025-01-31T12:00:00Z`. Of an imported log in its own time zone, which is
    /// not known, without the `Z`.
    #[n(2)]
    pub started: String,
    /// The kernel.
    #[n(3)]
    pub kernel: Kernel,
    /// Vendor and model of the machine, as its firmware says; empty if unknown.
    #[n(4)]
    pub product: String,
    /// The kernel's command line, with values that identify the machine left out.
    #[n(5)]
    pub cmdline: String,
    /// How many CPUs are online.
    #[n(6)]
    pub cpus: u32,
    /// The clocks at the start.
    #[n(7)]
    pub clocks: Clocks,
    /// Every hook: where it was put, or why not.
    #[n(8)]
    pub probes: Vec<ProbeRecord>,
    /// Structure members that this kernel lacks, and what that disables.
    #[n(9)]
    pub missing: Vec<MissingMember>,
    /// Size of the ring buffer in bytes.
    #[n(10)]
    pub ring_bytes: u64,
    /// How it was recorded.
    #[n(11)]
    pub mode: Mode,
    /// Sleep state asked for (`mem`, `freeze`, ...); `None` if the trace does not start the suspend itself.
    #[n(12)]
    pub state: Option<String>,
    /// It was not recorded but made from logs of other tools.
    #[n(13)]
    pub imported: Option<ImportedFrom>,
    /// How long nothing must have moved to be a stall, in nanoseconds; `None` if it was not said.
    #[n(14)]
    pub stall_after: Option<Nanos>,
}

/// What a trace was made from that was not recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ImportedFrom {
    /// What each log is. Their file names are not kept: they may name the machine.
    #[n(0)]
    pub from: Vec<String>,
    /// What is to be known about a trace from such logs, in sentences.
    #[n(1)]
    pub notes: Vec<String>,
}

impl Session {
    /// A session with what is known before anything is traced: program, machine, clocks. Probes, members, size
    /// of the ring buffer, mode and state are the recorder's to add.
    pub fn new(command: Vec<String>, machine: &Machine, clocks: Clocks) -> Self {
        Self {
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            command,
            started: clocks.utc(),
            kernel: Kernel {
                release: machine.release.clone(),
                version: machine.version.clone(),
                machine: machine.arch.clone(),
            },
            product: machine.name(),
            cmdline: machine.cmdline.clone(),
            cpus: machine.cpus(),
            clocks,
            ..Self::default()
        }
    }
}

/// The kernel, as `uname` gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Kernel {
    /// Release: `6.1.0-56-amd64`.
    #[n(0)]
    pub release: String,
    /// Version: `#1 SMP PREEMPT_DYNAMIC Debian ...`.
    #[n(1)]
    pub version: String,
    /// Machine architecture: `x86_64`.
    #[n(2)]
    pub machine: String,
}

/// A hook and what became of it on this kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ProbeRecord {
    /// Its name, that of its program.
    #[n(0)]
    pub hook: String,
    /// Its subject: `pm`, `lock`, `wait`, ...
    #[n(1)]
    pub subject: String,
    /// What it sees, in words.
    #[n(2)]
    pub meaning: String,
    /// Function or tracepoint it was put on; `None` if on none.
    #[n(3)]
    pub place: Option<String>,
    /// Why it was put on none.
    #[n(4)]
    pub skipped: Option<String>,
    /// What a trace without it lacks; empty if it was put somewhere.
    #[n(5)]
    pub lost: String,
}

/// A structure member that this kernel's BTF does not have as expected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct MissingMember {
    /// `structure.member`
    #[n(0)]
    pub member: String,
    /// Why it is missing.
    #[n(1)]
    pub reason: String,
}

/// How a trace is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum Mode {
    /// Frozen with the rest of user space; the ring buffer is drained after thaw.
    #[default]
    #[n(0)]
    Watch,
    /// Awake while everything else is frozen.
    #[n(1)]
    Live,
}

/// Counters of one hook since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct HookCounts {
    /// Name of the hook.
    #[n(0)]
    pub hook: String,
    /// How often its program ran in an open window.
    #[n(1)]
    pub hits: u64,
    /// Records it sent.
    #[n(2)]
    pub records: u64,
    /// Records lost because the ring buffer was full.
    #[n(3)]
    pub lost: u64,
    /// Other failures in the program.
    #[n(4)]
    pub errors: u64,
    /// Records of it that arrived.
    #[n(5)]
    pub received: u64,
}

/// Counters in the middle of a trace, so that a trace that is never closed has some.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Checkpoint {
    /// When.
    #[n(0)]
    pub time: Nanos,
    /// Cycles of suspend and resume so far.
    #[n(1)]
    pub cycles: u32,
    /// Counters of each hook that ran.
    #[n(2)]
    pub hooks: Vec<HookCounts>,
    /// Cycles that were begun so far, by a recorder that begins them itself: of the last one this may be all there is.
    #[n(3)]
    #[cbor(default)]
    pub begun: u32,
}

/// The end of a trace that was closed cleanly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Totals {
    /// Clocks at the end.
    #[n(0)]
    pub clocks: Clocks,
    /// Cycles of suspend and resume.
    #[n(1)]
    pub cycles: u32,
    /// Counters of each hook that ran.
    #[n(2)]
    pub hooks: Vec<HookCounts>,
    /// Events in the trace. The writer fills it in.
    #[n(3)]
    pub events: u64,
    /// Blocks the file lost because it could not be written. The writer fills it in.
    #[n(4)]
    pub blocks_lost: u64,
}
