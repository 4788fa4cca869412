//! The report as one HTML file: no network, opens from disk, readable without JavaScript and better with it.
//!
//! What the report says is written out as HTML, so it is there without JavaScript and in print. The timeline's bars are
//! data for the script, in columns of numbers (`bars`). The page's policy (CSP) allows the style and the
//! script that it carries, by their hashes, and nothing else: no request leaves it, and a name that
//! became markup could not run.

mod bars;
mod chain;
mod graph;
mod json;
pub(crate) mod shell;
mod tree;
mod view;

#[cfg(test)]
mod tests;

use super::{Report, finding, text};
use crate::diagnose::{Analysis, Awaited, Evidence, Finding, Fold, Outcome, Severity, awaited, waits};
use crate::event::{Event, Nanos};
use crate::history::History;
use crate::model::Model;
use crate::trace::Session;
use askama::Template;
use shell::{REPORT_SCRIPT as SCRIPT, STYLE, policy, without_unsafe};
use std::collections::BTreeMap;
use std::path::Path;

/// What the page shows besides the report. It takes the events in as they come, like the analysis.
#[derive(Clone, Debug, Default)]
pub struct Gather {
    history: History,
    /// Whom a wait waits for, by the number of the event that began it.
    awaited: BTreeMap<u32, Awaited>,
    /// When the first event happened, and the last.
    times: Option<(Nanos, Nanos)>,
    /// Events are not kept.
    passes: bool,
    /// The events behind each finding, if they were looked up.
    evidence: Vec<Evidence>,
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
    /// Reads a trace file to its end, with an analysis that may have rules of its own.
    ///
    /// # Errors
    /// It is no readable trace. Damage inside of it is no error but a note.
    pub fn read(path: &Path, analysis: Analysis) -> Result<Self, crate::trace::Error> {
        let mut gather = Self::default();
        gather.history = History::read_as(path, analysis, |event, model| {
            happened(&mut gather.times, event);
            begun(&mut gather.awaited, event, model);
        })?;
        Ok(gather)
    }

    /// Nothing yet. Events are not kept, which costs more than the rest: what takes them in a second time if there are
    /// findings, and shows those behind them, is [`Gather::look_up`].
    pub fn without_events() -> Self {
        Self { passes: true, ..Self::default() }
    }

    /// Looks for the events behind the findings of the report; `events` hands over all events once more, in order.
    ///
    /// # Errors
    /// What `events` says.
    pub fn look_up<E>(
        &mut self,
        report: &Report,
        events: impl FnOnce(&mut dyn FnMut(&Event)) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut evidence: Vec<Evidence> = report.findings.iter().map(Evidence::of).collect();
        let model = self.history.head();
        events(&mut |event| {
            for (found, evidence) in report.findings.iter().zip(&mut evidence) {
                evidence.apply(model, found, event);
            }
        })?;
        self.evidence = evidence;
        Ok(())
    }

    /// The events behind a finding.
    fn evidence(&self, place: usize, found: &Finding) -> Evidence {
        let log = self.history.log();
        let event = |number: u64| usize::try_from(number).ok().and_then(|number| log.event(number));
        let find = || Evidence::find(self.history.head(), found, event);
        self.evidence.get(place).cloned().unwrap_or_else(find)
    }

    /// Takes in one event, in the order of the trace.
    pub fn apply(&mut self, event: &Event) {
        if self.passes {
            self.history.pass(event);
        } else {
            self.history.push(event);
        }
        happened(&mut self.times, event);
        begun(&mut self.awaited, event, self.history.head());
    }

    /// A report about the events that were taken in.
    pub fn report(&self) -> Report {
        let (history, notes) = (&self.history, self.history.notes().to_vec());
        Report::new(history.session(), history.head(), history.findings(None), notes)
    }

    /// The page about the trace whose events were taken in and whose report this is.
    ///
    /// # Errors
    /// Never in practice; the template's error is passed on.
    pub fn page(&mut self, report: &Report) -> Result<String, askama::Error> {
        // Of a wait that has not ended more may be known by now than when it began.
        let history = &self.history;
        let model = history.head();
        model.waiting().for_each(|tid| note(&mut self.awaited, tid, model));
        let waits = waits(model);
        let findings = report.findings.iter().enumerate();
        let finding = |(n, found)| view::finding(n + 1, found, &self.evidence(n, found));
        let data = bars::data(history, report, &self.awaited, self.times.unwrap_or_default());
        let page = Page {
            policy: policy(&[STYLE], &[SCRIPT]),
            styles: [STYLE],
            script: SCRIPT.text,
            report,
            verdict: verdict(report),
            known: worst(report).and_then(|found| found.known_issue.as_ref()).map(finding::known),
            class: class(report),
            findings: findings.map(finding).collect(),
            cycles: view::cycles(report, model),
            machine: view::machine(report),
            figures: text::trace_figures(report),
            waits: view::waits(model, &waits),
            tree: tree::rows(model, &waits, report),
            data: json::json(&data).map_err(askama::Error::Json)?,
        };
        // The parts that are known to be large, and about as much again for tree and lists.
        let large = STYLE.text.len() + SCRIPT.text.len() + page.data.len();
        let mut text = String::with_capacity(large + large / 2);
        page.render_into(&mut text)?;
        Ok(without_unsafe(text))
    }
}

/// Notes when the event happened.
fn happened(times: &mut Option<(Nanos, Nanos)>, event: &Event) {
    times.get_or_insert((event.time, 0)).1 = event.time;
}

/// Notes whom the event's task waits for, if the event began a wait.
fn begun(waits: &mut BTreeMap<u32, Awaited>, event: &Event, model: &Model) {
    let wait = model.wait(event.task.tid);
    if wait.is_some_and(|wait| wait.at.event + 1 == model.events()) {
        note(waits, event.task.tid, model);
    }
}

/// Notes whom the task waits for now.
fn note(waits: &mut BTreeMap<u32, Awaited>, tid: u32, model: &Model) {
    let Some(wait) = model.wait(tid) else { return };
    if let (Some(awaited), Ok(event)) = (awaited(model, tid), u32::try_from(wait.at.event)) {
        waits.insert(event, awaited);
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
    styles: [shell::Part; 1],
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
    tree: Vec<tree::TreeRow<'a>>,
    /// In JSON that is safe in a page.
    data: String,
}
