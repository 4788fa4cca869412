//! The command line: what can be asked for, and the words that explain it.

use crate::capture::last_resort::OnStall;
use crate::capture::stream::Address;
use crate::tui::theme::Theme;
use clap::builder::{PossibleValuesParser, RangedU64ValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// The exit codes, as every long help explains them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  nothing wrong
  1  error
  2  wrong usage
  3  a lockup, a stall or a hazard was found
  4  this machine cannot be traced ('pm-trace doctor' says why)";

const EXAMPLES: &str = "\
Examples:
  sudo pm-trace doctor
      Can this machine be traced? What is missing?
  sudo pm-trace suspend --live --wake 30
      Suspend to RAM, wake after 30 s, and name a lockup while the machine is stuck in it.
  sudo pm-trace record -- systemctl suspend
      Record whatever suspends the machine, and report when it is back.
  pm-trace report pm-trace-2025-01-31-120000.pmtrace
      Explain a trace again, on any machine, without root.";

/// Finds out, live, why a Linux system does not come back from sleep.
#[derive(Debug, Parser)]
#[command(
    name = "pm-trace",
    version,
    about = "Finds out, live, why a Linux system does not come back from sleep",
    long_about = "Finds out, live, why a Linux system does not come back from sleep.\n\n\
        pm-trace watches suspend and resume with eBPF programs: which device's resume waits for which lock, \
        work, request queue or other device, who holds it, and whether anything guarantees the order. A \
        resume that is stuck is explained while it is stuck ('suspend --live') or from a trace file.",
    after_help = EXIT_CODES,
    after_long_help = long_help_end(),
    disable_help_subcommand = true
)]
pub struct Cli {
    /// Say more: -v what is done, -vv also what the eBPF programs report about themselves
    #[arg(short, long, action = clap::ArgAction::Count, global = true, display_order = 100)]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

fn long_help_end() -> String {
    format!("{EXAMPLES}\n\n{EXIT_CODES}")
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Suspend this machine, record how it goes and report (root)
    #[command(
        long_about = "Suspends this machine, records how it goes and reports.\n\n\
        With --live pm-trace stays awake while the rest of user space is frozen: a deadlock is named on \
        this terminal and in the kernel log while the machine is stuck. Run it on a kernel console or a \
        serial line then, since terminal windows and network sessions are frozen. Without --live the \
        report follows after the resume.\n\n\
        Everything that was changed (RTC alarm, /sys/power/pm_test) is put back at the end.",
        after_long_help = "Examples:\n  \
        sudo pm-trace suspend --live --wake 30\n      \
        Suspend to RAM for 30 s, awake all the while.\n  \
        sudo pm-trace suspend --pm-test devices --cycles 10\n      \
        Suspend and resume only the devices, ten times: no real sleep, no wake-up needed.\n  \
        sudo pm-trace suspend --live --tee /dev/ttyS1\n      \
        Send the trace over a serial line too, where it survives a reset.\n  \
        sudo pm-trace suspend --live --on-stall panic --stream tcp:192.0.2.1:7000\n      \
        Tell another machine; a machine that is stuck panics, so that pstore or kdump keep the verdict."
    )]
    Suspend(SuspendArgs),
    /// Wait for suspends in the interactive view, and show each one (root); what 'pm-trace' alone does
    #[command(
        long_about = "Waits for suspends in the interactive view, however they start, and shows each one when \
        the machine is back, with the worst that was found in front. 's' suspends at once, with an alarm to \
        wake up. A resume that never ends can be seen only by 'pm-trace suspend --live --tui'.",
        after_long_help = "Examples:\n  \
        sudo pm-trace\n  \
        sudo pm-trace watch --wake 60 -o /var/tmp/lid.pmtrace"
    )]
    Watch(WatchArgs),
    /// Record the suspends that something else starts, and report (root)
    #[command(
        long_about = "Records the suspends that something else starts (a lid, the desktop, the command \
        given), and reports.\n\n\
        pm-trace is frozen with the rest of user space meanwhile; what happened is in memory and is \
        written after the resume. Of a resume that never ends, a watchdog in the kernel says what waits for \
        what; 'pm-trace arm' tells how to have that on a console or keep it over a reset. 'pm-trace suspend \
        --live' tells more.",
        after_long_help = "Examples:\n  \
        sudo pm-trace record -- rtcwake -m mem -s 20\n  \
        sudo pm-trace record --cycles 3 --timeout 3600\n      \
        The next three suspends, however they start, but at most an hour.\n  \
        sudo pm-trace arm && sudo pm-trace record --stall-after 20\n      \
        The next suspend, whoever starts it; a lockup of 20 s is named on the console.\n  \
        sudo pm-trace record --daemon --keep 5\n      \
        Every suspend from now on; the traces of the last five are kept in /var/lib/pm-trace."
    )]
    Record(RecordArgs),
    /// Explain a trace file
    #[command(
        long_about = "Explains a trace file: each suspend and resume, and what was found in it. Needs no \
        root and works on any machine. A damaged or incomplete trace is read as far as it goes, and what \
        is missing is said.",
        after_long_help = "Examples:\n  \
        pm-trace report trace.pmtrace\n  \
        pm-trace report trace.pmtrace --format json | jq .findings"
    )]
    Report(ReportArgs),
    /// Look at a trace file: devices, waits, timeline, findings, events
    #[command(
        long_about = "Opens a trace file in the interactive view: where the transition was at any moment, the \
        device tree, who waited for whom, a timeline, what was found, and every event. Needs no root. '?' shows \
        all keys; 'pm-trace config' prints a configuration file for keys and colours.",
        after_long_help = "Examples:\n  \
        pm-trace replay trace.pmtrace\n  \
        NO_COLOR=1 pm-trace replay trace.pmtrace --ascii"
    )]
    Replay(ReplayArgs),
    /// Print a configuration file with all keys and colours of the interactive view
    Config,
    /// Put the cycles of many traces side by side
    #[command(
        long_about = "Reads any number of traces and tells how long suspend and resume took in each cycle, by kernel \
        with percentiles, which cycles stand out, what was found in which, and whether one kernel is slower than \
        the one before it by more than chance. Times are without the time asleep. Needs no root.",
        after_long_help = "Examples:\n  \
        pm-trace summary traces/\n      \
        All traces of a folder.\n  \
        pm-trace summary 6.1.pmtrace 6.12.pmtrace --format markdown\n      \
        Two kernels, for a mail."
    )]
    Summary(SummaryArgs),
    /// Tell what changed from one trace, or folder of traces, to another
    #[command(
        long_about = "Compares two traces, or two folders of traces: what got slower or faster, which devices are resumed \
        at another place among the others, what is found now and was not before. From five cycles on each side \
        on, differences that chance would show are left out.\n\n\
        The exit code is 3 if suspend or resume as a whole is slower by more than the threshold, or if something \
        is found that was not before; 0 if not; 1 if a trace cannot be read.",
        after_long_help = "Examples:\n  \
        pm-trace diff good.pmtrace bad.pmtrace\n  \
        git bisect run sh -c './boot-and-record || exit 125; pm-trace diff good.pmtrace new.pmtrace \
        --threshold 20;\n      case $? in 0) exit 0;; 3) exit 1;; *) exit 125;; esac'\n      \
        Finds the commit that made resume slower (boot-and-record is yours)."
    )]
    Diff(DiffArgs),
    /// Pack a trace and what belongs to it into one file for a bug report
    #[command(
        long_about = "Packs a trace into one .tar.zst with all that a bug report needs: the trace, reports, the \
        kernel's version, configuration and command line, modules, the kernel log of that time, the device \
        tree with links and PM attributes, and what 'pm-trace doctor' says. What identifies the machine or \
        its owner is taken out: serial numbers, MAC addresses, UUIDs, names of host and users, kernel \
        addresses. Run it on the machine that was traced, as root: another one lacks half of it.",
        after_long_help = "Examples:\n  \
        sudo pm-trace bundle trace.pmtrace\n      \
        Writes trace.tar.zst beside it, and says what was taken out.\n  \
        tar -tf trace.tar.zst\n      \
        What is in it."
    )]
    Bundle(BundleArgs),
    /// Gather what survived a reset, and report (root, to see all of it)
    #[command(
        long_about = "Gathers what survived a reset after a lockup: traces that were cut off, the kernel's \
        persistent store (pstore, also what systemd-pstore moved to /var/lib/systemd/pstore), trace buffers in \
        reserved memory, the previous boot's journal. It finds the verdicts in them, and says of each part \
        where it came from and of each place that holds nothing why. Traces are looked for in \
        /var/lib/pm-trace and where the last recordings were written.",
        after_long_help = "Examples:\n  \
        sudo pm-trace recover\n  \
        sudo pm-trace recover -o report.txt\n  \
        sudo pm-trace recover /mnt/traces\n      \
        Look at the traces in this folder instead of the usual places."
    )]
    Recover(RecoverArgs),
    /// List what is traced, and where on this kernel (root)
    #[command(
        long_about = "Lists every hook: what it sees, the function or tracepoint it is put on on this \
        kernel, or why on none, and what is lost then."
    )]
    Probes(ProbesArgs),
    /// Prepare this machine to keep what the watchdog says of a lockup (root)
    #[command(
        long_about = "Prepares this machine to keep what the watchdog in the kernel says of a lockup: sends trace \
        events to the console, keeps consoles on while devices sleep, records into memory that a reset does \
        not clear. Sets what can be set now and prints what has to go on the kernel command line for the rest.\n\n\
        What is set lasts until the next boot or 'pm-trace arm --undo'.",
        after_long_help = "Examples:\n  \
        sudo pm-trace arm && sudo pm-trace record\n      \
        Have the next lockup, whoever starts the suspend, named on the console."
    )]
    Arm(ArmArgs),
    /// Check whether this machine can be traced
    #[command(
        long_about = "Checks what pm-trace needs: rights, kernel features, sleep states, ways to wake \
        up, places where evidence survives. Each line says what was found, what follows from it, and what to \
        do about it."
    )]
    Doctor(DoctorArgs),
    /// Print the JSON schema of the report
    Schema,
    /// Print shell completions
    #[command(after_long_help = "Examples:\n  \
        pm-trace completions bash > ~/.local/share/bash-completion/completions/pm-trace\n  \
        pm-trace completions zsh > ~/.zfunc/_pm-trace")]
    Completions(CompletionsArgs),
    /// Print the manual page, or write all pages to a directory
    Man(ManArgs),
}

/// Arguments of `suspend`.
#[derive(Clone, Debug, Args)]
pub struct SuspendArgs {
    /// Sleep state to enter
    #[arg(long, value_enum, default_value_t = State::Mem)]
    pub state: State,
    /// Let the real-time clock wake the machine after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = at_least_one())]
    pub wake: Option<u32>,
    /// Stop at a test level of the kernel (/sys/power/pm_test) and resume at once
    #[arg(long, value_name = "LEVEL", value_parser = PossibleValuesParser::new(PM_TEST))]
    pub pm_test: Option<String>,
    /// Suspend and resume so often
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one())]
    pub cycles: u32,
    /// Stay awake while everything else is frozen, and name a lockup while it lasts
    #[arg(long)]
    pub live: bool,
    /// What to do when the machine has been stuck for that long and the verdict is out
    #[arg(long, value_enum, default_value_t = Resort::Wait, requires = "live")]
    pub on_stall: Resort,
    /// Send what is said to tcp:HOST:PORT, unix:PATH or vsock:CID:PORT too, where somebody listens
    #[arg(long, value_name = "ADDRESS", requires = "live")]
    pub stream: Option<Address>,
    /// Say it on this console instead: a virtual terminal such as /dev/tty8, which is brought to the screen when
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

/// Arguments of `watch`.
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

/// The watchdog in the kernel.
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

/// Arguments of `record`.
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

/// Where a trace goes, and how much of it memory holds.
#[derive(Clone, Debug, Default, Args)]
pub struct OutputArgs {
    /// Trace file [default: pm-trace-DATE-TIME.pmtrace (UTC) in the current directory]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Send the same bytes to a second file or device, such as the serial port /dev/ttyS1
    #[arg(long, value_name = "PATH")]
    pub tee: Option<PathBuf>,
    /// Memory for what happens while nobody can read it, in MiB; a power of two [default: 8 if pm-trace is
    /// awake meanwhile (--live), otherwise 64, or 16 below 4 GiB of memory]
    #[arg(long, value_name = "MIB", value_parser = buffer)]
    pub buffer: Option<u32>,
    /// Replace the trace file if it exists
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `report`.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// Trace file
    pub file: PathBuf,
    /// For people or for programs ('pm-trace schema' describes the JSON)
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Show the events and stacks behind each link of finding N, counted from 1
    #[arg(long, value_name = "N", conflicts_with = "format")]
    pub explain: Option<usize>,
    /// Recognise the known issues of this folder too (files *.toml)
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
}

/// Arguments of `replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// Trace file
    pub file: PathBuf,
    /// How it looks.
    #[command(flatten)]
    pub look: LookArgs,
}

/// How the interactive view looks.
#[derive(Clone, Debug, Default, Args)]
pub struct LookArgs {
    /// Colours; otherwise what the configuration says, or what the terminal can show
    #[arg(long, value_enum)]
    pub theme: Option<ThemeName>,
    /// Use no characters beyond ASCII
    #[arg(long)]
    pub ascii: bool,
}

/// Colours of the interactive view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ThemeName {
    /// For dark terminals
    Dark,
    /// For light terminals
    Light,
    /// Few strong colours
    Contrast,
    /// For a kernel console: eight colours
    Console,
    /// No colours
    Mono,
}

impl From<ThemeName> for Theme {
    fn from(name: ThemeName) -> Self {
        match name {
            ThemeName::Dark => Self::Dark,
            ThemeName::Light => Self::Light,
            ThemeName::Contrast => Self::Contrast,
            ThemeName::Console => Self::Console,
            ThemeName::Mono => Self::Mono,
        }
    }
}

/// Arguments of `recover`.
#[derive(Clone, Debug, Args)]
pub struct RecoverArgs {
    /// Traces, or folders with traces, to look at instead of the usual places
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Write the report to this file, which must not be there yet
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Show it as JSON
    #[arg(long)]
    pub json: bool,
    /// Look at the disk of another system, mounted here
    #[arg(long, value_name = "DIRECTORY", default_value = "/")]
    pub root: PathBuf,
}

/// Arguments of `probes`.
#[derive(Clone, Debug, Args)]
pub struct ProbesArgs {
    /// Load and attach the programs, then show hits and run time of each
    #[arg(long)]
    pub stats: bool,
    /// Load every program into the kernel's verifier and show its size; fails if one is refused
    #[arg(long)]
    pub verify: bool,
    /// Show it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `arm`.
#[derive(Clone, Debug, Args)]
pub struct ArmArgs {
    /// Put every switch back to what it was
    #[arg(long)]
    pub undo: bool,
}

/// Arguments of `doctor`.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// Put back the switches that a killed recording left changed (root); every recording does so at its start
    #[arg(long, conflicts_with = "json")]
    pub restore: bool,
    /// Show it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `completions`.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// Write the pages of all commands to this directory instead of printing the main page
    pub directory: Option<PathBuf>,
}

/// A sleep state, by its name in `/sys/power/state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// Suspend to RAM
    Mem,
    /// Suspend to idle
    Freeze,
    /// Power-on suspend
    Standby,
}

impl State {
    /// Its name in `/sys/power/state`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mem => "mem",
            Self::Freeze => "freeze",
            Self::Standby => "standby",
        }
    }
}

/// Arguments of `pm-trace summary`.
#[derive(Debug, Args)]
pub struct SummaryArgs {
    /// Traces, or folders with traces (*.pmtrace)
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub format: Format,
}

/// Arguments of `pm-trace diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// A trace, or a folder with traces (*.pmtrace): how it was
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// A trace, or a folder with traces: how it is
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// Percent that a time may grow
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = percent)]
    pub threshold: f64,
    /// How to show it
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

/// Arguments of `pm-trace bundle`.
#[derive(Debug, Args)]
pub struct BundleArgs {
    /// The trace
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where the bundle goes [default: FILE with .tar.zst in place of .pmtrace]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Leave everything in, for a bundle that stays with you
    #[arg(long)]
    pub no_redact: bool,
}

/// How a comparison is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlainFormat {
    /// For people
    Text,
    /// For programs
    Json,
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

/// How a report is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For a mail or a bug tracker
    Markdown,
    /// For programs
    Json,
}

/// Test levels of the kernel, `pm_tests` in kernel/power/main.c, but for `none`.
const PM_TEST: [&str; 5] = ["freezer", "devices", "platform", "processors", "core"];

/// Most MiB of the ring buffer: the kernel takes no larger one than 2 GiB, and this much is locked memory.
const MAX_BUFFER: u32 = 1024;

fn at_least_one() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(1..=u64::from(u32::MAX))
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(percent) if (0.0..=1e6).contains(&percent) => Ok(percent),
        _ => Err("a number of percent from 0 on".to_owned()),
    }
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
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn states_have_the_names_of_the_command_line() {
        for state in State::value_variants() {
            let value = state.to_possible_value().unwrap();
            assert_eq!(value.get_name(), state.name());
        }
    }

    #[test]
    fn themes_have_the_names_of_the_configuration() {
        for name in ThemeName::value_variants() {
            assert_eq!(name.to_possible_value().unwrap().get_name(), Theme::from(*name).name());
        }
        assert_eq!(ThemeName::value_variants().len(), Theme::ALL.len());
    }

    #[test]
    fn buffers_are_powers_of_two() {
        assert_eq!(buffer("64"), Ok(64));
        for wrong in ["0", "3", "2048", "x", "-1"] {
            assert!(buffer(wrong).is_err(), "{wrong}");
        }
    }
}
