//! What is wrong, and why: findings from the model, as data.
//!
//! [`findings`] builds the wait-for graph of the moment, reports its cycles as deadlocks, the end of the
//! chain behind which the transition waits as a stall, and adds what the model noted on the way. It looks
//! only at what waits now, so it is cheap however long the trace is.

mod actors;
mod analysis;
mod behind;
mod cycle;
mod describe;
mod evidence;
mod explain;
mod explained;
mod failures;
mod finding;
mod graph;
mod guarded;
mod hazards;
mod identity;
mod knots;
mod known;
mod loss;
mod narrate;
mod nodes;
mod notes;
mod ordering;
mod pattern;
mod places;
mod ports;
mod queues;
mod remedy;
mod rules;
pub(crate) mod stall;
mod state;
mod summary;
mod waiting;
mod waits;
mod wakeups;

#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod scenario;
#[cfg(test)]
pub(crate) mod script;
#[cfg(test)]
mod tests;

pub use analysis::{Analysis, Fold};
pub(crate) use describe::step_words;
pub use describe::{relative, seconds};
pub use evidence::Evidence;
pub(crate) use explain::{advice, deadlock as deadlock_sentences};
pub use explained::Explained;
pub use finding::{
    Behind, Confidence, DeviceLink, DeviceRef, Finding, Kind, KnownIssue, Link, Order, Ordering, Party,
    PartyKind, Relation, Severity, TaskName,
};
pub use graph::{Edge, Graph, Node};
pub(crate) use known::{Shape, by_id as known_by_id, issue as known_issue};
pub use narrate::{narrate, stack_of};
pub use ports::EhSummary;
pub use rules::{Condition, Fix, LinkCondition, Rule, RuleError, Rules, Versions};
pub use state::{DeviceState, Standing, device_name, standing, states};
pub use summary::{CycleSummary, Outcome, PathPartSummary, PathSummary, PhaseSummary, StepSummary, cycles};
pub use waiting::{Awaited, Waiting, awaited, device_ref, waiting};
pub use waits::{WaitRow, Waits, waits};
pub use wakeups::{AbortSummary, WakeupSummary};

use crate::event::Nanos;
use crate::model::{Model, Transition};

/// When a thing is worth a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long a cycle must have lasted, in nanoseconds, unless a snapshot confirms it. Events of several
    /// CPUs may come a little out of order, and a wait that has no end event may be over already.
    pub settle: Nanos,
    /// The same for a cycle with a link that is not beyond doubt.
    pub settle_doubtful: Nanos,
    /// How long something must have taken, in nanoseconds, to be a stall.
    pub stall: Nanos,
}

impl Options {
    /// For a look at a running transition.
    pub const LIVE: Self =
        Self { settle: 300_000_000, settle_doubtful: 3_000_000_000, stall: 10_000_000_000 };
    /// For the end of a trace, after which nothing came that could disprove it.
    pub const END: Self = Self { settle: 0, settle_doubtful: 0, ..Self::LIVE };
}

/// Everything found at the time `now`, in nanoseconds of `CLOCK_BOOTTIME`, while events still come.
pub fn findings(model: &Model, now: Nanos) -> Vec<Finding> {
    findings_with(model, now, Options::LIVE)
}

/// Everything found in a trace that has ended.
pub fn findings_at_end(model: &Model) -> Vec<Finding> {
    findings_with(model, model.now(), Options::END)
}

/// Everything found at the time `now`, the worst first; the same model gives the same findings in the same
/// order.
pub fn findings_with(model: &Model, now: Nanos, options: Options) -> Vec<Finding> {
    let mut findings = lockups(model, now, options);
    findings.extend(hazards::findings(model));
    findings.extend(failures::findings(model));
    findings.extend(guarded::findings(model));
    findings.extend(loss::finding(model));
    sort(&mut findings);
    known::recognise(&mut findings, "");
    findings
}

/// The worst first, then by cycle.
fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.cycle));
}

/// What holds up the transition that is under way.
fn lockups(model: &Model, now: Nanos, options: Options) -> Vec<Finding> {
    let mut findings = Vec::new();
    if model.transition().is_some_and(|transition| !Transition::is_complete(transition)) {
        let graph = Graph::new(model);
        let cycles = cycle::cycles(&graph);
        let deadlocks = cycles.iter().map(|cycle| cycle::deadlock(model, &graph, cycle, now));
        let settled = |finding: &Finding| {
            let doubtful = finding.chain.iter().any(|link| link.doubt.is_some());
            let settle = if doubtful { options.settle_doubtful } else { options.settle };
            finding.confirmed_at.is_some_and(|at| Some(at) > finding.closed_at)
                || finding.lasted.is_some_and(|lasted| lasted >= settle)
        };
        findings.extend(deadlocks.filter(settled));
        if cycles.is_empty() {
            findings.extend(stall::finding(model, &graph, now, options.stall));
        }
    }
    findings
}
