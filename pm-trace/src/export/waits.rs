//! Who waited for what, and who was at the other end: one row for each wait.

use crate::diagnose::{DeviceRef, Party, TaskName, Waiting, device_ref, waiting};
use crate::event::{Event, Nanos, ObjId, TaskRef};
use crate::history::{History, Lane, SpanKind};
use crate::model::{Context, Model};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Most rows.
const MOST: usize = 1 << 20;

/// A wait of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Wait {
    /// The transition, counted from 1.
    pub cycle: u32,
    /// Who waits.
    pub task: TaskName,
    /// The device whose step it carries out.
    pub device: Option<DeviceRef>,
    /// What it waits for: a lock, a device's step, a request queue, ...
    pub on: Party,
    /// The device whose step has to end first.
    pub behind_device: Option<DeviceRef>,
    /// The task that holds it or carries it out, as far as that was known.
    pub behind_task: Option<TaskName>,
    /// Its start, in nanoseconds of `CLOCK_BOOTTIME`.
    pub start: Nanos,
    /// How long it lasted, in nanoseconds; `null` if its end was not seen.
    pub took: Option<Nanos>,
    /// Where it waits: kernel functions, innermost first.
    pub stack: Vec<String>,
    /// Number of the event that began it.
    pub event: u64,
}

#[derive(Debug)]
struct Seen {
    cycle: u32,
    task: TaskRef,
    device: Option<ObjId>,
    waiting: Waiting,
}

/// Collects waits while events go by.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// By the number of the event that began it.
    seen: BTreeMap<u64, Seen>,
}

impl Waits {
    /// Takes in an event that the model has folded.
    pub(super) fn take(&mut self, event: &Event, model: &Model) {
        let number = model.events().saturating_sub(1);
        let Some(task) = model.task(event.task.tid) else { return };
        let begins = task.wait.as_ref().is_some_and(|wait| wait.at.event == number);
        if !begins || self.seen.len() >= MOST {
            return;
        }
        let Some(waiting) = waiting(model, event.task.tid) else { return };
        let device = task.contexts.iter().rev().find_map(|entered| match entered.context {
            Context::Step { dev, .. } => Some(dev),
            _ => None,
        });
        let cycle = model.transition().map_or(0, |transition| transition.number);
        self.seen.insert(number, Seen { cycle, task: event.task, device, waiting });
    }
}

/// The waits with their names and ends. What was not known when a wait began, and is when the trace ends, counts.
pub(super) fn rows(waits: Waits, history: &History) -> Vec<Wait> {
    let model = history.head();
    let spans = history.spans();
    let lanes = spans.lanes().iter().filter(|lane| matches!(lane, Lane::Task(_)));
    let bars = lanes.flat_map(|lane| spans.of(*lane)).filter(|span| span.kind == SpanKind::Wait);
    let ends: HashMap<u64, Option<Nanos>> = bars.map(|span| (u64::from(span.event), span.end)).collect();
    let row = |(event, seen): (u64, Seen)| {
        let start = history.log().time(usize::try_from(event).unwrap_or(usize::MAX));
        let end = ends.get(&event).copied().flatten();
        let still = end.is_none().then(|| still(model, seen.task.tid, event)).flatten();
        let Waiting { on, device, task, stack } = still.unwrap_or(seen.waiting);
        let name = |task: TaskRef| TaskName { tid: task.tid, comm: task.comm.as_str() };
        Wait {
            cycle: seen.cycle,
            task: name(seen.task),
            device: seen.device.map(|dev| device_ref(model, dev)),
            on,
            behind_device: device.map(|dev| device_ref(model, dev)),
            behind_task: task.map(name),
            start,
            took: end.map(|end| end.saturating_sub(start)),
            stack,
            event,
        }
    };
    waits.seen.into_iter().map(row).collect()
}

/// The same wait when the trace ends, if the task is still in it.
fn still(model: &Model, tid: u32, event: u64) -> Option<Waiting> {
    let wait = model.task(tid)?.wait.as_ref()?;
    (wait.at.event == event).then(|| waiting(model, tid)).flatten()
}
