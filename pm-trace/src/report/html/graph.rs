//! A chain of waits as a drawing: boxes below each other, arrows from who waits to what it waits for.

use crate::diagnose::{Finding, Link, Party, PartyKind, Relation, relative};

/// Height of a box, and of the room between two.
const BOX: usize = 30;
const GAP: usize = 44;
/// Width of a character of the boxes' fixed-width font at its size.
const CHARACTER: usize = 8;
/// Longest text of a box.
const LONGEST: usize = 64;
/// Most boxes.
const MOST: usize = 40;
/// Room beside the boxes for an arrow that does not lead to the next box.
const BESIDE: usize = 34;

/// A drawing, in units of SVG.
pub(super) struct Graph {
    pub(super) width: usize,
    pub(super) height: usize,
    /// What a reader who does not see it is told.
    pub(super) told: String,
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge>,
}

pub(super) struct Node {
    /// The row of the chain that tells about it, from 1: where it waits, or else where it is waited for.
    pub(super) link: usize,
    /// What that row says.
    pub(super) told: String,
    /// See [`super::chain::lane`].
    pub(super) lane: String,
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) label: String,
    pub(super) kind: &'static str,
    pub(super) in_cycle: bool,
}

pub(super) struct Edge {
    /// Its line, as the data of a path.
    pub(super) path: String,
    /// Where its words begin.
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) words: String,
    pub(super) in_cycle: bool,
}

/// The chain of a finding; `None` if it has none worth drawing.
pub(super) fn chain(found: &Finding) -> Option<Graph> {
    let mut parties: Vec<(&Party, bool)> = Vec::new();
    let mut links: Vec<(usize, usize, &Link)> = Vec::new();
    // Who queued a work is beside the chain: it comes last.
    let (chain, beside): (Vec<_>, Vec<_>) =
        found.chain.iter().partition(|link| link.relation != Relation::QueuedBy);
    for link in chain.into_iter().chain(beside) {
        let from = place(&mut parties, &link.waiter, link.in_cycle);
        let to = place(&mut parties, &link.object, link.in_cycle);
        links.push((from, to, link));
    }
    if links.is_empty() || parties.len() > MOST {
        return None;
    }
    let texts: Vec<String> = parties.iter().map(|(party, _)| label(party)).collect();
    let widest = texts.iter().map(|text| text.chars().count()).max().unwrap_or_default();
    let inner = widest * CHARACTER + 20;
    let around = links.iter().filter(|(from, to, _)| *to != from + 1).count();
    let left = 4;
    let nodes: Vec<Node> = parties
        .iter()
        .zip(&texts)
        .enumerate()
        .map(|(n, ((party, in_cycle), label))| Node {
            link: row(found, party) + 1,
            told: found.chain.get(row(found, party)).map(sentence).unwrap_or_default(),
            lane: super::chain::lane(party),
            x: left,
            y: top(n),
            width: inner,
            label: label.clone(),
            kind: class(party.kind),
            in_cycle: *in_cycle,
        })
        .collect();
    let mut lane = 0;
    let edges = links
        .iter()
        .map(|&(from, to, link)| {
            let beside = to != from + 1;
            lane += usize::from(beside);
            edge(found, link, (from, to), left + inner, if beside { lane } else { 0 })
        })
        .collect();
    let beside = if around > 0 { around * BESIDE + 150 } else { 8 };
    Some(Graph {
        width: (left + inner + beside).max(380),
        height: top(parties.len()),
        told: links.iter().map(|(_, _, link)| sentence(link)).collect::<Vec<_>>().join("; "),
        nodes,
        edges,
    })
}

/// The link that tells about a party.
fn row(found: &Finding, party: &Party) -> usize {
    let is_it = |other: &Party| is_same(other, party);
    let waits = found.chain.iter().position(|link| is_it(&link.waiter));
    waits.or_else(|| found.chain.iter().position(|link| is_it(&link.object))).unwrap_or_default()
}

fn is_same(one: &Party, other: &Party) -> bool {
    one.kind == other.kind && one.label == other.label
}

fn place<'a>(parties: &mut Vec<(&'a Party, bool)>, party: &'a Party, in_cycle: bool) -> usize {
    match parties.iter().position(|(other, _)| is_same(other, party)) {
        Some(place) => {
            parties[place].1 |= in_cycle;
            place
        }
        None => {
            parties.push((party, in_cycle));
            parties.len() - 1
        }
    }
}

fn top(place: usize) -> usize {
    4 + place * (BOX + GAP)
}

/// An arrow to the next box, or around the boxes on their right side.
fn edge(found: &Finding, link: &Link, (from, to): (usize, usize), right: usize, lane: usize) -> Edge {
    let since = link.since.filter(|_| link.relation == Relation::WaitsFor);
    let since = since.map(|at| format!(", since {}", relative(found.base, at))).unwrap_or_default();
    let words = format!("{}{since}", link.relation.words());
    let (y, target) = (top(from), top(to));
    if lane == 0 {
        let x = 36;
        let path = format!("M{x} {} V{}", y + BOX, target - 2);
        return Edge { path, x: x + 10, y: y + BOX + GAP / 2 + 4, words, in_cycle: link.in_cycle };
    }
    let x = right + lane * BESIDE - 12;
    let (y, target) = (y + BOX / 2, target + BOX / 2);
    let path = format!("M{right} {y} H{x} V{target} H{}", right + 2);
    Edge { path, x: x + 6, y: usize::midpoint(y, target) + 4, words, in_cycle: link.in_cycle }
}

fn sentence(link: &Link) -> String {
    format!("{} {} {}", link.waiter.label, link.relation.words(), link.object.label)
}

fn label(party: &Party) -> String {
    if party.label.chars().count() <= LONGEST {
        return party.label.clone();
    }
    let short: String = party.label.chars().take(LONGEST - 1).collect();
    format!("{short}\u{2026}")
}

fn class(kind: PartyKind) -> &'static str {
    match kind {
        PartyKind::Task => "task",
        PartyKind::DeviceStep | PartyKind::RuntimePm => "device",
        PartyKind::Lock => "lock",
        PartyKind::Queue | PartyKind::Work | PartyKind::Completion | PartyKind::AsyncCalls => "object",
        PartyKind::Delay | PartyKind::ErrorHandling | PartyKind::Hardware | PartyKind::Unknown => "end",
    }
}
