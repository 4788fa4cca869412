//! `pm-trace record`

use super::recording::{self, Plan};
use super::{Context, Outcome, require_root, say};
use crate::capture::awake;
use crate::capture::last_resort::OnStall;
use crate::capture::memory;
use crate::capture::record::{self, Ended, Until};
use crate::capture::suspend::{Live, LiveOptions};
use crate::cli::RecordArgs;
use crate::kernel::system;
use crate::trace::Mode;
use crate::trace::keep::report_beside;
use std::time::Duration;
use tokio::process::{Child, Command};

/// What is a stall to who stays awake.
const STALL_AFTER: Duration = Duration::from_secs(10);

/// Records what something else starts, and reports.
///
/// # Errors
/// Not root, nothing can be traced, the command cannot be started or failed.
pub(super) fn run(args: &RecordArgs, context: &Context) -> anyhow::Result<Outcome> {
    require_root("record", "loading eBPF programs needs it")?;
    if args.daemon {
        return super::daemon::run(args, context);
    }
    if args.stay_awake {
        return stay_awake(args, context);
    }
    let (stall_after, watchdog) =
        (recording::stall_after(&args.watchdog), recording::watchdog(&args.watchdog));
    let plan = Plan { output: &args.output, mode: Mode::Watch, state: None, stall_after, watchdog };
    let (mut recorder, _) = recording::start(&plan, context)?;
    // Without a command and a number, one transition is what is waited for.
    let cycles = args.cycles.or_else(|| args.command.is_empty().then_some(1));
    let timeout = args.timeout.map(|seconds| Duration::from_secs(seconds.into()));
    if args.command.is_empty() {
        say("pm-trace: waiting for a suspend, however it starts; Ctrl-C ends\n");
    }
    let mut number = 0;
    let ended = record::run(
        &mut recorder,
        Until { cycles, timeout },
        || start(args),
        |_, integrity| {
            number += 1;
            say(&format!("pm-trace: cycle {number} recorded; {}\n", recording::arrived(integrity)));
        },
    );
    // Whatever went wrong, what was recorded is kept and explained.
    let outcome = recording::finish(recorder)?;
    match ended? {
        Ended::Command(status) if !status.success() => {
            anyhow::bail!(
                "the command '{}' failed: {status}. What happened until then is in the trace; try the command \
                 alone first",
                args.command[0].to_string_lossy()
            )
        }
        Ended::Timeout if number == 0 => {
            say("pm-trace: nothing suspended this machine in that time\n");
            Ok(outcome)
        }
        _ => Ok(outcome),
    }
}

/// Records and speaks in suspends that others start, awake meanwhile.
fn stay_awake(args: &RecordArgs, context: &Context) -> anyhow::Result<Outcome> {
    awake::check(&system::Live)?;
    say(&format!("pm-trace: {}\n", awake::PRICE));
    memory::one_heap();
    let stop = super::stop_flag()?;
    let plan = Plan {
        output: &args.output,
        mode: Mode::Live,
        state: None,
        stall_after: Some(STALL_AFTER),
        watchdog: &[],
    };
    let (mut recorder, options) = recording::start(&plan, context)?;
    if let Err(error) = recorder.prepare_snapshot() {
        log::warn!("{error}; verdicts rest on events alone");
    }
    let live = LiveOptions {
        stall_after: STALL_AFTER,
        on_stall: OnStall::Wait,
        stream: None,
        tty: None,
        report: report_beside(&options.output),
    };
    let live = Live::prepare(&live, &mut recorder)?;
    let cycles = args.cycles.or(Some(1));
    let timeout = args.timeout.map(|seconds| Duration::from_secs(seconds.into()));
    say("pm-trace: waiting for a suspend, however it starts, and staying awake in it; Ctrl-C ends\n");
    let mut number = 0;
    let ended = awake::run(&mut recorder, &live, Until { cycles, timeout }, &stop, |_, integrity| {
        number += 1;
        say(&format!("pm-trace: cycle {number} recorded; {}\n", recording::arrived(integrity)));
    });
    drop(live);
    let outcome = recording::finish(recorder)?;
    ended?;
    Ok(outcome)
}

/// Starts the command that was given, if one was.
fn start(args: &RecordArgs) -> std::io::Result<Option<Child>> {
    let Some((program, rest)) = args.command.split_first() else { return Ok(None) };
    Command::new(program).args(rest).spawn().map(Some).map_err(|error| {
        let program = program.to_string_lossy();
        std::io::Error::new(
            error.kind(),
            format!("the command '{program}' cannot be started: {error}; nothing was recorded"),
        )
    })
}
