//! A finding from a report.

use super::chain;
use super::line::{Body, Callback, Line, Object, Task};
use super::report::Report;
use crate::diagnose::stall as told;
use crate::diagnose::{
    Behind, Confidence, DeviceRef, Finding, Kind, Link, Party, PartyKind, Relation, Severity, Shape,
    TaskName, advice, deadlock_sentences, known_issue, seconds,
};
use crate::event::Nanos;

/// What the report's first line says.
struct Stall {
    episode: u32,
    now: Nanos,
    quiet: Nanos,
    phase: String,
    driver: Option<TaskName>,
    open: u32,
}

/// What a report tells of.
pub(super) fn of(report: &Report) -> Finding {
    let stall = stall(report);
    let back = report.lines.iter().find_map(|line| match line.body {
        Body::End { back, .. } => back,
        _ => None,
    });
    // A circle that opened was none.
    let back = back.filter(|_| report.ended_after.is_none());
    let chain = chain::of(report, back);
    let is_deadlock = back.is_some();
    let devices = devices(report, is_deadlock);
    let shape = shape(&chain);
    let lasted = report.ended_after.unwrap_or(stall.quiet);
    let subject = subject(&chain, is_deadlock)
        .map_or_else(|| format!("the phase {}", stall.phase), |link| link.waiter.label.clone());
    let began = stall.now.saturating_sub(stall.quiet);
    let explanation =
        if is_deadlock { deadlock_sentences(&chain, Some(seconds(lasted))) } else { stalled(report, &stall) };
    Finding {
        id: format!("watchdog-{}", stall.episode),
        kind: if is_deadlock { Kind::Deadlock } else { Kind::Stall },
        severity: if is_deadlock { Severity::Error } else { Severity::Warning },
        confidence: if report.is_whole() { Confidence::Likely } else { Confidence::Possible },
        cycle: 0,
        title: title(report, &subject, is_deadlock),
        tasks: tasks(&chain, &stall),
        devices,
        ordering: None,
        behind: Some(behind(&stall)),
        closed_at: Some(began),
        lasted: Some(lasted),
        base: began,
        base_name: "the last progress".to_owned(),
        confirmed_at: None,
        explanation,
        advice: if is_deadlock {
            advice(shape)
        } else {
            "Look at what the end of the chain does. 'pm-trace suspend --live' or a trace that was written to \
             its end tells more."
                .to_owned()
        },
        known_issue: is_deadlock.then(|| known_issue(shape)).flatten(),
        chain,
        evidence: Vec::new(),
        ended: None,
        margin: None,
    }
}

/// The link that a finding is named after. A circle begins where the report does; a chain without one may begin with
/// those that only wait, and its last step is what everybody waits for.
fn subject(chain: &[Link], is_deadlock: bool) -> Option<&Link> {
    let last_step = chain.iter().rev().find(|link| link.relation == Relation::PerformedBy);
    last_step.filter(|_| !is_deadlock).or(chain.first())
}

fn title(report: &Report, subject: &str, is_deadlock: bool) -> String {
    match (is_deadlock, report.ended_after) {
        (true, _) => format!("{subject} deadlocked"),
        (false, Some(after)) => format!("{subject} {}", told::was_slow(after)),
        (false, None) => format!("{subject} {}", told::LASTS.0),
    }
}

fn stall(report: &Report) -> Stall {
    let found = report.lines.iter().find_map(|line| match &line.body {
        Body::Stall { episode, now, quiet, phase, driver, open, .. } => Some(Stall {
            episode: *episode,
            now: *now,
            quiet: *quiet,
            phase: phase.clone(),
            driver: Some(name(driver)).filter(|driver| driver.tid != 0),
            open: *open,
        }),
        _ => None,
    });
    found.unwrap_or_else(|| Stall {
        episode: report.episode().unwrap_or(0),
        now: 0,
        quiet: 0,
        phase: String::new(),
        driver: None,
        open: 0,
    })
}

fn name(task: &Task) -> TaskName {
    TaskName { tid: task.tid, comm: task.comm.clone() }
}

/// Devices of the steps, that which the finding is named after first, then the others.
fn devices(report: &Report, is_deadlock: bool) -> Vec<DeviceRef> {
    let steps = report.lines.iter().filter_map(|line| match &line.body {
        Body::Step { device, .. } => Some(device),
        _ => None,
    });
    let mut steps: Vec<_> = steps.collect();
    if !is_deadlock {
        steps.reverse();
    }
    let others = report.lines.iter().filter_map(|line| match &line.body {
        Body::Wait { object: Object::Lock { of, .. } | Object::Queue { of, .. }, .. } => of.as_ref(),
        Body::Wait { object: Object::Step { of }, .. } => Some(of),
        _ => None,
    });
    steps.into_iter().chain(others).fold(Vec::new(), |mut devices, device| {
        if !devices.iter().any(|known: &DeviceRef| known.id == device.id) {
            devices.push(chain::device_ref(report, device));
        }
        devices
    })
}

fn tasks(chain: &[Link], stall: &Stall) -> Vec<TaskName> {
    let of_chain =
        chain.iter().flat_map(|link| [&link.waiter, &link.object]).filter_map(|party| party.task.clone());
    of_chain.chain(stall.driver.clone()).fold(Vec::new(), |mut tasks, task| {
        if !tasks.contains(&task) {
            tasks.push(task);
        }
        tasks
    })
}

fn behind(stall: &Stall) -> Behind {
    Behind {
        phase: Some(stall.phase.clone()).filter(|phase| !phase.is_empty()),
        task: stall.driver.clone(),
        devices_not_done: stall.open,
        user_space_frozen: true,
        ..Behind::default()
    }
}

/// What the chain has in common with known issues.
fn shape(chain: &[Link]) -> Shape {
    let device = |party: &Party| party.device.as_ref().map(|device| device.id);
    let step = chain
        .iter()
        .find(|link| link.waiter.kind == PartyKind::DeviceStep)
        .and_then(|link| device(&link.waiter));
    let of_step = |party: &Party| step.is_some() && device(party) == step;
    let rescan = |link: &Link| link.notes.iter().any(|note| note.contains("ata_scsi_dev_rescan"));
    let held = chain.iter().find(|link| {
        link.relation == Relation::HeldBy
            && of_step(&link.waiter)
            && link.waiter.label.starts_with("device lock")
    });
    let queue = chain.iter().find(|link| {
        link.relation == Relation::WaitsFor && link.object.kind == PartyKind::Queue && of_step(&link.object)
    });
    Shape {
        // The rescan of libata takes a device's lock in scsi_rescan_device() alone.
        rescan_holds_device_lock: held.is_some_and(rescan) && queue.is_some(),
        rescan_by_libata: queue.is_some_and(rescan),
        waits_for_pm_only_queue: queue
            .is_some_and(|link| link.notes.iter().any(|note| note.starts_with("PM-only"))),
        resume_waits_for_device_lock: held.is_some(),
    }
}

/// What is known of the end of a chain that is no circle.
fn stalled(report: &Report, stall: &Stall) -> String {
    let quiet = seconds(stall.quiet);
    let phase = if stall.phase.is_empty() { "the transition" } else { stall.phase.as_str() };
    let mut text = format!("Nothing had moved in {phase} for {quiet}");
    match root(report) {
        Some(root) => text.push_str(&format!(": {root}.")),
        None => text.push('.'),
    }
    match report.ended_after {
        Some(after) => {
            text.push_str(&format!(" It ended by itself after {}: slow, and no deadlock.", seconds(after)));
        }
        None => text.extend([" ", told::LASTS.1]),
    }
    if !report.is_whole() {
        text.push_str(" Lines of the report are missing: what is behind it may be more.");
    }
    text
}

/// What the last task of the chain is at.
fn root(report: &Report) -> Option<String> {
    let callback = report.lines.iter().rev().find_map(|line| match &line.body {
        Body::Step { device, callback: Callback::Running, task, .. } => Some((device, task)),
        _ => None,
    });
    let last = |line: &Line| match &line.body {
        Body::Task { task, blocked, work, .. } => {
            let who = format!("{}[{}]", task.comm, task.tid);
            let state = if *blocked { "sleeps uninterruptibly" } else { "runs, or sleeps otherwise," };
            let place = match callback {
                Some((device, by)) if by.tid == task.tid => {
                    format!(" inside the callback of {}", chain::device_ref(report, device).full_name())
                }
                _ if !work.is_empty() => format!(" in {work}"),
                _ => String::new(),
            };
            Some(format!("{who} {state}{place} and was not seen to wait for anything"))
        }
        _ => None,
    };
    report.lines.iter().rev().find_map(last)
}
