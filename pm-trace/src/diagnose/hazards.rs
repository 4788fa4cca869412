//! Races of a resume that did not hang: a context used a device, and nothing orders it after the device's resume.

use super::describe::{Clock, Namer, seconds};
use super::finding::{Confidence, Finding, Kind, Severity};
use super::graph::Node;
use super::{identity, ordering};
use crate::event::{Nanos, ObjId};
use crate::model::{Model, Touch, TouchKind, Transition};

/// One finding for each pair of device and initiator without an order.
pub(crate) fn findings(model: &Model) -> Vec<Finding> {
    // While it is under way, what overlaps may yet lock up: that is told as such.
    let transitions = model.transitions().iter().filter(|transition| transition.is_complete());
    transitions
        .flat_map(|transition| transition.touches.iter().map(move |touch| (transition, touch)))
        .filter(|(_, touch)| !touch.guarded)
        .filter_map(|(transition, touch)| finding(model, transition, touch))
        .collect()
}

fn finding(model: &Model, transition: &Transition, touch: &Touch) -> Option<Finding> {
    let namer = Namer { model, clock: Clock(transition.base()) };
    let dev = namer.device(touch.dev);
    let work = model.function_name(touch.function);
    let work = if work.is_empty() { touch.task.to_string() } else { format!("work {work}") };
    let what = match touch.kind {
        TouchKind::Rescan => format!("the rescan of {dev}"),
        _ => work.clone(),
    };
    let order = match touch.kind {
        TouchKind::LockAcrossWait => {
            let resume = format!("the resume of {}", namer.device(touch.initiator));
            Some(ordering::of_touch(&namer, transition, touch.dev, touch.initiator, &resume))
        }
        // The device itself, and it is not resumed: what ran before it can be ordered by nothing.
        TouchKind::SuspendedWork => None,
        _ => Some(ordering::of_touch(&namer, transition, touch.dev, touch.initiator, &what)),
    };
    if order.as_ref().is_some_and(|order| order.guaranteed) {
        return None;
    }
    let margin = touch.resumed.map(|resumed| touch.at.time.saturating_sub(resumed.time));
    let (title, mut explanation) = match touch.kind {
        TouchKind::LockAcrossWait => lock_across_wait(&namer, touch),
        TouchKind::SuspendedWork => suspended_work(&namer, touch, &what),
        _ => overlap(&namer, touch, &what, margin),
    };
    if let Some(on) = touch.workqueue.as_ref().filter(|on| !on.is_freezable()) {
        explanation += &format!(" It ran on the workqueue '{}', which is not freezable.", on.name);
    }
    let overlapped = touch.resumed.is_none();
    let signed = |nanos: u64| i64::try_from(nanos).unwrap_or(i64::MAX);
    let task = Node::Task(u32::try_from(touch.at.event).unwrap_or(u32::MAX));
    Some(Finding {
        id: identity::hash(Kind::Hazard, transition.number, [task].into_iter()),
        kind: Kind::Hazard,
        severity: Severity::Warning,
        confidence: if overlapped && touch.kind != TouchKind::SuspendedWork {
            Confidence::Likely
        } else {
            Confidence::Possible
        },
        cycle: transition.number,
        title,
        devices: devices(touch).map(|dev| namer.device_ref(dev)).collect(),
        tasks: vec![namer.task(touch.task)],
        chain: Vec::new(),
        ordering: order,
        behind: None,
        closed_at: Some(touch.at.time),
        lasted: None,
        base: namer.clock.0,
        base_name: transition.base_name().to_owned(),
        confirmed_at: None,
        explanation,
        advice: advice(touch.kind).to_owned(),
        known_issue: None,
        evidence: [Some(touch.set_off), touch.resumed, Some(touch.at)].into_iter().flatten().collect(),
        ended: None,
        margin: Some(margin.map_or_else(|| -signed(touch.held_up.unwrap_or_default()), signed)),
    })
}

fn devices(touch: &Touch) -> impl Iterator<Item = ObjId> {
    std::iter::once(touch.dev).chain((touch.initiator != touch.dev).then_some(touch.initiator))
}

/// Title and explanation of a device that was used too early, or nearly so.
fn overlap(namer: &Namer<'_>, touch: &Touch, what: &str, margin: Option<Nanos>) -> (String, String) {
    let dev = namer.device(touch.dev);
    let title = match (touch.kind, margin) {
        (TouchKind::DeviceLock, _) => {
            format!("{what} held the device lock of {dev} when its resume wanted it")
        }
        (_, Some(margin)) => {
            format!("{what} uses {dev} in no order with its resume, won by {}", seconds(margin))
        }
        (_, None) => format!("{what} used {dev} before it was resumed"),
    };
    let mut explanation = format!(
        "{what} was set going by {} at {} and used {dev} at {}",
        namer.device_full(touch.initiator),
        namer.clock.at(touch.set_off),
        namer.clock.at(touch.at),
    );
    explanation += &match (touch.resumed, touch.held_up) {
        (Some(resumed), _) => format!(
            ", {} after the resume of {dev} had ended at {}. Only time kept the two apart.",
            seconds(margin.unwrap_or_default()),
            namer.clock.at(resumed)
        ),
        (None, Some(held_up)) => format!("; the resume of {dev} had to wait for {}.", seconds(held_up)),
        (None, None) => format!(", when the resume of {dev} had not ended."),
    };
    (title, explanation)
}

/// The same of a lock that was held across a wait.
fn lock_across_wait(namer: &Namer<'_>, touch: &Touch) -> (String, String) {
    let (needed, wanted) = (namer.device(touch.dev), namer.device(touch.initiator));
    let lock = touch.lock.map_or_else(|| "a lock".to_owned(), |lock| namer.lock(lock).0);
    let held_up = touch.held_up.map_or_else(
        || "had to wait for it".to_owned(),
        |held_up| format!("had to wait for it for {}", seconds(held_up)),
    );
    let title = format!("{lock} was held across a wait for {needed}, and the resume of {wanted} needed it");
    let explanation = format!(
        "{} held {lock} and waited from {} for {needed}, which only its resume ends. The resume of {wanted} wanted \
         {lock} at {} and {held_up}. If the resume of {needed} ever comes to need {wanted}, or {lock}, nobody goes on.",
        touch.task,
        namer.clock.at(touch.set_off),
        namer.clock.at(touch.at),
    );
    (title, explanation)
}

/// The same of a work that a suspend left behind.
fn suspended_work(namer: &Namer<'_>, touch: &Touch, what: &str) -> (String, String) {
    let dev = namer.device(touch.dev);
    let title = format!("{what}, queued in the suspend of {dev}, ran before its resume");
    let explanation = format!(
        "{what} was queued in the suspend of {} at {} and ran at {}, among the resumes of other devices, when that of \
         {dev} had not ended.",
        namer.device_full(touch.dev),
        namer.clock.at(touch.set_off),
        namer.clock.at(touch.at),
    );
    (title, explanation)
}

fn advice(kind: TouchKind) -> &'static str {
    match kind {
        TouchKind::Rescan => {
            "Let the rescan look whether the device is running and come back later if not (as \
             scsi_rescan_device() does since ff48b37802e5), or queue it only after the device's resume. On a slower \
             path the rescan comes first, holds the device lock and waits for a queue that only the resume opens."
        }
        TouchKind::LockAcrossWait => {
            "Drop the lock before the wait and look again at what it protects afterwards, or take it only after the \
             wait. A device link or device_pm_wait_for_dev() would order the resumes, but not what else takes the lock."
        }
        TouchKind::SuspendedWork => {
            "Cancel or flush the work in the suspend callback (cancel_work_sync(), flush_work()) and queue it again in \
             resume, or use a freezable workqueue (system_freezable_wq), which stands still until all devices are \
             resumed. Neither covers runtime PM."
        }
        TouchKind::RuntimePm | TouchKind::DeviceLock => {
            "Order it: queue the work from the device's own resume, wait in the callback that queues it \
             (device_pm_wait_for_dev(), system sleep only), make a device link (with DL_FLAG_PM_RUNTIME for runtime \
             PM too), or use a freezable workqueue (system_freezable_wq), which runs when all devices are resumed."
        }
    }
}
