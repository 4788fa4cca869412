//! How long a suspend and a resume took.

use crate::diagnose::{CycleSummary, PhaseSummary};
use crate::event::Nanos;
use crate::model::ASLEEP;
use schemars::JsonSchema;
use serde::Serialize;

/// Durations of one cycle, in nanoseconds; `None` if that part did not end or was not seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Times {
    /// From `dpm_prepare` until the platform is entered, or until devices are suspended if it never is.
    pub suspend: Option<Nanos>,
    /// From where the platform is left, or from the first phase that resumes devices, to the end of `dpm_complete`.
    /// Thawing user space comes after it and depends on what runs there.
    pub resume: Option<Nanos>,
}

/// How long the cycle's suspend and resume took, without the time asleep: the clock of events is set forward by it
/// inside of the phases of [`ASLEEP`].
pub fn times(cycle: &CycleSummary) -> Times {
    let first = |names: &[&str]| cycle.phases.iter().find(|phase| names.contains(&phase.action.as_str()));
    let last_end = |names: &[&str]| {
        let named = cycle.phases.iter().filter(|phase| names.contains(&phase.action.as_str()));
        named.filter_map(end).max()
    };
    let up = first(&["dpm_resume_noirq", "dpm_resume_early", "dpm_resume"]).map(|phase| phase.start);
    let down = first(&["machine_suspend"])
        .map(|phase| phase.start)
        .or_else(|| last_end(&["dpm_suspend", "dpm_suspend_late", "dpm_suspend_noirq", "syscore_suspend"]));
    let began = first(&["dpm_prepare", "dpm_suspend"]).map(|phase| phase.start);
    let woke = last_end(&ASLEEP).filter(|&woke| up.is_some_and(|up| woke <= up)).or(up);
    let done = last_end(&["dpm_complete"]);
    let span = |from: Option<Nanos>, to: Option<Nanos>| to?.checked_sub(from?);
    Times { suspend: span(began, down), resume: span(woke, done) }
}

fn end(phase: &PhaseSummary) -> Option<Nanos> {
    Some(phase.start + phase.took?)
}
