//! What is known about a link, in short sentences: what was read where and when, and nothing that was not.

use super::describe::{Namer, seconds};
use super::finding::Relation;
use super::graph::{Edge, Node};
use crate::event::{ObjId, Step};
use crate::model::{InFlight, Model, OwnerFrom, Wait, WaitOn};
use pm_trace_common::pm::power;

pub(crate) fn of(namer: &Namer<'_>, node: Node, edge: &Edge, next: Node) -> Vec<String> {
    match (node, edge.relation, next) {
        (Node::Task(tid), Relation::WaitsFor, Node::Queue(_)) => {
            let wait = namer.model.task(tid).and_then(|task| task.wait.as_ref());
            wait.map(|wait| queue(namer, wait)).unwrap_or_default()
        }
        (Node::Task(tid), Relation::WaitsFor, Node::Step(..)) => {
            let wait = namer.model.task(tid).and_then(|task| task.wait.as_ref());
            wait.map(device_wait).unwrap_or_default()
        }
        (Node::Task(_), Relation::WaitsFor, Node::Command(sdev)) => command(namer, sdev, node),
        (Node::Lock(lock), Relation::HeldBy, Node::Task(tid)) => held(namer, lock, tid),
        (_, Relation::PerformedBy, Node::Task(tid)) => {
            let doing = namer.model.task(tid).and_then(|task| namer.doing(task));
            match node {
                // The step itself says what it does.
                Node::Step(..) => Vec::new(),
                _ => doing.into_iter().collect(),
            }
        }
        (Node::Queue(_), Relation::EndsOnlyWhen, Node::Step(dev, _)) => resume_state(namer, dev),
        _ => Vec::new(),
    }
}

fn held(namer: &Namer<'_>, lock: ObjId, tid: u32) -> Vec<String> {
    let model = namer.model;
    let doing = model.task(tid).and_then(|task| namer.doing(task));
    let owned = model.lock(lock).and_then(|lock| lock.owner);
    let read = owned.map(|owned| {
        let at = namer.clock.at(owned.at);
        match owned.from {
            OwnerFrom::Read => format!("owner read from the lock at {at}"),
            OwnerFrom::Snapshot => format!("owner read from the lock again at {at}"),
            OwnerFrom::Acquired => format!("seen to get the lock at {at}"),
        }
    });
    doing.into_iter().chain(read).collect()
}

fn device_wait(wait: &Wait) -> Vec<String> {
    let WaitOn::Completion { within: Some(within), .. } = &wait.on else {
        return vec!["its PM completion".to_owned()];
    };
    let why = match within.why {
        crate::event::DeviceWaitKind::Superior => "dpm_wait_for_superior: its parent or supplier",
        crate::event::DeviceWaitKind::Subordinate => "dpm_wait_for_subordinate: its child or consumer",
        crate::event::DeviceWaitKind::Explicit => "device_pm_wait_for_dev",
    };
    vec![why.to_owned()]
}

fn command(namer: &Namer<'_>, sdev: ObjId, node: Node) -> Vec<String> {
    let Node::Task(tid) = node else { return Vec::new() };
    let wait = namer.model.task(tid).and_then(|task| task.wait.as_ref());
    match wait.map(|wait| &wait.on) {
        Some(WaitOn::Completion { command: Some(command), .. }) if command.sdev == sdev => {
            let mut notes =
                vec![format!("opcode {:#04x}, asked for at {}", command.opcode, namer.clock.at(command.at))];
            notes.push(match namer.model.in_flight(sdev) {
                Some(sent) => in_flight(namer, sent),
                None => "no command is in flight to the device".to_owned(),
            });
            notes
        }
        _ => Vec::new(),
    }
}

/// How long a command has been on its way, and when it is given up.
fn in_flight(namer: &Namer<'_>, sent: &InFlight) -> String {
    let lasted = seconds(namer.model.now().saturating_sub(sent.sent.time));
    let limit = match sent.timeout {
        Some(timeout) => format!("times out after {}", seconds(timeout)),
        None => "its timeout is unknown".to_owned(),
    };
    format!("{:#04x} in flight for {lasted} since {}, {limit}", sent.opcode, namer.clock.at(sent.sent))
}

/// What makes a queue stop its visitors.
fn queue(namer: &Namer<'_>, wait: &Wait) -> Vec<String> {
    let WaitOn::Queue { queue, dev, pm_only, freeze_depth, bio, .. } = &wait.on else { return Vec::new() };
    let mut notes = Vec::new();
    let visitor = if *bio { "a bio" } else { "the request" };
    if *freeze_depth > 0 {
        notes.push(format!("the queue is frozen (mq_freeze_depth={freeze_depth})"));
    } else {
        notes.push(format!("PM-only (pm_only={pm_only}), and {visitor} is no PM request"));
    }
    if let Some(quiesced) = namer.model.queue(*queue).and_then(|queue| queue.quiesced) {
        let at = namer.clock.at(quiesced.at);
        let whose = match quiesced.in_suspend_of {
            Some(of) => format!("in the suspend of {}", namer.device(of)),
            None => "outside of a suspend".to_owned(),
        };
        notes.push(format!("quiesced at {at} by {} {whose}", quiesced.task));
    }
    if let Some(dev) = dev {
        notes.extend(suspended_bit(namer, *dev));
    }
    notes
}

/// What `power.is_suspended` was where it was read: last as set, and after that. `device_resume()` clears
/// the bit before it waits for anything, so a clear bit does not mean that the device is resumed.
pub(crate) fn suspended_bit(namer: &Namer<'_>, dev: ObjId) -> Option<String> {
    let device = namer.model.device(dev)?;
    let is_set = |bits: crate::event::Power| bits.has(power::SUSPENDED);
    let set = device.sightings.iter().rposition(|seen| is_set(seen.power) == Some(true));
    let latest = device.sightings.last()?;
    let Some(set) = set.map(|place| &device.sightings[place]) else {
        return Some(format!(
            "power.is_suspended=0 read at {} at {}",
            latest.place,
            namer.clock.at(latest.at)
        ));
    };
    let mut text = format!("power.is_suspended=1 read at {} at {}", set.place, namer.clock.at(set.at));
    let cleared = is_set(latest.power) == Some(false);
    if cleared {
        text += &format!(", =0 at {} at {}", latest.place, namer.clock.at(latest.at));
        if device.current == Some(Step::Resume) {
            text += " (device_resume() clears it before it waits)";
        }
    }
    Some(text)
}

/// How far the device's resume is.
pub(crate) fn resume_state(namer: &Namer<'_>, dev: ObjId) -> Vec<String> {
    let name = namer.device(dev);
    vec![match progress(namer.model, dev) {
        Progress::NotBegun => format!("the resume of {name} has not begun"),
        Progress::NoCallback => format!("the resume callback of {name} has not been called"),
        Progress::InCallback => format!("the resume callback of {name} has not returned"),
        Progress::After => format!("the resume of {name} has not ended"),
    }]
}

enum Progress {
    NotBegun,
    NoCallback,
    InCallback,
    After,
}

fn progress(model: &Model, dev: ObjId) -> Progress {
    let run = model.device(dev).and_then(|device| device.step(Step::Resume));
    match run {
        None => Progress::NotBegun,
        Some(run) if run.callback.is_none() => Progress::NoCallback,
        Some(run) if run.callback_end.is_none() => Progress::InCallback,
        Some(_) => Progress::After,
    }
}
