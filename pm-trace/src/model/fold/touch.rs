//! Notes who uses a device around its resume without belonging to it.

use super::task;
use crate::event::{ObjId, Step, TaskRef};
use crate::model::transition::TOUCHES;
use crate::model::{At, Context, Model, QueuedBy, Task, Touch, TouchKind};

/// Who set going what a task does.
struct Initiator {
    dev: ObjId,
    at: At,
    guarded: bool,
}

/// The task uses the device.
pub(super) fn touched(model: &mut Model, who: TaskRef, dev: ObjId, kind: TouchKind, at: At) {
    let Some(touch) = touch(model, who, dev, kind, at) else { return };
    let Some(transition) = model.transitions.last_mut() else { return };
    let same = |other: &Touch| (other.dev, other.kind, other.initiator) == (dev, kind, touch.initiator);
    if transition.touches.len() < TOUCHES && !transition.touches.iter().any(same) {
        transition.touches.push(touch);
    }
}

fn touch(model: &Model, who: TaskRef, dev: ObjId, kind: TouchKind, at: At) -> Option<Touch> {
    let task = model.task(who.tid)?;
    let device = model.device(dev)?;
    let belongs = task
        .contexts
        .iter()
        .any(|entered| matches!(entered.context, Context::Step { dev: of, .. } if of == dev));
    if belongs {
        return None;
    }
    let resumed = device.step(Step::Resume).and_then(|run| run.end);
    if resumed.is_none() && device.suspended.is_none() && device.current != Some(Step::Resume) {
        return None;
    }
    let initiator = initiator(model, task)?;
    // What was set going after the device's resume comes after it by itself.
    if initiator.dev == dev || resumed.is_some_and(|resumed| initiator.at >= resumed) {
        return None;
    }
    let (work, function) = task.work().map_or((None, None), |(work, function, _)| (Some(work), function));
    let workqueue = work.and_then(|work| model.work(work)?.runs_on.clone());
    Some(Touch {
        dev,
        kind,
        at,
        task: who,
        function,
        workqueue,
        initiator: initiator.dev,
        set_off: initiator.at,
        resumed,
        held_up: None,
        guarded: initiator.guarded,
    })
}

fn initiator(model: &Model, task: &Task) -> Option<Initiator> {
    if let Some(port_id) = task.rescans_port() {
        let port = model.port(port_id)?;
        let at = port.power_request.map(|request| request.by.at).or(port.resume_called)?;
        let since = task.contexts.iter().rev().find_map(|entered| match entered.context {
            Context::AtaRescan { .. } => Some(entered.at),
            _ => None,
        });
        // It looked whether the device was ready, or has put itself off before because it was not.
        let put_off = task
            .contexts
            .iter()
            .any(|entered| matches!(entered.context, Context::Work { deferrals: 1.., .. }));
        let guarded = put_off || task.resumed_sdev.is_some_and(|at| Some(at) >= since);
        return Some(Initiator { dev: port.dev?, at, guarded });
    }
    let (_, _, origin) = task.work()?;
    let QueuedBy { context: Some(context), at, .. } = origin? else { return None };
    let dev = match context {
        Context::Step { dev, .. } | Context::Callback { dev, .. } => *dev,
        _ => return None,
    };
    Some(Initiator { dev, at: *at, guarded: false })
}

/// The device's own resume begins to wait for its device lock, which this task holds.
pub(super) fn lock_wanted(model: &mut Model, waiter: TaskRef, lock: ObjId, owner: Option<TaskRef>, at: At) {
    let (Some(dev), Some(owner)) = (model.device_of_lock(lock), owner) else { return };
    let resumes = |task: &Task| {
        task.contexts.iter().any(|entered| {
            matches!(entered.context, Context::Step { dev: of, step: Step::Resume | Step::ResumeEarly | Step::ResumeNoirq } if of == dev)
        })
    };
    if model.task(waiter.tid).is_some_and(resumes) {
        touched(model, owner, dev, TouchKind::DeviceLock, at);
    }
}

/// That wait is over.
pub(super) fn lock_got(model: &mut Model, lock: ObjId, at: At) {
    let Some(dev) = model.device_of_lock(lock) else { return };
    let touches = model.transitions.last_mut().into_iter().flat_map(|transition| &mut transition.touches);
    for touch in touches {
        if touch.dev == dev && touch.kind == TouchKind::DeviceLock {
            touch.held_up.get_or_insert(at.time.saturating_sub(touch.at.time));
        }
    }
}

/// libata made sure that the device is ready, or will be asked again later (`scsi_resume_device`).
pub(super) fn made_ready(model: &mut Model, who: TaskRef, at: At) {
    if let Some(task) = task(model, who) {
        task.resumed_sdev = Some(at);
    }
}
