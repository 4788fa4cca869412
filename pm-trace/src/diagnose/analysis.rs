//! A trace from its first event to its findings, lockups that ended included.
//!
//! A stall that ends leaves nothing in the model, and neither does a deadlock that somebody breaks. So the model
//! is looked at now and then on the way, whenever trace time has passed in a transition that is under way.

use super::finding::{Finding, Kind};
use super::rules::{RuleError, Rules};
use super::{Options, findings_with, lockups};
use crate::event::{Event, Nanos};
use crate::model::{Model, Transition};
use crate::trace::Session;
use std::path::Path;

/// Trace time between two looks, in nanoseconds. A stall lasts 10 s before it is one, a deadlock 0.3 s.
const LOOK: Nanos = 250_000_000;
/// Most lockups kept that are over.
const PAST: usize = 64;

/// Folds events and keeps what was found on the way.
#[derive(Clone, Debug)]
pub struct Analysis {
    model: Model,
    options: Options,
    looked: Nanos,
    past: Vec<Finding>,
    kernel: String,
    rules: Rules,
}

impl Default for Analysis {
    fn default() -> Self {
        Self::new(Options::LIVE)
    }
}

impl Analysis {
    /// Before the first event. `options` say when a wait on the way is worth a finding.
    pub fn new(options: Options) -> Self {
        Self {
            model: Model::new(),
            options,
            looked: 0,
            past: Vec::new(),
            kernel: String::new(),
            rules: Rules::default(),
        }
    }

    /// The kernel's release (`uname -r`), which known issues depend on.
    pub fn set_kernel(&mut self, release: &str) {
        release.clone_into(&mut self.kernel);
    }

    /// What the head of a trace says: the kernel, and what its recorder took for a stall.
    pub fn set_session(&mut self, session: &Session) {
        self.set_kernel(&session.kernel.release);
        if let Some(stall) = session.stall_after {
            self.options.stall = stall;
        }
    }

    /// Adds known issues from a folder of rules.
    ///
    /// # Errors
    /// The folder or a rule in it cannot be read.
    pub fn add_rules(&mut self, folder: &Path) -> Result<(), RuleError> {
        self.rules.add_folder(folder)
    }

    /// Takes in one event, in the order of the trace.
    pub fn apply(&mut self, event: &Event) {
        if event.time >= self.looked.saturating_add(LOOK) {
            self.looked = event.time;
            self.look(event.time);
        }
        self.model.apply(event);
    }

    /// Notes what is locked up at this time, before whatever happens next.
    fn look(&mut self, now: Nanos) {
        if self.model.transition().is_none_or(Transition::is_complete) {
            return;
        }
        for found in lockups(&self.model, now, self.options) {
            match self.past.iter().position(|past| is_same(past, &found)) {
                Some(place) => self.past[place] = found,
                None if self.past.len() < PAST => self.past.push(found),
                None => {}
            }
        }
    }

    /// What the events add up to.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Everything found at the time `now`, in nanoseconds of `CLOCK_BOOTTIME`, while events still come.
    pub fn findings(&self, now: Nanos) -> Vec<Finding> {
        self.with_past(findings_with(&self.model, now, self.options))
    }

    /// Everything found in a trace that has ended, the worst first.
    pub fn findings_at_end(&self) -> Vec<Finding> {
        let options = Options { stall: self.options.stall, ..Options::END };
        self.with_past(findings_with(&self.model, self.model.now(), options))
    }

    /// What is found now, with the lockups that are over.
    fn with_past(&self, mut findings: Vec<Finding>) -> Vec<Finding> {
        let told = |past: &Finding| {
            let others = findings.iter().chain(&self.past).filter(|other| other.id != past.id);
            findings.iter().any(|now| is_same(now, past)) || is_part_of(past, others)
        };
        let over: Vec<Finding> = self.past.iter().filter(|past| !told(past)).cloned().collect();
        // A lockup that somebody broke says more than the overlap that led to it.
        findings.retain(|found| {
            let locked_up = |past: &Finding| past.kind == Kind::Deadlock && past.cycle == found.cycle;
            found.kind != Kind::Hazard || !over.iter().any(locked_up)
        });
        findings.extend(over.into_iter().map(Finding::ended));
        super::sort(&mut findings);
        self.rules.recognise(&mut findings, &self.kernel);
        findings
    }

    /// The model alone.
    pub fn into_model(self) -> Model {
        self.model
    }
}

/// Who gets events as they come: a [`Model`], or whoever makes more of them at the same time.
pub trait Fold {
    /// Before the first event: how they were recorded.
    fn begin(&mut self, session: &Session);
    /// Takes in one event.
    fn apply(&mut self, event: &Event);
    /// What the events add up to.
    fn model(&self) -> &Model;
}

impl Fold for Model {
    fn begin(&mut self, _: &Session) {}

    fn apply(&mut self, event: &Event) {
        Self::apply(self, event);
    }

    fn model(&self) -> &Model {
        self
    }
}

impl Fold for Analysis {
    fn begin(&mut self, session: &Session) {
        self.set_session(session);
    }

    fn apply(&mut self, event: &Event) {
        Self::apply(self, event);
    }

    fn model(&self) -> &Model {
        Self::model(self)
    }
}

/// A stall on the way to a deadlock that is told anyway.
fn is_part_of<'a>(past: &Finding, mut others: impl Iterator<Item = &'a Finding>) -> bool {
    past.kind == Kind::Stall && others.any(|other| other.kind == Kind::Deadlock && other.cycle == past.cycle)
}

/// The same lockup, of which more may be known at one time than at another.
fn is_same(one: &Finding, other: &Finding) -> bool {
    let device = |finding: &Finding| finding.devices.first().map(|device| device.id);
    one.id == other.id
        || (one.kind == Kind::Stall
            && other.kind == Kind::Stall
            && one.cycle == other.cycle
            && device(one) == device(other))
}
