//! Works and asynchronous calls.

use super::{short, task, touch};
use crate::event::{Body, ObjId, SymId, TaskRef};
use crate::model::bounded::insert_capped;
use crate::model::transition::DEFERRED;
use crate::model::{At, Context, DeferredRescan, Model, QueuedBy, Work, WorkQueue};

pub(super) fn apply(model: &mut Model, who: TaskRef, body: &Body, at: At) {
    match body {
        Body::WorkQueued { work, function, workqueue, wq_flags, queue, max_active, interrupt } => {
            let (name, flags, max_active) = (short(workqueue), *wq_flags, *max_active);
            let on = queue.map(|queue| WorkQueue { queue, name: name.to_owned(), flags, max_active });
            let by = QueuedBy { workqueue: on, ..queued_by(model, who, at, *interrupt) };
            queued(model, *work, *function, by);
        }
        Body::WorkDelayed { work, function, delay, interrupt } => {
            let by = QueuedBy { delay: Some(*delay), ..queued_by(model, who, at, *interrupt) };
            queued(model, *work, *function, by);
        }
        Body::WorkStart { work, function } => start(model, who, *work, *function, at),
        Body::WorkEnd { work, .. } => end(model, who, *work, at),
        Body::AsyncRun { work, function, data, domain } => {
            if let Some(task) = task(model, who) {
                let (work, function, data, domain) = (*work, *function, *data, *domain);
                task.enter(Context::Async { work, function, data, domain }, at);
                insert_capped(&mut model.async_running, work, who.tid);
            }
        }
        _ => {}
    }
}

/// Who queues a work now. An interrupt is in none of the contexts of the task that it interrupted.
fn queued_by(model: &Model, who: TaskRef, at: At, interrupt: Option<bool>) -> QueuedBy {
    let context = model.task(who.tid).filter(|_| interrupt != Some(true)).and_then(|task| task.innermost());
    let context = context.map(|entered| entered.context.without_origin());
    let revalidated = match context {
        Some(Context::AtaEh { port }) => model.port(port).and_then(|port| port.revalidated),
        _ => None,
    };
    let revalidated = revalidated.filter(|done| done.task.tid == who.tid).map(|done| done.at);
    QueuedBy { task: who, at, interrupt, context, revalidated, workqueue: None, delay: None }
}

fn queued(model: &mut Model, work: ObjId, function: Option<SymId>, by: QueuedBy) {
    let Some(entry) = model.works.entry(work, Work::default) else { return };
    entry.function = function.or(entry.function);
    if let Some(pending) = &mut entry.queued {
        // The timer of a delayed work queues it in the name of whom it interrupts; who asked for the delay
        // counts. Asking for what is pending changes nothing.
        if pending.workqueue.is_none() {
            pending.workqueue = by.workqueue;
        }
        return;
    }
    let by_itself = entry.running == Some(by.task.tid) && by.interrupt != Some(true);
    if !by_itself {
        entry.origin = Some(by.clone());
        if entry.running.is_none() {
            entry.deferrals = 0;
            entry.first_deferral = None;
        }
    } else if by.delay.is_some_and(|delay| delay > 0) {
        entry.deferrals = entry.deferrals.saturating_add(1);
        entry.first_deferral.get_or_insert(by.at);
        entry.deferred_in_run = true;
    }
    entry.queued = Some(by);
}

fn start(model: &mut Model, who: TaskRef, work: ObjId, function: Option<SymId>, at: At) {
    forget_runs(model, who.tid);
    let Some(entry) = model.works.entry(work, Work::default) else { return };
    entry.function = function.or(entry.function);
    entry.runs_on = entry.queued.take().and_then(|queued| queued.workqueue);
    entry.running = Some(who.tid);
    entry.started = Some(at);
    entry.deferred_in_run = false;
    let (origin, deferrals) = (entry.origin.clone().map(Box::new), entry.deferrals);
    if let Some(task) = task(model, who) {
        task.enter(Context::Work { work, function, origin, deferrals }, at);
    }
    touch::started(model, who, at);
}

/// A worker that starts a work is in nothing else: the end of what it seemed to run was lost.
fn forget_runs(model: &mut Model, tid: u32) {
    let Some(task) = model.tasks.get_mut(&tid) else { return };
    let contexts = std::mem::take(&mut task.contexts);
    for entered in contexts {
        match entered.context {
            Context::Async { work, .. } => {
                model.async_running.remove(&work);
            }
            Context::Work { work, .. } => drop_run(model, tid, work),
            _ => {}
        }
    }
}

/// The worker runs the work no longer; a work that nobody queued again is forgotten.
fn drop_run(model: &mut Model, tid: u32, work: ObjId) {
    let Some(entry) = model.works.get_mut(&work) else { return };
    if entry.running == Some(tid) {
        entry.running = None;
        entry.started = None;
        entry.runs_on = None;
    }
    if entry.queued.is_none() && entry.running.is_none() {
        model.works.remove(&work);
    }
}

fn end(model: &mut Model, who: TaskRef, work: ObjId, at: At) {
    rescan_ended(model, work, at);
    // No work leaves a lock to its worker: who waits for one still was slow to take what it was given.
    let left =
        model.locks.values_mut().filter(|lock| lock.owner.is_some_and(|owned| owned.task.tid == who.tid));
    left.for_each(|lock| lock.owner = None);
    model.async_running.remove(&work);
    if let Some(task) = model.tasks.get_mut(&who.tid) {
        task.leave(|context| matches!(context, Context::Work { work: of, .. } if *of == work));
        task.command = None;
    }
    drop_run(model, who.tid, work);
}

/// Notes a rescan that went through after it had put itself off.
fn rescan_ended(model: &mut Model, work: ObjId, at: At) {
    let Some(&port) = model.rescan_works.get(&work) else { return };
    let Some(entry) = model.works.get_mut(&work) else { return };
    if entry.deferred_in_run || entry.deferrals == 0 {
        return;
    }
    let (Some(first), Some(ran)) = (entry.first_deferral, entry.started) else { return };
    let origin = entry.origin.as_ref().map(|origin| origin.task);
    let rescan = DeferredRescan { port, times: entry.deferrals, first, ran, ended: at, origin };
    entry.deferrals = 0;
    entry.first_deferral = None;
    if let Some(transition) = model.transitions.last_mut()
        && transition.deferred.len() < DEFERRED
    {
        transition.deferred.push(rescan);
    }
}
