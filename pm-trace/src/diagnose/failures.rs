//! Callbacks that failed.

use super::describe::{Clock, Namer, step_words};
use super::finding::{Confidence, Finding, Kind, Severity};
use super::graph::Node;
use super::identity;
use crate::event::Step;
use crate::model::{Model, StepTime, Transition};

/// One finding for each.
pub(crate) fn findings(model: &Model) -> Vec<Finding> {
    let transitions = model.transitions().iter();
    transitions
        .flat_map(|transition| transition.failed.iter().map(move |step| (transition, step)))
        .map(|(transition, step)| finding(model, transition, step))
        .collect()
}

/// `EIO (-5)`
fn errno(error: i32) -> String {
    format!("{:?} ({error})", nix::errno::Errno::from_raw(error.saturating_neg()))
}

fn finding(model: &Model, transition: &Transition, step: &StepTime) -> Finding {
    let namer = Namer { model, clock: Clock(transition.base()) };
    let (dev, words) = (namer.device_full(step.dev), step_words(step.step));
    let resumes = matches!(step.step, Step::Resume | Step::ResumeEarly | Step::ResumeNoirq);
    let (explanation, advice) = if resumes {
        (
            format!(
                "The {words} callback of {dev} returned {}. The PM core goes on; the device may not work.",
                errno(step.error)
            ),
            "Look at what the driver says of it in the kernel log.",
        )
    } else {
        (
            format!(
                "The {words} callback of {dev} returned {}: the PM core aborts the suspend.",
                errno(step.error)
            ),
            "Look at why the driver refuses: a wakeup event that is pending (EBUSY), or hardware that does not \
             answer. /sys/power/pm_wakeup_irq and /sys/kernel/debug/wakeup_sources tell of wakeup events.",
        )
    };
    Finding {
        id: identity::hash(Kind::Failure, transition.number, [Node::Step(step.dev, step.step)].into_iter()),
        kind: Kind::Failure,
        severity: Severity::Warning,
        confidence: Confidence::Proved,
        cycle: transition.number,
        title: format!("{words} of {dev} failed with {}", errno(step.error)),
        devices: vec![namer.device_ref(step.dev)],
        tasks: Vec::new(),
        chain: Vec::new(),
        ordering: None,
        behind: None,
        closed_at: Some(step.start.time),
        lasted: Some(step.took),
        base: namer.clock.0,
        base_name: transition.base_name().to_owned(),
        confirmed_at: None,
        explanation,
        advice: advice.to_owned(),
        known_issue: None,
        evidence: vec![step.start],
        ended: None,
        margin: None,
    }
}
