//! The live collector's look at all blocked tasks: confirms what events say, and corrects it.

use super::{begin_wait, end_wait, sync::set_owner};
use crate::event::{Body, LockKind, Nanos, ObjId, Stack, TaskRef};
use crate::model::{At, Model, OwnerFrom, Snapshot, Wait, WaitOn};

pub(super) fn apply(model: &mut Model, who: TaskRef, body: &Body, at: At) {
    match body {
        Body::TaskSnapshot { since, lock, owner, stack, .. } => {
            model.snapshot_tasks = model.snapshot_tasks.saturating_add(1);
            if who.tid != 0 {
                shown(model, who, &Seen { since: *since, lock: *lock, owner: *owner, stack }, at);
            }
        }
        Body::SnapshotEnd { began, tasks } => {
            let whole = model.snapshot_tasks >= *tasks;
            model.snapshot_tasks = 0;
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
        (None, Some(_)) => false,
        _ => same_place(&wait.stack, seen.stack).unwrap_or(true),
    });
    if same {
        if let Some(wait) = model.tasks.get_mut(&who.tid).and_then(|task| task.wait.as_mut()) {
            wait.confirmed = Some(at);
            if wait.stack.is_empty() || matches!(wait.on, WaitOn::Unknown) {
                wait.stack = seen.stack.clone();
            }
        }
    } else {
        // The event that would have told was lost, or there is none for this kind of wait.
        let on = seen.lock.map_or(WaitOn::Unknown, |lock| WaitOn::Lock { lock, kind: LockKind::Other });
        let began = At { time: seen.since.unwrap_or(at.time).min(at.time), event: at.event };
        begin_wait(model, who, Wait { on, at: began, stack: seen.stack.clone(), confirmed: Some(at) });
    }
    if let Some(lock) = seen.lock.and_then(|lock| model.locks.get_mut(&lock)) {
        set_owner(lock, seen.owner, at, OwnerFrom::Snapshot);
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
