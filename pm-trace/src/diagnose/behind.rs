//! What waits behind the root: counted, not repeated.

use super::describe::Namer;
use super::finding::Behind;
use super::graph::{Graph, Node};
use super::nodes;
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use std::collections::BTreeSet;

/// What cannot go on before one of these nodes does; `members` are the tasks told of in the chain.
pub(crate) fn of(namer: &Namer<'_>, graph: &Graph, roots: &BTreeSet<NodeIndex>, members: &[u32]) -> Behind {
    let model = namer.model;
    let reached = waiters(graph, roots);
    let driver = model.transition().and_then(|transition| transition.task);
    let others = reached
        .iter()
        .filter_map(|&node| if let Node::Task(tid) = graph.graph[node] { Some(tid) } else { None })
        .filter(|tid| !members.contains(tid) && driver.is_none_or(|driver| driver.tid != *tid))
        .count();
    let (devices_not_done, devices) = nodes::devices_not_done(model);
    let wait = driver.and_then(|driver| model.task(driver.tid)?.wait.as_ref());
    let is_member = driver.is_some_and(|driver| members.contains(&driver.tid));
    Behind {
        phase: model.transition().and_then(|transition| transition.phase()).map(|phase| phase.action.clone()),
        task: driver.map(|driver| namer.task(driver)),
        task_waits_in: wait
            .filter(|_| !is_member)
            .map(|wait| namer.waits_in(&wait.on, &wait.stack))
            .unwrap_or_default(),
        waiting_tasks: u32::try_from(others).unwrap_or(u32::MAX),
        devices_not_done,
        devices,
        // suspend_prepare() and SNAPSHOT_FREEZE freeze it before the first device suspends, and it is
        // thawed after the last one has resumed.
        user_space_frozen: model.transition().is_some_and(|transition| {
            !transition.is_complete()
                && transition.phases.iter().any(|phase| phase.action.starts_with("dpm_"))
        }),
    }
}

/// Every node from which one of the roots can be reached.
pub(crate) fn waiters(graph: &Graph, roots: &BTreeSet<NodeIndex>) -> BTreeSet<NodeIndex> {
    let mut reached = roots.clone();
    let mut open: Vec<NodeIndex> = roots.iter().copied().collect();
    while let Some(node) = open.pop() {
        for before in graph.graph.neighbors_directed(node, Direction::Incoming) {
            if reached.insert(before) {
                open.push(before);
            }
        }
    }
    reached
}
