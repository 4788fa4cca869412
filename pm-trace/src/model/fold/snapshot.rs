//! The live collector's look at all blocked tasks: confirms what events say, and corrects it.

use super::{begin_wait, end_wait, sync::set_owner};
use crate::event::{Body, LockKind, Nanos, ObjId, Stack, TaskRef};
use crate::model::{At, Model, OwnerFrom, Snapshot, Task, Wait, WaitOn};

pub(super) fn apply(model: &mut Model, who: TaskRef, body: &Body, at: At) {
    match body {
        Body::TaskSnapshot { since, lock, owner, stack, shared, .. } if who.tid != 0 => {
            let seen = Seen { since: *since, lock: *lock, owner: *owner, shared: *shared, stack };
            shown(model, who, &seen, at);
        }
        Body::SnapshotEnd { began, tasks } => {
            let since = |task: &Task| task.shown.is_some_and(|shown| shown.time >= *began);
            let shown = model.tasks.iter().filter(|(_, task)| since(task)).count();
            let whole = u32::try_from(shown).is_ok_and(|shown| shown >= *tasks);
            model.snapshot = Some(Snapshot { began: *began, at, whole });
            if whole {
                forget_absent(model, *began);
            }
        }
        _ => {}
    }
}

/// A blocked task as the snapshot shows it.
struct Seen<'a> {
    since: Option<Nanos>,
    lock: Option<ObjId>,
    owner: Option<TaskRef>,
    shared: bool,
    stack: &'a Stack,
}

fn shown(model: &mut Model, who: TaskRef, seen: &Seen<'_>, at: At) {
    let wait = model.task(who.tid).and_then(|task| task.wait.as_ref());
    let waits_for = match wait.map(|wait| &wait.on) {
        Some(WaitOn::Lock { lock, .. }) => Some(*lock),
        _ => None,
    };
    let same = wait.is_some_and(|wait| match (waits_for, seen.lock) {
        (Some(lock), Some(now)) => lock == now,
        // What is left of a lock wait whose end was not recorded means nothing while it sleeps elsewhere.
        (None, Some(_)) => same_place(&wait.stack, seen.stack) == Some(true),
        _ => same_place(&wait.stack, seen.stack).unwrap_or(true),
    });
    // The kernel leaves its own sleeping functions out of another task's stack (in_sched_functions()), so the
    // stack need not show the lock.
    let known = same && waits_for.is_some();
    let lock = seen.lock.filter(|_| known || sleeps_for_lock(model, seen.stack));
    if same {
        if let Some(wait) = model.tasks.get_mut(&who.tid).and_then(|task| task.wait.as_mut()) {
            wait.confirmed = Some(at);
            if wait.stack.is_empty() || matches!(wait.on, WaitOn::Unknown) {
                wait.stack = seen.stack.clone();
            }
        }
    } else {
        // The event that would have told was lost, or there is none for this kind of wait.
        let on = lock.map_or(WaitOn::Unknown, |lock| WaitOn::Lock { lock, kind: LockKind::Other });
        let began = At { time: seen.since.unwrap_or(at.time).min(at.time), event: at.event };
        begin_wait(model, who, Wait { on, at: began, stack: seen.stack.clone(), confirmed: Some(at) });
    }
    if let Some(task) = model.tasks.get_mut(&who.tid) {
        task.shown = Some(at);
    }
    let wait = model.task(who.tid).and_then(|task| task.wait.as_ref());
    let kind = match wait.map(|wait| &wait.on) {
        Some(WaitOn::Lock { kind, .. }) => *kind,
        _ => LockKind::Other,
    };
    if let Some(lock) = lock.and_then(|lock| model.locks.get_mut(&lock)) {
        set_owner(lock, (who, kind), seen.owner, seen.shared, at, OwnerFrom::Snapshot);
    }
}

/// Whether a task that began to wait at one stack can be asleep at the other: where they meet, they are the
/// same up to the end of the shorter one. The outermost frames may be cut off, the innermost differ because
/// the sleep is deeper than where the wait was recorded. `None` if a stack is missing.
fn same_place(began: &Stack, now: &Stack) -> Option<bool> {
    if began.is_empty() || now.is_empty() {
        return None;
    }
    let meets = began.iter().take(6).enumerate().find_map(|(skip, frame)| {
        let at = now.iter().position(|other| other == frame)?;
        Some((skip, at))
    });
    let Some((skip, at)) = meets else { return Some(false) };
    Some(began[skip..].iter().zip(&now[at..]).all(|(a, b)| a == b))
}

/// Whether the innermost functions of the stack are those of a sleeping lock, as far as is known.
fn sleeps_for_lock(model: &Model, stack: &Stack) -> bool {
    const LOCKS: &[&str] =
        &["mutex", "rwsem", "down_", "__down", "percpu_", "rt_lock", "rtlock", "lock_slow"];
    stack.is_empty()
        || stack.iter().take(8).any(|frame| {
            let name = model.frame_name(frame);
            name.is_empty() || LOCKS.iter().any(|part| name.contains(part))
        })
}

/// Tasks that the snapshot does not show are not blocked.
fn forget_absent(model: &mut Model, began: Nanos) {
    let absent: Vec<u32> = model
        .waiting()
        .filter(|&tid| {
            let wait = model.task(tid).and_then(|task| task.wait.as_ref());
            wait.is_none_or(|wait| {
                wait.at.time < began && wait.confirmed.is_none_or(|confirmed| confirmed.time < began)
            })
        })
        .collect();
    for tid in absent {
        end_wait(model, tid);
    }
}
