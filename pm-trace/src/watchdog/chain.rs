//! The chain of a finding from the lines of a report.

use super::line::{Body, Callback, Device, Line, Object, Task};
use super::report::Report;
use crate::diagnose::{DeviceRef, Link, Party, PartyKind, Relation, TaskName};
use crate::event::{Nanos, Step};

/// What every link is doubted for: no event proves it.
const DOUBT: &str = "told by the watchdog in the kernel; no events to check it against";

/// How a note begins that says what the waiting task was called for.
const CARRIES_OUT: &str = "carrying out ";

/// Makes links of lines.
pub(super) struct Chain<'a> {
    report: &'a Report,
    /// The line to which the chain leads back.
    back: Option<u32>,
    links: Vec<Link>,
}

/// The links of a report, in the order of its lines.
pub(super) fn of(report: &Report, back: Option<u32>) -> Vec<Link> {
    let mut chain = Chain { report, back, links: Vec::new() };
    for line in &report.lines {
        chain.line(line);
    }
    let target =
        report.lines.iter().find(|line| Some(line.number) == back).and_then(|line| match &line.body {
            Body::Step { step, device, .. } => Some(chain.step_party(*step, device)),
            _ => None,
        });
    if let Some(target) = target
        && let Some(last) = chain.links.last()
    {
        let last = last.clone();
        // A wait for the step itself closes the circle by itself; what else leads there gets a link.
        if last.object.kind == PartyKind::DeviceStep {
            chain.close();
        } else {
            chain.push(last.object, Relation::EndsOnlyWhen, target, None, Vec::new(), back.unwrap_or(0));
            chain.close();
        }
    } else if back.is_some() {
        chain.close();
    }
    chain.links
}

impl Chain<'_> {
    fn close(&mut self) {
        if let Some(last) = self.links.last_mut() {
            last.closes = true;
        }
    }

    fn line(&mut self, line: &Line) {
        let number = line.number;
        match &line.body {
            Body::Step { step, device, task, since, callback, .. } => {
                let waiter = self.step_party(*step, device);
                let note = match callback {
                    Callback::NotCalled => "its callback has not been called",
                    Callback::Running => "its callback is running",
                    Callback::Returned => "its callback has returned",
                };
                let notes = vec![note.to_owned()];
                self.push(waiter, Relation::PerformedBy, task_party(task), *since, notes, number);
            }
            Body::Wait { task, object, since, work } => self.wait(task, object, *since, work, number),
            _ => {}
        }
    }

    fn wait(&mut self, task: &Task, object: &Object, since: Option<Nanos>, work: &str, number: u32) {
        let waiter = task_party(task);
        let inside = Some(work).filter(|work| !work.is_empty()).map(|work| format!("{CARRIES_OUT}{work}"));
        match object {
            Object::Lock { kind, of, owner } => {
                let label = match of {
                    Some(device) => format!("device lock of {}", device.name),
                    None => format!("a lock ({kind})"),
                };
                let lock = self.party(PartyKind::Lock, label, of.as_ref());
                self.push(waiter, Relation::WaitsFor, lock.clone(), since, notes(inside), number);
                if let Some(owner) = owner {
                    let inside = self.work_of(owner).map(|work| format!("in {work}"));
                    self.push(lock, Relation::HeldBy, task_party(owner), None, notes(inside), number);
                }
            }
            Object::Queue { of, pm_only, frozen, suspended } => {
                let name = of.as_ref().map_or("a device", |device| device.name.as_str());
                let queue = self.party(PartyKind::Queue, format!("request queue of {name}"), of.as_ref());
                let mut said = notes(inside);
                if *pm_only > 0 {
                    said.push(format!("PM-only (pm_only={pm_only}), and the request is no PM request"));
                }
                if *frozen > 0 {
                    said.push(format!("frozen (mq_freeze_depth={frozen})"));
                }
                if *suspended {
                    said.push("power.is_suspended=1 read when the report was made".to_owned());
                }
                self.push(waiter, Relation::WaitsFor, queue.clone(), since, said, number);
                // The step that opens it, where the report goes on with it.
                if let Some((step, device)) = self.step_after(number) {
                    let step = self.step_party(step, device);
                    self.push(queue, Relation::EndsOnlyWhen, step, None, Vec::new(), number);
                }
            }
            Object::Step { of } => {
                let step = self.report.lines.iter().find_map(|line| match &line.body {
                    Body::Step { step, device, .. } if device.id == of.id => *step,
                    _ => None,
                });
                let step = self.step_party(step, of);
                self.push(waiter, Relation::WaitsFor, step, since, notes(inside), number);
            }
            Object::Work { function, runner } => {
                let name = if function.is_empty() { "unknown" } else { function };
                let party = self.party(PartyKind::Work, format!("work {name}"), None);
                self.push(waiter, Relation::WaitsFor, party.clone(), since, notes(inside), number);
                if let Some(runner) = runner {
                    self.push(party, Relation::PerformedBy, task_party(runner), None, Vec::new(), number);
                }
            }
            Object::Completion => {
                let party = self.party(PartyKind::Completion, "a completion".to_owned(), None);
                self.push(waiter, Relation::WaitsFor, party, since, notes(inside), number);
            }
            Object::AsyncCalls => {
                let party = self.party(PartyKind::AsyncCalls, "asynchronous calls".to_owned(), None);
                self.push(waiter, Relation::WaitsFor, party, since, notes(inside), number);
            }
        }
    }

    /// The step that the line after `number` tells of.
    fn step_after(&self, number: u32) -> Option<(Option<Step>, &Device)> {
        self.report.lines.iter().filter(|line| line.number > number).find_map(|line| match &line.body {
            Body::Step { step, device, .. } => Some((*step, device)),
            _ => None,
        })
    }

    /// The work that a task of the report carries out, from the line of its own wait or of its end.
    fn work_of(&self, task: &Task) -> Option<String> {
        self.report.lines.iter().find_map(|line| match &line.body {
            Body::Wait { task: waiter, work, .. } | Body::Task { task: waiter, work, .. }
                if waiter.tid == task.tid && !work.is_empty() =>
            {
                Some(work.clone())
            }
            _ => None,
        })
    }

    fn step_party(&self, step: Option<Step>, device: &Device) -> Party {
        let device_ref = device_ref(self.report, device);
        let words = step.map_or("step", step_words);
        Party {
            kind: PartyKind::DeviceStep,
            label: format!("{words} of {}", device_ref.full_name()),
            task: None,
            device: Some(device_ref),
        }
    }

    fn party(&self, kind: PartyKind, label: String, of: Option<&Device>) -> Party {
        Party { kind, label, task: None, device: of.map(|device| device_ref(self.report, device)) }
    }

    fn push(
        &mut self,
        waiter: Party,
        relation: Relation,
        object: Party,
        since: Option<Nanos>,
        notes: Vec<String>,
        number: u32,
    ) {
        self.links.push(Link {
            waiter,
            relation,
            object,
            since,
            notes,
            doubt: (relation == Relation::HeldBy).then(|| DOUBT.to_owned()),
            evidence: Vec::new(),
            stack: Vec::new(),
            in_cycle: self.back.is_some_and(|back| number >= back),
            closes: false,
        });
    }
}

fn notes(first: Option<String>) -> Vec<String> {
    first.into_iter().collect()
}

fn task_party(task: &Task) -> Party {
    let name = TaskName { tid: task.tid, comm: task.comm.clone() };
    Party {
        kind: PartyKind::Task,
        label: format!("{}[{}]", name.comm, name.tid),
        task: Some(name),
        device: None,
    }
}

/// A device with all that the report says of it.
pub(super) fn device_ref(report: &Report, device: &Device) -> DeviceRef {
    let mut found = DeviceRef {
        id: device.id,
        name: device.name.clone(),
        bus: String::new(),
        class: String::new(),
        driver: String::new(),
        port: None,
    };
    for line in &report.lines {
        match &line.body {
            Body::Step { device: of, bus, driver, .. } if of.id == device.id => {
                (found.bus, found.driver) = (known(bus), known(driver));
            }
            Body::Path { device: of, up } if of.id == device.id => {
                found.port = up.iter().find(|name| is_port(name)).cloned();
            }
            _ => {}
        }
    }
    found
}

/// Empty for what the kernel prints of a missing name.
fn known(name: &str) -> String {
    if name.starts_with("(null") { String::new() } else { name.to_owned() }
}

/// `ata2`
fn is_port(name: &str) -> bool {
    name.strip_prefix("ata").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

pub(super) fn step_words(step: Step) -> &'static str {
    crate::diagnose::step_words(step)
}
