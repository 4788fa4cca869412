//! Callbacks that failed, and commands that timed out.

use super::describe::{Clock, Namer, seconds, step_words};
use super::finding::{Confidence, Finding, Kind, Severity};
use super::graph::Node;
use super::identity;
use crate::event::Step;
use crate::model::{Model, StepTime, TimedOut, Transition};

/// One finding for each.
pub(crate) fn findings(model: &Model) -> Vec<Finding> {
    let transitions = model.transitions().iter();
    transitions
        .flat_map(|transition| {
            let failed = transition.failed.iter().map(move |step| finding(model, transition, step));
            failed.chain(
                transition.timed_out.iter().map(move |timed_out| timeout(model, transition, timed_out)),
            )
        })
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
        title: format!("{words} of {dev} failed with {}", errno(step.error)),
        devices: vec![namer.device_ref(step.dev)],
        closed_at: Some(step.start.time),
        lasted: Some(step.took),
        explanation,
        advice: advice.to_owned(),
        evidence: vec![step.start],
        ..blank(&namer, transition, Node::Step(step.dev, step.step))
    }
}

/// A command to a SCSI device that was given up.
fn timeout(model: &Model, transition: &Transition, timed_out: &TimedOut) -> Finding {
    let namer = Namer { model, clock: Clock(transition.base()) };
    let command = &timed_out.command;
    let sdev = namer.sdev(command.sdev);
    let dev = model.sdev(command.sdev).and_then(|sdev| sdev.dev);
    let lasted = timed_out.at.time.saturating_sub(command.sent.time);
    let limit = command.timeout.map(|timeout| format!(" (its timeout is {})", seconds(timeout)));
    Finding {
        title: format!("command {:#04x} to {sdev} timed out", command.opcode),
        devices: dev.map(|dev| namer.device_ref(dev)).into_iter().collect(),
        closed_at: Some(command.sent.time),
        lasted: Some(lasted),
        explanation: format!(
            "Command {:#04x} was sent to {sdev} at {} and given up at {}, after {}{}. Error handling has to bring the \
             device back; whatever waits for the command waits for that too.",
            command.opcode,
            namer.clock.at(command.sent),
            namer.clock.at(timed_out.at),
            seconds(lasted),
            limit.unwrap_or_default(),
        ),
        advice:
            "Look at whether the device had power and a link when the command was sent, and at what error \
                 handling did then."
                .to_owned(),
        evidence: vec![command.sent, timed_out.at],
        ..blank(&namer, transition, Node::Task(u32::try_from(timed_out.at.event).unwrap_or(u32::MAX)))
    }
}

/// What is the same for each.
fn blank(namer: &Namer<'_>, transition: &Transition, node: Node) -> Finding {
    Finding {
        id: identity::hash(Kind::Failure, transition.number, [node].into_iter()),
        kind: Kind::Failure,
        severity: Severity::Warning,
        confidence: Confidence::Proved,
        cycle: transition.number,
        title: String::new(),
        devices: Vec::new(),
        tasks: Vec::new(),
        chain: Vec::new(),
        ordering: None,
        behind: None,
        closed_at: None,
        lasted: None,
        base: namer.clock.0,
        base_name: transition.base_name().to_owned(),
        confirmed_at: None,
        explanation: String::new(),
        advice: String::new(),
        known_issue: None,
        evidence: Vec::new(),
        ended: None,
        margin: None,
    }
}
