//! Who acts for which device: the step that a task carries out, or that set its work going.

use crate::event::{ObjId, Step};
use crate::model::{At, Context, Model, QueuedBy, Task};

/// The device's step that the task carries out.
pub(crate) fn step_of(task: &Task) -> Option<(ObjId, Step)> {
    task.contexts.iter().rev().find_map(|entered| match entered.context {
        Context::Step { dev, step } => Some((dev, step)),
        _ => None,
    })
}

/// The device in whose name a work was set going, and when: the device whose step or callback queued it, or the
/// port whose error handling did.
pub(crate) fn initiator(model: &Model, origin: &QueuedBy) -> Option<(ObjId, At)> {
    let dev = match origin.context.as_ref()? {
        Context::Step { dev, .. } | Context::Callback { dev, .. } | Context::Runtime { dev, .. } => *dev,
        Context::AtaEh { port } | Context::AtaRescan { port } => model.port(*port)?.dev?,
        _ => return None,
    };
    Some((dev, origin.at))
}

/// The device for which the task acts: of its step, or of who set its work going.
pub(crate) fn device_of(model: &Model, tid: u32) -> Option<ObjId> {
    let task = model.task(tid)?;
    if let Some((dev, _)) = step_of(task) {
        return Some(dev);
    }
    let (_, _, origin) = task.work()?;
    initiator(model, origin?).map(|(dev, _)| dev)
}
