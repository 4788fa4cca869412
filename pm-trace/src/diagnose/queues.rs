//! Works that their workqueue holds back.

use super::finding::Relation;
use super::graph::{Edge, Node};
use crate::event::ObjId;
use crate::model::{Model, QueuedBy, Work};

/// The works that a queued one comes after: the one before it on a queue that runs one at a time, or all that run
/// on a queue that runs no more (`max_active`). Any one of the latter that ends makes room
/// ([`super::knots`] knows that); if one of them runs and waits for nothing, it is that one.
pub(crate) fn before(model: &Model, queued: &QueuedBy) -> Vec<(Node, Edge)> {
    let Some(on) = &queued.workqueue else { return Vec::new() };
    let on_it = |work: &Work| work.runs_on.as_ref().is_some_and(|runs| runs.queue == on.queue);
    let running: Vec<(ObjId, u32)> = model
        .works()
        .filter(|(_, work)| on_it(work))
        .filter_map(|(id, work)| Some((id, work.running?)))
        .collect();
    let edge = || Edge::new(Relation::QueuedBehind, Some(queued.at));
    if on.is_ordered() {
        return running.first().map(|&(work, _)| (Node::Work(work), edge())).into_iter().collect();
    }
    let limit = on.max_active.and_then(|limit| usize::try_from(limit).ok());
    if limit.is_none_or(|limit| limit == 0 || running.len() < limit) {
        return Vec::new();
    }
    let waits = |tid: u32| model.task(tid).is_some_and(|task| task.wait.is_some());
    let doubt = (!on.is_unbound()).then(|| {
        "the limit of the workqueue (max_active) counts for each CPU, and these may be on another".to_owned()
    });
    let behind = |&(work, _): &(ObjId, u32)| (Node::Work(work), edge().doubted(doubt.clone()));
    match running.iter().find(|&&(_, tid)| !waits(tid)) {
        Some(free) => vec![behind(free)],
        None => running.iter().map(behind).collect(),
    }
}
