//! Events of the PM core: phases, devices, steps, callbacks.

use super::{end_wait, short, task, transition, transition_number};
use crate::event::{Body, DeviceInfo, DeviceWaitKind, ObjId, Power, Step, TaskRef, step_of_phase};
use crate::model::bounded::insert_capped;
use crate::model::device::{CallbackRun, LINKS};
use crate::model::path::critical_path;
use crate::model::transition::{EXPLICIT_WAITS, PHASES, WAKEUPS};
use crate::model::{
    At, Context, Device, DeviceWaiting, Link, Model, PhaseRun, StepRun, StepTime, Transition, Wakeup,
};
use pm_trace_common::pm::power;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most transitions kept.
const TRANSITIONS: usize = 4096;

pub(super) fn apply(model: &mut Model, who: TaskRef, body: &Body, at: At) {
    match body {
        Body::Phase { action, value, start } => phase(model, who, short(action), *value, *start, at),
        Body::Device(info) => describe(model, info, at),
        Body::Link { supplier, consumer, flags, status } => {
            let link = Link { supplier: *supplier, flags: *flags, status: *status };
            let Some(device) = device(model, *consumer) else { return };
            let known = device.links.iter().position(|known| known.supplier == link.supplier);
            match known {
                Some(place) => device.links[place] = link,
                None if device.links.len() < LINKS => device.links.push(link),
                None => {}
            }
        }
        Body::StepStart { dev, step, is_async, power } => {
            let run = StepRun {
                task: who,
                is_async: *is_async,
                start: at,
                end: None,
                callback: None,
                callback_end: None,
                error: 0,
            };
            step_start(model, *dev, *step, run, *power);
        }
        Body::StepEnd { dev, power } => step_end(model, *dev, *power, at),
        Body::CallbackStart { dev, ops, .. } => {
            callback_start(model, who, *dev, short(ops.trim()).into(), at);
        }
        Body::CallbackEnd { dev, error } => callback_end(model, who, *dev, *error, at),
        Body::WakeupSource { name, active } => wakeup(model, short(name), *active, at),
        Body::DeviceWait { dev, target, why } => {
            if let (DeviceWaitKind::Explicit, Some(target)) = (why, target)
                && let Some(transition) = model.transitions.last_mut()
                && transition.explicit_waits.len() < EXPLICIT_WAITS
            {
                transition.explicit_waits.insert((*dev, *target));
            }
            if let Some(task) = task(model, who) {
                task.device_wait = Some(DeviceWaiting { dev: *dev, target: *target, why: *why, at });
            }
        }
        _ => {}
    }
}

/// The device's entry, ready for the transition that is under way.
pub(super) fn device(model: &mut Model, dev: ObjId) -> Option<&mut Device> {
    let number = transition_number(model);
    let device = model.devices.entry(dev, Device::default)?;
    device.enter(number);
    Some(device)
}

/// A transition begins: nothing that was waited for or run before is known to go on, because programs
/// record only while a window is open.
pub(super) fn begin_transition(model: &mut Model, at: At) {
    let number = transition_number(model) + 1;
    if model.transitions.len() >= TRANSITIONS {
        model.transitions.pop();
        model.transitions_left += 1;
    }
    model.transitions.push(Transition { number, started: at, ..Transition::default() });
    model.tasks.clear();
    model.waiting.clear();
    model.locks.clear();
    model.completions.clear();
    model.works.clear();
    model.commands.clear();
    model.async_running.clear();
    model.runtime.clear();
    model.snapshot = None;
    for port in model.ports.values_mut() {
        port.enter(number);
    }
    for queue in model.queues.values_mut() {
        queue.quiesced = None;
    }
}

fn phase(model: &mut Model, who: TaskRef, action: &str, value: i32, start: bool, at: At) {
    let opens = matches!(action, "suspend_enter" | "sync_filesystems" | "freeze_processes" | "dpm_prepare");
    let over = model.transitions.last().is_none_or(|transition| {
        transition.ended.is_some()
            || (opens && transition.phases.iter().any(|phase| phase.action.starts_with("dpm_resume")))
            || (opens && transition.is_complete())
    });
    let thaws = action == "thaw_processes";
    if over {
        // What follows the end of a transition does not begin the next one: thawing, CPUs, the console.
        if !start || !(opens || action.starts_with("dpm_")) {
            return;
        }
        begin_transition(model, at);
    }
    let Some(transition) = model.transitions.last_mut() else { return };
    if action.starts_with("dpm_") {
        transition.task = Some(who);
    }
    if start {
        let depth = transition.phases.iter().filter(|phase| phase.end.is_none()).count();
        if transition.phases.len() < PHASES {
            let depth = u32::try_from(depth).unwrap_or(u32::MAX);
            transition.phases.push(PhaseRun {
                action: action.to_owned(),
                value,
                depth,
                start: at,
                end: None,
            });
        } else {
            transition.phases_left += 1;
        }
    } else {
        let open = transition
            .phases
            .iter_mut()
            .rev()
            .find(|phase| phase.end.is_none() && phase.action == action && phase.value == value);
        let begun = open.map(|phase| {
            phase.end = Some(at);
            phase.start
        });
        if thaws {
            transition.ended = Some(at);
        }
        path(model, action, begun, at);
    }
}

/// Works out the critical path of a phase of steps that ends.
fn path(model: &mut Model, action: &str, begun: Option<At>, at: At) {
    let (Some(begun), Some(step)) = (begun, step_of_phase(action)) else { return };
    let path = critical_path(model, step, begun, at);
    if let Some(transition) = model.transitions.last_mut()
        && transition.paths.len() < Step::ALL.len()
    {
        transition.paths.extend(path);
    }
}

/// Notes whose lock or completion it is. A device is described in each cycle: what is known already does not part the map
/// from copies of it.
fn belongs(map: &mut Arc<BTreeMap<ObjId, ObjId>>, what: ObjId, dev: ObjId) {
    if map.get(&what) != Some(&dev) {
        insert_capped(Arc::make_mut(map), what, dev);
    }
}

fn describe(model: &mut Model, info: &DeviceInfo, at: At) {
    let dev = info.dev;
    if let Some(lock) = info.lock {
        belongs(&mut model.lock_devices, lock, dev);
    }
    if let Some(completion) = info.completion {
        belongs(&mut model.completion_devices, completion, dev);
    }
    if let Some(device) = device(model, dev) {
        device.sighted(at, info.power, "its description");
        let &DeviceInfo { dev, parent, power, lock, completion, links_left, .. } = info;
        device.info = Some(Arc::new(DeviceInfo {
            dev,
            parent,
            name: short(&info.name).to_owned(),
            bus: short(&info.bus).to_owned(),
            class: short(&info.class).to_owned(),
            driver: short(&info.driver).to_owned(),
            power,
            lock,
            completion,
            links_left,
        }));
    }
}

fn step_start(model: &mut Model, dev: ObjId, step: Step, run: StepRun, power: Power) {
    let (who, at, is_async) = (run.task, run.start, run.is_async);
    if transition(model, at).is_none() {
        return;
    }
    let Some(device) = device(model, dev) else { return };
    device.sighted(at, power, step_place(step));
    device.current = Some(step);
    device.callback = None;
    let unexpected = step == Step::Resume && device.suspended.is_none() && device.step(step).is_none();
    device.start(step, run);
    if let Some(transition) = model.transitions.last_mut() {
        transition.saw_async |= is_async;
        transition.to_resume += u32::from(unexpected);
    }
    if let Some(task) = task(model, who) {
        task.device_wait = None;
        task.leave(|context| matches!(context, Context::Step { .. }));
        task.enter(Context::Step { dev, step }, at);
    }
}

fn step_place(step: Step) -> &'static str {
    match step {
        Step::Suspend => "the start of its suspend",
        Step::SuspendLate => "the start of its late suspend",
        Step::SuspendNoirq => "the start of its noirq suspend",
        Step::ResumeNoirq => "the start of its noirq resume",
        Step::ResumeEarly => "the start of its early resume",
        Step::Resume => "the start of its resume",
    }
}

fn step_end(model: &mut Model, dev: ObjId, power: Power, at: At) {
    let Some(device) = device(model, dev) else { return };
    device.sighted(at, power, "the end of a step");
    device.callback = None;
    let completion = device.info.as_ref().and_then(|info| info.completion);
    let Some(step) = device.current.take() else {
        removed(model, dev);
        return completed(model, completion);
    };
    let was_suspended = device.suspended;
    match step {
        Step::Suspend if power.has(power::SUSPENDED) != Some(false) => device.suspended = Some(at),
        Step::Resume => device.suspended = None,
        _ => {}
    }
    let is_suspended = device.suspended.is_some();
    let Some(run) = device.step_mut(step) else { return };
    run.end = Some(at);
    let (who, start, error) = (run.task, run.start, run.error);
    let callback = match (run.callback, run.callback_end) {
        (Some(start), Some(end)) => end.time.saturating_sub(start.time),
        _ => 0,
    };
    if let Some(transition) = model.transitions.last_mut() {
        let newly = u32::from(step == Step::Suspend && is_suspended && was_suspended.is_none());
        transition.suspended += newly;
        let left = |bit| power.has(bit) == Some(false);
        let given_up = step == Step::Suspend
            && left(power::SUSPENDED)
            && left(power::DIRECT_COMPLETE)
            && left(power::SYSCORE);
        transition.given_up += u32::from(given_up);
        let skipped = step == Step::Suspend && power.has(power::DIRECT_COMPLETE) == Some(true);
        transition.direct_complete += u32::from(skipped);
        transition.to_resume += newly;
        transition.resumed += u32::from(step == Step::Resume);
        let took = at.time.saturating_sub(start.time);
        transition.step_took(StepTime { dev, step, start, took, callback, error });
    }
    if let Some(task) = model.tasks.get_mut(&who.tid) {
        task.device_wait = None;
        task.leave(|context| matches!(context, Context::Step { dev: of, .. } if *of == dev));
    }
    completed(model, completion);
}

/// Somebody called `complete_all()` for the device: whoever waits for it goes on.
fn completed(model: &mut Model, completion: Option<ObjId>) {
    let waiters = completion.and_then(|completion| model.completion(completion)).map(|c| c.waiters.clone());
    for tid in waiters.unwrap_or_default() {
        end_wait(model, tid);
    }
}

/// The PM core completed a suspended device outside of any step: `device_pm_remove()`. Devices of a CPU go
/// that way when it is taken offline, and are not there to be resumed.
fn removed(model: &mut Model, dev: ObjId) {
    let in_steps = |transition: &Transition| {
        transition.phases.iter().any(|phase| phase.end.is_none() && phase.action.starts_with("dpm_"))
    };
    let Some(transition) = model.transitions.last_mut() else { return };
    // Within steps it may as well be the end of one whose start was lost or is not traced.
    if model.loss.lost > 0 || in_steps(transition) {
        return;
    }
    let was_suspended = model.devices.get_mut(&dev).and_then(|device| device.suspended.take());
    transition.to_resume = transition.to_resume.saturating_sub(u32::from(was_suspended.is_some()));
}

fn callback_start(model: &mut Model, who: TaskRef, dev: ObjId, ops: Arc<str>, at: At) {
    let Some(device) = device(model, dev) else { return };
    device.callback = Some(CallbackRun { ops: ops.clone(), start: at, task: who });
    if let Some(step) = device.current
        && let Some(run) = device.step_mut(step)
    {
        run.callback.get_or_insert(at);
    }
    if let Some(task) = task(model, who) {
        task.device_wait = None;
        task.enter(Context::Callback { dev, ops }, at);
    }
}

fn callback_end(model: &mut Model, who: TaskRef, dev: ObjId, error: i32, at: At) {
    let Some(device) = device(model, dev) else { return };
    device.callback = None;
    let resumes = device.current == Some(Step::Resume);
    if let Some(step) = device.current
        && let Some(run) = device.step_mut(step)
    {
        run.callback_end = Some(at);
        if error != 0 {
            run.error = error;
        }
    }
    if let Some(task) = model.tasks.get_mut(&who.tid) {
        task.leave(|context| matches!(context, Context::Callback { dev: of, .. } if *of == dev));
    }
    if let Some(port) = model.port_of_device(dev).and_then(|port| model.ports.get_mut(&port))
        && (resumes || port.resume_called.is_some())
    {
        port.resume_returned.get_or_insert(at);
    }
}

fn wakeup(model: &mut Model, name: &str, active: bool, at: At) {
    let Some(transition) = model.transitions.last_mut() else { return };
    let room = transition.wakeups.len() < WAKEUPS;
    let known = transition.wakeups.iter_mut().find(|wakeup| wakeup.name == name);
    match (known, active) {
        (Some(wakeup), true) => {
            wakeup.times = wakeup.times.saturating_add(1);
            wakeup.last = at;
            wakeup.over = None;
        }
        (Some(wakeup), false) => wakeup.over = Some(at),
        (None, true) if room => {
            let name = name.to_owned();
            transition.wakeups.push(Wakeup { name, times: 1, first: at, last: at, over: None });
        }
        (None, _) => {}
    }
}
