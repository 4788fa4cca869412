//! Transitions that do not get on although nobody waits in a circle.

use super::cycle::{link, origin};
use super::describe::{Namer, step_words};
use super::finding::{Confidence, Finding, Kind, Link, Severity};
use super::graph::{Edge, Graph, Node};
use super::{behind, identity, seconds};
use crate::event::{Nanos, ObjId, Step};
use crate::model::{At, Context, Model};
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The end of the longest-standing chain behind which the transition waits, if that is older than `least`.
pub(crate) fn finding(model: &Model, graph: &Graph, now: Nanos, least: Nanos) -> Option<Finding> {
    let transition = model.transition()?;
    let driver = transition.task?;
    let sleep = transition.sleep();
    if sleep.is_some_and(|phase| phase.end.is_none()) {
        return None;
    }
    let start = *graph.index.get(&Node::Task(driver.tid))?;
    let (ends, came_from) = ends(graph, start);
    let (began, end) = ends
        .into_iter()
        .filter_map(|end| Some((root_since(model, graph, end, &came_from)?, end)))
        .min_by_key(|&(began, end)| (began, graph.graph[end]))?;
    // The clock goes on while the machine sleeps; that is nobody's delay.
    let began = sleep.and_then(|phase| phase.end).map_or(began, |woken| began.max(woken));
    if now.saturating_sub(began.time) < least {
        return None;
    }
    Some(describe(model, graph, now, &Root { began, end, came_from }))
}

/// What is said of the step that a stall is named after, and of the stall, while it lasts.
pub(crate) const LASTS: (&str, &str) = ("does not end", "It may still end.");

/// And of the step when it is over.
pub(crate) fn was_slow(lasted: Nanos) -> String {
    format!("was slow and ended after {}", seconds(lasted))
}

/// Words of one that is over: it was slow, and no lockup.
pub(crate) fn over(finding: &mut Finding) {
    finding.title = finding.title.replace(LASTS.0, &was_slow(finding.lasted.unwrap_or_default()));
    finding.explanation = finding
        .explanation
        .replace("does not get on", "did not get on")
        .replace(LASTS.1, "It ended by itself: slow, and no lockup.");
}

type Origins = BTreeMap<NodeIndex, (NodeIndex, Edge)>;

struct Root {
    began: At,
    end: NodeIndex,
    came_from: Origins,
}

/// Nodes that lead nowhere, reached from `start`, and how they were reached.
fn ends(graph: &Graph, start: NodeIndex) -> (Vec<NodeIndex>, Origins) {
    let mut came_from = Origins::new();
    let mut seen = BTreeSet::from([start]);
    let mut open = VecDeque::from([start]);
    let mut ends = Vec::new();
    while let Some(node) = open.pop_front() {
        let mut out: Vec<_> = graph.graph.edges(node).collect();
        out.sort_by_key(|edge| graph.graph[edge.target()]);
        if out.is_empty() {
            ends.push(node);
        }
        for edge in out {
            if seen.insert(edge.target()) {
                came_from.insert(edge.target(), (node, edge.weight().clone()));
                open.push_back(edge.target());
            }
        }
    }
    (ends, came_from)
}

/// Since when the end of a chain lasts: the wait that leads to it, or what the running task is inside of.
fn root_since(model: &Model, graph: &Graph, end: NodeIndex, came_from: &Origins) -> Option<At> {
    match graph.graph[end] {
        Node::Task(tid) => {
            let task = model.task(tid)?;
            Some(task.innermost().map_or(task.ran, |entered| entered.at).max(task.ran))
        }
        _ => came_from.get(&end)?.1.since,
    }
}

/// The step that the end of the chain belongs to.
fn step_of(graph: &Graph, root: &Root, model: &Model) -> Option<(ObjId, Step)> {
    let mut node = root.end;
    loop {
        if let Node::Step(dev, step) = graph.graph[node] {
            return Some((dev, step));
        }
        if let Node::Task(tid) = graph.graph[node]
            && let Some(task) = model.task(tid)
            && let Some(step) = task.contexts.iter().rev().find_map(|entered| match entered.context {
                Context::Step { dev, step } => Some((dev, step)),
                _ => None,
            })
        {
            return Some(step);
        }
        node = root.came_from.get(&node)?.0;
    }
}

fn chain(namer: &Namer<'_>, graph: &Graph, root: &Root) -> Vec<Link> {
    let mut path = Vec::new();
    let mut node = root.end;
    while let Some((before, edge)) = root.came_from.get(&node) {
        path.push((*before, edge, node));
        node = *before;
    }
    path.reverse();
    path.into_iter()
        .flat_map(|(before, edge, node)| {
            let link = link(namer, graph.graph[before], edge, graph.graph[node]);
            let origin = match graph.graph[node] {
                Node::Task(tid) => origin(namer, tid),
                _ => None,
            };
            std::iter::once(link).chain(origin)
        })
        .collect()
}

/// What the end of the chain is doing, as a sentence.
fn root_text(namer: &Namer<'_>, node: Node, began: At) -> String {
    let since = namer.clock.at(began);
    match node {
        Node::Task(tid) => {
            let who = namer.model.task_ref(tid);
            let doing = namer.model.task(tid).and_then(|task| namer.doing(task));
            let doing = doing.unwrap_or_else(|| "running, as far as is known".to_owned());
            format!("{who} is {doing} since {since}, and was not seen to wait for anything")
        }
        node => format!("everything waits for {} since {since}", namer.party(node).label),
    }
}

/// What to do about the end of a chain.
fn advice(namer: &Namer<'_>, node: Node, came_from: &Origins, graph: &Graph, end: NodeIndex) -> String {
    let waiter = match node {
        Node::Sleep(tid) => Some(tid),
        _ => came_from.get(&end).and_then(|(before, _)| match graph.graph[*before] {
            Node::Task(tid) => Some(tid),
            _ => None,
        }),
    };
    let wait = waiter.and_then(|tid| namer.model.task(tid)?.wait.as_ref());
    let known = wait.and_then(|wait| namer.known_place(&wait.stack)).map(|(place, _)| place.advice);
    match (known.filter(|advice| !advice.is_empty()), node) {
        (Some(advice), _) => advice.to_owned(),
        (None, Node::Completion(_)) => {
            "Find out who is to complete it, and whether that can happen while devices \
             are suspended and user space is frozen. A wait with a timeout would at least end."
                .to_owned()
        }
        (None, Node::Command(_)) => {
            "The device does not answer the command: look at its timeout, and at what \
             error handling does then."
                .to_owned()
        }
        _ => "Look at what the root of the chain does; its stack, if there is one, says where it is."
            .to_owned(),
    }
}

fn describe(model: &Model, graph: &Graph, now: Nanos, root: &Root) -> Finding {
    let namer = Namer::new(model);
    let transition = model.transition();
    let node = graph.graph[root.end];
    let chain = chain(&namer, graph, root);
    let tasks: Vec<u32> = chain
        .iter()
        .flat_map(|link| [&link.waiter, &link.object])
        .filter_map(|party| party.task.as_ref().map(|task| task.tid))
        .chain(if let Node::Task(tid) = node { Some(tid) } else { None })
        .fold(Vec::new(), |mut tids, tid| {
            if !tids.contains(&tid) {
                tids.push(tid);
            }
            tids
        });
    let lasted = now.saturating_sub(root.began.time);
    let step = step_of(graph, root, model);
    let subject = step.map_or_else(
        || namer.party(node).label,
        |(dev, step)| format!("{} of {}", step_words(step), namer.device_full(dev)),
    );
    let mut evidence: Vec<At> = chain.iter().flat_map(|link| link.evidence.iter().copied()).collect();
    evidence.push(root.began);
    evidence.sort_unstable();
    evidence.dedup();
    let root_text = root_text(&namer, node, root.began);
    Finding {
        id: identity::hash(Kind::Stall, transition.map_or(0, |t| t.number), [node].into_iter()),
        kind: Kind::Stall,
        severity: Severity::Warning,
        confidence: Confidence::Likely,
        cycle: transition.map_or(0, |transition| transition.number),
        title: format!("{subject} {}", LASTS.0),
        devices: step.map(|(dev, _)| namer.device_ref(dev)).into_iter().collect(),
        tasks: tasks.iter().map(|&tid| namer.task(model.task_ref(tid))).collect(),
        ordering: None,
        behind: Some(behind::of(&namer, graph, &BTreeSet::from([root.end]), &tasks)),
        closed_at: Some(root.began.time),
        lasted: Some(lasted),
        base: namer.clock.0,
        base_name: transition.map_or("boot", |transition| transition.base_name()).to_owned(),
        confirmed_at: None,
        explanation: format!("The transition does not get on: {root_text}. {}", LASTS.1),
        advice: advice(&namer, node, &root.came_from, graph, root.end),
        known_issue: None,
        ended: None,
        margin: None,
        chain,
        evidence,
    }
}
