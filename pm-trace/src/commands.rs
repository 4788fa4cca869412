//! What each command does. A command gets its arguments and a [`Context`], shows its result and returns an
//! [`Outcome`]; an error is told by the caller.

mod arm;
mod bundle;
mod completions;
mod daemon;
mod diff;
mod doctor;
mod export;
mod import;
mod live_view;
mod man;
mod probes;
mod progress;
mod record;
mod recording;
mod recover;
mod replay;
mod report;
mod resume;
mod schema;
mod summary;
mod suspend;
mod watch;

use crate::cli::{Cli, Command, OutputArgs, WatchArgs};
use crate::diagnose::Finding;
use crate::event::Clocks;
use crate::kernel::clock;
use crate::text::{Form, Terminal};
use crate::trace::Overwrite;
use anyhow::{Context as _, bail};
use clap::CommandFactory;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// How a command ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is wrong.
    Fine,
    /// No command was given.
    Usage,
    /// A lockup, a stall, a hazard or a failure was found.
    Found,
    /// This machine cannot be traced.
    Untraceable,
}

impl Outcome {
    /// The program's exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Usage => 2,
            Self::Found => 3,
            Self::Untraceable => 4,
        }
    }

    /// What findings mean for the exit code.
    pub fn of(findings: &[Finding]) -> Self {
        if findings.iter().any(|finding| finding.kind.is_fault()) { Self::Found } else { Self::Fine }
    }
}

/// Put around an error as its context, means that this machine cannot be traced at all: exit code 4, and the
/// user is told where to look.
#[derive(Debug, thiserror::Error)]
#[error("this machine cannot be traced; 'pm-trace doctor' says what is missing and what can be done")]
pub struct CannotTrace;

/// What commands need to know besides their arguments.
#[derive(Clone, Debug)]
pub struct Context {
    /// When the program started.
    pub started: Instant,
    /// Its command line.
    pub command_line: Vec<String>,
    /// How often `-v` was given.
    pub verbose: u8,
}

/// Runs the program: what was asked for, errors told, exit code.
pub fn main(cli: &Cli, started: Instant) -> ExitCode {
    start_log(cli.verbose);
    let command_line = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let context = Context { started, command_line, verbose: cli.verbose };
    match run(cli, &context) {
        Ok(outcome) => ExitCode::from(outcome.code()),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {}\n", told(&error)));
            let untraceable = error.is::<CannotTrace>();
            ExitCode::from(if untraceable { Outcome::Untraceable.code() } else { 1 })
        }
    }
}

fn run(cli: &Cli, context: &Context) -> anyhow::Result<Outcome> {
    match &cli.command {
        None if nix::unistd::geteuid().is_root() && replay::has_terminal() => {
            watch::run(&WatchArgs::default(), context)
        }
        None => no_command(),
        Some(Command::Watch(args)) => watch::run(args, context),
        Some(Command::Suspend(args)) => suspend::run(args, context),
        Some(Command::Record(args)) => record::run(args, context),
        Some(Command::Report(args)) => report::run(args),
        Some(Command::Recover(args)) => recover::run(args),
        Some(Command::Replay(args)) => replay::run(args),
        Some(Command::Config) => replay::config(),
        Some(Command::Summary(args)) => summary::run(args),
        Some(Command::Diff(args)) => diff::run(args),
        Some(Command::Import(args)) => import::run(args),
        Some(Command::Bundle(args)) => bundle::run(args),
        Some(Command::Export(args)) => export::run(args),
        Some(Command::Probes(args)) => probes::run(args, context),
        Some(Command::Arm(args)) => arm::run(args),
        Some(Command::Doctor(args)) => doctor::run(args),
        Some(Command::Schema(args)) => schema::run(args),
        Some(Command::Completions(args)) => completions::run(args),
        Some(Command::Man(args)) => man::run(args),
    }
}

fn no_command() -> anyhow::Result<Outcome> {
    let help = Cli::command().render_help();
    say(&format!(
        "error: no command was given. Alone, pm-trace waits for a suspend in its interactive view; that needs \
         root and a terminal. 'pm-trace suspend' and 'pm-trace record' trace a suspend and report.\n\n{help}"
    ));
    Ok(Outcome::Usage)
}

/// Shows a result on standard output.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn show(text: &str, form: Form) -> anyhow::Result<()> {
    Terminal::new(io::stdout().lock(), form).show(text).context("cannot write the result")
}

/// Tells something beside the result, on standard error. A standard error that is gone is no reason to stop.
pub(crate) fn say(text: &str) {
    let _ = Terminal::new(io::stderr().lock(), Form::Plain).show(text);
}

/// Refuses to go on without root.
///
/// # Errors
/// The user is not root.
pub(crate) fn require_root(command: &str, why: &str) -> anyhow::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "'pm-trace {command}' needs root: {why}. Nothing was done; try 'sudo pm-trace {command}'. \
             Reading a trace ('pm-trace report FILE') needs no root"
        );
    }
    Ok(())
}

/// Set by a signal that asks to stop. The machine's switches are put back on the way out, so nothing may
/// end the program at once.
///
/// # Errors
/// The signals cannot be received.
pub(crate) fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot receive signals")?;
    }
    Ok(stop)
}

/// The trace file asked for, or one named after date and time (UTC) in the current directory.
pub(crate) fn output_path(args: &OutputArgs) -> PathBuf {
    args.output.clone().unwrap_or_else(|| default_output(clock::now()))
}

/// Whether the trace file may be replaced.
pub(crate) fn overwrite(args: &OutputArgs) -> Overwrite {
    if args.force { Overwrite::Replace } else { Overwrite::Refuse }
}

fn default_output(now: Clocks) -> PathBuf {
    let name: String = now
        .utc()
        .chars()
        .filter_map(|c| match c {
            'T' => Some('-'),
            ':' | 'Z' => None,
            c => Some(c),
        })
        .collect();
    format!("pm-trace-{name}.pmtrace").into()
}

/// An error with its causes, each of them told once: some errors have the text of their cause in their own.
pub(crate) fn told(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |mut told, cause| {
        let cause = cause.to_string();
        if !told.contains(&cause) {
            let joint = if told.is_empty() { "" } else { ": " };
            told = format!("{told}{joint}{cause}");
        }
        told
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |cause: &io::Error| cause.kind() == ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(broken))
}

fn start_log(verbose: u8) {
    use std::io::Write as _;
    let level = match verbose {
        0 => log::LevelFilter::Warn,
        1 => log::LevelFilter::Info,
        _ => log::LevelFilter::Debug,
    };
    let mut builder = env_logger::Builder::new();
    // What the libraries say of their own inside is of no use here. The programs' own diagnostics come from
    // `pm_trace_ebpf`, which the name covers too.
    builder.filter_level(log::LevelFilter::Warn).filter_module("pm_trace", level);
    builder.format(|out, record| {
        let message = record.args().to_string();
        writeln!(out, "{}: {}", record.level().as_str().to_lowercase(), crate::text::line(&message))
    });
    // A log that is there already serves as well.
    let _ = builder.try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_names_tell_when() {
        let path = default_output(Clocks { realtime: 1_735_689_599_000_000_000, ..Clocks::default() });
        assert_eq!(path, PathBuf::from("pm-trace-2024-12-31-235959.pmtrace"));
    }

    /// A failed callback is a fault of the machine; lost records and a guard that works are none.
    #[test]
    fn what_is_a_fault_decides_the_exit_code() {
        use crate::diagnose::Kind::{Deadlock, Failure, Guarded, Hazard, Loss, Stall};
        let faults = [Deadlock, Stall, Hazard, Failure, Guarded, Loss].map(crate::diagnose::Kind::is_fault);
        assert_eq!(faults, [true, true, true, true, false, false]);
        let trace = crate::diagnose::script::events(include_str!("../tests/scenarios/failing-callback.txt"));
        let mut analysis = crate::diagnose::Analysis::default();
        trace.iter().for_each(|event| analysis.apply(event));
        assert_eq!(Outcome::of(&analysis.findings_at_end()).code(), 3);
    }

    #[test]
    fn causes_are_told_once() {
        let error =
            anyhow::anyhow!("no space").context("cannot write x: no space. Try y").context("not recorded");
        assert_eq!(told(&error), "not recorded: cannot write x: no space. Try y");
    }

    #[test]
    fn an_error_tells_that_a_machine_cannot_be_traced() {
        let error = anyhow::anyhow!("no BTF").context(CannotTrace).context("not recorded");
        assert!(error.is::<CannotTrace>());
        assert!(told(&error).ends_with("what can be done: no BTF"));
    }

    #[test]
    fn a_closed_pipe_is_no_error_but_others_are() {
        let wrapped = |kind: ErrorKind| anyhow::Error::from(io::Error::from(kind)).context("cannot write");
        assert!(is_broken_pipe(&wrapped(ErrorKind::BrokenPipe)));
        assert!(!is_broken_pipe(&wrapped(ErrorKind::StorageFull)));
    }
}
