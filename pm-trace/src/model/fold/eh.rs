//! Error handling of ATA ports: how long it runs, and how long it resets links.

use super::end_wait;
use crate::event::{ObjId, TaskRef};
use crate::model::transition::EH_RUNS;
use crate::model::{At, Context, EhRun, Model, WaitOn};

/// The run of error handling of the port that was not seen to end.
fn open(model: &mut Model, port: ObjId) -> Option<&mut EhRun> {
    let runs = &mut model.transitions.last_mut()?.error_handling;
    runs.iter_mut().rev().find(|run| run.port == port && !run.ended)
}

/// Error handling begins, anew if the end of the last one was not seen.
pub(super) fn begun(model: &mut Model, port: ObjId, at: At) {
    if let Some(run) = open(model, port) {
        run.ended = true;
    }
    if let Some(port) = model.ports.get_mut(&port) {
        port.resetting = None;
    }
    let Some(transition) = model.transitions.last_mut() else { return };
    if transition.error_handling.len() < EH_RUNS {
        let run =
            EhRun { port, start: at, last: at, ended: false, resets: 0, resets_failed: 0, resetting: 0 };
        transition.error_handling.push(run);
    }
}

/// It is at work.
pub(super) fn goes_on(model: &mut Model, port: ObjId, at: At) {
    if let Some(run) = open(model, port) {
        run.last = at;
    }
}

/// Its thread sleeps until it is needed again.
pub(super) fn ended(model: &mut Model, who: TaskRef, port: ObjId, at: At) {
    if let Some(run) = open(model, port) {
        run.last = at;
        run.ended = true;
    }
    if let Some(task) = model.tasks.get_mut(&who.tid) {
        task.leave(|context| matches!(context, Context::AtaEh { .. }));
    }
    let waits = |tid: u32| {
        let wait = model.task(tid).and_then(|task| task.wait.as_ref());
        wait.is_some_and(|wait| matches!(wait.on, WaitOn::AtaEh { port: of } if of == port))
    };
    let waiting: Vec<u32> = model.waiting().filter(|&tid| waits(tid)).collect();
    for tid in waiting {
        end_wait(model, tid);
    }
}

/// A reset of one of its links starts, or ends with a result.
pub(super) fn reset(model: &mut Model, port: ObjId, result: Option<i32>, at: At) {
    goes_on(model, port, at);
    let Some(entry) = model.ports.get_mut(&port) else { return };
    let Some(result) = result else {
        entry.resetting = Some(at);
        return;
    };
    let Some(start) = entry.resetting.take() else { return };
    if let Some(run) = open(model, port) {
        run.resets = run.resets.saturating_add(1);
        run.resets_failed = run.resets_failed.saturating_add(u32::from(result != 0));
        run.resetting = run.resetting.saturating_add(at.time.saturating_sub(start.time));
    }
}
