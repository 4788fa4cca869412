//! How to record, and why it may fail.

use super::probes::ProbeError;
use super::watchdog::Flavour;
use crate::trace::{self, Mode, Overwrite};
use std::path::PathBuf;
use std::time::Duration;

/// How to record.
#[derive(Clone, Debug)]
pub struct RecordOptions {
    /// The trace file.
    pub output: PathBuf,
    /// Whether the file may be there already.
    pub overwrite: Overwrite,
    /// A second place for the same bytes.
    pub tee: Option<PathBuf>,
    /// Size of the ring buffer in MiB, a power of two.
    pub buffer_mib: u32,
    /// Live or watch.
    pub mode: Mode,
    /// Sleep state asked for, if the recording starts the suspend itself.
    pub state: Option<String>,
    /// Let the programs send their own diagnostics.
    pub programs_log: bool,
    /// Command line, for the head of the trace.
    pub command: Vec<String>,
    /// How long nothing must have moved to be a stall; `None` if nothing ever is to be one.
    pub stall_after: Option<Duration>,
    /// What makes the watchdog in the kernel look, in order of preference; empty for no watchdog.
    pub watchdog: &'static [Flavour],
}

/// Why a recording failed.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The kernel does not tell what is needed.
    #[error(transparent)]
    Kernel(#[from] crate::kernel::KernelError),
    /// The programs cannot be used.
    #[error(transparent)]
    Probes(#[from] ProbeError),
    /// The trace file cannot be written.
    #[error(transparent)]
    Trace(#[from] trace::Error),
    /// Timers, signals or the command that is recorded.
    #[error("{0}")]
    Wait(#[from] std::io::Error),
}
