//! What happened in each transition, in figures.

use super::describe::{Clock, Namer};
use super::finding::DeviceRef;
use super::ports::{self, EhSummary};
use super::wakeups::{self, AbortSummary, WakeupSummary};
use crate::event::{Nanos, step_label};
use crate::model::{CriticalPath, Direction, Model, PathPart, StepTime, Transition};
use schemars::JsonSchema;
use serde::Serialize;

/// How a transition ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every device was resumed and `dpm_complete` ended.
    Resumed,
    /// It was on its way down when the trace ended.
    Suspending,
    /// It was on its way up when the trace ended.
    Resuming,
    /// It ended before devices were suspended.
    Aborted,
}

/// A phase of a transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PhaseSummary {
    /// Its name: `dpm_resume`, `CPU_OFF`, ...
    pub action: String,
    /// Its argument: a PM event, a sleep state, a CPU.
    pub value: i32,
    /// How many phases it is inside of.
    pub depth: u32,
    /// Its start, in nanoseconds of `CLOCK_BOOTTIME`.
    pub start: Nanos,
    /// How long it took, in nanoseconds; `None` if it did not end.
    pub took: Option<Nanos>,
}

/// How long a step of a device took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StepSummary {
    /// The device.
    pub device: DeviceRef,
    /// The step: `suspend`, `resume_early`, ...
    pub step: String,
    /// Its start, in nanoseconds of `CLOCK_BOOTTIME`.
    pub start: Nanos,
    /// How long it took, in nanoseconds, waits for other devices included.
    pub took: Nanos,
    /// How long its callback took, in nanoseconds; 0 if it has none.
    pub callback: Nanos,
    /// What the callback returned: 0 or a negative errno.
    pub error: i32,
}

/// The critical path of a phase: steps that followed each other without a pause, of which the last one ended it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PathSummary {
    /// The step: `suspend`, `resume_early`, ...
    pub step: String,
    /// How long the phase took, in nanoseconds.
    pub took: Nanos,
    /// Its parts in the order of time, at most 32 from its end.
    pub parts: Vec<PathPartSummary>,
    /// Steps that run in line and would make the phase shorter if they ran asynchronously
    /// (`device_enable_async_suspend()`), each by its `gain`; at most five, the largest gain first.
    pub in_line: Vec<PathPartSummary>,
}

/// A step on a critical path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PathPartSummary {
    /// The device.
    pub device: DeviceRef,
    /// When its own work began, in nanoseconds of `CLOCK_BOOTTIME`.
    pub start: Nanos,
    /// How long that took, in nanoseconds.
    pub own: Nanos,
    /// It runs asynchronously; if not, it also waits for the step before it in the same task.
    pub is_async: bool,
    /// By how many nanoseconds the phase would be shorter if it took no time; `null` for the shorter parts.
    pub gain: Option<Nanos>,
}

/// One suspend and resume of the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CycleSummary {
    /// Counted from 1.
    pub number: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// Its first event, in nanoseconds of `CLOCK_BOOTTIME`.
    pub started: Nanos,
    /// How long it took, in nanoseconds, to its last event or to the end of the trace.
    pub took: Nanos,
    /// Its phases in the order of their starts.
    pub phases: Vec<PhaseSummary>,
    /// Phases that are not listed because there were too many.
    pub phases_left: u64,
    /// Devices that were suspended.
    pub devices_suspended: u32,
    /// Devices to resume.
    pub devices_to_resume: u32,
    /// Devices that were resumed.
    pub devices_resumed: u32,
    /// The steps with the slowest callbacks, slowest first.
    pub slowest: Vec<StepSummary>,
    /// Steps whose callback returned an error, at most ten.
    pub failed: Vec<StepSummary>,
    /// Devices that were suspended already and were left alone (`power.direct_complete`).
    pub direct_complete: u32,
    /// Error handling of ATA ports, the longest first.
    pub error_handling: Vec<EhSummary>,
    /// Wakeup sources that were activated, at most 32.
    pub wakeups: Vec<WakeupSummary>,
    /// Why it turned back before the machine slept; `null` if it did not.
    pub abort: Option<AbortSummary>,
    /// The critical path of each phase of steps that ended: what made it as long as it was.
    pub critical: Vec<PathSummary>,
    /// Events.
    pub events: u64,
    /// Records lost.
    pub lost: u64,
    /// Records that could not be decoded.
    pub undecoded: u64,
}

/// Every transition in figures, oldest first.
pub fn cycles(model: &Model) -> Vec<CycleSummary> {
    model.transitions().iter().map(|transition| summary(model, transition)).collect()
}

fn summary(model: &Model, transition: &Transition) -> CycleSummary {
    let namer = Namer { model, clock: Clock(transition.base()) };
    let is_last = model.transition().is_some_and(|last| last.number == transition.number);
    let last_phase = transition.phases.iter().filter_map(|phase| phase.end).map(|at| at.time).max();
    let end = transition.ended.map(|at| at.time).or(if is_last && !transition.is_complete() {
        Some(model.now())
    } else {
        last_phase
    });
    CycleSummary {
        number: transition.number,
        outcome: outcome(transition),
        started: transition.started.time,
        took: end.unwrap_or(transition.started.time).saturating_sub(transition.started.time),
        phases: transition
            .phases
            .iter()
            .map(|phase| PhaseSummary {
                action: phase.action.clone(),
                value: phase.value,
                depth: phase.depth,
                start: phase.start.time,
                took: phase.end.map(|end| end.time.saturating_sub(phase.start.time)),
            })
            .collect(),
        phases_left: transition.phases_left,
        devices_suspended: transition.suspended,
        devices_to_resume: transition.to_resume,
        devices_resumed: transition.resumed,
        slowest: steps(&namer, &transition.slowest),
        failed: steps(&namer, &transition.failed),
        direct_complete: transition.direct_complete,
        error_handling: ports::error_handling(&namer, transition),
        wakeups: wakeups::wakeups(transition),
        abort: wakeups::abort(&namer, transition),
        critical: transition.paths.iter().map(|path| critical(&namer, path)).collect(),
        events: transition.events,
        lost: transition.lost,
        undecoded: transition.undecoded,
    }
}

fn steps(namer: &Namer<'_>, steps: &[StepTime]) -> Vec<StepSummary> {
    steps.iter().map(|time| step(namer, time)).collect()
}

pub(super) fn step(namer: &Namer<'_>, time: &StepTime) -> StepSummary {
    StepSummary {
        device: namer.device_ref(time.dev),
        step: step_label(time.step).to_owned(),
        start: time.start.time,
        took: time.took,
        callback: time.callback,
        error: time.error,
    }
}

fn outcome(transition: &Transition) -> Outcome {
    // A trace from a kernel log may have no devices, but dpm_resume_noirq comes only after they were suspended.
    let devices = transition.suspended > 0
        || transition.resumed > 0
        || transition.phase_named("dpm_resume_noirq").is_some();
    match (transition.is_complete(), transition.direction()) {
        (true, _) if !devices => Outcome::Aborted,
        (true, _) => Outcome::Resumed,
        (false, Direction::Suspend) => Outcome::Suspending,
        (false, Direction::Resume) => Outcome::Resuming,
    }
}

fn critical(namer: &Namer<'_>, path: &CriticalPath) -> PathSummary {
    let part = |part: &PathPart| PathPartSummary {
        device: namer.device_ref(part.dev),
        start: part.start,
        own: part.own,
        is_async: part.is_async,
        gain: part.gain,
    };
    PathSummary {
        step: step_label(path.step).to_owned(),
        took: path.took,
        parts: path.parts.iter().map(part).collect(),
        in_line: path.in_line.iter().map(part).collect(),
    }
}
