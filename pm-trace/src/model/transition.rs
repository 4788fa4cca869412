//! Transitions: one suspend and resume of the system, its phases and counts.

use super::At;
use super::ata::{DeferredRescan, EhRun};
use super::path::CriticalPath;
use super::scsi::TimedOut;
use super::touch::Touch;
use crate::event::{Nanos, ObjId, Step, TaskRef};
use std::collections::BTreeSet;

/// Most phases kept per transition.
pub(crate) const PHASES: usize = 1024;
/// How many of the slowest steps are kept per transition.
pub(crate) const SLOWEST: usize = 10;
/// Most explicit waits kept per transition.
pub(crate) const EXPLICIT_WAITS: usize = 1024;
/// Most uses of devices kept per transition.
pub(crate) const TOUCHES: usize = 64;
/// Most deferred rescans kept per transition.
pub(crate) const DEFERRED: usize = 64;
/// Most runs of ATA error handling kept per transition.
pub(crate) const EH_RUNS: usize = 256;
/// Most wakeup sources kept per transition.
pub(crate) const WAKEUPS: usize = 32;
/// Most commands that timed out kept per transition.
pub(crate) const TIMED_OUT: usize = 32;
/// Phases of the way down, after which a suspend that was given up turns back.
const DOWN: [&str; 6] = [
    "freeze_processes",
    "dpm_prepare",
    "dpm_suspend",
    "dpm_suspend_late",
    "dpm_suspend_noirq",
    "syscore_suspend",
];

/// One suspend and resume of the system.
#[derive(Clone, Debug, Default)]
pub struct Transition {
    /// Counted from 1.
    pub number: u32,
    /// Its first event.
    pub started: At,
    /// Its end: `dpm_complete` is over and, if it was recorded, user space is thawed.
    pub ended: Option<At>,
    /// The task that drives it, once a `dpm_*` phase was seen.
    pub task: Option<TaskRef>,
    /// Its phases in the order of their starts.
    pub phases: Vec<PhaseRun>,
    /// Phases that found no room.
    pub phases_left: u64,
    /// Events that belong to it.
    pub events: u64,
    /// Records lost while it was under way.
    pub lost: u64,
    /// Records that could not be decoded while it was under way.
    pub undecoded: u64,
    /// Devices whose suspend step ended.
    pub suspended: u32,
    /// Devices whose resume step started or is to come: those suspended, and those that were only seen to
    /// resume.
    pub to_resume: u32,
    /// Devices whose resume step ended.
    pub resumed: u32,
    /// Some step ran asynchronously: `/sys/power/pm_async` is on.
    pub saw_async: bool,
    /// The steps with the slowest callbacks, slowest first: what a step waits for is not its own doing.
    pub slowest: Vec<StepTime>,
    /// Steps whose callback returned an error.
    pub failed: Vec<StepTime>,
    /// Who waited explicitly for whom (`device_pm_wait_for_dev`): (waits, for).
    pub explicit_waits: BTreeSet<(ObjId, ObjId)>,
    /// Rescans that put themselves off.
    pub deferred: Vec<DeferredRescan>,
    /// The critical paths of its phases, in the order of their ends.
    pub paths: Vec<CriticalPath>,
    /// Devices that were suspended already and are left alone (`power.direct_complete`).
    pub direct_complete: u32,
    /// Contexts that used a device around its resume.
    pub touches: Vec<Touch>,
    /// Error handling of ATA ports, in the order of starts.
    pub error_handling: Vec<EhRun>,
    /// Wakeup sources that were activated, in the order of their first time.
    pub wakeups: Vec<Wakeup>,
    /// Devices whose suspend ended without suspending them, although it should have: what follows a wakeup event
    /// or an error.
    pub given_up: u32,
    /// Commands that timed out.
    pub timed_out: Vec<TimedOut>,
}

/// A wakeup source that was activated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wakeup {
    /// Its name.
    pub name: String,
    /// How often.
    pub times: u32,
    /// First time.
    pub first: At,
    /// Last time.
    pub last: At,
    /// It was deactivated after that.
    pub over: Option<At>,
}

/// A suspend that was given up.
#[derive(Clone, Copy, Debug)]
pub struct Abort<'a> {
    /// The phase in which it was.
    pub during: &'a PhaseRun,
    /// The wakeup source that was activated last before that, if any was.
    pub source: Option<&'a Wakeup>,
    /// The step that failed, if one did.
    pub failed: Option<&'a StepTime>,
}

/// Phases inside of which the clock of events is set forward by the time asleep: the first in suspend-to-idle, the second
/// otherwise (`timekeeping_resume` in kernel/time/timekeeping.c).
pub const ASLEEP: [&str; 2] = ["machine_suspend", "syscore_resume"];

/// A phase: `dpm_resume`, `CPU_OFF`, ...
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseRun {
    /// Its name.
    pub action: String,
    /// Its argument: a PM event, a sleep state, a CPU.
    pub value: i32,
    /// How many phases it is inside of.
    pub depth: u32,
    /// Its start.
    pub start: At,
    /// Its end.
    pub end: Option<At>,
}

/// How long a step of a device took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepTime {
    /// The device.
    pub dev: ObjId,
    /// The step.
    pub step: Step,
    /// Its start.
    pub start: At,
    /// How long it took, in nanoseconds; waits for other devices included.
    pub took: Nanos,
    /// How long its callback took, in nanoseconds; 0 if it has none.
    pub callback: Nanos,
    /// What the callback returned.
    pub error: i32,
}

/// Which way a transition goes at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// No device has begun to resume.
    Suspend,
    /// Devices resume.
    Resume,
}

/// What was lost or unreadable, in the whole trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Records lost because the ring buffer was full.
    pub lost: u64,
    /// The last event that told of lost records.
    pub last_lost: Option<At>,
    /// Records that could not be decoded.
    pub undecoded: u64,
    /// What was wrong with the first of them.
    pub reason: String,
    /// Lost records by program, for at most 64 programs.
    pub hooks: std::collections::BTreeMap<String, u64>,
}

impl Transition {
    /// The phase that is under way and started last.
    pub fn phase(&self) -> Option<&PhaseRun> {
        self.phases.iter().rev().find(|phase| phase.end.is_none())
    }

    /// The first phase of this name.
    pub fn phase_named(&self, action: &str) -> Option<&PhaseRun> {
        self.phases.iter().find(|phase| phase.action == action)
    }

    /// Whether it is over as far as devices are concerned: `dpm_complete` has ended.
    pub fn is_complete(&self) -> bool {
        self.ended.is_some() || self.phase_named("dpm_complete").is_some_and(|phase| phase.end.is_some())
    }

    /// Which way it goes.
    pub fn direction(&self) -> Direction {
        let resumes = self.phases.iter().any(|phase| phase.action.starts_with("dpm_resume"));
        if resumes || self.resumed > 0 { Direction::Resume } else { Direction::Suspend }
    }

    /// From where its times count: the start of `dpm_resume`; before that the start of the first resume
    /// phase, and on the way down the first event.
    pub fn base(&self) -> Nanos {
        self.phase_named("dpm_resume")
            .or_else(|| self.phases.iter().find(|phase| phase.action.starts_with("dpm_resume")))
            .map_or(self.started.time, |phase| phase.start.time)
    }

    /// What [`Transition::base`] is the start of.
    pub fn base_name(&self) -> &'static str {
        if self.phase_named("dpm_resume").is_some() {
            "dpm_resume"
        } else if self.direction() == Direction::Resume {
            "the resume of devices"
        } else {
            "the transition"
        }
    }

    /// The last phase so far in which the machine slept or the clock took in that it had ([`ASLEEP`]); `None` if it did
    /// not get to sleep.
    pub fn sleep(&self) -> Option<&PhaseRun> {
        let slept = self.phases.iter().rposition(|phase| phase.action == "machine_suspend")?;
        self.phases[slept..].iter().rfind(|phase| ASLEEP.contains(&phase.action.as_str()))
    }

    /// Why it turned back before the machine slept, if it did. A test level (`/sys/power/pm_test`) turns back too,
    /// but nothing fails then and no device is left out.
    pub fn abort(&self) -> Option<Abort<'_>> {
        if self.phase_named("machine_suspend").is_some() || !self.is_complete() {
            return None;
        }
        let during = self.phases.iter().rev().find(|phase| DOWN.contains(&phase.action.as_str()))?;
        let end = during.end?.time;
        let down = |step: Step| matches!(step, Step::Suspend | Step::SuspendLate | Step::SuspendNoirq);
        let failed = self.failed.iter().find(|time| down(time.step));
        // A source that is over by then may still be the cause: the event counts, not how long it is processed.
        let before = self.wakeups.iter().filter(|wakeup| wakeup.first.time <= end);
        let source = before.max_by_key(|wakeup| wakeup.last.time.min(end));
        let no_devices = !self.phases.iter().any(|phase| phase.action == "dpm_suspend");
        let late = source.is_some() && !matches!(during.action.as_str(), "dpm_prepare" | "dpm_suspend");
        let turned_back = failed.is_some() || self.given_up > 0 || no_devices || late;
        turned_back.then_some(Abort { during, source, failed })
    }

    /// Notes how long a step took.
    pub(crate) fn step_took(&mut self, time: StepTime) {
        let key = |time: &StepTime| (time.callback, time.took);
        let place = self.slowest.partition_point(|slow| key(slow) >= key(&time));
        if place < SLOWEST {
            self.slowest.insert(place, time);
            self.slowest.truncate(SLOWEST);
        }
        if time.error != 0 && self.failed.len() < SLOWEST {
            self.failed.push(time);
        }
    }
}
