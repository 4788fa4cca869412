//! `pm-trace suspend`

use super::progress::Progress;
use super::recording::{self, Plan};
use super::resume::Run;
use super::{Context, Outcome, require_root, say};
use crate::capture::last_resort::OnStall;
use crate::capture::memory;
use crate::capture::recorder::Recorder;
use crate::capture::suspend::{self, Cycle, Live, LiveOptions, SuspendOptions};
use crate::cli::{OutputArgs, State, SuspendArgs};
use crate::kernel::sleep::SleepSupport;
use crate::kernel::system::{self, System};
use crate::report;
use crate::text;
use crate::trace::Mode;
use crate::trace::keep::report_beside;
use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};
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
    let options: Vec<SuspendOptions> = states.iter().map(|state| options(args, state)).collect();
    if args.live {
        options.iter().try_for_each(suspend::check_live).context("live mode cannot be had here")?;
        memory::one_heap();
    }
    if args.tui {
        super::live_view::check()?;
    }
    let Some((done, output)) = place(args)? else { return Ok(Outcome::Fine) };
    let stop = super::stop_flag()?;
    let mode = if args.live { Mode::Live } else { Mode::Watch };
    // Awake, pm-trace watches by itself.
    let watchdog = if args.live { &[] } else { recording::watchdog(&args.watchdog) };
    let stall_after = recording::stall_after(&args.watchdog);
    let plan = Plan { output: &output, mode, state: Some(states.join(",")), stall_after, watchdog };
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
    let cycles = Cycles { args, options, done, stop: &stop };
    let failure = cycles.run(&mut recorder, live.as_ref())?;
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

/// How many cycles of the run are done, and where the rest is recorded; `None` if there is no rest.
fn place(args: &SuspendArgs) -> anyhow::Result<Option<(u32, OutputArgs)>> {
    let Some(first) = args.output.output.as_ref().filter(|_| args.resume) else {
        return Ok(Some((0, args.output.clone())));
    };
    let run = Run::find(first, args, &system::Live)?;
    if run.done >= args.cycles {
        say(&format!(
            "pm-trace: all {} cycles of this run were begun already; nothing was done. To see them: pm-trace summary {}\n",
            args.cycles,
            run.names()
        ));
        return Ok(None);
    }
    say(&format!(
        "pm-trace: {} of {} cycles were begun in {}; the rest goes to {}\n",
        run.done,
        args.cycles,
        run.names(),
        text::path(&run.next)
    ));
    Ok(Some((run.done, OutputArgs { output: Some(run.next), ..args.output.clone() })))
}

/// The cycles of a run.
struct Cycles<'a> {
    args: &'a SuspendArgs,
    /// What they enter in turn.
    options: Vec<SuspendOptions>,
    /// So many were begun before.
    done: u32,
    /// A signal asked to stop.
    stop: &'a AtomicBool,
}

impl Cycles<'_> {
    /// Runs them and says what became of each. What made a suspend fail is given back.
    fn run(&self, recorder: &mut Recorder, live: Option<&Live>) -> anyhow::Result<Option<anyhow::Error>> {
        let args = self.args;
        let mut progress = Progress::new(self.done, args.cycles, !args.tui);
        let turns = (1..=args.cycles).zip(self.options.iter().cycle());
        for (number, options) in turns.skip(usize::try_from(self.done)?) {
            let cycle = match live {
                // Frozen, nobody may wait for the terminal, and the verdict has it to itself.
                Some(_) => progress.aside(|| suspend::cycle(recorder, options, live))?,
                None => suspend::cycle(recorder, options, None)?,
            };
            let found = found(recorder);
            progress.aside(|| {
                tell(number, args, options, &cycle, &found);
                recording::tell_trouble(recorder);
            });
            progress.cycle_ended(!found.is_empty());
            if let Err(error) = cycle.result {
                progress.end();
                return Ok(Some(anyhow::Error::from(error).context(format!("cycle {number}"))));
            }
            if args.stop_on_finding && !found.is_empty() {
                progress.say("pm-trace: ended after this finding, as --stop-on-finding asks\n");
                break;
            }
            if number < args.cycles {
                pause(args.delay, self.stop);
            }
            if self.stop.load(Ordering::Relaxed) {
                progress.say(&self.stopped(number, recorder.path()));
                break;
            }
        }
        progress.end();
        Ok(None)
    }

    /// What is said when a signal ended the run after this cycle.
    fn stopped(&self, number: u32, trace: &Path) -> String {
        if number >= self.args.cycles {
            return "pm-trace: stopped by a signal\n".to_owned();
        }
        let first = self.args.output.output.as_ref().filter(|_| self.args.resume);
        let (first, next) = (text::path(first.map_or(trace, PathBuf::as_path)), number + 1);
        format!(
            "pm-trace: stopped by a signal; with -o {first} --resume the same command goes on with cycle {next}\n"
        )
    }
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
        report: report_beside(trace),
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
