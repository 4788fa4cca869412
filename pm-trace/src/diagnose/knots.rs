//! Sets of nodes that wait for each other.

use super::finding::Relation;
use super::graph::{Graph, Node};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{EdgeIndex, NodeIndex};
use petgraph::visit::{EdgeFiltered, EdgeRef};
use std::collections::BTreeSet;

/// The strongly connected sets of nodes, and the edges that count for none.
///
/// A node waits for all that it leads to, but for a work that a full workqueue holds back: any of the works before
/// it makes room. Only if each of these is caught with it, it is caught; otherwise the edges count for nothing.
pub(super) fn knots(graph: &Graph) -> (Vec<BTreeSet<NodeIndex>>, BTreeSet<EdgeIndex>) {
    let mut dropped = BTreeSet::new();
    loop {
        let kept = EdgeFiltered::from_fn(&graph.graph, |edge| !dropped.contains(&edge.id()));
        // Not Tarjan's algorithm: that one recurses, and a file may hold a very long chain.
        let knots: Vec<BTreeSet<NodeIndex>> = kosaraju_scc(&kept)
            .into_iter()
            .filter(|knot| {
                knot.len() > 1 || knot.iter().any(|&node| graph.graph.find_edge(node, node).is_some())
            })
            .map(|knot| knot.into_iter().collect())
            .collect();
        let loose: Vec<EdgeIndex> =
            knots.iter().flat_map(|knot| loose(graph, knot)).filter(|edge| !dropped.contains(edge)).collect();
        if loose.is_empty() {
            return (knots, dropped);
        }
        dropped.extend(loose);
    }
}

/// Edges of held back works of which not all alternatives are in the knot.
fn loose(graph: &Graph, knot: &BTreeSet<NodeIndex>) -> Vec<EdgeIndex> {
    let held_back = knot.iter().filter(|&&node| matches!(graph.graph[node], Node::Work(_)));
    held_back
        .flat_map(|&node| {
            let behind =
                || graph.graph.edges(node).filter(|edge| edge.weight().relation == Relation::QueuedBehind);
            let all = behind().all(|edge| knot.contains(&edge.target()));
            behind().filter(move |_| !all).map(|edge| edge.id())
        })
        .collect()
}
