//! Cycles of the wait-for graph: deadlocks.

use super::behind;
use super::describe::{Namer, seconds, step_words};
use super::finding::{Confidence, Finding, Kind, Link, Party, Relation, Severity};
use super::graph::{Edge, Graph, Node};
use super::knots::knots;
use super::known::Shape;
use super::{actors, explain, identity, notes, ordering, remedy};
use crate::event::{Nanos, ObjId, Step};
use crate::model::{At, Model, WaitOn};
use petgraph::graph::{EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;
use std::collections::{BTreeSet, VecDeque};

/// A cycle: its nodes in the order of the edges, the last leading back to the first.
pub(crate) struct Cycle {
    pub(crate) nodes: Vec<(Node, Edge)>,
    /// Every node of the knot that the cycle is a part of.
    pub(crate) knot: BTreeSet<NodeIndex>,
}

/// The cycles, one for each knot, in order of their first node.
pub(crate) fn cycles(graph: &Graph) -> Vec<Cycle> {
    let (knots, dropped) = knots(graph);
    let mut cycles: Vec<Cycle> =
        knots.into_iter().filter_map(|knot| shortest(graph, knot, &dropped)).collect();
    cycles.sort_by_key(|cycle| cycle.nodes.first().map(|(node, _)| *node));
    cycles
}

/// A shortest cycle through the first node of the knot.
fn shortest(graph: &Graph, knot: BTreeSet<NodeIndex>, dropped: &BTreeSet<EdgeIndex>) -> Option<Cycle> {
    let head = *knot.iter().min_by_key(|&&node| graph.graph[node])?;
    let mut came_from = std::collections::BTreeMap::new();
    let mut open = VecDeque::from([head]);
    while let Some(node) = open.pop_front() {
        let counts = |edge: &petgraph::graph::EdgeReference<'_, Edge>| {
            knot.contains(&edge.target()) && !dropped.contains(&edge.id())
        };
        let mut out: Vec<_> = graph.graph.edges(node).filter(counts).collect();
        out.sort_by_key(|edge| graph.graph[edge.target()]);
        for edge in out {
            if edge.target() == head {
                let mut nodes = vec![(graph.graph[node], edge.weight().clone())];
                let mut at = node;
                while at != head {
                    let (before, edge): (NodeIndex, Edge) = came_from.remove(&at)?;
                    nodes.push((graph.graph[before], edge));
                    at = before;
                }
                nodes.reverse();
                return Some(Cycle { nodes, knot });
            }
            came_from.entry(edge.target()).or_insert_with(|| {
                open.push_back(edge.target());
                (node, edge.weight().clone())
            });
        }
    }
    None
}

/// The finding for a cycle.
pub(crate) fn deadlock(model: &Model, graph: &Graph, cycle: &Cycle, now: Nanos) -> Finding {
    let namer = Namer::new(model);
    let cycle = &begin_with_a_step(model, cycle);
    let tasks: Vec<u32> = cycle
        .nodes
        .iter()
        .filter_map(|(node, _)| if let Node::Task(tid) = node { Some(*tid) } else { None })
        .collect();
    let waits = || tasks.iter().filter_map(|&tid| model.task(tid)?.wait.as_ref());
    let closed_at = waits().map(|wait| wait.at.time).max();
    let confirmed_at = waits().map(|wait| wait.confirmed).min().flatten().map(|at| at.time);
    let head = cycle.nodes.first().map_or(Node::Task(0), |(node, _)| *node);
    let mut chain = chain(&namer, cycle);
    chain.splice(0..0, first_step(&namer, head));
    let chain = chain;
    let mut evidence: Vec<At> = chain.iter().flat_map(|link| link.evidence.iter().copied()).collect();
    evidence.sort_unstable();
    evidence.dedup();
    let found = shape(model, cycle);
    let (holder, device) = rescan(model, cycle);
    let lasted = closed_at.map(|at| now.saturating_sub(at));
    let transition = model.transition();
    let devices = all_devices(model, cycle, device, &tasks);
    let devices: Vec<_> = devices.into_iter().map(|dev| namer.device_ref(dev)).collect();
    let subject = match head {
        Node::Step(dev, step) => format!("{} of {}", step_words(step), namer.device_full(dev)),
        Node::Task(tid) => {
            let step = model.task(tid).and_then(actors::step_of);
            step.map_or_else(
                || namer.party(head).label,
                |(dev, step)| format!("{} of {}", step_words(step), namer.device_full(dev)),
            )
        }
        _ => namer.party(head).label,
    };
    let ordering = holder
        .and_then(|tid| model.task(tid))
        .zip(device)
        .and_then(|(task, dev)| ordering::of_rescan(&namer, task, dev))
        .or_else(|| ordering::of_cycle(&namer, cycle));
    let advice = match found.rescan_holds_device_lock {
        true => explain::advice(found),
        false => remedy::cause(model, cycle, ordering.as_ref()).advice().to_owned(),
    };
    Finding {
        id: identity::hash(
            Kind::Deadlock,
            transition.map_or(0, |t| t.number),
            cycle.nodes.iter().map(|n| n.0),
        ),
        kind: Kind::Deadlock,
        severity: Severity::Error,
        confidence: confidence(model, cycle, closed_at),
        cycle: transition.map_or(0, |transition| transition.number),
        title: format!("{subject} deadlocked"),
        devices,
        tasks: tasks.iter().map(|&tid| namer.task(model.task_ref(tid))).collect(),
        ordering,
        behind: Some(behind::of(&namer, graph, &cycle.knot, &tasks)),
        closed_at,
        lasted,
        base: namer.clock.0,
        base_name: transition.map_or("boot", |transition| transition.base_name()).to_owned(),
        confirmed_at,
        explanation: explain::deadlock(&chain, lasted.map(seconds)),
        advice,
        known_issue: None,
        ended: None,
        margin: None,
        chain,
        evidence,
    }
}

/// The same cycle, told from a device's step: one of its nodes, or what one of its tasks carries out.
fn begin_with_a_step(model: &Model, cycle: &Cycle) -> Cycle {
    let mut nodes = cycle.nodes.clone();
    let is_step = |node: &Node| matches!(node, Node::Step(..));
    let in_step = |node: &Node| match node {
        Node::Task(tid) => model.task(*tid).and_then(actors::step_of).is_some(),
        _ => false,
    };
    let first = nodes
        .iter()
        .position(|(node, _)| is_step(node))
        .or_else(|| nodes.iter().position(|(node, _)| in_step(node)));
    nodes.rotate_left(first.unwrap_or_default());
    Cycle { nodes, knot: cycle.knot.clone() }
}

/// Which step the first task carries out, where the cycle itself has none.
fn first_step(namer: &Namer<'_>, head: Node) -> Option<Link> {
    let Node::Task(tid) = head else { return None };
    let entered = namer.model.task(tid)?.contexts.iter().rev().find_map(|entered| match entered.context {
        crate::model::Context::Step { dev, step } => Some((dev, step, entered.at)),
        _ => None,
    });
    let (dev, step, at) = entered?;
    let edge = Edge::new(Relation::PerformedBy, Some(at));
    Some(link(namer, Node::Step(dev, step), &edge, head))
}

/// Devices of a cycle: those of its chain, the rescanned one, those of its tasks, those that runtime PM is at.
fn all_devices(model: &Model, cycle: &Cycle, device: Option<ObjId>, tasks: &[u32]) -> Vec<ObjId> {
    let mut devices: Vec<ObjId> = devices(cycle);
    let of_tasks = tasks.iter().filter_map(|&tid| actors::device_of(model, tid));
    let of_runtime = cycle.nodes.iter().filter_map(|(node, _)| match node {
        Node::Runtime(dev) => Some(*dev),
        _ => None,
    });
    for dev in device.into_iter().chain(of_tasks).chain(of_runtime) {
        if !devices.contains(&dev) {
            devices.push(dev);
        }
    }
    devices
}

/// Devices of a cycle in the order of its chain: steps first, then the owners of locks and queues.
fn devices(cycle: &Cycle) -> Vec<ObjId> {
    let mut devices = Vec::new();
    for (node, _) in &cycle.nodes {
        if let Node::Step(dev, _) = node
            && !devices.contains(dev)
        {
            devices.push(*dev);
        }
    }
    devices
}

fn chain(namer: &Namer<'_>, cycle: &Cycle) -> Vec<Link> {
    let mut chain = Vec::new();
    for (place, (node, edge)) in cycle.nodes.iter().enumerate() {
        let last = place + 1 == cycle.nodes.len();
        let next = cycle.nodes[(place + 1) % cycle.nodes.len()].0;
        let mut link = link(namer, *node, edge, next);
        link.in_cycle = true;
        link.closes = last;
        chain.push(link);
        // Where the task comes from stands right after what it holds.
        if let Node::Task(tid) = next
            && !last
        {
            chain.extend(origin(namer, tid));
        }
    }
    chain
}

/// A link of the chain from an edge.
pub(crate) fn link(namer: &Namer<'_>, node: Node, edge: &Edge, next: Node) -> Link {
    let stack = match node {
        Node::Task(tid) if edge.relation == Relation::WaitsFor => namer
            .model
            .task(tid)
            .and_then(|task| task.wait.as_ref())
            .map(|wait| namer.stack(&wait.stack))
            .unwrap_or_default(),
        _ => Vec::new(),
    };
    Link {
        waiter: namer.party(node),
        relation: edge.relation,
        object: namer.party(next),
        since: edge.since.map(|at| at.time),
        notes: notes::of(namer, node, edge, next),
        doubt: edge.doubt.clone(),
        evidence: edge.evidence.clone(),
        stack,
        in_cycle: false,
        closes: false,
    }
}

/// Who set the task's work going.
pub(crate) fn origin(namer: &Namer<'_>, tid: u32) -> Option<Link> {
    let task = namer.model.task(tid)?;
    let text = namer.provenance(task)?;
    let (work, _, origin) = task.work()?;
    let origin = origin?;
    Some(Link {
        waiter: namer.party(Node::Work(work)),
        relation: Relation::QueuedBy,
        object: Party { task: Some(namer.task(origin.task)), ..namer.party(Node::Task(origin.task.tid)) },
        since: Some(origin.at.time),
        notes: vec![text],
        doubt: None,
        evidence: vec![origin.at],
        stack: Vec::new(),
        in_cycle: false,
        closes: false,
    })
}

/// How sure a cycle is.
fn confidence(model: &Model, cycle: &Cycle, closed_at: Option<Nanos>) -> Confidence {
    let doubted = cycle.nodes.iter().any(|(_, edge)| edge.doubt.is_some());
    let first = cycle.nodes.iter().flat_map(|(_, edge)| &edge.evidence).map(|at| at.event).min();
    let lost = model.loss().last_lost.zip(first).is_some_and(|(lost, first)| lost.event >= first);
    let unconfirmed =
        model.snapshot().filter(|snapshot| Some(snapshot.began) > closed_at).is_some_and(|snapshot| {
            let waits = cycle.nodes.iter().filter_map(|(node, _)| match node {
                Node::Task(tid) => model.task(*tid)?.wait.as_ref(),
                _ => None,
            });
            !snapshot.whole
                || waits.into_iter().any(|wait| wait.confirmed.is_none_or(|at| at.time < snapshot.began))
        });
    if doubted || lost || unconfirmed { Confidence::Likely } else { Confidence::Proved }
}

/// The task of the cycle that rescans, and the device that waits for it or that it waits for.
fn rescan(model: &Model, cycle: &Cycle) -> (Option<u32>, Option<ObjId>) {
    let holder = cycle.nodes.iter().find_map(|(node, _)| match node {
        Node::Task(tid) if model.task(*tid).is_some_and(|task| task.rescans_port().is_some()) => Some(*tid),
        _ => None,
    });
    let device = cycle.nodes.iter().find_map(|(node, _)| match node {
        Node::Step(dev, Step::Resume) => Some(*dev),
        _ => None,
    });
    (holder, device)
}

/// What known issues look at.
pub(crate) fn shape(model: &Model, cycle: &Cycle) -> Shape {
    let (holder, device) = rescan(model, cycle);
    let Some(dev) = device else { return Shape::default() };
    let mut shape = Shape { rescan_by_libata: holder.is_some(), ..Shape::default() };
    let next = |place: usize| cycle.nodes[(place + 1) % cycle.nodes.len()].0;
    for (place, (node, edge)) in cycle.nodes.iter().enumerate() {
        match (node, edge.relation, next(place)) {
            (Node::Task(tid), Relation::WaitsFor, Node::Lock(lock)) => {
                let steps = cycle.nodes.iter().any(|(other, edge)| {
                    *other == Node::Step(dev, Step::Resume) && edge.relation == Relation::PerformedBy
                });
                let is_its_lock = model.device_of_lock(lock) == Some(dev);
                shape.resume_waits_for_device_lock |= steps && is_its_lock && Some(*tid) != holder;
            }
            (Node::Lock(lock), Relation::HeldBy, Node::Task(tid)) => {
                shape.rescan_holds_device_lock |=
                    model.device_of_lock(*lock) == Some(dev) && Some(tid) == holder;
            }
            (Node::Task(tid), Relation::WaitsFor, Node::Queue(queue)) => {
                let its = model.queue(queue).is_some_and(|queue| queue.dev == Some(dev));
                let pm_only = model
                    .task(*tid)
                    .and_then(|task| task.wait.as_ref())
                    .is_some_and(|wait| matches!(wait.on, WaitOn::Queue { pm_only, .. } if pm_only > 0));
                shape.waits_for_pm_only_queue |= its && pm_only && Some(*tid) == holder;
            }
            _ => {}
        }
    }
    shape
}
