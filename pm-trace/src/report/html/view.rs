//! What the template fills in: findings, cycles, machine and waits in words.

use super::bars::is_worth;
use super::chain::{self, EventView, LinkView, PartyView};
use super::graph::{self, Graph};
use crate::diagnose::{
    CycleSummary, Evidence, Finding, KnownIssue, PathPartSummary, PathSummary, Severity, StepSummary, Waits,
    relative, seconds,
};
use crate::event::Nanos;
use crate::model::{Model, Transition};
use crate::report::{Report, finding as words, text};

/// Most rows of the list of waits.
const WAITS: usize = 400;
/// Deepest indentation that the style knows.
const DEPTH: u16 = 8;

/// A finding.
pub(super) struct FindingView {
    pub(super) number: usize,
    pub(super) class: &'static str,
    pub(super) headline: String,
    pub(super) explanation: String,
    pub(super) links: Vec<LinkView>,
    pub(super) graph: Option<Graph>,
    /// A title and what it says: ordering, what waits behind it, advice, ...
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) known: Option<KnownView>,
    /// Events it rests on besides those of the links.
    pub(super) events: Vec<EventView>,
}

/// A known issue.
pub(super) struct KnownView {
    pub(super) text: String,
    pub(super) explanation: String,
    /// Empty if there is none that a browser should follow.
    pub(super) url: String,
    pub(super) fixed_by: Vec<String>,
}

pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

pub(super) fn finding(number: usize, found: &Finding, evidence: &Evidence) -> FindingView {
    let (links, events) = chain::links(found, evidence);
    let ordering = found.ordering.as_ref().map(|ordering| ordering.text.clone());
    let behind = found.behind.as_ref().map(words::behind_text);
    let times = found.closed_at.map(|_| words::times(found));
    let facts = [
        ("Ordering", ordering),
        ("Behind it", behind),
        ("Advice", Some(found.advice.clone())),
        ("Times", times),
    ];
    let told = |(title, text): (&'static str, Option<String>)| Some((title, text?));
    FindingView {
        number,
        class: severity(found.severity),
        headline: words::in_a_line(found),
        explanation: found.explanation.clone(),
        links,
        graph: graph::chain(found),
        facts: facts.into_iter().filter_map(told).filter(|(_, text)| !text.is_empty()).collect(),
        known: found.known_issue.as_ref().map(known),
        events,
    }
}

fn known(issue: &KnownIssue) -> KnownView {
    let is_web = issue.url.starts_with("https://") || issue.url.starts_with("http://");
    KnownView {
        text: words::known(issue),
        explanation: issue.explanation.clone(),
        url: if is_web { issue.url.clone() } else { String::new() },
        fixed_by: issue.fixed_by.clone(),
    }
}

/// A transition.
pub(super) struct CycleView {
    pub(super) number: u32,
    pub(super) outcome: String,
    pub(super) figures: String,
    /// It is shown open: something was found in it, or it is the last one.
    pub(super) open: bool,
    pub(super) phases: Vec<PhaseView>,
    pub(super) paths: Vec<PathView>,
    pub(super) slowest: Vec<StepView>,
    pub(super) failed: Vec<StepView>,
}

/// A phase.
pub(super) struct PhaseView {
    pub(super) action: String,
    pub(super) depth: u32,
    pub(super) start: String,
    pub(super) took: String,
}

/// A critical path.
pub(super) struct PathView {
    pub(super) step: String,
    pub(super) took: String,
    pub(super) parts: Vec<PartView>,
    /// How many parts are not worth a line, and how long they take together.
    pub(super) left: usize,
    pub(super) left_took: String,
}

/// A step on a critical path.
pub(super) struct PartView {
    pub(super) device: String,
    pub(super) start: String,
    pub(super) own: String,
    pub(super) gain: String,
    pub(super) is_async: bool,
}

/// A step of a device.
pub(super) struct StepView {
    pub(super) device: String,
    pub(super) step: String,
    pub(super) start: String,
    pub(super) took: String,
    pub(super) callback: String,
    pub(super) error: i32,
}

pub(super) fn cycles(report: &Report, model: &Model) -> Vec<CycleView> {
    let last = report.cycles.last().map(|cycle| cycle.number);
    let open = |cycle: &CycleSummary| {
        Some(cycle.number) == last || report.findings.iter().any(|found| found.cycle == cycle.number)
    };
    report.cycles.iter().map(|summary| cycle(summary, base(model, summary), open(summary))).collect()
}

/// From where the times of a cycle count.
pub(super) fn base(model: &Model, cycle: &CycleSummary) -> Nanos {
    let transition = model.transitions().iter().find(|transition| transition.number == cycle.number);
    transition.map_or(cycle.started, Transition::base)
}

fn cycle(cycle: &CycleSummary, base: Nanos, open: bool) -> CycleView {
    let (outcome, figures) = text::cycle_head(cycle);
    let steps = |steps: &[StepSummary]| steps.iter().map(|summary| step(base, summary)).collect();
    CycleView {
        number: cycle.number,
        outcome,
        figures,
        open,
        phases: cycle
            .phases
            .iter()
            .map(|phase| PhaseView {
                action: phase.action.clone(),
                depth: phase.depth.min(u32::from(DEPTH)),
                start: relative(base, phase.start),
                took: phase.took.map_or_else(|| "not ended".to_owned(), seconds),
            })
            .collect(),
        // Where no device's part is worth a line there is nothing to tell: the phase was not waiting for one.
        paths: cycle
            .critical
            .iter()
            .map(|summary| path(base, summary))
            .filter(|path| !path.parts.is_empty())
            .collect(),
        slowest: steps(&cycle.slowest),
        failed: steps(&cycle.failed),
    }
}

fn path(base: Nanos, path: &PathSummary) -> PathView {
    let (told, left): (Vec<_>, Vec<_>) = path.parts.iter().partition(|part| is_worth(path, part));
    let part = |part: &PathPartSummary| PartView {
        device: part.device.full_name(),
        start: relative(base, part.start),
        own: seconds(part.own),
        gain: part.gain.map(seconds).unwrap_or_default(),
        is_async: part.is_async,
    };
    PathView {
        step: path.step.clone(),
        took: seconds(path.took),
        parts: told.into_iter().map(part).collect(),
        left: left.len(),
        left_took: seconds(left.iter().map(|part| part.own).sum()),
    }
}

fn step(base: Nanos, step: &StepSummary) -> StepView {
    StepView {
        device: step.device.full_name(),
        step: step.step.clone(),
        start: relative(base, step.start),
        took: seconds(step.took),
        callback: seconds(step.callback),
        error: step.error,
    }
}

/// What is known about the machine: a title and what it says.
pub(super) fn machine(report: &Report) -> Vec<(&'static str, String)> {
    let Some(session) = &report.session else { return Vec::new() };
    let rows = [
        ("Kernel", format!("{} {} {}", session.kernel, session.architecture, session.kernel_version)),
        ("Machine", format!("{}, {} CPUs", session.product, session.cpus)),
        ("Command line", session.cmdline.clone()),
        ("Recorded", format!("{} by pm-trace {}", session.started, session.recorded_by)),
        ("Command", session.command.join(" ")),
        ("Sleep state", session.state.clone().unwrap_or_default()),
    ];
    rows.into_iter().filter(|(_, text)| !text.trim().is_empty()).collect()
}

/// A row of the wait-for graph.
pub(super) struct WaitView {
    pub(super) depth: u16,
    /// How the row above leads to it; empty at the beginning of a chain.
    pub(super) relation: &'static str,
    pub(super) party: PartyView,
    pub(super) note: String,
    pub(super) since: String,
    pub(super) in_cycle: bool,
    pub(super) end: &'static str,
}

/// What waits for what at the end of the trace.
pub(super) fn waits(model: &Model, waits: &Waits) -> Vec<WaitView> {
    let base = model.transition().map_or(0, Transition::base);
    let view = |row: &crate::diagnose::WaitRow| WaitView {
        depth: if row.relation.is_some() { row.depth.min(DEPTH - 1) + 1 } else { 0 },
        relation: row.relation.map(crate::diagnose::Relation::words).unwrap_or_default(),
        party: PartyView::of(&row.party),
        note: row.notes.first().cloned().unwrap_or_default(),
        since: row.since.map(|at| relative(base, at)).unwrap_or_default(),
        in_cycle: row.in_cycle,
        end: match (row.closes, row.repeated) {
            (true, _) => "closes the cycle",
            (_, true) => "see above",
            _ => "",
        },
    };
    waits.rows.iter().take(WAITS).map(view).collect()
}
