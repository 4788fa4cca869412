//! Wakeup sources, and why a suspend was given up.

use super::describe::Namer;
use super::summary::{StepSummary, step};
use crate::event::Nanos;
use crate::model::{Transition, Wakeup};
use schemars::JsonSchema;
use serde::Serialize;

/// A wakeup source that was activated in a transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WakeupSummary {
    /// Its name: that of its device, mostly.
    pub name: String,
    /// How often it was activated.
    pub times: u32,
    /// First time, in nanoseconds of `CLOCK_BOOTTIME`.
    pub first: Nanos,
    /// Last time, in nanoseconds of `CLOCK_BOOTTIME`.
    pub last: Nanos,
    /// When it was deactivated after that, in nanoseconds of `CLOCK_BOOTTIME`; `null` if it was not.
    pub over: Option<Nanos>,
}

/// Why a suspend turned back before the machine slept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AbortSummary {
    /// The phase that was given up: `freeze_processes`, `dpm_suspend`, ...
    pub during: String,
    /// End of that phase, in nanoseconds of `CLOCK_BOOTTIME`.
    pub at: Nanos,
    /// The wakeup source that was activated last before; `null` if none was. An interrupt that wakes without a
    /// source is told by `/sys/power/pm_wakeup_irq`.
    pub source: Option<String>,
    /// The step whose callback failed; `null` if none did.
    pub failed: Option<StepSummary>,
}

pub(super) fn wakeups(transition: &Transition) -> Vec<WakeupSummary> {
    let summary = |wakeup: &Wakeup| WakeupSummary {
        name: wakeup.name.clone(),
        times: wakeup.times,
        first: wakeup.first.time,
        last: wakeup.last.time,
        over: wakeup.over.map(|at| at.time),
    };
    transition.wakeups.iter().map(summary).collect()
}

pub(super) fn abort(namer: &Namer<'_>, transition: &Transition) -> Option<AbortSummary> {
    let abort = transition.abort()?;
    Some(AbortSummary {
        during: abort.during.action.clone(),
        at: abort.during.end?.time,
        source: abort.source.map(|wakeup| wakeup.name.clone()),
        failed: abort.failed.map(|time| step(namer, time)),
    })
}
