//! Waits: locks, completions, queues, works, asynchronous calls.

use super::{begin_wait, end_wait, task, touch};
use crate::event::{Body, LockKind, ObjId, Power, TaskRef};
use crate::model::{At, CommandAsked, Lock, Model, Owned, OwnerFrom, Wait, WaitOn};

pub(super) fn apply(model: &mut Model, who: TaskRef, body: &Body, at: At) {
    let (on, stack) = match body {
        Body::LockWait { lock, lock_kind, stack, .. } => {
            let wait = Wait {
                on: WaitOn::Lock { lock: *lock, kind: *lock_kind },
                at,
                stack: stack.clone(),
                confirmed: None,
            };
            return lock_wait(model, who, body, wait);
        }
        Body::LockWaitEnd { lock, acquired } => return lock_wait_end(model, who, *lock, *acquired, at),
        Body::CompletionWait { .. } => return completion_wait(model, who, body, at),
        Body::Completed { completion, all } => return completed(model, *completion, *all),
        Body::QueueWait { .. } => return queue_wait(model, who, body, at),
        Body::FlushWork { work, function, stack } => {
            // What neither runs nor is queued is not waited for.
            if model.work(*work).is_none() && model.loss.lost == 0 && knows_works(model) {
                return;
            }
            (WaitOn::Flush { work: *work, function: *function, completion: None }, stack)
        }
        Body::AsyncWait { domain, all, stack } => (WaitOn::Async { domain: *domain, all: *all }, stack),
        _ => return,
    };
    begin_wait(model, who, Wait { on, at, stack: stack.clone(), confirmed: None });
}

/// Whether works are traced at all.
fn knows_works(model: &Model) -> bool {
    model.works.iter().next().is_some()
}

/// Notes the owner of a lock.
///
/// An RT kernel's rwsem for which a writer waits while readers are still inside names that writer
/// (kernel/locking/rwbase_rt.c): it does not wait for itself.
pub(super) fn set_owner(
    lock: &mut Lock,
    waiter: (TaskRef, LockKind),
    owner: Option<TaskRef>,
    shared: bool,
    at: At,
    from: OwnerFrom,
) {
    let (waiter, kind) = waiter;
    let names_waiter = matches!(kind, LockKind::RwsemRead | LockKind::RwsemWrite);
    let owner = owner.filter(|owner| owner.tid != 0 && !(names_waiter && owner.tid == waiter.tid));
    let before = lock.owner.filter(|before| owner.is_some_and(|owner| owner.tid == before.task.tid));
    let since = before.map_or(at, |before| before.since);
    lock.owner = owner.map(|task| Owned { task, at, since, from, shared });
}

fn lock_wait(model: &mut Model, who: TaskRef, body: &Body, wait: Wait) {
    let Body::LockWait { lock, lock_kind, owner, shared, .. } = body else { return };
    let at = wait.at;
    begin_wait(model, who, wait);
    if let Some(entry) = model.locks.get_mut(lock) {
        set_owner(entry, (who, *lock_kind), *owner, *shared, at, OwnerFrom::Read);
    }
    touch::lock_wanted(model, who, *lock, *owner, at);
    if let Some(owner) = owner {
        touch::across(model, owner.tid, at);
    }
}

fn lock_wait_end(model: &mut Model, who: TaskRef, lock: ObjId, acquired: bool, at: At) {
    // Readers share an rwsem; the one that came last is no more its owner than the others.
    let exclusive = !matches!(
        model.task(who.tid).and_then(|task| task.wait.as_ref()).map(|wait| &wait.on),
        Some(WaitOn::Lock { kind: LockKind::RwsemRead | LockKind::Other, .. })
    );
    end_wait(model, who.tid);
    if let Some(outer) = task(model, who).and_then(|task| task.outer.take()) {
        begin_wait(model, who, outer);
    }
    touch::lock_got(model, lock, at);
    if let Some(lock) = model.locks.get_mut(&lock).filter(|_| acquired && who.tid != 0) {
        let owner = Owned { task: who, at, since: at, from: OwnerFrom::Acquired, shared: false };
        lock.owner = exclusive.then_some(owner);
    }
}

fn completion_wait(model: &mut Model, who: TaskRef, body: &Body, at: At) {
    let Body::CompletionWait { completion, timeout, io, stack } = body else { return };
    let Some(task) = task(model, who) else { return };
    // Not ended by this event: the wait for a work's barrier inside of __flush_work.
    if let Some(Wait { on: WaitOn::Flush { completion: barrier, .. }, .. }) = &mut task.wait {
        let before = barrier.replace(*completion);
        if before != Some(*completion) {
            super::leave_completion(model, before, who.tid);
            super::join_completion(model, *completion, who.tid);
        }
        return;
    }
    let (within, command) = (task.device_wait, task.command);
    let on = WaitOn::Completion {
        completion: *completion,
        timeout: *timeout,
        io: *io,
        within,
        command: command.filter(|_| in_command(model, body)),
    };
    begin_wait(model, who, Wait { on, at, stack: stack.clone(), confirmed: None });
}

/// Whether a task that asked for a command waits for it, by what its stack shows.
fn in_command(model: &Model, body: &Body) -> bool {
    let Body::CompletionWait { stack, .. } = body else { return false };
    stack.is_empty()
        || stack.iter().any(|frame| {
            let name = crate::model::base_name(model.frame_name(frame));
            name.is_empty() || matches!(name, "blk_execute_rq" | "scsi_execute_cmd" | "__scsi_execute")
        })
}

fn completed(model: &mut Model, completion: ObjId, all: bool) {
    let waiters = model.completion(completion).map(|entry| entry.waiters.clone()).unwrap_or_default();
    // complete() wakes the one that came first.
    let woken = if all { waiters.len() } else { 1 };
    for tid in waiters.into_iter().take(woken) {
        end_wait(model, tid);
    }
}

fn queue_wait(model: &mut Model, who: TaskRef, body: &Body, at: At) {
    let Body::QueueWait { queue, sdev, dev, pm, nowait, bio, pm_only, freeze_depth, power, stack } = body
    else {
        return;
    };
    if let Some(entry) = model.queues.entry(*queue, Default::default) {
        entry.sdev = sdev.or(entry.sdev);
        entry.dev = dev.or(entry.dev);
        entry.pm_only = *pm_only;
    }
    sighted(model, *dev, *power, at, "the entry of its queue");
    // blk_queue_enter(): a PM request passes a queue that is merely PM-only; a frozen one stops all.
    let stops = *freeze_depth > 0 || (*pm_only > 0 && !pm);
    if *nowait || !stops {
        return;
    }
    let on = WaitOn::Queue {
        queue: *queue,
        sdev: *sdev,
        dev: *dev,
        bio: *bio,
        pm_only: *pm_only,
        freeze_depth: *freeze_depth,
        power: *power,
    };
    begin_wait(model, who, Wait { on, at, stack: stack.clone(), confirmed: None });
}

/// Notes the PM bits of a device that may be unknown.
pub(super) fn sighted(model: &mut Model, dev: Option<ObjId>, power: Power, at: At, place: &'static str) {
    if let Some(device) = dev.and_then(|dev| super::pm::device(model, dev)) {
        device.sighted(at, power, place);
    }
}

/// The device opened its queue: whoever waited to enter it goes on.
pub(super) fn queue_opened(model: &mut Model, queue: ObjId) {
    let entering: Vec<u32> = model
        .waiting()
        .filter(|&tid| {
            let wait = model.task(tid).and_then(|task| task.wait.as_ref());
            matches!(wait, Some(Wait { on: WaitOn::Queue { queue: of, freeze_depth: 0, .. }, .. }) if *of == queue)
        })
        .collect();
    for tid in entering {
        end_wait(model, tid);
    }
}

/// A SCSI command that the task asks for now.
pub(super) fn asked(model: &mut Model, who: TaskRef, command: CommandAsked) {
    if let Some(task) = task(model, who) {
        task.command = Some(command);
    }
}
