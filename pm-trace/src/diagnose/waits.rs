//! The wait-for graph in rows: chains from who waits to what everything hangs on.

use super::cycle;
use super::describe::Namer;
use super::finding::{Party, Relation};
use super::graph::{Graph, Node};
use crate::event::{Nanos, ObjId};
use crate::model::{At, Model};
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use std::collections::{BTreeMap, BTreeSet};

/// Most rows.
const ROWS: usize = 2000;
/// Most branches of one node.
const BRANCHES: usize = 16;

/// A row: a node, and how the node above it leads to it.
#[derive(Clone, Debug)]
pub struct WaitRow {
    /// The node.
    pub node: Node,
    /// What it is called.
    pub party: Party,
    /// How the row that leads here does so; `None` at the beginning of a chain.
    pub relation: Option<Relation>,
    /// How many branches deep it stands.
    pub depth: u16,
    /// Since when the row above is held up by this one, in nanoseconds of `CLOCK_BOOTTIME`.
    pub since: Option<Nanos>,
    /// What is known about it, in short sentences.
    pub notes: Vec<String>,
    /// Why it is not beyond doubt.
    pub doubt: Option<String>,
    /// Kernel stack of a task that waits, innermost function first.
    pub stack: Vec<String>,
    /// Who set the task's work going.
    pub origin: Option<String>,
    /// The events that say so.
    pub evidence: Vec<At>,
    /// It is part of a cycle.
    pub in_cycle: bool,
    /// It was shown above and closes the cycle.
    pub closes: bool,
    /// It was shown above; what follows it is not repeated.
    pub repeated: bool,
    /// Branches beside it that are not shown, after this one.
    pub left: usize,
}

/// What waits for what at the time of the model's last event.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    /// The rows; cycles first, then the chains in the order of their age.
    pub rows: Vec<WaitRow>,
    /// Chains that found no room.
    pub left: usize,
    /// How many cycles there are.
    pub cycles: usize,
    /// Devices whose step something waits for, and how many nodes lead there.
    pub waited_on: BTreeMap<ObjId, usize>,
}

/// Everything that waits, but for the program that recorded: its tasks are told of where others wait for them.
pub fn waits(model: &Model) -> Waits {
    let graph = Graph::new(model);
    let cycles = cycle::cycles(&graph);
    let mut knots = BTreeSet::new();
    let mut roots: Vec<NodeIndex> = Vec::new();
    for cycle in &cycles {
        knots.extend(cycle.nodes.iter().filter_map(|(node, _)| graph.index.get(node).copied()));
        roots.extend(cycle.nodes.first().and_then(|(node, _)| graph.index.get(node)));
    }
    let nobody_waits = |&node: &NodeIndex| {
        graph.graph.edges_directed(node, Direction::Incoming).next().is_none()
            && graph.graph.edges(node).next().is_some()
    };
    // What the program that records waits for by itself, as for keys, is no part of the picture of the machine.
    let is_own = |&node: &NodeIndex| matches!(graph.graph[node], Node::Task(tid) if model.only_recorded(tid));
    let mut others: Vec<NodeIndex> =
        graph.graph.node_indices().filter(|node| nobody_waits(node) && !is_own(node)).collect();
    let age = |&node: &NodeIndex| {
        let since = graph.graph.edges(node).filter_map(|edge| edge.weight().since).min();
        (since.unwrap_or_default(), graph.graph[node])
    };
    others.sort_by_key(age);
    roots.extend(others);
    let mut walk = Walk {
        namer: Namer::new(model),
        graph: &graph,
        knots: &knots,
        shown: BTreeSet::new(),
        rows: Vec::new(),
    };
    let mut left = 0;
    for root in roots {
        if walk.rows.len() >= ROWS {
            left += 1;
        } else {
            walk.chain(root);
        }
    }
    let rows = walk.rows;
    Waits { rows, left, cycles: cycles.len(), waited_on: waited_on(&graph) }
}

fn waited_on(graph: &Graph) -> BTreeMap<ObjId, usize> {
    let mut devices = BTreeMap::new();
    for (&node, &index) in &graph.index {
        let leads = graph.graph.edges_directed(index, Direction::Incoming).count();
        if let (Node::Step(dev, _), 1..) = (node, leads) {
            *devices.entry(dev).or_default() += leads;
        }
    }
    devices
}

struct Walk<'a> {
    namer: Namer<'a>,
    graph: &'a Graph,
    knots: &'a BTreeSet<NodeIndex>,
    shown: BTreeSet<NodeIndex>,
    rows: Vec<WaitRow>,
}

impl Walk<'_> {
    /// Follows the edges from a node, depth first, without recursion: chains of a hostile file are long.
    fn chain(&mut self, root: NodeIndex) {
        self.rows.push(self.row(root, 0));
        self.shown.insert(root);
        let mut open = Vec::new();
        self.branches(root, 0, &mut open);
        while let Some((from, to, depth, left)) = open.pop() {
            if self.rows.len() >= ROWS {
                return;
            }
            let mut row = self.link(from, to, depth);
            row.left = left;
            row.repeated = self.shown.contains(&to);
            row.in_cycle = self.knots.contains(&from) && self.knots.contains(&to);
            row.closes = row.repeated && row.in_cycle;
            let repeated = row.repeated;
            self.rows.push(row);
            if !repeated {
                self.shown.insert(to);
                self.branches(to, depth, &mut open);
            }
        }
    }

    /// Where a node leads: the way around a cycle first.
    fn branches(&self, node: NodeIndex, depth: u16, open: &mut Vec<(NodeIndex, NodeIndex, u16, usize)>) {
        let mut targets: Vec<NodeIndex> = self.graph.graph.edges(node).map(|edge| edge.target()).collect();
        targets.sort_by_key(|target| (!self.knots.contains(target), self.graph.graph[*target]));
        targets.dedup();
        let inner = depth + u16::from(targets.len() > 1);
        let left = targets.len().saturating_sub(BRANCHES);
        targets.truncate(BRANCHES);
        for (place, target) in targets.iter().enumerate().rev() {
            let last = place + 1 == targets.len();
            open.push((node, *target, inner, if last { left } else { 0 }));
        }
    }

    fn row(&self, node: NodeIndex, depth: u16) -> WaitRow {
        let node_of = self.graph.graph[node];
        let task = match node_of {
            Node::Task(tid) => self.namer.model.task(tid),
            _ => None,
        };
        let doing = task.and_then(|task| self.namer.doing(task));
        WaitRow {
            node: node_of,
            party: self.namer.party(node_of),
            relation: None,
            depth,
            since: None,
            notes: doing.into_iter().collect(),
            doubt: None,
            stack: task
                .and_then(|task| task.wait.as_ref())
                .map_or_else(Vec::new, |wait| self.namer.stack(&wait.stack)),
            origin: task.and_then(|task| self.namer.provenance(task)),
            evidence: Vec::new(),
            in_cycle: self.knots.contains(&node),
            closes: false,
            repeated: false,
            left: 0,
        }
    }

    fn link(&self, from: NodeIndex, to: NodeIndex, depth: u16) -> WaitRow {
        let row = self.row(to, depth);
        let Some(edge) = self.graph.graph.find_edge(from, to) else { return row };
        let edge = &self.graph.graph[edge];
        let link = cycle::link(&self.namer, self.graph.graph[from], edge, self.graph.graph[to]);
        WaitRow {
            relation: Some(link.relation),
            since: link.since,
            notes: link.notes,
            doubt: link.doubt,
            evidence: link.evidence,
            ..row
        }
    }
}
