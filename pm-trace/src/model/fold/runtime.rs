//! Runtime PM: who resumes or suspends a device, and who waits for that.

use super::sync::sighted;
use super::{begin_wait, end_wait, task, touch};
use crate::event::{Body, ObjId, TaskRef};
use crate::model::{At, Context, Model, RuntimeRun, TouchKind, Wait, WaitOn};

/// `enum rpm_status` (include/linux/pm.h).
const RESUMING: u32 = 1;
const SUSPENDING: u32 = 3;
/// `RPM_ASYNC | RPM_NOWAIT` (include/linux/pm_runtime.h): the call does not wait for another one.
const NO_WAIT: u32 = 1 << 0 | 1 << 1;

pub(super) fn apply(model: &mut Model, who: TaskRef, body: &Body, at: At) {
    match body {
        Body::RuntimePm { dev, resume, status, flags, power, stack } => {
            if *resume {
                touch::touched(model, who, *dev, TouchKind::RuntimePm, at);
            }
            sighted(model, Some(*dev), *power, at, "a call of runtime PM");
            let under_way = match *status {
                RESUMING => *resume,
                SUSPENDING => true,
                _ => false,
            };
            if under_way {
                if flags & NO_WAIT == 0 {
                    let on = WaitOn::Runtime { dev: *dev };
                    begin_wait(model, who, Wait { on, at, stack: stack.clone(), confirmed: None });
                }
            } else if !matches!(*status, RESUMING | SUSPENDING) {
                begin(model, who, *dev, *resume, at);
            }
        }
        Body::RuntimePmEnd { dev, .. } => end(model, who, *dev),
        _ => {}
    }
}

fn begin(model: &mut Model, who: TaskRef, dev: ObjId, resume: bool, at: At) {
    if who.tid == 0 {
        return;
    }
    if let Some(run) = model.runtime.entry(dev, || RuntimeRun { task: who, at, resume }) {
        *run = RuntimeRun { task: who, at, resume };
    }
    if let Some(task) = task(model, who) {
        task.enter(Context::Runtime { dev, resume }, at);
    }
}

fn end(model: &mut Model, who: TaskRef, dev: ObjId) {
    if let Some(task) = model.tasks.get_mut(&who.tid) {
        task.leave(|context| matches!(context, Context::Runtime { dev: of, .. } if *of == dev));
    }
    if model.runtime.get(&dev).is_none_or(|run| run.task.tid != who.tid) {
        return;
    }
    model.runtime.remove(&dev);
    let waiting: Vec<u32> = model
        .waiting()
        .filter(|&tid| {
            let wait = model.task(tid).and_then(|task| task.wait.as_ref());
            matches!(wait, Some(Wait { on: WaitOn::Runtime { dev: of }, .. }) if *of == dev)
        })
        .collect();
    for tid in waiting {
        end_wait(model, tid);
    }
}
