//! Races that the kernel noticed and avoided.

use super::describe::{Clock, Namer, seconds};
use super::finding::{Confidence, Finding, Kind, Severity};
use super::graph::Node;
use super::identity;
use crate::model::{At, DeferredRescan, Model, Transition};

/// One finding for each port and transition with rescans that put themselves off.
pub(crate) fn findings(model: &Model) -> Vec<Finding> {
    let transitions = model.transitions().iter();
    transitions
        .flat_map(|transition| transition.deferred.iter().map(move |rescan| (transition, rescan)))
        .map(|(transition, rescan)| finding(model, transition, rescan))
        .collect()
}

fn finding(model: &Model, transition: &Transition, rescan: &DeferredRescan) -> Finding {
    let namer = Namer { model, clock: Clock(transition.base()) };
    let port = namer.port(rescan.port);
    let dev = model.port(rescan.port).and_then(|port| port.dev);
    let times = if rescan.times == 1 { "once".to_owned() } else { format!("{} times", rescan.times) };
    let late = seconds(rescan.ran.time.saturating_sub(rescan.first.time));
    let evidence: Vec<At> = vec![rescan.first, rescan.ran, rescan.ended];
    Finding {
        id: identity::hash(
            Kind::Guarded,
            transition.number,
            [Node::AtaEh(rescan.port), Node::Task(u32::try_from(rescan.first.event).unwrap_or(u32::MAX))]
                .into_iter(),
        ),
        kind: Kind::Guarded,
        severity: Severity::Info,
        confidence: Confidence::Proved,
        cycle: transition.number,
        title: format!("rescan of {port} put itself off {times}, then ran"),
        devices: dev.map(|dev| namer.device_ref(dev)).into_iter().collect(),
        tasks: rescan.origin.map(|task| namer.task(task)).into_iter().collect(),
        chain: Vec::new(),
        ordering: None,
        behind: None,
        closed_at: Some(rescan.first.time),
        lasted: Some(rescan.ran.time.saturating_sub(rescan.first.time)),
        base: namer.clock.0,
        base_name: transition.base_name().to_owned(),
        confirmed_at: None,
        explanation: format!(
            "ata_scsi_dev_rescan of {port} found that a device was not ready at {}, and queued itself again \
             {times} before it ran through at {}, {late} later. Nothing orders the rescan after the resume of \
             the devices below the port; this kernel's own check keeps it from blocking.",
            namer.clock.at(rescan.first),
            namer.clock.at(rescan.ran),
        ),
        advice: "Nothing to do: the guard works.".to_owned(),
        known_issue: None,
        ended: None,
        margin: None,
        evidence,
    }
}
