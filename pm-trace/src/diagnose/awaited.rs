//! Whom a task that waits waits for: the next task or device on its chain.

use super::graph::{Node, edges};
use crate::event::ObjId;
use crate::model::{Context, Model};

/// Most objects between one who waits and the one who is waited for: a queue, a work behind a work, ...
const HOPS: usize = 8;

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
    let mut node = Node::Task(tid);
    for _ in 0..HOPS {
        let mut ways = edges(model, node);
        let (target, _) = ways.pop().filter(|_| ways.is_empty())?;
        match target {
            Node::Step(dev, _) => return Some(Awaited::Device(dev)),
            Node::Task(tid) => return Some(carries_out(model, tid)),
            other => node = other,
        }
    }
    None
}

/// The device whose step the task carries out, or else the task itself.
fn carries_out(model: &Model, tid: u32) -> Awaited {
    let contexts = model.task(tid).map(|task| task.contexts.as_slice()).unwrap_or_default();
    let step = contexts.iter().rev().find_map(|entered| match entered.context {
        Context::Step { dev, .. } => Some(Awaited::Device(dev)),
        _ => None,
    });
    step.unwrap_or(Awaited::Task(tid))
}
