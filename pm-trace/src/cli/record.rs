//! Arguments of the commands that trace this machine.

use super::LookArgs;
use crate::capture::last_resort::OnStall;
use crate::capture::stream::Address;
use clap::builder::{PossibleValuesParser, RangedU64ValueParser};
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

#[doc = unshown!("Arguments of `suspend`.")]
#[derive(Clone, Debug, Args)]
pub struct SuspendArgs {
    /// Sleep state to enter; of several, separated by commas, one after the other
    #[arg(long, value_enum, value_delimiter = ',', default_value = "mem")]
    pub state: Vec<State>,
    /// Let the real-time clock wake the machine after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = at_least_one())]
    pub wake: Option<u32>,
    /// Stop at a test level of the kernel (/sys/power/pm_test) and resume at once
    #[arg(long, value_name = "LEVEL", value_parser = PossibleValuesParser::new(PM_TEST))]
    pub pm_test: Option<String>,
    /// How many times to suspend and resume
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one())]
    pub cycles: u32,
    /// Go on with the run whose first trace is -o FILE, behind the last cycle that was begun; the rest goes to
    /// NAME-2.pmtrace beside it, then NAME-3 ... Takes the same --state, --wake, --pm-test and --live
    #[arg(long, requires = "output", conflicts_with = "force")]
    pub resume: bool,
    /// Wait so many seconds between two cycles
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub delay: u32,
    /// End after the first cycle in which a lockup, a stall or a hazard was found
    #[arg(long)]
    pub stop_on_finding: bool,
    /// Stay awake while everything else is frozen, and name a lockup while it lasts; suspend to RAM only
    #[arg(long)]
    pub live: bool,
    /// What to do when the machine has been stuck for as long as --stall-after says and the verdict is out
    #[arg(long, value_name = "ACTION", value_enum, default_value_t = Resort::Wait, requires = "live")]
    pub on_stall: Resort,
    /// Send what pm-trace says to tcp:HOST:PORT, unix:PATH or vsock:CID:PORT too, where somebody listens
    #[arg(long, value_name = "ADDRESS", requires = "live")]
    pub stream: Option<Address>,
    /// Speak on this console instead of this terminal: a virtual terminal such as /dev/tty8, which is brought to the screen when
    /// the machine is stuck, or a serial line such as /dev/ttyS0
    #[arg(long, value_name = "PATH", requires = "live")]
    pub tty: Option<PathBuf>,
    /// Show the interactive view meanwhile, on a kernel console or a serial line
    #[arg(long, requires = "live")]
    pub tui: bool,
    /// How it looks.
    #[command(flatten)]
    pub look: LookArgs,
    /// The watchdog in the kernel.
    #[command(flatten)]
    pub watchdog: WatchdogArgs,
    /// Where the trace goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

#[doc = unshown!("Arguments of `watch`.")]
#[derive(Clone, Debug, Args)]
pub struct WatchArgs {
    /// When a suspend is started in the view, let the real-time clock wake the machine after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = WAKE, value_parser = at_least_one())]
    pub wake: u32,
    /// How it looks.
    #[command(flatten)]
    pub look: LookArgs,
    /// Where the trace goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Seconds until a suspend that was started in the view ends, unless something else is asked for.
const WAKE: u32 = 30;

impl Default for WatchArgs {
    fn default() -> Self {
        Self { wake: WAKE, look: LookArgs::default(), output: OutputArgs::default() }
    }
}

#[doc = unshown!("The watchdog in the kernel.")]
#[derive(Clone, Copy, Debug, Args)]
pub struct WatchdogArgs {
    /// Say what waits for what when a transition has not moved for so many seconds; 0 switches that off
    #[arg(long, value_name = "SECONDS", default_value_t = STALL_AFTER)]
    pub stall_after: u32,
    /// What makes the watchdog in the kernel look, where pm-trace itself is frozen
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Watchdog::Auto)]
    pub watchdog: Watchdog,
}

/// Seconds without any movement that are a stall, unless something else is asked for.
const STALL_AFTER: u32 = 10;

impl Default for WatchdogArgs {
    fn default() -> Self {
        Self { stall_after: STALL_AFTER, watchdog: Watchdog::Auto }
    }
}

/// What makes the watchdog in the kernel look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Watchdog {
    /// A BPF timer where the kernel has it, else the clock
    Auto,
    /// A BPF timer, which runs during a transition only (Linux 5.15)
    Timer,
    /// A clock of the boot CPU, which ticks all the time
    Clock,
}

#[doc = unshown!("Arguments of `record`.")]
#[derive(Clone, Debug, Args)]
pub struct RecordArgs {
    /// Stop after so many suspends; without it after one, or when COMMAND ends
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub cycles: Option<u32>,
    /// Stay awake in every suspend, whoever starts it, and name a lockup while it lasts. The kernel warns at each
    /// thaw and taints itself; refused where that would panic the machine (kernel.panic_on_warn)
    #[arg(long, conflicts_with_all = ["daemon", "command"])]
    pub stay_awake: bool,
    /// Record every suspend to a trace of its own until stopped, and keep the last ones: for a service
    /// (packaging/pm-trace.service)
    #[arg(long, conflicts_with_all = ["cycles", "timeout", "output", "force", "tee", "command"])]
    pub daemon: bool,
    /// Folder for the traces of --daemon [default: /var/lib/pm-trace]
    #[arg(long, value_name = "DIRECTORY", requires = "daemon")]
    pub directory: Option<PathBuf>,
    /// Keep so many traces in it
    #[arg(long, value_name = "N", default_value_t = 20, requires = "daemon")]
    pub keep: usize,
    /// Keep no more than so many MiB of traces in it, but always the last
    #[arg(long, value_name = "MIB", default_value_t = 512, requires = "daemon")]
    pub keep_size: u32,
    /// Stop after so many seconds, whatever happened
    #[arg(long, value_name = "SECONDS", value_parser = at_least_one())]
    pub timeout: Option<u32>,
    /// The watchdog in the kernel.
    #[command(flatten)]
    pub watchdog: WatchdogArgs,
    /// Where the trace goes.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Run this command and record while it runs
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

#[doc = unshown!("Where a trace goes, and how much of it memory holds.")]
#[derive(Clone, Debug, Default, Args)]
pub struct OutputArgs {
    /// Trace file [default: pm-trace-DATE-TIME.pmtrace (UTC) in the current directory]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Send the same bytes to a second file or device, such as the serial port /dev/ttyS1
    #[arg(long, value_name = "PATH")]
    pub tee: Option<PathBuf>,
    /// Memory for what happens while nobody can read it, in MiB; a power of two [default: 8 if pm-trace is
    /// awake meanwhile (--live, --stay-awake), otherwise 64, or 16 below 4 GiB of memory]
    #[arg(long, value_name = "MIB", value_parser = buffer)]
    pub buffer: Option<u32>,
    /// Replace the trace file if it exists
    #[arg(long)]
    pub force: bool,
}

/// A sleep state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// Suspend to RAM
    Mem,
    /// Suspend to idle
    Freeze,
    /// Power-on suspend
    Standby,
    /// All of these that this machine offers, one after the other
    Mixed,
}

impl State {
    /// Its name in `/sys/power/state`; `mixed` is none there.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mem => "mem",
            Self::Freeze => "freeze",
            Self::Standby => "standby",
            Self::Mixed => "mixed",
        }
    }
}

/// What to do with a machine that does not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Resort {
    /// Wait
    Wait,
    /// Synchronise the file systems that can be, and restart
    Reboot,
    /// Panic: kdump, efi-pstore or ramoops keep the kernel log with the verdict in it
    Panic,
}

impl Resort {
    /// The same for the recorder.
    pub const fn action(self) -> OnStall {
        match self {
            Self::Wait => OnStall::Wait,
            Self::Reboot => OnStall::Reboot,
            Self::Panic => OnStall::Panic,
        }
    }
}

/// Test levels of the kernel, `pm_tests` in kernel/power/main.c, but for `none`.
const PM_TEST: [&str; 5] = ["freezer", "devices", "platform", "processors", "core"];

/// Most MiB of the ring buffer: the kernel takes no larger one than 2 GiB, and this much is locked memory.
const MAX_BUFFER: u32 = 1024;

fn at_least_one() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(1..=u64::from(u32::MAX))
}

fn buffer(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(mib) if mib.is_power_of_two() && mib <= MAX_BUFFER => Ok(mib),
        _ => Err(format!("a power of two from 1 to {MAX_BUFFER}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_the_names_of_the_command_line() {
        for state in State::value_variants() {
            let value = state.to_possible_value().unwrap();
            assert_eq!(value.get_name(), state.name());
        }
    }

    #[test]
    fn buffers_are_powers_of_two() {
        assert_eq!(buffer("64"), Ok(64));
        for wrong in ["0", "3", "2048", "x", "-1"] {
            assert!(buffer(wrong).is_err(), "{wrong}");
        }
    }
}
