//! `pm-trace suspend`

use super::recording::{self, Plan};
use super::{Context, Outcome, require_root, say};
use crate::capture::last_resort::OnStall;
use crate::capture::memory;
use crate::capture::recorder::Recorder;
use crate::capture::suspend::{self, Cycle, Live, LiveOptions, SuspendOptions};
use crate::cli::{State, SuspendArgs};
use crate::kernel::sleep::SleepSupport;
use crate::kernel::system::{self, System};
use crate::report;
use crate::trace::Mode;
use anyhow::{Context as _, bail};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Suspends, records and reports.
///
/// # Errors
/// Not root, nothing can be traced, live mode cannot be had, a switch of the machine cannot be set, or the
/// suspend did not come about.
pub(super) fn run(args: &SuspendArgs, context: &Context) -> anyhow::Result<Outcome> {
    require_root("suspend", "loading eBPF programs and suspending the machine need it")?;
    let states = states(&args.state, &SleepSupport::probe(&system::Live).states)?;
    let run: Vec<SuspendOptions> = states.iter().map(|state| options(args, state)).collect();
    if args.live {
        run.iter().try_for_each(suspend::check_live).context("live mode cannot be had here")?;
        memory::one_heap();
    }
    if args.tui {
        super::live_view::check()?;
    }
    let stop = super::stop_flag()?;
    let mode = if args.live { Mode::Live } else { Mode::Watch };
    // Awake, pm-trace watches by itself.
    let watchdog = if args.live { &[] } else { recording::watchdog(&args.watchdog) };
    let stall_after = recording::stall_after(&args.watchdog);
    let plan = Plan { output: &args.output, mode, state: Some(states.join(",")), stall_after, watchdog };
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
    let failure = cycles(&mut recorder, args, &run, live.as_ref(), &stop)?;
    let outcome = recording::finish(recorder)?;
    failure.map_or(Ok(outcome), Err)
}

/// A cycle with this state.
fn options(args: &SuspendArgs, state: &str) -> SuspendOptions {
    SuspendOptions {
        state: state.to_owned(),
        wake: args.wake,
        pm_test: args.pm_test.clone(),
        cycles: args.cycles,
    }
}

/// Runs the cycles, in each the next state, and says what became of each. What made a suspend fail is given back.
fn cycles(
    recorder: &mut Recorder,
    args: &SuspendArgs,
    run: &[SuspendOptions],
    live: Option<&Live>,
    stop: &AtomicBool,
) -> anyhow::Result<Option<anyhow::Error>> {
    for (number, options) in (1..=args.cycles).zip(run.iter().cycle()) {
        let cycle = suspend::cycle(recorder, options, live)?;
        let found = found(recorder);
        tell(number, args, options, &cycle, &found);
        recording::tell_trouble(recorder);
        if let Err(error) = cycle.result {
            return Ok(Some(anyhow::Error::from(error).context(format!("cycle {number}"))));
        }
        if args.stop_on_finding && !found.is_empty() {
            say("pm-trace: ended after this finding, as --stop-on-finding asks\n");
            break;
        }
        if number < args.cycles {
            pause(args.delay, stop);
        }
        if stop.load(Ordering::Relaxed) {
            say("pm-trace: stopped by a signal\n");
            break;
        }
    }
    Ok(None)
}

/// What is wrong with the last cycle, each in a line.
fn found(recorder: &Recorder) -> Vec<String> {
    let last = recorder.model().transition().map(|transition| transition.number);
    let mut findings = recorder.findings_at_end();
    findings.retain(|finding| Some(finding.cycle) == last);
    findings.retain(|finding| Outcome::of(std::slice::from_ref(finding)) == Outcome::Found);
    findings.iter().map(report::headline).collect()
}

/// Waits between two cycles, unless a signal says to stop.
fn pause(seconds: u32, stop: &AtomicBool) {
    let until = Instant::now() + Duration::from_secs(seconds.into());
    while !stop.load(Ordering::Relaxed) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        std::thread::sleep(left.min(Duration::from_millis(100)));
    }
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
        stall_after: recording::stall_after(&args.watchdog).unwrap_or(Duration::MAX),
        on_stall,
        stream: args.stream.clone(),
        tty: args.tty.clone(),
        report: trace.with_extension("verdict.txt"),
    }
}

/// The states that cycles enter in turn.
fn states(asked: &[State], offered: &[String]) -> anyhow::Result<Vec<String>> {
    let mut states = Vec::new();
    for state in asked {
        if *state == State::Mixed {
            let all = [State::Mem, State::Freeze, State::Standby].map(State::name);
            states.extend(
                all.iter().filter(|name| offered.iter().any(|one| one == *name)).map(|&s| s.to_owned()),
            );
        } else {
            check_state(state.name(), offered)?;
            states.push(state.name().to_owned());
        }
    }
    if states.is_empty() {
        bail!(
            "this machine tells no sleep state in /sys/power/state. Nothing was done; name one with --state"
        );
    }
    Ok(states)
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

fn tell(number: u32, args: &SuspendArgs, options: &SuspendOptions, cycle: &Cycle, found: &[String]) {
    let seconds = Duration::from_nanos(cycle.away).as_secs_f64();
    let how = if cycle.result.is_ok() { "suspended and resumed" } else { "failed" };
    let arrived = recording::arrived(&cycle.integrity);
    let of = if args.cycles > 1 { format!(" of {} ({})", args.cycles, options.state) } else { String::new() };
    say(&format!("pm-trace: cycle {number}{of} {how}, {seconds:.1} s; {arrived}\n"));
    // One cycle has its report.
    if args.cycles > 1 {
        let verdict = if found.is_empty() { "nothing wrong found".to_owned() } else { found.join("; ") };
        say(&format!("pm-trace: cycle {number}: {verdict}\n"));
    }
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

    /// Each state that was asked for has its turn; `mixed` is what there is.
    #[test]
    fn states_take_turns() {
        let offered = ["freeze".to_owned(), "mem".to_owned()];
        assert_eq!(states(&[State::Freeze, State::Mem], &offered).unwrap(), ["freeze", "mem"]);
        assert_eq!(states(&[State::Mixed], &offered).unwrap(), ["mem", "freeze"]);
        assert!(states(&[State::Mem, State::Standby], &offered).is_err());
        assert!(states(&[State::Mixed], &[]).is_err());
    }
}
