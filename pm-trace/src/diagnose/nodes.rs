//! What the nodes of the wait-for graph stand for.

use crate::event::{ObjId, Step};
use crate::model::{Context, Device, Direction, Model, Owned, OwnerFrom};
use pm_trace_common::pm::power;

/// The step of the phase that is under way.
pub(crate) fn step_of_phase(model: &Model) -> Option<Step> {
    let transition = model.transition()?;
    let open = transition.phases.iter().rev().filter(|phase| phase.end.is_none());
    open.filter_map(|phase| crate::event::step_of_phase(&phase.action)).next()
}

/// The step of the device that a wait for its PM completion waits for: the one under way, or the one of
/// this phase if that is still to come. `None` if it is over.
pub(crate) fn step_waited_for(model: &Model, dev: ObjId) -> Option<Step> {
    let device = model.device(dev)?;
    if let Some(step) = device.current {
        return Some(step);
    }
    let step = step_of_phase(model)?;
    let to_come = match step {
        Step::Resume => device.suspended.is_some() && device.step(step).is_none(),
        Step::Suspend | Step::SuspendLate | Step::SuspendNoirq => false,
        Step::ResumeEarly => {
            device.step(Step::SuspendLate).is_some_and(|run| run.end.is_some()) && device.step(step).is_none()
        }
        Step::ResumeNoirq => {
            device.step(Step::SuspendNoirq).is_some_and(|run| run.end.is_some())
                && device.step(step).is_none()
        }
    };
    to_come.then_some(step)
}

/// The step that opens a queue which the device's suspend closed: its resume, until that has ended.
pub(crate) fn reopening_step(model: &Model, dev: ObjId) -> Option<Step> {
    let device = model.device(dev)?;
    let resumes = device.current == Some(Step::Resume);
    (resumes || device.suspended.is_some()).then_some(Step::Resume)
}

/// Whether the device's steps run asynchronously; `None` if its bits were never read.
pub(crate) fn is_async(model: &Model, dev: ObjId) -> Option<bool> {
    let transition = model.transition()?;
    if !transition.saw_async {
        return Some(false);
    }
    let device = model.device(dev)?;
    let bits = device.sightings.last().map(|seen| seen.power);
    bits.or(device.info.as_ref().map(|info| info.power))?.has(power::ASYNC)
}

/// A task that must hold the lock because of where it is, when the lock itself does not say.
pub(crate) fn inferred_owner(model: &Model, lock: ObjId) -> Option<Owned> {
    let waits_for_it = |tid: u32| model.lock(lock).is_some_and(|entry| entry.waiters.contains(&tid));
    let rescans = |wanted: &dyn Fn(&Context) -> bool| {
        model.waiting().filter(|&tid| !waits_for_it(tid)).find_map(|tid| {
            let task = model.task(tid)?;
            let entered = task.contexts.iter().find(|entered| wanted(&entered.context))?;
            Some(Owned {
                task: task.who,
                at: entered.at,
                since: entered.at,
                from: OwnerFrom::Acquired,
                shared: false,
            })
        })
    };
    if let Some(port) = model.port_of_scan_mutex(lock) {
        return rescans(&|context| matches!(context, Context::AtaRescan { port: of } if *of == port));
    }
    let dev = model.device_of_lock(lock)?;
    rescans(&|context| match context {
        Context::ScsiRescan { dev: of, .. } => *of == Some(dev),
        Context::Callback { dev: of, ops } => *of == dev && !ops.contains("noirq") && !ops.contains("early"),
        _ => false,
    })
}

/// Devices whose step of this phase has not ended, and all.
pub(crate) fn devices_not_done(model: &Model) -> (u32, u32) {
    let Some(transition) = model.transition() else { return (0, 0) };
    match transition.direction() {
        Direction::Resume => (transition.to_resume.saturating_sub(transition.resumed), transition.to_resume),
        Direction::Suspend => {
            let all = model.devices().filter(|(_, device)| is_known(device)).count();
            let all = u32::try_from(all).unwrap_or(u32::MAX);
            (all.saturating_sub(transition.suspended), all)
        }
    }
}

fn is_known(device: &Device) -> bool {
    device.info.is_some()
}
