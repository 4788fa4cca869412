//! Arrows: from who waits to who is waited for, and from who queued a work to the worker that runs it.
//!
//! A viewer draws an arrow from one slice or moment to a later one. Whoever is waited for was usually at it before, so
//! its end of the arrow is a moment of its own.

use super::rows::Bar;
use super::{Detail, Recording};
use crate::event::{Nanos, ObjId, TaskRef};
use crate::export::phases::DevicePhase;
use crate::export::waits::Wait;
use crate::history::{Lane, Span, SpanKind};
use std::collections::HashMap;

/// An end of an arrow at which no slice begins.
pub(super) struct Moment {
    /// When.
    pub time: Nanos,
    /// Where.
    pub lane: Lane,
    /// The task, if the lane is one.
    pub task: Option<TaskRef>,
    /// What it says.
    pub name: String,
    /// Arrows that start here.
    pub starts: Vec<u64>,
    /// Arrows that end here.
    pub ends: Vec<u64>,
}

/// What happened where, by the number of the event that began it.
pub(super) struct Arrows<'a> {
    recording: &'a Recording,
    waits: HashMap<u64, &'a Wait>,
    phases: HashMap<u64, &'a DevicePhase>,
    /// What is to be drawn besides slices.
    pub moments: Vec<Moment>,
    next: u64,
}

impl<'a> Arrows<'a> {
    pub(super) fn new(recording: &'a Recording) -> Self {
        Self {
            recording,
            waits: recording.waits.iter().map(|wait| (wait.event, wait)).collect(),
            phases: recording.phases.iter().map(|phase| (phase.event, phase)).collect(),
            moments: Vec::new(),
            next: 1,
        }
    }

    fn arrow(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// Says what is known about a bar, and starts or ends its arrows.
    pub(super) fn add(&mut self, lane: Lane, span: &Span, bar: &mut Bar) {
        let event = u64::from(span.event);
        match span.kind {
            SpanKind::Wait => {
                if let Some(&wait) = self.waits.get(&event) {
                    self.wait(lane, wait, bar);
                }
            }
            SpanKind::Work => self.work(lane, event, bar),
            SpanKind::Step(_) => {
                if let Some(phase) = self.phases.get(&event) {
                    let task = format!("{}[{}]", phase.task.comm, phase.task.tid);
                    bar.details.push(("task", Detail::text(&task)));
                    bar.details.push(("asynchronous", Detail::Flag(phase.is_async)));
                    if phase.error != 0 {
                        bar.details.push(("error", Detail::Int(i64::from(phase.error))));
                    }
                }
            }
            SpanKind::Phase | SpanKind::Callback | SpanKind::ErrorHandling => {}
        }
    }

    /// From the task to the task that holds it up, and from the device to the device.
    fn wait(&mut self, lane: Lane, wait: &Wait, bar: &mut Bar) {
        bar.name = format!("waits for {}", wait.on.label);
        let task = format!("{}[{}]", wait.task.comm, wait.task.tid);
        let behind = match lane {
            Lane::Task(_) => wait.behind_task.as_ref().map(|task| Lane::Task(task.tid)),
            Lane::Device(_) => wait.behind_device.as_ref().map(|dev| Lane::Device(ObjId(dev.id))),
            Lane::Phases => None,
        };
        // A task that nobody is known to hold up may wait for a device all the same.
        let behind = behind.or_else(|| {
            let device = wait.behind_device.as_ref().filter(|_| matches!(lane, Lane::Task(_)))?;
            Some(Lane::Device(ObjId(device.id)))
        });
        if let Some(holder) = &wait.behind_task {
            bar.details.push(("behind", Detail::text(&format!("{}[{}]", holder.comm, holder.tid))));
        }
        bar.details.push(("stack", Detail::text(&wait.stack.join(" <- "))));
        if let Some(behind) = behind.filter(|&behind| behind != lane) {
            let arrow = self.arrow();
            bar.starts.push(arrow);
            let waiter = match (lane, &wait.device) {
                (Lane::Device(_), Some(device)) => device.full_name(),
                _ => task,
            };
            let named = wait.behind_task.as_ref().filter(|_| matches!(behind, Lane::Task(_)));
            self.moments.push(Moment {
                time: wait.start,
                lane: behind,
                task: named.map(|task| TaskRef { tid: task.tid, comm: crate::event::Comm::new(&task.comm) }),
                name: format!("{waiter} waits for {}", wait.on.label),
                starts: Vec::new(),
                ends: vec![arrow],
            });
        }
    }

    /// From who queued a work to the worker.
    fn work(&mut self, lane: Lane, event: u64, bar: &mut Bar) {
        let Some(&queued) = self.recording.queued.get(&event) else { return };
        bar.details.push(("queued_by", Detail::text(&queued.by.to_string())));
        let from = Lane::Task(queued.by.tid);
        // Clocks of two CPUs may differ by less than a work takes to start; such an arrow would point back in time.
        if from == lane || queued.time >= bar.start {
            return;
        }
        let arrow = self.arrow();
        bar.ends.push(arrow);
        self.moments.push(Moment {
            time: queued.time,
            lane: from,
            task: Some(queued.by),
            name: format!("queues {}", bar.name),
            starts: vec![arrow],
            ends: Vec::new(),
        });
    }
}
