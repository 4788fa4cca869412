//! The command line: what can be asked for, and the words that explain it.

use clap::{Parser, Subcommand};

/// What arguments are documented as. A comment in its place would be shown by clap instead of the command's own help, since
/// the arguments are defined after that.
macro_rules! unshown {
    ($text:literal) => {
        $text
    };
}

mod export;
mod machine;
mod read;
mod record;

pub use export::{ExportArgs, ExportFormat, SchemaArgs, SchemaOf};
pub use machine::{ArmArgs, CompletionsArgs, DoctorArgs, ManArgs, ProbesArgs};
pub use read::{
    BundleArgs, DiffArgs, Format, ImportArgs, LookArgs, PlainFormat, RecoverArgs, ReplayArgs, ReportArgs,
    ReportFormat, SummaryArgs, ThemeName,
};
pub use record::{OutputArgs, RecordArgs, Resort, State, SuspendArgs, WatchArgs, Watchdog, WatchdogArgs};

/// The exit codes, as every long help explains them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  nothing wrong
  1  error
  2  wrong usage
  3  a lockup, a stall, a hazard or a failure was found
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
      Explain a trace again, on any machine, without root.
  pm-trace replay pm-trace-2025-01-31-120000.pmtrace
      Look at it in the interactive view; 'w' shows who waits for whom.";

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

/// What to do. The arguments of a command are defined when it is the one: together they take more time and memory than
/// some commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
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
        sudo pm-trace suspend --wake 10 --cycles 100 --delay 5 --state mem,freeze --stop-on-finding\n      \
        A hundred cycles, to RAM and to idle in turn, until something is found.\n  \
        sudo pm-trace suspend --wake 10 --cycles 100 -o run.pmtrace --resume\n      \
        Go on with such a run behind the cycle in which it was interrupted, by Ctrl-C or by the reset button.\n  \
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
        pm-trace report trace.pmtrace --explain 1\n      \
        The events and kernel stacks that finding 1 rests on.\n  \
        pm-trace report trace.pmtrace --format markdown > mail.md\n  \
        pm-trace report trace.pmtrace --format html > report.html\n  \
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
        Two kernels, for a mail.\n  \
        pm-trace summary traces/ --format html > summary.html\n      \
        For a browser, with a picture of all cycles."
    )]
    Summary(SummaryArgs),
    /// Tell what changed from one trace, or folder of traces, to another
    #[command(
        long_about = "Compares two traces, or two folders of traces: what got slower or faster, which devices are resumed \
        at another place among the others, what is found now and was not before. From six cycles on each side \
        on, differences that chance would show are left out.\n\n\
        The exit code is 3 if suspend or resume as a whole is slower by more than the threshold, or if something \
        is found that was not before; 0 if not; 1 if a trace cannot be read.",
        after_long_help = "Examples:\n  \
        pm-trace diff good.pmtrace bad.pmtrace\n  \
        git bisect run sh -c './boot-and-record new.pmtrace || exit 125;\n      \
        pm-trace diff good.pmtrace new.pmtrace --threshold 20;\n      \
        case $? in 0) exit 0;; 3) exit 1;; *) exit 125;; esac'\n      \
        Finds the commit that made resume slower (boot-and-record is yours)."
    )]
    Diff(DiffArgs),
    /// Make a trace from logs of sleepgraph, tracefs or trace-cmd
    #[command(
        long_about = "Makes a trace from logs that are there already, for 'pm-trace report', 'replay', 'summary' and \
        'diff': sleepgraph's *_ftrace.txt and *_dmesg.txt, with and without -dev, the file 'trace' of tracefs, and \
        what 'trace-cmd report' prints. Read are the events of power, lock, sched and workqueue; of a kernel log, \
        phases and, with /sys/power/pm_print_times, callbacks. A log has much less than a recording: the trace says \
        in its head what is missing, and nothing is found that the log cannot show.",
        after_long_help = "Examples:\n  \
        pm-trace import host_mem_ftrace.txt.gz host_mem_dmesg.txt.gz -o sleepgraph.pmtrace\n  \
        pm-trace report sleepgraph.pmtrace\n  \
        trace-cmd report > log.txt && pm-trace import log.txt -o log.pmtrace"
    )]
    Import(ImportArgs),
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
    /// Write a trace for other programs: Perfetto, Chrome, JSON lines, CSV, Parquet
    #[command(
        long_about = "Writes a trace in the format of another program. Perfetto and Chrome show devices and tasks on a \
        timeline, with arrows from who waits to who is waited for. JSON lines are for scripts. CSV and Parquet are \
        tables (cycles, device_phases, waits, findings, events) for databases; docs/export.md has their columns and \
        queries. Needs no root.",
        after_long_help = "Examples:\n  \
        pm-trace export trace.pmtrace --format perfetto\n      \
        Open trace.pftrace in https://ui.perfetto.dev.\n  \
        pm-trace export trace.pmtrace --format jsonl -o - | jq 'select(.type == \"wait\")'\n  \
        for f in *.pmtrace; do pm-trace export $f --format parquet -o tables/${f%.pmtrace}; done\n      \
        Tables of many traces, to be read as one: tables/*/cycles.parquet."
    )]
    Export(ExportArgs),
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
    /// Print the schema of what other programs read: JSON reports, summaries and comparisons, JSON lines, tables
    Schema(SchemaArgs),
    /// Print shell completions
    #[command(after_long_help = "Examples:\n  \
        pm-trace completions bash > ~/.local/share/bash-completion/completions/pm-trace\n  \
        pm-trace completions zsh > ~/.zfunc/_pm-trace")]
    Completions(CompletionsArgs),
    /// Print the manual page, or write all pages to a directory
    Man(ManArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// What a command says of itself, which must not be what its arguments are documented as.
    #[test]
    fn commands_keep_their_own_help() {
        let helps = |command: &clap::Command| -> Vec<_> {
            let help = |of: &clap::Command| (of.get_about().cloned(), of.get_long_about().cloned());
            command.get_subcommands().map(help).collect()
        };
        let mut built = Cli::command();
        let before = helps(&built);
        built.build();
        assert_eq!(helps(&built), before);
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
