//! The report as one HTML file: no network, opens from disk, readable without JavaScript and better with it.
//!
//! What the report says is written out as HTML, so it is there without JavaScript and in print. The timeline's bars are
//! data for the script, in columns of numbers (`bars`). The page's policy (CSP) allows the style and the
//! script that it carries, by their hashes, and nothing else: no request leaves it, and a name that
//! became markup could not run.

mod bars;
mod chain;
mod graph;
pub(crate) mod shell;
mod tree;
mod view;

#[cfg(test)]
mod tests;

use super::{Report, finding, text};
use crate::diagnose::{Awaited, Finding, Fold, Outcome, Severity, awaited, waits};
use crate::event::Event;
use crate::history::History;
use crate::model::Model;
use crate::trace::Session;
use askama::Template;
use shell::{STYLE, policy, without_unsafe};
use std::collections::BTreeMap;

/// The script, in the order in which its parts need each other.
const SCRIPT: &str = concat!(
    include_str!("html/data.js"),
    include_str!("html/theme.js"),
    include_str!("html/timeline.js"),
    include_str!("html/links.js"),
    include_str!("html/page.js")
);

/// What the page shows besides the report. It takes the events in as they come, like the analysis.
#[derive(Clone, Debug, Default)]
pub struct Gather {
    history: History,
    /// Whom a wait waits for, by the number of the event that began it.
    awaited: BTreeMap<u32, Awaited>,
}

impl Fold for Gather {
    fn begin(&mut self, session: &Session) {
        self.history = History::new(Some(session.clone()));
    }

    fn apply(&mut self, event: &Event) {
        Self::apply(self, event);
    }

    fn model(&self) -> &Model {
        self.history.head()
    }
}

impl Gather {
    /// Takes in one event, in the order of the trace.
    pub fn apply(&mut self, event: &Event) {
        self.history.push(event);
        let model = self.history.head();
        let wait = model.task(event.task.tid).and_then(|task| task.wait.as_ref());
        if wait.is_some_and(|wait| wait.at.event + 1 == model.events()) {
            self.note(event.task.tid);
        }
    }

    /// Notes whom the task waits for now.
    fn note(&mut self, tid: u32) {
        let model = self.history.head();
        let Some(wait) = model.task(tid).and_then(|task| task.wait.as_ref()) else { return };
        if let (Some(awaited), Ok(event)) = (awaited(model, tid), u32::try_from(wait.at.event)) {
            self.awaited.insert(event, awaited);
        }
    }

    /// A report about the events that were taken in, if nobody else folded them.
    pub fn report(&self, session: &Session) -> Report {
        let notes = self.history.notes().to_vec();
        Report::new(Some(session), self.history.head(), self.history.findings(None), notes)
    }

    /// The page about the trace whose events were taken in and whose report this is.
    ///
    /// # Errors
    /// Never in practice; the template's error is passed on.
    pub fn page(mut self, report: &Report) -> Result<String, askama::Error> {
        // Of a wait that has not ended more may be known by now than when it began.
        let waiting: Vec<u32> = self.history.head().waiting().collect();
        waiting.into_iter().for_each(|tid| self.note(tid));
        let history = &self.history;
        let model = history.head();
        let waits = waits(model);
        let findings = report.findings.iter().enumerate();
        let page = Page {
            policy: policy(&[STYLE], &[SCRIPT]),
            styles: [STYLE],
            script: SCRIPT,
            report,
            verdict: verdict(report),
            known: worst(report).and_then(|found| found.known_issue.as_ref()).map(finding::known),
            class: class(report),
            findings: findings.map(|(n, found)| view::finding(n + 1, found, history)).collect(),
            cycles: view::cycles(report, model),
            machine: view::machine(report),
            figures: text::trace_figures(report),
            waits: view::waits(model, &waits),
            tree: tree::rows(model, &waits, report),
            data: bars::data(history, report, &self.awaited),
        };
        Ok(without_unsafe(page.render()?))
    }
}

/// The colour of the verdict. A trace that ends before the machine was back is no good news, whatever was found.
fn class(report: &Report) -> &'static str {
    let worst = report.severity().filter(|&severity| severity > Severity::Info);
    let is_back = report.cycles.iter().all(|cycle| cycle.outcome == Outcome::Resumed);
    match worst {
        Some(severity) => view::severity(severity),
        None if is_back && !report.cycles.is_empty() => "fine",
        None => "warning",
    }
}

fn worst(report: &Report) -> Option<&Finding> {
    report.findings.first().filter(|found| found.severity > Severity::Info)
}

fn verdict(report: &Report) -> String {
    worst(report).map_or_else(|| text::nothing_found(report), finding::in_a_line)
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    policy: String,
    styles: [&'static str; 1],
    script: &'static str,
    report: &'a Report,
    verdict: String,
    /// The known issue that the verdict is.
    known: Option<String>,
    class: &'static str,
    findings: Vec<view::FindingView>,
    cycles: Vec<view::CycleView>,
    machine: Vec<(&'static str, String)>,
    figures: String,
    waits: Vec<view::WaitView>,
    tree: Vec<tree::TreeRow>,
    data: bars::Data,
}
