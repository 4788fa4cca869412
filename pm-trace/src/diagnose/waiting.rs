//! What one task waits for, and who is at the other end.

use super::actors::step_of;
use super::describe::Namer;
use super::finding::{DeviceRef, Party, PartyKind};
use super::graph::{Edge, Node, edges};
use crate::event::{ObjId, TaskRef};
use crate::model::{Model, WaitOn};

/// Most nodes between a task that waits and the task or device behind them.
const HOPS: usize = 8;

/// A task waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// For what.
    pub on: Party,
    /// The device whose step has to end first, if there is one on the way.
    pub device: Option<ObjId>,
    /// The task that holds it or carries it out, as far as that is known at this time.
    pub task: Option<TaskRef>,
    /// Where it waits: kernel functions, innermost first.
    pub stack: Vec<String>,
}

/// What the task waits for at the time of the model's last event; `None` if it does not wait.
///
/// It follows single edges of the wait-for graph only: where several ways lead on, nobody alone is waited for.
pub fn waiting(model: &Model, tid: u32) -> Option<Waiting> {
    let wait = model.task(tid)?.wait.as_ref()?;
    let namer = Namer::new(model);
    let ways = edges(model, Node::Task(tid));
    let on = match (ways.first(), &wait.on) {
        (Some((target, _)), _) => namer.party(*target),
        (None, on) => over(&namer, on),
    };
    let (device, task) = at_the_end(model, ways);
    let task = task.map(|tid| model.task_ref(tid));
    Some(Waiting { on, device, task, stack: namer.stack(&wait.stack) })
}

/// Who is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Awaited {
    /// A device: a step of it has to end.
    Device(ObjId),
    /// A thread that is in no device's step.
    Task(u32),
}

/// Whom the task waits for at this time; `None` if it does not wait, if that is not known, or if it is several.
pub fn awaited(model: &Model, tid: u32) -> Option<Awaited> {
    let (device, task) = at_the_end(model, edges(model, Node::Task(tid)));
    let carries_out = |tid| model.task(tid).and_then(step_of).map(|(dev, _)| dev);
    device.or_else(|| task.and_then(carries_out)).map(Awaited::Device).or(task.map(Awaited::Task))
}

/// The first device and the first task that single edges lead to, the device no later than the task.
fn at_the_end(model: &Model, mut ways: Vec<(Node, Edge)>) -> (Option<ObjId>, Option<u32>) {
    let mut device = None;
    for _ in 0..HOPS {
        let Some((node, _)) = ways.pop().filter(|_| ways.is_empty()) else { break };
        match node {
            Node::Step(dev, _) => device = device.or(Some(dev)),
            Node::Task(tid) => return (device, Some(tid)),
            _ => {}
        }
        ways = edges(model, node);
    }
    (device, None)
}

/// A wait for a device's step that was over when the wait began: it ends at once.
fn over(namer: &Namer<'_>, on: &WaitOn) -> Party {
    let dev = match on {
        WaitOn::Completion { completion, .. } => namer.model.device_of_completion(*completion),
        _ => None,
    };
    let label = dev.map_or_else(
        || "something that no event names".to_owned(),
        |dev| format!("PM completion of {}", namer.device_full(dev)),
    );
    let kind = if dev.is_some() { PartyKind::Completion } else { PartyKind::Unknown };
    Party { kind, label, task: None, device: dev.map(|dev| namer.device_ref(dev)) }
}

/// A device with all that tells it from others.
pub fn device_ref(model: &Model, dev: ObjId) -> DeviceRef {
    Namer::new(model).device_ref(dev)
}
