//! The first reading of logs: what they are, and what is in them.

use super::dmesg::{self, Edge, Phases};
use super::grammar::{self, EVENTS};
use super::head::Head;
use super::kept::{self, Kept};
use super::lines::{self, Lines};
use super::{Error, ftrace};
use crate::capture::hooks::{HOOKS, HookSpec};
use crate::event::{Clocks, Nanos};
use crate::trace::{ImportedFrom, ProbeRecord, Session};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Most names of unread events that are counted.
const MOST_NAMES: usize = 256;

/// What kind of log a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Events of ftrace.
    Ftrace,
    /// The kernel log.
    Dmesg,
}

/// What is known of a log after the first reading.
pub(super) struct Log {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    head: Head,
    lines: u64,
    first: Option<Nanos>,
    last: Nanos,
    seen: [bool; EVENTS.len()],
    unread: BTreeMap<String, u64>,
    edges: Vec<Edge>,
    calls: bool,
    bare: bool,
    kept: Kept,
}

/// All logs of an import.
pub(super) struct Survey {
    logs: Vec<Log>,
}

impl Survey {
    /// Reads the logs.
    pub(super) fn of(paths: &[PathBuf]) -> Result<Self, Error> {
        Self::keeping(paths, kept::MOST)
    }

    /// The same, with so much room for what the second reading takes.
    pub(super) fn keeping(paths: &[PathBuf], mut room: usize) -> Result<Self, Error> {
        let mut logs = Vec::with_capacity(paths.len());
        for path in paths {
            let log = Log::read(path, room)?;
            room = room.saturating_sub(log.kept.size());
            logs.push(log);
        }
        let survey = Self { logs };
        let mut last = 0;
        for log in survey.used() {
            if log.first().is_some_and(|first| first < last) {
                return Err(Error::Order(log.path.clone()));
            }
            last = log.last;
        }
        Ok(survey)
    }

    /// The logs that events are taken from.
    pub(super) fn used(&self) -> impl Iterator<Item = &Log> {
        let kind = self.kind();
        self.logs.iter().filter(move |log| log.kind == kind)
    }

    fn kind(&self) -> Kind {
        if self.logs.iter().any(|log| log.kind == Kind::Ftrace) { Kind::Ftrace } else { Kind::Dmesg }
    }

    /// Lines in all logs.
    pub(super) fn lines(&self) -> u64 {
        self.logs.iter().map(|log| log.lines).sum()
    }

    /// Events that are not read, most frequent first.
    pub(super) fn unread(&self) -> Vec<(String, u64)> {
        let mut all = BTreeMap::new();
        for (name, count) in self.used().flat_map(|log| &log.unread) {
            *all.entry(name.clone()).or_insert(0) += count;
        }
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }

    /// What each log is.
    pub(super) fn from(&self) -> Vec<String> {
        self.logs.iter().map(|log| log.describe(log.kind == self.kind())).collect()
    }

    /// What is to be known about a trace from these logs.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = vec![
            "times are those of the log's clock; unless it is the boot clock, they do not count the time asleep"
                .to_owned(),
            "devices are told apart by driver, name and parent; where a device has no driver, the name of its bus or \
             class stands for it"
                .to_owned(),
        ];
        if self.used().any(|log| log.bare) {
            notes.push(
                "the log's times have no unit: they were read as nanoseconds, which is wrong for the clocks counter \
                 and x86-tsc"
                    .to_owned(),
            );
        }
        let has_callbacks = match self.kind() {
            Kind::Ftrace => self.has("device_pm_callback_start"),
            Kind::Dmesg => self.used().any(|log| log.calls),
        };
        notes.push(if has_callbacks {
            "a step of a device is its callback: what it waited for before, and devices without a callback, are not in \
             the log"
                .to_owned()
        } else {
            "the log has no callbacks of devices, only phases".to_owned()
        });
        if self.kind() == Kind::Ftrace {
            let named = self.has("contention_begin");
            notes.push(if named || self.has("mutex_lock_slowpath_cal") {
                let which = if named { "" } else { ", nor which lock it is" };
                format!(
                    "the log says that a lock was waited for, not who held it{which}: deadlocks are not found"
                )
            } else {
                "the log has no waits for locks: deadlocks are not found".to_owned()
            });
        }
        notes
    }

    /// The head of the trace.
    pub(super) fn session(&self) -> Session {
        // The kernel log of the same cycle may know more of the machine.
        let mut session = Session::default();
        for log in self.used().chain(self.logs.iter().filter(|log| log.kind != self.kind())) {
            merge(&mut session, log.head.clone().session());
        }
        session.clocks =
            Clocks { boottime: self.used().find_map(Log::first).unwrap_or(0), ..Clocks::default() };
        session.probes = HOOKS.iter().map(|spec| self.probe(spec)).collect();
        session.imported = Some(ImportedFrom { from: self.from(), notes: self.notes() });
        session
    }

    fn has(&self, event: &str) -> bool {
        grammar::place(event).is_some_and(|place| self.used().any(|log| log.seen[place]))
    }

    /// What the logs have of a hook.
    fn probe(&self, spec: &HookSpec) -> ProbeRecord {
        let event =
            EVENTS.iter().find(|grammar| grammar.hooks.contains(&spec.hook) && self.has(grammar.event));
        let place = match event {
            Some(grammar) if grammar.hooks.first() == Some(&spec.hook) => {
                Some(format!("log: {}", grammar.event))
            }
            Some(grammar) => Some(format!("log: {} (substitute)", grammar.event)),
            None => None,
        };
        ProbeRecord {
            hook: spec.hook.program().to_owned(),
            subject: spec.subject.to_owned(),
            meaning: spec.meaning.to_owned(),
            skipped: place.is_none().then(|| "the log has no such event".to_owned()),
            place,
            lost: spec.lost.to_owned(),
        }
    }
}

/// Fills in what one does not say from the other.
fn merge(one: &mut Session, other: Session) {
    let texts = [
        (&mut one.tool, other.tool),
        (&mut one.started, other.started),
        (&mut one.product, other.product),
        (&mut one.cmdline, other.cmdline),
        (&mut one.kernel.release, other.kernel.release),
        (&mut one.kernel.version, other.kernel.version),
    ];
    for (text, other) in texts {
        if text.is_empty() {
            *text = other;
        }
    }
    if one.command.is_empty() {
        one.command = other.command;
    }
    one.cpus = one.cpus.max(other.cpus);
    one.state = one.state.take().or(other.state);
}

impl Log {
    fn read(path: &Path, room: usize) -> Result<Self, Error> {
        let error = |source| Error::Read { path: path.to_owned(), source };
        let mut lines = Lines::open(path).map_err(error)?;
        let mut log = Self {
            path: path.to_owned(),
            kind: Kind::Ftrace,
            head: Head::default(),
            lines: 0,
            first: None,
            last: 0,
            seen: [false; EVENTS.len()],
            unread: BTreeMap::new(),
            edges: Vec::new(),
            calls: false,
            bare: false,
            kept: Kept::default(),
        };
        let mut phases = Phases::default();
        let mut messages: Option<(Nanos, Nanos)> = None;
        while let Some(line) = lines.next().map_err(error)? {
            log.lines += 1;
            let line = lines::text(line);
            if let Some(record) = ftrace::record(&line) {
                if let Some(place) = log.event(&record) {
                    log.kept.push(&record, place, room);
                }
            } else if let Some((time, tid, message)) = dmesg::line(&line) {
                messages = Some((messages.map_or(time, |(first, _)| first), time));
                log.head.message(message);
                log.calls |= phases.take(time, tid, message);
            } else {
                log.head.take(&line);
                log.kept.lost.line(&line);
            }
        }
        log.edges = phases.into_edges();
        if !log.seen.contains(&true) {
            if log.edges.is_empty() {
                return Err(Error::NoLog(path.to_owned()));
            }
            log.kind = Kind::Dmesg;
            (log.first, log.last) = messages.map_or((None, 0), |(first, last)| (Some(first), last));
        }
        Ok(log)
    }

    /// Takes note of an event, and returns its place in the grammar if it is read.
    fn event(&mut self, record: &ftrace::Record<'_>) -> Option<usize> {
        let place = grammar::place(record.name);
        match place {
            Some(place) => {
                self.first.get_or_insert(record.time);
                self.last = self.last.max(record.time);
                self.bare |= record.is_bare;
                self.seen[place] = true;
            }
            None => {
                if let Some(count) = self.unread.get_mut(record.name) {
                    *count += 1;
                } else if self.unread.len() < MOST_NAMES {
                    self.unread.insert(crate::text::cut(record.name, 64).to_owned(), 1);
                }
            }
        }
        place
    }

    /// The events of an ftrace log, if they were kept.
    pub(super) fn kept(&self) -> Option<impl Iterator<Item = (ftrace::Record<'_>, usize, Option<u64>)>> {
        self.kept.events().filter(|_| self.kind == Kind::Ftrace)
    }

    /// Time of the first event.
    pub(super) fn first(&self) -> Option<Nanos> {
        self.first
    }

    /// The phases that a kernel log tells of.
    pub(super) fn edges(&self) -> &[Edge] {
        &self.edges
    }

    fn describe(&self, used: bool) -> String {
        let of = if self.head.is_sleepgraph { "sleepgraph's " } else { "an " };
        match self.kind {
            Kind::Ftrace => format!("{of}ftrace log"),
            Kind::Dmesg if used => format!("{}kernel log", of.replace("an ", "a ")),
            Kind::Dmesg => {
                format!("{}kernel log, for what it says about the machine", of.replace("an ", "a "))
            }
        }
    }
}
