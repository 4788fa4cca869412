//! What lasted how long: the bars of a timeline.

use super::HashMap;
use crate::event::{Body, Event, Nanos, ObjId, Step, TaskRef};
use crate::model::{Context, Model, Task, WaitOn};

/// Most spans kept; further ones are counted.
const MOST: usize = 1 << 21;

/// Whose bars stand in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Phases of the transition.
    Phases,
    /// A device.
    Device(ObjId),
    /// A thread, by its id.
    Task(u32),
}

/// What a bar stands for. Later kinds are drawn over earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpanKind {
    /// A phase of the transition.
    Phase,
    /// A worker runs a work.
    Work,
    /// The PM core's step of a device.
    Step(Step),
    /// A PM callback.
    Callback,
    /// Error handling of an ATA port.
    ErrorHandling,
    /// Somebody waits.
    Wait,
}

/// A bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it stands for.
    pub kind: SpanKind,
    /// Its start.
    pub start: Nanos,
    /// Its end; `None` if that was not seen.
    pub end: Option<Nanos>,
    /// Number of the event that began it.
    pub event: u32,
    /// What it is called, a place in [`Spans::labels`].
    pub label: u32,
}

/// The bars of all lanes.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    spans: Vec<Span>,
    lanes: HashMap<Lane, OfLane>,
    order: Vec<Lane>,
    names: HashMap<u32, TaskRef>,
    labels: Vec<String>,
    numbers: HashMap<String, u32>,
    open: Open,
    left: u64,
}

/// The bars of a lane, and those of a device that have not ended: most events are about one of ten thousand devices, and
/// all of this is wanted then.
#[derive(Clone, Debug, Default)]
struct OfLane {
    spans: Vec<u32>,
    step: Option<u32>,
    callback: Option<u32>,
}

/// Other bars that have not ended.
#[derive(Clone, Debug, Default)]
struct Open {
    phases: Vec<(String, i32, u32)>,
    works: HashMap<u32, u32>,
    /// By task: the event that began the wait, and its bars.
    waits: HashMap<u32, (u64, [Option<u32>; 2])>,
    handlers: HashMap<u32, (ObjId, [Option<u32>; 2])>,
}

impl Spans {
    /// Takes in an event; `model` has already folded it.
    pub(super) fn take(&mut self, event: &Event, model: &Model) {
        let number = model.events().saturating_sub(1);
        let at = (event.time, u32::try_from(number).unwrap_or(u32::MAX));
        self.pm(event, at);
        self.work(event, model, at);
        let task = model.task(event.task.tid);
        self.handling(event, task, model, at);
        self.waits(event, task, model, number, at);
    }

    fn pm(&mut self, event: &Event, at: (Nanos, u32)) {
        match &event.body {
            Body::Phase { action, value, start: true } => {
                if let Some(span) = self.begin(Lane::Phases, SpanKind::Phase, at, action) {
                    self.open.phases.push((action.clone(), *value, span));
                }
            }
            Body::Phase { action, value, start: false } => {
                let of = |open: &(String, i32, u32)| open.0 == *action && open.1 == *value;
                if let Some(place) = self.open.phases.iter().rposition(of) {
                    let (_, _, span) = self.open.phases.remove(place);
                    self.end(span, at.0);
                }
            }
            Body::StepStart { dev, step, .. } => {
                self.end_step(*dev, at.0);
                let label = crate::event::step_label(*step);
                if let Some((span, lane)) =
                    self.begin_in(Lane::Device(*dev), SpanKind::Step(*step), at, label)
                {
                    lane.step = Some(span);
                }
            }
            Body::StepEnd { dev, .. } => self.end_step(*dev, at.0),
            Body::CallbackStart { dev, ops, .. } => {
                if let Some((span, lane)) =
                    self.begin_in(Lane::Device(*dev), SpanKind::Callback, at, ops.trim())
                {
                    lane.callback = Some(span);
                }
            }
            Body::CallbackEnd { dev, .. } => {
                let lane = self.lanes.get_mut(&Lane::Device(*dev));
                if let Some(span) = lane.and_then(|lane| lane.callback.take()) {
                    self.end(span, at.0);
                }
            }
            _ => {}
        }
    }

    fn end_step(&mut self, dev: ObjId, time: Nanos) {
        let Some(lane) = self.lanes.get_mut(&Lane::Device(dev)) else { return };
        for span in [lane.callback.take(), lane.step.take()].into_iter().flatten() {
            self.end(span, time);
        }
    }

    fn work(&mut self, event: &Event, model: &Model, at: (Nanos, u32)) {
        let tid = event.task.tid;
        match &event.body {
            Body::WorkStart { function, .. } => {
                if let Some(span) = self.open.works.remove(&tid) {
                    self.end(span, at.0);
                }
                let label = model.function_name(*function).to_owned();
                self.name(event.task);
                if let Some(span) = self.begin(Lane::Task(tid), SpanKind::Work, at, &label) {
                    self.open.works.insert(tid, span);
                }
            }
            Body::WorkEnd { .. } => {
                if let Some(span) = self.open.works.remove(&tid) {
                    self.end(span, at.0);
                }
            }
            _ => {}
        }
    }

    /// Error handling lasts while the model says that its task is inside of it. Its end has no event: the bar
    /// reaches to the last thing it was seen to do.
    fn handling(&mut self, event: &Event, task: Option<&Task>, model: &Model, at: (Nanos, u32)) {
        let tid = event.task.tid;
        let handles = task.and_then(Task::handles_port);
        let open = self.open.handlers.get(&tid).map(|open| open.0);
        if let Some(&(_, spans)) = self.open.handlers.get(&tid) {
            spans.into_iter().flatten().for_each(|span| self.end(span, at.0));
        }
        if open == handles {
            return;
        }
        self.open.handlers.remove(&tid);
        if let Some(port) = handles {
            let label = model.port(port).map(|port| format!("error handling of {}", port.name()));
            let label = label.unwrap_or_default();
            self.name(event.task);
            let dev = model.port(port).and_then(|port| port.dev);
            let spans = [
                self.begin(Lane::Task(tid), SpanKind::ErrorHandling, at, &label),
                dev.and_then(|dev| self.begin(Lane::Device(dev), SpanKind::ErrorHandling, at, &label)),
            ];
            self.open.handlers.insert(tid, (port, spans));
        }
    }

    /// A wait lasts while the model has it.
    fn waits(&mut self, event: &Event, task: Option<&Task>, model: &Model, number: u64, at: (Nanos, u32)) {
        let ends_others = matches!(
            event.body,
            Body::Completed { .. }
                | Body::StepEnd { .. }
                | Body::Scsi(_)
                | Body::SnapshotEnd { .. }
                | Body::Phase { .. }
        );
        let tid = event.task.tid;
        if ends_others {
            let is_over = |tid: u32, began: u64| wait_began(model.task(tid)) != Some(began);
            let over = self.open.waits.iter().filter(|&(&tid, open)| is_over(tid, open.0));
            for tid in over.map(|(&tid, _)| tid).collect::<Vec<_>>() {
                self.end_wait(tid, at.0);
            }
        } else if self.open.waits.get(&tid).is_some_and(|open| wait_began(task) != Some(open.0)) {
            self.end_wait(tid, at.0);
        }
        if wait_began(task) == Some(number)
            && let Some(task) = task
            && let Some(wait) = &task.wait
        {
            let label = wait_label(&wait.on);
            self.name(event.task);
            let step = task.contexts.iter().rev().find_map(|entered| match entered.context {
                Context::Step { dev, .. } => Some(dev),
                _ => None,
            });
            let spans = [
                self.begin(Lane::Task(tid), SpanKind::Wait, at, label),
                step.and_then(|dev| self.begin(Lane::Device(dev), SpanKind::Wait, at, label)),
            ];
            self.open.waits.insert(tid, (number, spans));
        }
    }

    fn end_wait(&mut self, tid: u32, time: Nanos) {
        if let Some((_, spans)) = self.open.waits.remove(&tid) {
            spans.into_iter().flatten().for_each(|span| self.end(span, time));
        }
    }

    fn name(&mut self, task: TaskRef) {
        self.names.insert(task.tid, task);
    }

    fn begin(&mut self, lane: Lane, kind: SpanKind, at: (Nanos, u32), label: &str) -> Option<u32> {
        self.begin_in(lane, kind, at, label).map(|(span, _)| span)
    }

    /// Begins a bar; its number, and its lane.
    fn begin_in(
        &mut self,
        lane: Lane,
        kind: SpanKind,
        at: (Nanos, u32),
        label: &str,
    ) -> Option<(u32, &mut OfLane)> {
        if self.spans.len() >= MOST {
            self.left += 1;
            return None;
        }
        let label = match self.numbers.get(label) {
            Some(&number) => number,
            None => {
                let number = u32::try_from(self.labels.len()).unwrap_or(u32::MAX);
                self.labels.push(label.to_owned());
                self.numbers.insert(label.to_owned(), number);
                number
            }
        };
        let number = u32::try_from(self.spans.len()).ok()?;
        self.spans.push(Span { kind, start: at.0, end: None, event: at.1, label });
        let of_lane = self.lanes.entry(lane).or_default();
        if of_lane.spans.is_empty() {
            self.order.push(lane);
        }
        of_lane.spans.push(number);
        Some((number, of_lane))
    }

    fn end(&mut self, span: u32, time: Nanos) {
        let span = &mut self.spans[span as usize];
        span.end = Some(time.max(span.start));
    }

    /// Every lane, in the order of its first bar.
    pub fn lanes(&self) -> &[Lane] {
        &self.order
    }

    /// The bars of a lane in the order of their starts.
    pub fn of(&self, lane: Lane) -> impl DoubleEndedIterator<Item = &Span> {
        let spans = self.lanes.get(&lane).map_or(&[][..], |lane| &lane.spans);
        spans.iter().map(|&number| &self.spans[number as usize])
    }

    /// Everything that bars are called, each once. [`Span::label`] is a place in it.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// What a bar is called.
    pub fn label(&self, span: &Span) -> &str {
        self.labels.get(span.label as usize).map_or("", String::as_str)
    }

    /// The last known name of a task that has a lane.
    pub fn task(&self, tid: u32) -> TaskRef {
        self.names.get(&tid).copied().unwrap_or(TaskRef { tid, ..TaskRef::default() })
    }

    /// How many bars there are, and how many found no room.
    pub fn count(&self) -> (usize, u64) {
        (self.spans.len(), self.left)
    }
}

/// The event that began the task's wait.
fn wait_began(task: Option<&Task>) -> Option<u64> {
    Some(task?.wait.as_ref()?.at.event)
}

fn wait_label(on: &WaitOn) -> &'static str {
    match on {
        WaitOn::Lock { .. } => "waits for a lock",
        WaitOn::Completion { within: Some(_), .. } => "waits for a device",
        WaitOn::Completion { command: Some(_), .. } => "waits for a command",
        WaitOn::Completion { .. } => "waits for a completion",
        WaitOn::Queue { .. } => "waits for a request queue",
        WaitOn::Flush { .. } => "waits for a work",
        WaitOn::Async { .. } => "waits for asynchronous calls",
        WaitOn::AtaEh { .. } => "waits for error handling",
        _ => "is blocked",
    }
}
