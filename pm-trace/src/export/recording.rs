//! A trace as every format needs it: read once, with what lasted how long as rows.

use super::phases::{self, DevicePhase, Phases};
use super::waits::{self, Wait, Waits};
use super::works::{Queued, queued};
use crate::diagnose::{self, CycleSummary, Finding, device_ref, narrate};
use crate::event::{Event, Nanos};
use crate::history::History;
use crate::runs::{Times, times};
use crate::trace::{Error, Session};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;

/// A suspend and resume in figures.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Cycle {
    /// The figures that reports show, too.
    #[serde(flatten)]
    pub summary: CycleSummary,
    /// How long suspend and resume took, as `pm-trace summary` counts them.
    pub times: Times,
}

/// An event with what its ids mean.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct NamedEvent {
    /// Its number in the trace, counted from 0.
    pub number: u64,
    /// The transition it belongs to, counted from 1; 0 before the first.
    pub cycle: u32,
    /// What it is about: `pm`, `lock`, `wait`, `work`, `ata`, `scsi`, `task`, or `trace` for the trace itself.
    pub subject: String,
    /// Id of the device it is about.
    pub device_id: Option<u32>,
    /// Name of that device.
    pub device: Option<String>,
    /// The event in words.
    pub text: String,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

/// A trace, read and explained.
#[derive(Debug)]
pub struct Recording {
    /// Tells the trace from all others: `t` and a hash of what its head says.
    pub id: String,
    /// Name of its file, without folders.
    pub file: String,
    /// How and on what it was recorded.
    pub session: Option<Session>,
    /// Its cycles.
    pub cycles: Vec<Cycle>,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// Every step of every device, in the order of their starts.
    pub phases: Vec<DevicePhase>,
    /// Every wait, in the order of their starts.
    pub waits: Vec<Wait>,
    /// What was wrong with the file.
    pub notes: Vec<String>,
    /// The events.
    pub history: History,
    /// Who queued the works that were started, by the number of the event that started each.
    pub(super) queued: HashMap<u64, Queued>,
    /// Number of the first event of each cycle.
    starts: Vec<u64>,
}

impl Recording {
    /// Reads a trace file to its end.
    ///
    /// # Errors
    /// It is no readable trace. Damage inside of it is no error but a note.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let (mut steps, mut waits, mut works) = (Phases::default(), Waits::default(), HashMap::new());
        let history = History::read_with(path, |event, model| {
            steps.take(event, model);
            waits.take(event, model);
            let number = model.events().saturating_sub(1);
            works.extend(queued(event, model).map(|queued| (number, queued)));
        })?;
        let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let model = history.head();
        let starts = model.transitions().iter().map(|transition| transition.started.event).collect();
        let summaries = diagnose::cycles(model).into_iter();
        Ok(Self {
            id: id(history.session(), history.log().event(0).as_ref()),
            file,
            session: history.session().cloned(),
            cycles: summaries.map(|summary| Cycle { times: times(&summary), summary }).collect(),
            findings: history.findings(None),
            phases: phases::rows(steps, model),
            waits: waits::rows(waits, &history),
            notes: history.notes().to_vec(),
            history,
            queued: works,
            starts,
        })
    }

    /// The transition that an event belongs to, counted from 1; 0 before the first.
    pub fn cycle_of(&self, event: u64) -> u32 {
        let begun = self.starts.partition_point(|&start| start <= event);
        u32::try_from(begun).unwrap_or(u32::MAX)
    }

    /// The events, named, in the order of the trace. Those that cannot be decoded are left out.
    pub fn events(&self) -> impl Iterator<Item = NamedEvent> {
        let log = self.history.log();
        let model = self.history.head();
        log.entries().iter().enumerate().filter_map(move |(number, entry)| {
            let event = log.event(number)?;
            let number = u64::try_from(number).unwrap_or(u64::MAX);
            Some(NamedEvent {
                number,
                cycle: self.cycle_of(number),
                subject: entry.subject.name().to_owned(),
                device_id: entry.device().map(|dev| dev.0),
                device: entry.device().map(|dev| device_ref(model, dev).name),
                text: narrate(model, &event),
                event,
            })
        })
    }

    /// A time of the trace in nanoseconds since 1970 in UTC; `None` if the clocks are not known.
    pub fn utc(&self, time: Nanos) -> Option<Nanos> {
        let clocks = self.session.as_ref()?.clocks;
        (clocks.realtime > 0).then(|| (clocks.realtime + time).saturating_sub(clocks.boottime))
    }
}

/// Clocks, kernel and machine at the start tell a trace from others, also if its end was cut off.
fn id(session: Option<&Session>, first: Option<&Event>) -> String {
    let mut bytes = Vec::new();
    // Encoding into a vector cannot fail; an empty head would only make the id less telling.
    let _ = match session {
        Some(session) => minicbor::encode(session, &mut bytes),
        None => minicbor::encode(first, &mut bytes),
    };
    let digest = Sha256::digest(&bytes);
    // A letter in front, or programs that guess types would read some of them as numbers.
    std::iter::once("t".to_owned()).chain(digest.iter().take(8).map(|byte| format!("{byte:02x}"))).collect()
}
