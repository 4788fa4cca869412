//! What the PM core did with each device: one row for each step.

use crate::diagnose::{DeviceRef, TaskName, device_ref};
use crate::event::{Body, Event, Nanos, ObjId, Step, step_label};
use crate::model::{Model, StepRun};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;

/// Most rows.
const MOST: usize = 1 << 21;

/// A step of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DevicePhase {
    /// The transition, counted from 1.
    pub cycle: u32,
    /// The device.
    pub device: DeviceRef,
    /// Its parent.
    pub parent: Option<DeviceRef>,
    /// The step: `suspend`, `resume_early`, ...
    pub step: String,
    /// Its start, in nanoseconds of `CLOCK_BOOTTIME`.
    pub start: Nanos,
    /// How long it took, in nanoseconds, waits for other devices included; `null` if it did not end.
    pub took: Option<Nanos>,
    /// How long its callback took, in nanoseconds; 0 if it has none, `null` if that did not end.
    pub callback: Option<Nanos>,
    /// What the callback returned: 0 or a negative errno.
    pub error: i32,
    /// It ran asynchronously.
    pub is_async: bool,
    /// The task that carried it out.
    pub task: TaskName,
    /// Number of the event that began it.
    pub event: u64,
}

/// A step as it was seen; names may arrive later.
#[derive(Debug)]
struct Seen {
    cycle: u32,
    dev: ObjId,
    step: Step,
    run: StepRun,
}

/// Collects steps while events go by.
#[derive(Debug, Default)]
pub(super) struct Phases {
    seen: Vec<Seen>,
    open: HashMap<ObjId, usize>,
}

impl Phases {
    /// Takes in an event that the model has folded.
    pub(super) fn take(&mut self, event: &Event, model: &Model) {
        match &event.body {
            Body::StepStart { dev, step, .. } => {
                self.open.remove(dev);
                let cycle = model.transition().map_or(0, |transition| transition.number);
                let run = model.device(*dev).and_then(|device| device.step(*step));
                if let Some(run) = run.filter(|_| self.seen.len() < MOST) {
                    self.open.insert(*dev, self.seen.len());
                    self.seen.push(Seen { cycle, dev: *dev, step: *step, run: run.clone() });
                }
            }
            Body::CallbackStart { dev, .. } | Body::CallbackEnd { dev, .. } => self.update(*dev, model),
            Body::StepEnd { dev, .. } => {
                self.update(*dev, model);
                self.open.remove(dev);
            }
            _ => {}
        }
    }

    fn update(&mut self, dev: ObjId, model: &Model) {
        let Some(seen) = self.open.get(&dev).and_then(|&place| self.seen.get_mut(place)) else { return };
        let run = model.device(dev).and_then(|device| device.step(seen.step));
        if let Some(run) = run.filter(|run| run.start == seen.run.start) {
            seen.run = run.clone();
        }
    }
}

/// The steps with their names.
pub(super) fn rows(phases: Phases, model: &Model) -> Vec<DevicePhase> {
    phases.seen.into_iter().map(|seen| row(&seen, model)).collect()
}

fn row(seen: &Seen, model: &Model) -> DevicePhase {
    let run = &seen.run;
    let callback = match (run.callback, run.callback_end) {
        (None, _) => Some(0),
        (Some(start), Some(end)) => Some(end.time.saturating_sub(start.time)),
        (Some(_), None) => None,
    };
    let parent = model.device(seen.dev).and_then(crate::model::Device::parent);
    DevicePhase {
        cycle: seen.cycle,
        device: device_ref(model, seen.dev),
        parent: parent.map(|parent| device_ref(model, parent)),
        step: step_label(seen.step).to_owned(),
        start: run.start.time,
        took: run.end.map(|end| end.time.saturating_sub(run.start.time)),
        callback,
        error: run.error,
        is_async: run.is_async,
        task: TaskName { tid: run.task.tid, comm: run.task.comm.as_str() },
        event: run.start.event,
    }
}
