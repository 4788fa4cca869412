//! What was lost.

use super::finding::{Confidence, Finding, Kind, Severity};
use super::identity;
use crate::model::Model;

/// A finding if anything was lost, unreadable, or found no room.
pub(crate) fn finding(model: &Model) -> Option<Finding> {
    let loss = model.loss();
    let refused = model.refused();
    if loss.lost == 0 && loss.undecoded == 0 && refused == 0 {
        return None;
    }
    let mut parts = Vec::new();
    if loss.lost > 0 {
        parts.push(format!("{} records were lost because the ring buffer was full.", loss.lost));
        let hooks: Vec<String> = loss.hooks.iter().map(|(hook, count)| format!("{hook}: {count}")).collect();
        parts.push(format!("By program: {}.", hooks.join(", ")));
    }
    if loss.undecoded > 0 {
        parts.push(format!("{} records could not be decoded ({}).", loss.undecoded, loss.reason));
    }
    if refused > 0 {
        parts.push(format!("{refused} objects found no room in the tables."));
    }
    Some(Finding {
        id: identity::hash(Kind::Loss, 0, std::iter::empty()),
        kind: Kind::Loss,
        severity: Severity::Warning,
        confidence: Confidence::Proved,
        cycle: 0,
        title: "the trace is incomplete".to_owned(),
        devices: Vec::new(),
        tasks: Vec::new(),
        chain: Vec::new(),
        ordering: None,
        behind: None,
        closed_at: None,
        lasted: None,
        base: 0,
        base_name: "boot".to_owned(),
        confirmed_at: None,
        explanation: parts.join(" "),
        advice: "Trace again with a larger ring buffer; what is found may be incomplete or wrong.".to_owned(),
        known_issue: None,
        ended: None,
        margin: None,
        evidence: loss.last_lost.into_iter().collect(),
    })
}
