//! Logs that people already have, as traces: sleepgraph's ftrace and dmesg logs, and the text of ftrace.
//!
//! A log is read twice: once to see what it is and which events it has, since the head of a trace says that before the
//! first event; and once for the events, unless they are few enough to be kept (`kept`). Both readings go line by line in
//! bounded memory, and what a line says is looked up in one table (`grammar`). The trace written is like a recorded one, so reports, replay and summaries
//! need not know; its head says that it was imported, from what, and which hooks its log has nothing of.

mod convert;
mod devices;
mod dmesg;
mod ftrace;
mod grammar;
mod head;
mod kept;
mod lines;
mod survey;

#[cfg(test)]
mod tests;

use crate::diagnose::Fold;
use crate::event::{Body, Clocks, Event, Nanos};
use crate::trace::{self, Overwrite, Session, Totals, Writer};
use convert::Converter;
use lines::Lines;
use std::io;
use std::path::{Path, PathBuf};
use survey::{Kind, Survey};

/// Tables that are asked several times for each event.
type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// Why logs could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A log cannot be read.
    #[error("cannot read {}; nothing was written. Is it the log, and whole?", crate::text::path(path))]
    Read {
        /// The log.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file has no event that is read.
    #[error(
        "{} holds no line of an ftrace log or of a kernel log about a suspend; nothing was written. What can be \
         read: the files *_ftrace.txt and *_dmesg.txt of sleepgraph, 'trace' of tracefs, and what 'trace-cmd report' \
         prints",
        crate::text::path(.0)
    )]
    NoLog(PathBuf),
    /// Logs do not follow each other in time.
    #[error(
        "{} begins before the log before it ends; nothing was written. Give logs of one boot in the order of \
         time; logs of different boots become traces of their own, one 'pm-trace import' each",
        crate::text::path(.0)
    )]
    Order(PathBuf),
    /// The trace cannot be written.
    #[error(transparent)]
    Write(#[from] trace::Error),
}

/// What came of an import.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imported {
    /// How the logs were made; the head of the trace.
    pub session: Session,
    /// Events in the trace.
    pub events: u64,
    /// Suspends and resumes in it.
    pub cycles: usize,
    /// Lines of the logs.
    pub lines: u64,
    /// What the logs were, and what is to be known about them, in sentences. The head of the trace has the same.
    pub from: Vec<String>,
    /// See [`Imported::from`].
    pub notes: Vec<String>,
    /// Events of the logs that are not read, by name, and how many of them there are.
    pub unread: Vec<(String, u64)>,
}

/// Logs after the first reading, in the order of time. Where there is an ftrace log, kernel logs only tell about the
/// machine: they have less of the same.
pub struct Logs {
    survey: Survey,
}

impl Logs {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// A log cannot be read or is none, or logs are not in order.
    pub fn read(logs: &[PathBuf]) -> Result<Self, Error> {
        Ok(Self { survey: Survey::of(logs)? })
    }

    /// Writes one trace, if there is an output for it. The events go to `fold`, too.
    ///
    /// # Errors
    /// A log cannot be read again, or the trace cannot be written.
    pub fn import<F: Fold>(
        &self,
        output: Option<(&Path, Overwrite)>,
        fold: &mut F,
    ) -> Result<Imported, Error> {
        let survey = &self.survey;
        let session = survey.session();
        fold.begin(&session);
        // The logs are there if the machine fails meanwhile.
        let create = |(path, overwrite)| Writer::create_quickly(path, &session, overwrite);
        let mut writer = output.map(create).transpose()?;
        let mut count = 0;
        let end = events(survey, &mut |event| {
            fold.apply(event);
            count += 1;
            writer.as_mut().map_or(Ok(()), |writer| writer.append(event))
        })?;
        let cycles = fold.model().transitions().len();
        if let Some(writer) = writer {
            let clocks = Clocks { boottime: end, ..Clocks::default() };
            let cycles = u32::try_from(cycles).unwrap_or(u32::MAX);
            writer.finish(Totals { clocks, cycles, ..Totals::default() })?;
        }
        let lines = survey.lines();
        let (from, notes, unread) = (survey.from(), survey.notes(), survey.unread());
        Ok(Imported { session, events: count, cycles, lines, from, notes, unread })
    }

    /// The events that [`Logs::import`] took in, once more.
    ///
    /// # Errors
    /// A log cannot be read again.
    pub fn events(&self, each: &mut dyn FnMut(&Event)) -> Result<(), Error> {
        events(&self.survey, &mut |event| {
            each(event);
            Ok(())
        })
        .map(drop)
    }
}

/// The session that [`Logs::import`] would write, and its events one by one, for those who want no file.
///
/// # Errors
/// As for [`Logs`].
pub fn read(logs: &[PathBuf], each: &mut dyn FnMut(&Event) -> trace::Result<()>) -> Result<Session, Error> {
    let survey = Survey::of(logs)?;
    let session = survey.session();
    events(&survey, each)?;
    Ok(session)
}

/// The events of all logs, and the time of the last.
fn events(survey: &Survey, each: &mut dyn FnMut(&Event) -> trace::Result<()>) -> Result<Nanos, Error> {
    let mut converter = Converter::default();
    let (mut out, mut last) = (Vec::new(), 0);
    for log in survey.used() {
        let mut hand_on = |out: &mut Vec<Event>| {
            out.drain(..).try_for_each(|event| {
                last = last.max(event.time);
                each(&event)
            })
        };
        let mut reading = Reading::new(log);
        if let Some(kept) = log.kept() {
            for (record, place, lost) in kept {
                take(&record, place, lost, &mut converter, &mut out);
                hand_on(&mut out)?;
            }
        } else {
            let error = |source| Error::Read { path: log.path.clone(), source };
            let mut lines = Lines::open(&log.path).map_err(error)?;
            while let Some(line) = lines.next().map_err(error)? {
                reading.line(&lines::text(line), &mut converter, &mut out);
                hand_on(&mut out)?;
            }
        }
        reading.end(&mut converter, &mut out);
    }
    if converter.refused > 0 {
        let reason = "more devices, or more callbacks at one time, than are told apart".to_owned();
        out.push(Event {
            time: last,
            cpu: 0,
            task: Default::default(),
            body: Body::Undecoded { records: converter.refused, reason },
        });
    }
    for event in out {
        last = last.max(event.time);
        each(&event)?;
    }
    Ok(last)
}

/// Takes in an event of an ftrace log that is at this place of the grammar, with what the log lost before it.
fn take(
    record: &ftrace::Record<'_>,
    place: usize,
    lost: Option<u64>,
    converter: &mut Converter,
    out: &mut Vec<Event>,
) {
    if let Some(lost) = lost {
        let body = Body::Lost { records: lost.max(1), hook: "ftrace".to_owned() };
        out.push(Event { time: record.time, cpu: record.cpu, task: Default::default(), body });
    }
    if let Some(said) = (grammar::EVENTS[place].read)(record.text) {
        converter.take(record, &said, out);
    }
}

/// The second reading of a log.
struct Reading<'a> {
    kind: Kind,
    lost: ftrace::Lost,
    edges: std::slice::Iter<'a, dmesg::Edge>,
    next: Option<&'a dmesg::Edge>,
    step: Option<(crate::event::Step, i32)>,
    calls: dmesg::Calls,
}

impl<'a> Reading<'a> {
    fn new(log: &'a survey::Log) -> Self {
        let mut edges = log.edges().iter();
        let next = edges.next();
        Self {
            kind: log.kind,
            lost: ftrace::Lost::default(),
            edges,
            next,
            step: None,
            calls: dmesg::Calls::default(),
        }
    }

    fn line(&mut self, line: &str, converter: &mut Converter, out: &mut Vec<Event>) {
        match self.kind {
            Kind::Ftrace => self.ftrace(line, converter, out),
            Kind::Dmesg => {
                let Some((time, _, message)) = dmesg::line(line) else { return };
                self.phases(time, converter, out);
                if let Some((record, said)) = self.calls.take(time, message, self.step) {
                    converter.take(&record, &said, out);
                }
            }
        }
    }

    fn ftrace(&mut self, line: &str, converter: &mut Converter, out: &mut Vec<Event>) {
        let Some(record) = ftrace::record(line) else {
            return self.lost.line(line);
        };
        let Some(place) = grammar::place(record.name) else { return };
        take(&record, place, self.lost.take(), converter, out);
    }

    /// The phases that begin or end until now.
    fn phases(&mut self, now: Nanos, converter: &mut Converter, out: &mut Vec<Event>) {
        while let Some(edge) = self.next.filter(|edge| edge.time <= now) {
            let (record, said) = edge.said();
            converter.take(&record, &said, out);
            if edge.is_of_steps() {
                self.step = edge.step();
            }
            self.next = self.edges.next();
        }
    }

    fn end(&mut self, converter: &mut Converter, out: &mut Vec<Event>) {
        self.phases(Nanos::MAX, converter, out);
    }
}
