//! The links of a chain with the events and stacks behind them.

use crate::diagnose::{Evidence, Finding, Link, Party, Relation, relative};

/// Who waits, or what is waited for.
pub(super) struct PartyView {
    pub(super) label: String,
    /// Its lane of the timeline, see [`lane`]; empty if it has none.
    pub(super) lane: String,
    /// The device tree has it, too.
    pub(super) in_tree: bool,
}

impl PartyView {
    pub(super) fn of(party: &Party) -> Self {
        let lane = lane(party);
        Self { label: party.label.clone(), in_tree: lane.starts_with('d'), lane }
    }
}

/// What the whole page calls a party's lane: `t` and a thread's id, or `d` and a device's, which is the name of the
/// device's row in the tree, too. Empty if it is neither.
pub(super) fn lane(party: &Party) -> String {
    let task = party.task.as_ref().map(|task| format!("t{}", task.tid));
    let device = || party.device.as_ref().map(|device| format!("d{}", device.id));
    task.or_else(device).unwrap_or_default()
}

/// A link.
pub(super) struct LinkView {
    pub(super) waiter: PartyView,
    pub(super) words: &'static str,
    pub(super) object: PartyView,
    /// Since when; empty if that is not known.
    pub(super) since: String,
    pub(super) notes: Vec<String>,
    /// Why it is not beyond doubt; empty if it is.
    pub(super) doubt: String,
    pub(super) in_cycle: bool,
    pub(super) closes: bool,
    pub(super) events: Vec<EventView>,
    pub(super) stack: Vec<String>,
}

/// An event in words.
pub(super) struct EventView {
    pub(super) line: String,
    pub(super) stack: Vec<String>,
}

/// The links of a finding, and the other events that it rests on.
pub(super) fn links(found: &Finding, evidence: &Evidence) -> (Vec<LinkView>, Vec<EventView>) {
    let told = |number: u64| match evidence.told(number) {
        Some((line, stack)) => EventView { line: line.to_owned(), stack: stack.to_vec() },
        None => EventView { line: format!("#{number} is not in this trace"), stack: Vec::new() },
    };
    let links = found.chain.iter().map(|link| view(found, link, &told)).collect();
    let in_chain =
        |number: u64| found.chain.iter().flat_map(|link| &link.evidence).any(|at| at.event == number);
    let rest = found.evidence.iter().filter(|at| !in_chain(at.event)).map(|at| told(at.event)).collect();
    (links, rest)
}

fn view(found: &Finding, link: &Link, told: &dyn Fn(u64) -> EventView) -> LinkView {
    let events: Vec<EventView> = link.evidence.iter().map(|at| told(at.event)).collect();
    // The stack of the wait stands with the event that began it, if that has one.
    let has_stack = events.iter().any(|event| !event.stack.is_empty());
    LinkView {
        waiter: PartyView::of(&link.waiter),
        words: link.relation.words(),
        object: PartyView::of(&link.object),
        since: link
            .since
            .filter(|_| link.relation == Relation::WaitsFor)
            .map(|at| relative(found.base, at))
            .unwrap_or_default(),
        notes: link.notes.clone(),
        doubt: link.doubt.clone().unwrap_or_default(),
        in_cycle: link.in_cycle,
        closes: link.closes,
        events,
        stack: if has_stack { Vec::new() } else { link.stack.clone() },
    }
}
