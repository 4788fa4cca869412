//! Notes who uses a device around its resume without belonging to it.

use super::task;
use crate::event::{ObjId, Step, TaskRef};
use crate::model::transition::TOUCHES;
use crate::model::{At, Context, Model, Owned, OwnerFrom, QueuedBy, Task, Touch, TouchKind, Wait, WaitOn};

/// Who set going what a task does.
struct Initiator {
    dev: ObjId,
    at: At,
    guarded: bool,
}

/// The task uses the device.
pub(super) fn touched(model: &mut Model, who: TaskRef, dev: ObjId, kind: TouchKind, at: At) {
    if let Some(touch) = touch(model, who, dev, kind, at) {
        note(model, touch);
    }
}

/// Notes it, once for each pair of devices.
fn note(model: &mut Model, touch: Touch) {
    let Some(transition) = model.transitions.last_mut() else { return };
    let key = |touch: &Touch| (touch.dev, touch.kind, touch.initiator, touch.lock);
    let same = |other: &Touch| key(other) == key(&touch);
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
        lock: None,
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
    let of_lock = model.device_of_lock(lock);
    let Some(transition) = model.transitions.last_mut() else { return };
    for touch in &mut transition.touches {
        let of_device = touch.kind == TouchKind::DeviceLock && Some(touch.dev) == of_lock;
        if of_device || touch.lock == Some(lock) {
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

/// A lock of the task is wanted: whether its wait for the resume of one device keeps that of another from the lock.
///
/// Only what was read from the lock in that wait is certain. Whoever is seen to hold a lock and waits later may have let
/// go in between, and who is to have it next may be slow to say so. (`dpm_list_mtx` is such a lock: whoever resumes a
/// device takes it for a moment before it waits for the parent.) A mutex is read again then: who wants it spins as long
/// as its owner runs, and tells of its own sleep when that one has gone to sleep.
pub(super) fn across(model: &mut Model, owner: u32, at: At) {
    let touches = held_across(model, owner, at);
    for touch in touches {
        note(model, touch);
    }
}

fn held_across(model: &Model, owner: u32, at: At) -> Vec<Touch> {
    let Some(task) = model.task(owner) else { return Vec::new() };
    let Some(wait) = &task.wait else { return Vec::new() };
    let Some(needed) = resume_needed(model, wait) else { return Vec::new() };
    let holds = |owned: Owned| {
        owned.task.tid == owner && owned.from == OwnerFrom::Read && !owned.shared && owned.at >= wait.at
    };
    let held = model.locks.iter().filter(|(_, lock)| lock.owner.is_some_and(holds));
    let wanted = held.flat_map(|(&lock, entry)| entry.waiters.iter().map(move |&waiter| (lock, waiter)));
    let (work, function) = task.work().map_or((None, None), |(work, function, _)| (Some(work), function));
    let workqueue = work.and_then(|work| model.work(work)?.runs_on.clone());
    wanted
        .filter_map(|(lock, waiter)| Some((lock, resumes(model.task(waiter)?)?)))
        .filter(|&(_, resumed)| resumed != needed)
        .map(|(lock, resumed)| Touch {
            dev: needed,
            kind: TouchKind::LockAcrossWait,
            at,
            task: task.who,
            function,
            workqueue: workqueue.clone(),
            initiator: resumed,
            set_off: wait.at,
            resumed: None,
            lock: Some(lock),
            held_up: None,
            guarded: false,
        })
        .collect()
}

/// The device in whose resume the task is.
fn resumes(task: &Task) -> Option<ObjId> {
    task.contexts.iter().rev().find_map(|entered| match entered.context {
        Context::Step { dev, step: Step::Resume | Step::ResumeEarly | Step::ResumeNoirq } => Some(dev),
        _ => None,
    })
}

/// The device whose resume the wait needs.
fn resume_needed(model: &Model, wait: &Wait) -> Option<ObjId> {
    let dev = match &wait.on {
        WaitOn::Completion { completion, .. } => model.device_of_completion(*completion)?,
        WaitOn::Queue { dev: Some(dev), freeze_depth: 0, .. } => *dev,
        _ => return None,
    };
    let device = model.device(dev)?;
    (device.suspended.is_some() || device.current == Some(Step::Resume)).then_some(dev)
}

/// A work starts: whether the suspend of a device queued it, and it runs among resumes.
pub(super) fn started(model: &mut Model, who: TaskRef, at: At) {
    if let Some(touch) = left_behind(model, who, at) {
        note(model, touch);
    }
}

fn left_behind(model: &Model, who: TaskRef, at: At) -> Option<Touch> {
    let transition = model.transition().filter(|transition| !transition.is_complete())?;
    let began = transition.phases.iter().find(|phase| phase.action.starts_with("dpm_resume"))?.start;
    let task = model.task(who.tid)?;
    let (work, function, origin) = task.work()?;
    // An interrupt may queue anything in the middle of anybody's callback: the suspend has to be known to be the one.
    let origin = origin.filter(|origin| origin.at < began && origin.interrupt == Some(false))?;
    let dev = match origin.context.as_ref()? {
        Context::Step { dev, step: Step::Suspend | Step::SuspendLate | Step::SuspendNoirq }
        | Context::Callback { dev, .. } => *dev,
        _ => return None,
    };
    let on = model.work(work)?.runs_on.clone().filter(|on| !on.is_freezable())?;
    // Whatever uses the device after its resume is in order.
    let device = model.device(dev)?;
    let resumed = device.step(Step::Resume).and_then(|run| run.end);
    if resumed.is_some() || device.suspended.is_none() && device.current != Some(Step::Resume) {
        return None;
    }
    // The PM core's own calls.
    let name = crate::model::base_name(model.function_name(function));
    if matches!(name, "async_run_entry_fn" | "pm_runtime_work") {
        return None;
    }
    Some(Touch {
        dev,
        kind: TouchKind::SuspendedWork,
        at,
        task: who,
        function,
        workqueue: Some(on),
        initiator: dev,
        set_off: origin.at,
        resumed: None,
        lock: None,
        held_up: None,
        guarded: false,
    })
}
