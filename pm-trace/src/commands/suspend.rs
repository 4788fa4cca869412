//! `pm-trace suspend`

use super::recording::{self, Plan};
use super::{Context, Outcome, require_root, say};
use crate::capture::last_resort::OnStall;
use crate::capture::memory;
use crate::capture::suspend::{self, Cycle, Live, LiveOptions, SuspendOptions};
use crate::cli::SuspendArgs;
use crate::kernel::sleep::SleepSupport;
use crate::kernel::system::{self, System};
use crate::trace::Mode;
use anyhow::{Context as _, bail};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Suspends, records and reports.
///
/// # Errors
/// Not root, nothing can be traced, live mode cannot be had, a switch of the machine cannot be set, or the
/// suspend did not come about.
pub(super) fn run(args: &SuspendArgs, context: &Context) -> anyhow::Result<Outcome> {
    require_root("suspend", "loading eBPF programs and suspending the machine need it")?;
    let options = SuspendOptions {
        state: args.state.name().to_owned(),
        wake: args.wake,
        pm_test: args.pm_test.clone(),
        cycles: args.cycles,
    };
    check_state(&options.state, &SleepSupport::probe(&system::Live).states)?;
    if args.live {
        suspend::check_live(&options).context("live mode cannot be had here")?;
        memory::one_heap();
    }
    if args.tui {
        super::live_view::check()?;
    }
    let stop = super::stop_flag()?;
    let mode = if args.live { Mode::Live } else { Mode::Watch };
    // Awake, pm-trace watches by itself.
    let watchdog = recording::watchdog(&args.watchdog).filter(|_| mode == Mode::Watch);
    let plan = Plan { output: &args.output, mode, state: Some(options.state.clone()), watchdog };
    let (mut recorder, record) = recording::start(&plan, context)?;
    if args.tui {
        let view = super::live_view::companion(&mut recorder, &args.look)?;
        recorder.set_companion(view);
    }
    let live = args.live.then(|| Live::prepare(&live_options(args, &record.output), &mut recorder));
    let live = live.transpose()?;
    if args.live
        && let Err(error) = recorder.prepare_snapshot()
    {
        log::warn!("{error}; verdicts rest on events alone");
    }
    let mut failure = None;
    for number in 1..=options.cycles {
        let cycle = suspend::cycle(&mut recorder, &options, live.as_ref())?;
        tell(number, &cycle);
        recording::tell_trouble(&mut recorder);
        if let Err(error) = cycle.result {
            failure = Some(anyhow::Error::from(error).context(format!("cycle {number}")));
            break;
        }
        if stop.load(Ordering::Relaxed) {
            say("pm-trace: stopped by a signal\n");
            break;
        }
    }
    let outcome = recording::finish(recorder)?;
    failure.map_or(Ok(outcome), Err)
}

/// What was asked for, and a word on what a panic does here.
fn live_options(args: &SuspendArgs, trace: &Path) -> LiveOptions {
    let on_stall = args.on_stall.action();
    let stays = system::Live.text("/proc/sys/kernel/panic").as_deref() == Some("0");
    if on_stall == OnStall::Panic && stays {
        say(
            "pm-trace: after a panic this machine stays as it is, unless kdump is set up (kernel.panic is 0); \
             'sysctl kernel.panic=30' makes it restart\n",
        );
    }
    LiveOptions {
        stall_after: match args.watchdog.stall_after {
            0 => Duration::MAX,
            seconds => Duration::from_secs(seconds.into()),
        },
        on_stall,
        stream: args.stream.clone(),
        tty: args.tty.clone(),
        report: trace.with_extension("verdict.txt"),
    }
}

/// Refuses a state that this machine does not offer, before anything is armed.
fn check_state(state: &str, offered: &[String]) -> anyhow::Result<()> {
    if !offered.is_empty() && !offered.iter().any(|known| known == state) {
        bail!(
            "cannot suspend with state '{state}': this machine offers {} (/sys/power/state). Nothing was done; choose \
             one of these with --state",
            offered.join(", ")
        );
    }
    Ok(())
}

fn tell(number: u32, cycle: &Cycle) {
    let seconds = Duration::from_nanos(cycle.away).as_secs_f64();
    let how = if cycle.result.is_ok() { "suspended and resumed" } else { "failed" };
    let arrived = recording::arrived(&cycle.integrity);
    say(&format!("pm-trace: cycle {number} {how}, {seconds:.1} s; {arrived}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_is_not_offered_is_refused() {
        let offered = ["freeze".to_owned(), "mem".to_owned()];
        check_state("mem", &offered).unwrap();
        let error = check_state("standby", &offered).unwrap_err().to_string();
        assert!(error.contains("'standby': this machine offers freeze, mem (/sys/power/state)"), "{error}");
        // What cannot be read is left to the kernel to refuse.
        check_state("mem", &[]).unwrap();
    }
}
