//! The events and stacks behind a finding (`pm-trace report --explain N`).
//!
//! A finding names its events by their number in the trace. They are told in words when the trace is read a second
//! time: what things are called may become known only after the event that uses them.

use super::describe::relative;
use super::finding::Finding;
use super::narrate::{narrate, stack_of};
use crate::event::Event;
use crate::model::Model;
use std::collections::BTreeMap;

/// Events of a trace that a finding rests on, in words.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    wanted: BTreeMap<u64, Option<Told>>,
    seen: u64,
}

/// An event in words.
#[derive(Clone, Debug)]
struct Told {
    line: String,
    stack: Vec<String>,
}

impl Evidence {
    /// For the events of this finding.
    pub fn of(finding: &Finding) -> Self {
        let links = finding.chain.iter().flat_map(|link| &link.evidence);
        let wanted = finding.evidence.iter().chain(links).map(|at| (at.event, None));
        Self { wanted: wanted.collect(), seen: 0 }
    }

    /// The same from a trace that is in memory; `event` finds an event by its number.
    pub fn find(model: &Model, finding: &Finding, event: impl Fn(u64) -> Option<Event>) -> Self {
        let mut evidence = Self::of(finding);
        for (&number, told) in &mut evidence.wanted {
            *told = event(number).map(|event| tell(model, finding, number, &event));
        }
        evidence
    }

    /// An event in words, and its stack; `None` if it was not there.
    pub fn told(&self, event: u64) -> Option<(&str, &[String])> {
        let told = self.wanted.get(&event)?.as_ref()?;
        Some((&told.line, &told.stack))
    }

    /// Takes in the next event of the trace; `model` has seen all of them.
    pub fn apply(&mut self, model: &Model, finding: &Finding, event: &Event) {
        let number = self.seen;
        self.seen += 1;
        let Some(told) = self.wanted.get_mut(&number) else { return };
        *told = Some(tell(model, finding, number, event));
    }

    /// The finding link by link, each with its events: the lines of a report, without control characters.
    pub fn lines(&self, finding: &Finding) -> Vec<String> {
        let mut lines = vec![finding.title.clone(), String::new()];
        for (place, link) in finding.chain.iter().enumerate() {
            let words = link.relation.words();
            lines.push(format!("{}. {} {words} {}", place + 1, link.waiter.label, link.object.label));
            lines.extend(link.notes.iter().map(|note| format!("   {note}")));
            lines.extend(link.doubt.iter().map(|doubt| format!("   not beyond doubt: {doubt}")));
            for at in &link.evidence {
                self.tell(at.event, &mut lines);
            }
            if link.evidence.is_empty() {
                lines.push("   no event says so by itself: it follows from the others".to_owned());
            }
            lines.push(String::new());
        }
        let in_chain =
            |event: u64| finding.chain.iter().any(|link| link.evidence.iter().any(|at| at.event == event));
        let rest: Vec<u64> =
            finding.evidence.iter().map(|at| at.event).filter(|&event| !in_chain(event)).collect();
        if !rest.is_empty() {
            lines.push("Other events it rests on:".to_owned());
            for event in rest {
                self.tell(event, &mut lines);
            }
        }
        lines.iter().map(|line| crate::text::line(line).into_owned()).collect()
    }

    fn tell(&self, event: u64, lines: &mut Vec<String>) {
        match self.wanted.get(&event).and_then(Option::as_ref) {
            Some(told) => {
                lines.push(format!("   {}", told.line));
                lines.extend(told.stack.iter().map(|frame| format!("      {frame}")));
            }
            None => lines.push(format!("   #{event} is not in this trace")),
        }
    }
}

fn tell(model: &Model, finding: &Finding, number: u64, event: &Event) -> Told {
    let when = relative(finding.base, event.time);
    let line = format!("#{number} {when} on CPU {}: {} {}", event.cpu, event.task, narrate(model, event));
    Told { line, stack: stack_of(model, event) }
}
