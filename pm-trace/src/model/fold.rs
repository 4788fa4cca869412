//! One event into the model: dispatch, and the beginning and end of waits.
//!
//! Locks say when a wait for them ends. Other waits have no such event: they are over when their task is
//! seen doing what only a running task can do, when what they wait for happens, or when a look at all
//! blocked tasks does not find them.

mod eh;
mod pm;
mod runtime;
mod snapshot;
mod storage;
mod sync;
mod touch;
mod work;

use super::bounded::short;
use super::{At, Model, Symbol, Task, Transition, Wait, WaitOn};
use crate::event::{AtaOp, Body, CommandStage, Event, ObjId, TaskRef};

/// Most programs told apart in the count of lost records.
const HOOKS: usize = 64;

pub(super) fn apply(model: &mut Model, event: &Event, at: At) {
    let task = event.task;
    if only_when_running(&event.body) {
        ran(model, task, &event.body, at);
    }
    match &event.body {
        Body::Symbol { id, name, module } => {
            let symbol = Symbol { name: short(name).to_owned(), module: short(module).to_owned() };
            if let Some(slot) = model.symbols.entry(*id, || symbol.clone()) {
                *slot = symbol;
            }
        }
        Body::Lost { .. } | Body::Undecoded { .. } => loss(model, &event.body, at),
        Body::Tracer => {
            if let Some(task) = self::task(model, task) {
                task.is_tracer = true;
            }
        }
        Body::Phase { .. }
        | Body::Device(_)
        | Body::Link { .. }
        | Body::StepStart { .. }
        | Body::StepEnd { .. }
        | Body::CallbackStart { .. }
        | Body::CallbackEnd { .. }
        | Body::WakeupSource { .. }
        | Body::DeviceWait { .. } => pm::apply(model, task, &event.body, at),
        Body::RuntimePm { .. } | Body::RuntimePmEnd { .. } => runtime::apply(model, task, &event.body, at),
        Body::LockWait { .. }
        | Body::LockWaitEnd { .. }
        | Body::CompletionWait { .. }
        | Body::Completed { .. }
        | Body::QueueWait { .. }
        | Body::FlushWork { .. }
        | Body::AsyncWait { .. } => sync::apply(model, task, &event.body, at),
        Body::WorkQueued { .. }
        | Body::WorkDelayed { .. }
        | Body::WorkStart { .. }
        | Body::WorkEnd { .. }
        | Body::AsyncRun { .. } => work::apply(model, task, &event.body, at),
        Body::Ata(port) => storage::ata(model, task, port, at),
        Body::AtaEhEnd { port } => eh::ended(model, task, *port, at),
        Body::AtaReset { port, result, .. } => eh::reset(model, *port, *result, at),
        Body::Scsi(device) => storage::scsi(model, task, device, at),
        Body::ScsiCommand { .. } => storage::command(model, task, &event.body, at),
        Body::ScsiEhWakeup { .. } | Body::Blocked { .. } => {}
        Body::TaskSnapshot { .. } | Body::SnapshotEnd { .. } => snapshot::apply(model, task, &event.body, at),
    }
}

/// Whether the event's task itself must have run to cause it. Excluded is what an interrupt may do in the
/// name of the task it interrupted, perhaps between the start of a wait and the sleep, and what others say
/// about the task.
fn only_when_running(body: &Body) -> bool {
    match body {
        Body::Symbol { .. }
        | Body::Lost { .. }
        | Body::Undecoded { .. }
        | Body::Tracer
        | Body::Device(_)
        | Body::Link { .. }
        | Body::WorkQueued { .. }
        | Body::WorkDelayed { .. }
        | Body::Completed { .. }
        | Body::ScsiEhWakeup { .. }
        // Often an interrupt.
        | Body::WakeupSource { .. }
        // A wait for an event may be woken, look, and sleep on.
        | Body::Blocked { .. }
        | Body::TaskSnapshot { .. }
        | Body::SnapshotEnd { .. } => false,
        Body::ScsiCommand { stage, .. } => *stage == CommandStage::Execute,
        _ => true,
    }
}

/// The task runs: its wait is over, unless the event is a part of it.
fn ran(model: &mut Model, who: TaskRef, body: &Body, at: At) {
    if who.tid == 0 {
        return;
    }
    let inside = matches!(body, Body::CompletionWait { .. }) && flushes(model, who.tid, body);
    let mut outer = None;
    if !inside && !matches!(body, Body::LockWaitEnd { .. }) {
        outer = end_wait(model, who.tid).filter(|_| looks_again(model, body));
    }
    let Some(task) = task(model, who) else { return };
    task.ran = at;
    if !matches!(body, Body::LockWaitEnd { .. }) {
        task.outer = outer;
    }
    let command_goes_on = matches!(body, Body::QueueWait { .. } | Body::CompletionWait { .. });
    if !command_goes_on {
        task.command = None;
    }
}

/// Whether the wait for a completion is how `__flush_work` waits for the work's barrier.
fn flushes(model: &Model, tid: u32, body: &Body) -> bool {
    let waits = model.task(tid).and_then(|task| task.wait.as_ref());
    let (Some(Wait { on: WaitOn::Flush { .. }, .. }), Body::CompletionWait { stack, .. }) = (waits, body)
    else {
        return false;
    };
    stack.is_empty()
        || stack.iter().take(4).any(|frame| {
            let name = super::base_name(model.frame_name(frame));
            name.is_empty() || name.ends_with("flush_work")
        })
}

/// Whether the lock is that of a wait queue on which the task is about to sleep again: it was woken, as others on that
/// queue were, and what it waits for has not happened. On an RT kernel such a lock may have to be waited for
/// (`prepare_to_wait_event()` in kernel/sched/wait.c).
fn looks_again(model: &Model, body: &Body) -> bool {
    let Body::LockWait { stack, .. } = body else { return false };
    stack.iter().take(4).any(|frame| model.frame_name(frame).starts_with("prepare_to_wait"))
}

/// The task's entry; `None` for an idle task, which is one per CPU under one number, and if there is no room.
fn task(model: &mut Model, who: TaskRef) -> Option<&mut Task> {
    if who.tid == 0 {
        return None;
    }
    let task = model.tasks.entry(who.tid, || Task::new(who))?;
    task.who = who;
    Some(task)
}

/// The task waits from now on.
fn begin_wait(model: &mut Model, who: TaskRef, wait: Wait) {
    end_wait(model, who.tid);
    let (on, tid) = (wait.on.clone(), who.tid);
    let Some(task) = task(model, who) else { return };
    task.wait = Some(wait);
    model.waiting.insert(tid);
    match on {
        WaitOn::Lock { lock, .. } => {
            if let Some(lock) = model.locks.entry(lock, Default::default) {
                lock.waiters.push(tid);
            }
        }
        WaitOn::Completion { completion, .. } => join_completion(model, completion, tid),
        _ => {}
    }
}

/// The task waits no longer.
fn end_wait(model: &mut Model, tid: u32) -> Option<Wait> {
    if !model.waiting.remove(&tid) {
        return None;
    }
    let wait = model.tasks.get_mut(&tid)?.wait.take()?;
    match wait.on {
        WaitOn::Lock { lock, .. } => {
            if let Some(entry) = model.locks.get_mut(&lock) {
                entry.waiters.retain(|&waiter| waiter != tid);
                if entry.waiters.is_empty() {
                    model.locks.remove(&lock);
                }
            }
        }
        WaitOn::Completion { completion, .. } => leave_completion(model, Some(completion), tid),
        WaitOn::Flush { completion, .. } => leave_completion(model, completion, tid),
        _ => {}
    }
    Some(wait)
}

/// The task waits for the completion.
fn join_completion(model: &mut Model, completion: ObjId, tid: u32) {
    if let Some(entry) = model.completions.entry(completion, Default::default) {
        entry.waiters.push(tid);
    }
}

/// The task waits for the completion no longer.
fn leave_completion(model: &mut Model, completion: Option<ObjId>, tid: u32) {
    let Some(completion) = completion else { return };
    if let Some(entry) = model.completions.get_mut(&completion) {
        entry.waiters.retain(|&waiter| waiter != tid);
        if entry.waiters.is_empty() {
            model.completions.remove(&completion);
        }
    }
}

/// The transition that is under way; begins one if there is none.
fn transition(model: &mut Model, at: At) -> Option<&mut Transition> {
    if model.transitions.last().is_none_or(Transition::is_complete) {
        pm::begin_transition(model, at);
    }
    model.transitions.last_mut()
}

/// Number of the transition that is under way or was last; 0 before the first.
fn transition_number(model: &Model) -> u32 {
    model.transitions.last().map_or(0, |transition| transition.number)
}

fn loss(model: &mut Model, body: &Body, at: At) {
    let mut current = model.transitions.last_mut().filter(|transition| transition.ended.is_none());
    match body {
        Body::Lost { records, hook } => {
            model.loss.lost = model.loss.lost.saturating_add(*records);
            model.loss.last_lost = Some(at);
            let hook = short(hook);
            if model.loss.hooks.len() < HOOKS || model.loss.hooks.contains_key(hook) {
                let count = model.loss.hooks.entry(hook.to_owned()).or_default();
                *count = count.saturating_add(*records);
            }
            if let Some(transition) = &mut current {
                transition.lost = transition.lost.saturating_add(*records);
            }
        }
        Body::Undecoded { records, reason } => {
            if model.loss.undecoded == 0 {
                model.loss.reason = short(reason).to_owned();
            }
            model.loss.undecoded = model.loss.undecoded.saturating_add(*records);
            if let Some(transition) = &mut current {
                transition.undecoded = transition.undecoded.saturating_add(*records);
            }
        }
        _ => {}
    }
}

/// Whether the event at this place of libata is error handling at work.
fn is_error_handling(what: AtaOp) -> bool {
    matches!(what, AtaOp::Eh | AtaOp::EhPortResume | AtaOp::EhRecover | AtaOp::Revalidate)
}
