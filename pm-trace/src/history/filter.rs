//! Expressions that pick events: `lock task:kworker dev:1:0:0:0 +0.3..+3.2`.

use super::log::{Entry, SUBJECTS, Subject};
use super::{EventLog, History};
use crate::event::{Nanos, ObjId};
use crate::model::Model;

/// Asked once for each event of a trace.
type HashSet<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;

/// The terms of an expression with an example and what they mean, for help and messages.
pub const TERMS: [(&str, &str); 6] = [
    ("subject:lock", "events about pm, lock, wait, work, ata, scsi, task or the trace itself"),
    ("dev:1:0:0:0", "events about devices whose name contains this"),
    ("task:kworker", "events of tasks whose name or thread id is this"),
    ("time:+0.3..+3.2", "between these times, in seconds as shown; either end may be left out"),
    ("!task:rtcwake", "not what follows the '!'"),
    ("sr", "a plain word: subject, device or task"),
];

/// A term of an expression.
#[derive(Clone, Debug, PartialEq)]
struct Term {
    negated: bool,
    what: What,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    Subject(Subject),
    Device(String),
    Task(String),
    /// Seconds relative to the base.
    Time(Option<f64>, Option<f64>),
    Any(String),
}

/// Terms that must all be true.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    terms: Vec<Term>,
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// No subject of this name.
    #[error("no subject is called '{0}': take pm, lock, wait, work, ata, scsi, task or trace")]
    Subject(String),
    /// No kind of term of this name.
    #[error("no kind of term is called '{0}': take subject:, dev:, task: or time:")]
    Kind(String),
    /// No time.
    #[error("'{0}' is no time: write time:+0.3..+3.2, in seconds as shown, or leave out one end")]
    Time(String),
}

impl Filter {
    /// Reads an expression: terms between spaces.
    ///
    /// # Errors
    /// A term that cannot be understood, with what would be.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let terms: Result<Vec<Term>, FilterError> = text.split_whitespace().map(Self::term).collect();
        Ok(Self { terms: terms? })
    }

    fn term(text: &str) -> Result<Term, FilterError> {
        let (negated, text) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        let what = match text.split_once(':') {
            Some(("subject", name)) => What::Subject(subject(name)?),
            Some(("dev" | "device", name)) => What::Device(name.to_lowercase()),
            Some(("task", name)) => What::Task(name.to_lowercase()),
            Some(("time", range)) => time(range)?,
            Some((kind, _)) if !kind.is_empty() && kind.chars().all(|c| c.is_ascii_alphabetic()) => {
                return Err(FilterError::Kind(kind.to_owned()));
            }
            _ if text.contains("..") => time(text)?,
            _ => What::Any(text.to_lowercase()),
        };
        Ok(Term { negated, what })
    }

    /// It lets everything through.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Numbers of the events from `first` on that pass; times count from `base`.
    pub fn events(&self, history: &History, base: Nanos, first: usize) -> Vec<u32> {
        let (log, model) = (history.log(), history.head());
        let tests: Vec<(bool, Test)> =
            self.terms.iter().map(|term| (term.negated, Test::new(&term.what, log, model, base))).collect();
        let numbered = log.entries().iter().enumerate().skip(first);
        let passes =
            numbered.filter(|(_, entry)| tests.iter().all(|(negated, test)| test.is(entry) != *negated));
        passes.filter_map(|(number, _)| u32::try_from(number).ok()).collect()
    }
}

fn subject(name: &str) -> Result<Subject, FilterError> {
    let found = SUBJECTS.iter().find(|(_, known)| *known == name);
    found.map(|(subject, _)| *subject).ok_or_else(|| FilterError::Subject(name.to_owned()))
}

fn time(range: &str) -> Result<What, FilterError> {
    let wrong = || FilterError::Time(range.to_owned());
    let (from, to) = range.split_once("..").ok_or_else(wrong)?;
    let end = |text: &str| match text.trim_start_matches('+').trim_end_matches('s') {
        "" => Ok(None),
        number => number.parse::<f64>().ok().filter(|time| time.is_finite()).map(Some).ok_or_else(wrong),
    };
    Ok(What::Time(end(from)?, end(to)?))
}

/// A term with names looked up, so that each event costs a few comparisons.
enum Test {
    Subject(Subject),
    Devices(HashSet<ObjId>),
    /// By the number of the name whether it is one of them; and a thread id.
    Tasks(Vec<bool>, Option<u32>),
    Time(Nanos, Nanos),
    Any(Vec<Test>),
}

impl Test {
    fn new(what: &What, log: &EventLog, model: &Model, base: Nanos) -> Self {
        match what {
            What::Subject(subject) => Self::Subject(*subject),
            What::Device(name) => Self::devices(name, model),
            What::Task(name) => Self::tasks(name, log),
            What::Time(from, to) => {
                let absolute = |seconds: f64| {
                    #[allow(
                        clippy::cast_possible_truncation,
                        reason = "seconds as people type them, saturating"
                    )]
                    let nanos = (seconds * 1e9) as i64;
                    base.saturating_add_signed(nanos)
                };
                Self::Time(from.map_or(0, absolute), to.map_or(Nanos::MAX, absolute))
            }
            What::Any(word) => {
                let subject = SUBJECTS.iter().find(|(_, name)| name == word);
                let subject = subject.map(|(subject, _)| Self::Subject(*subject));
                let others = [Self::devices(word, model), Self::tasks(word, log)];
                Self::Any(subject.into_iter().chain(others).collect())
            }
        }
    }

    fn devices(name: &str, model: &Model) -> Self {
        let named = model.devices().filter(|(_, device)| {
            device.info.as_ref().is_some_and(|info| info.name.to_lowercase().contains(name))
        });
        Self::Devices(named.map(|(id, _)| id).collect())
    }

    fn tasks(name: &str, log: &EventLog) -> Self {
        let named = log.comms().map(|comm| comm.to_lowercase().contains(name)).collect();
        Self::Tasks(named, name.parse().ok())
    }

    fn is(&self, entry: &Entry) -> bool {
        match self {
            Self::Subject(subject) => entry.subject == *subject,
            Self::Devices(devices) => entry.device().is_some_and(|dev| devices.contains(&dev)),
            Self::Tasks(named, tid) => {
                named.get(entry.comm as usize) == Some(&true) || *tid == Some(entry.tid)
            }
            Self::Time(from, to) => (*from..=*to).contains(&entry.time),
            Self::Any(tests) => tests.iter().any(|test| test.is(entry)),
        }
    }
}
