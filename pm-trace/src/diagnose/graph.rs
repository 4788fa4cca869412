//! The wait-for graph: who cannot go on before what.
//!
//! Every edge must give way before its start can go on (a task that waits for several asynchronous calls
//! waits for all of them), so any cycle is a deadlock.

use super::{nodes, queues};
use crate::event::{ObjId, Step};
use crate::model::{At, Context, Model, Wait, WaitOn};
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::BTreeMap;

use super::finding::Relation;

/// A node of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// A step of a device. First in order: a chain is told from the device's side.
    Step(ObjId, Step),
    /// A task, by thread id.
    Task(u32),
    /// A lock.
    Lock(ObjId),
    /// A request queue.
    Queue(ObjId),
    /// A work.
    Work(ObjId),
    /// A completion that is no device's.
    Completion(ObjId),
    /// Asynchronous calls of a domain, or all.
    Async(Option<ObjId>),
    /// The runtime resume or suspend of a device.
    Runtime(ObjId),
    /// Error handling of a port.
    AtaEh(ObjId),
    /// A command that was sent to this SCSI device.
    Command(ObjId),
    /// Whatever the task sleeps for.
    Sleep(u32),
}

/// An edge of the graph.
#[derive(Clone, Debug)]
pub struct Edge {
    /// What it means.
    pub relation: Relation,
    /// Since when.
    pub since: Option<At>,
    /// Events that say so.
    pub evidence: Vec<At>,
    /// Why it could be otherwise.
    pub doubt: Option<String>,
}

impl Edge {
    pub(crate) fn new(relation: Relation, since: Option<At>) -> Self {
        Self { relation, since, evidence: since.into_iter().collect(), doubt: None }
    }

    pub(crate) fn doubted(mut self, doubt: impl Into<Option<String>>) -> Self {
        self.doubt = doubt.into();
        self
    }
}

/// Most nodes of a graph, so that a hostile file costs no more time than a large machine.
const NODES: usize = 1 << 14;

/// The wait-for graph.
#[derive(Debug, Default)]
pub struct Graph {
    pub(crate) graph: DiGraph<Node, Edge>,
    pub(crate) index: BTreeMap<Node, NodeIndex>,
}

impl Graph {
    /// Everything that waits now, and what that leads to.
    pub fn new(model: &Model) -> Self {
        let mut graph = Self::default();
        let mut open: Vec<Node> = model.waiting().take(NODES).map(Node::Task).collect();
        if let Some(task) = model.transition().and_then(|transition| transition.task) {
            open.push(Node::Task(task.tid));
        }
        for &node in &open {
            graph.node(node);
        }
        while let Some(node) = open.pop() {
            if graph.index.len() > 2 * NODES {
                break;
            }
            for (target, edge) in edges(model, node) {
                if !graph.index.contains_key(&target) {
                    open.push(target);
                }
                let (from, to) = (graph.node(node), graph.node(target));
                graph.graph.add_edge(from, to, edge);
            }
        }
        graph
    }

    fn node(&mut self, node: Node) -> NodeIndex {
        *self.index.entry(node).or_insert_with(|| self.graph.add_node(node))
    }
}

/// What the node leads to.
pub(crate) fn edges(model: &Model, node: Node) -> Vec<(Node, Edge)> {
    match node {
        Node::Task(tid) => task_edges(model, tid),
        Node::Lock(lock) => lock_edges(model, lock),
        Node::Step(dev, step) => step_edges(model, dev, step),
        Node::Queue(queue) => queue_edges(model, queue),
        Node::Work(work) => work_edges(model, work),
        Node::Runtime(dev) => {
            let run = model.runtime(dev);
            run.map(|run| (Node::Task(run.task.tid), Edge::new(Relation::PerformedBy, Some(run.at))))
                .into_iter()
                .collect()
        }
        Node::Async(domain) => async_edges(model, domain),
        Node::AtaEh(port) => {
            let handler = model.port(port).and_then(|port| port.eh);
            handler
                .map(|eh| (Node::Task(eh.task.tid), Edge::new(Relation::PerformedBy, Some(eh.at))))
                .into_iter()
                .collect()
        }
        Node::Completion(_) | Node::Command(_) | Node::Sleep(_) => Vec::new(),
    }
}

fn task_edges(model: &Model, tid: u32) -> Vec<(Node, Edge)> {
    let Some(wait) = model.task(tid).and_then(|task| task.wait.as_ref()) else { return Vec::new() };
    let mut edge = Edge::new(Relation::WaitsFor, Some(wait.at));
    edge.evidence.extend(wait.confirmed);
    if let Some(within) = within(wait) {
        edge.evidence.insert(0, within);
    }
    if wait.has_timeout() {
        edge.doubt = Some("the wait ends by itself after a timeout".to_owned());
    }
    let target = match &wait.on {
        WaitOn::Lock { lock, .. } => Node::Lock(*lock),
        WaitOn::Completion { completion, command, .. } => {
            match (model.device_of_completion(*completion), command) {
                (Some(dev), _) => match nodes::step_waited_for(model, dev) {
                    Some(step) => Node::Step(dev, step),
                    // The device's step is over: the wait is, too, or will be at once.
                    None => return Vec::new(),
                },
                (None, Some(command)) => Node::Command(command.sdev),
                (None, None) => Node::Completion(*completion),
            }
        }
        WaitOn::Queue { queue, .. } => Node::Queue(*queue),
        WaitOn::Flush { work, .. } => Node::Work(*work),
        WaitOn::Async { domain, .. } => Node::Async(*domain),
        WaitOn::Runtime { dev } => Node::Runtime(*dev),
        WaitOn::AtaEh { port } => Node::AtaEh(*port),
        WaitOn::Unknown => Node::Sleep(tid),
    };
    vec![(target, edge)]
}

fn within(wait: &Wait) -> Option<At> {
    match &wait.on {
        WaitOn::Completion { within, .. } => within.map(|within| within.at),
        _ => None,
    }
}

fn lock_edges(model: &Model, lock: ObjId) -> Vec<(Node, Edge)> {
    let Some(entry) = model.lock(lock) else { return Vec::new() };
    let Some(owned) = entry.owner.or_else(|| nodes::inferred_owner(model, lock)) else { return Vec::new() };
    let mut edge = Edge::new(Relation::HeldBy, Some(owned.since));
    if owned.at != owned.since {
        edge.evidence.push(owned.at);
    }
    let doubt = if entry.owner.is_none() {
        Some("the owner was not read from the lock but follows from where the task is".to_owned())
    } else {
        owner_doubt(model, owned)
    };
    let mut edge = edge.doubted(doubt);
    edge.evidence.extend(model.task(owned.task.tid).and_then(|task| task.wait.as_ref()).map(|wait| wait.at));
    vec![(Node::Task(owned.task.tid), edge)]
}

/// An owner that has slept in the same wait since before it was read as the owner cannot have let go of
/// the lock since.
fn owner_doubt(model: &Model, owned: crate::model::Owned) -> Option<String> {
    if owned.shared {
        return Some(
            "readers hold the rwsem, which names only the last of them; it may have let go".to_owned(),
        );
    }
    let owner = model.task(owned.task.tid);
    let asleep = owner.and_then(|task| task.wait.as_ref());
    match asleep {
        Some(wait) if wait.at <= owned.at => None,
        Some(_) => Some("the owner ran between being read from the lock and its own wait".to_owned()),
        None => Some("the owner is not known to wait".to_owned()),
    }
}

fn step_edges(model: &Model, dev: ObjId, step: Step) -> Vec<(Node, Edge)> {
    let Some(device) = model.device(dev) else { return Vec::new() };
    if let Some(run) = device.step(step).filter(|run| run.end.is_none()) {
        return vec![(Node::Task(run.task.tid), Edge::new(Relation::PerformedBy, Some(run.start)))];
    }
    // Not begun. Unless it runs asynchronously, the driving task does it when its turn comes.
    let Some(transition) = model.transition() else { return Vec::new() };
    let (Some(task), Some(is_async)) = (transition.task, nodes::is_async(model, dev)) else {
        return Vec::new();
    };
    if is_async {
        return Vec::new();
    }
    let phase = transition.phase().map(|phase| phase.start);
    vec![(Node::Task(task.tid), Edge::new(Relation::PerformedBy, phase))]
}

fn queue_edges(model: &Model, queue: ObjId) -> Vec<(Node, Edge)> {
    let Some(entry) = model.queue(queue) else { return Vec::new() };
    let frozen = model.waiting().any(|tid| {
        let wait = model.task(tid).and_then(|task| task.wait.as_ref());
        matches!(wait.map(|wait| &wait.on),
            Some(WaitOn::Queue { queue: of, freeze_depth, .. }) if *of == queue && *freeze_depth > 0)
    });
    let dev = entry.dev.or_else(|| model.sdev(entry.sdev?)?.dev);
    let Some(dev) = dev.filter(|_| !frozen) else { return Vec::new() };
    let Some(step) = nodes::reopening_step(model, dev) else { return Vec::new() };
    let mut edge = Edge::new(Relation::EndsOnlyWhen, None);
    match &entry.quiesced {
        Some(quiesced) => {
            edge.evidence.push(quiesced.at);
            if quiesced.in_suspend_of != Some(dev) {
                edge.doubt = Some("the queue was quiesced outside of the device's suspend".to_owned());
            }
        }
        None => edge.doubt = Some("who made the queue PM-only was not seen".to_owned()),
    }
    vec![(Node::Step(dev, step), edge)]
}

/// The worker that runs it; or the works for which its workqueue holds it back.
fn work_edges(model: &Model, work: ObjId) -> Vec<(Node, Edge)> {
    let Some(entry) = model.work(work) else { return Vec::new() };
    if let Some(tid) = entry.running {
        return vec![(Node::Task(tid), Edge::new(Relation::PerformedBy, entry.started))];
    }
    let Some(queued) = &entry.queued else { return Vec::new() };
    queues::before(model, queued)
}

fn async_edges(model: &Model, domain: Option<ObjId>) -> Vec<(Node, Edge)> {
    let since = model.waiting().filter_map(|tid| {
        let wait = model.task(tid)?.wait.as_ref()?;
        match wait.on {
            WaitOn::Async { domain: of, all } if of == domain => Some((all, wait.at)),
            _ => None,
        }
    });
    let (all, began) = since.fold((false, At::default()), |(all, latest), (waits_for_all, at)| {
        (all || waits_for_all, latest.max(at))
    });
    let default = default_domain(model);
    let calls = model.async_running().filter_map(|(work, tid)| {
        let contexts = &model.task(tid)?.contexts;
        let (entered, of) = contexts.iter().rev().find_map(|entered| match entered.context {
            Context::Async { work: running, domain, .. } if running == work => Some((entered, domain)),
            _ => None,
        })?;
        // async_synchronize_full() leaves out exclusive domains, which all but the default one usually are.
        let waited = domain.or(default);
        if !(all || entered.at <= began) || (waited.is_some() && of.is_some() && of != waited) {
            return None;
        }
        let unsure = domain.is_some() && of.is_none();
        let doubt = unsure.then(|| "the call may belong to another async domain".to_owned());
        let edge = Edge::new(Relation::PerformedBy, Some(entered.at)).doubted(doubt);
        Some((Node::Task(tid), edge))
    });
    calls.collect()
}

/// The async domain of the PM core's own calls: the default one.
fn default_domain(model: &Model) -> Option<ObjId> {
    model.async_running().find_map(|(_, tid)| {
        model.task(tid)?.contexts.iter().find_map(|entered| match entered.context {
            Context::Async { domain, data: Some(dev), .. } if model.device(dev)?.info.is_some() => domain,
            _ => None,
        })
    })
}
