//! Who set going what a worker runs.

use crate::event::{Body, Event, Nanos, TaskRef};
use crate::model::{Context, Model};

/// Somebody queued a work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Queued {
    /// Who.
    pub by: TaskRef,
    /// When, in nanoseconds of `CLOCK_BOOTTIME`.
    pub time: Nanos,
}

/// Who queued the work that the event starts, which the model has folded; for a work that puts itself off, who did
/// at first.
pub(super) fn queued(event: &Event, model: &Model) -> Option<Queued> {
    let Body::WorkStart { .. } = event.body else { return None };
    match &model.task(event.task.tid)?.contexts.last()?.context {
        Context::Work { origin: Some(origin), .. } => Some(Queued { by: origin.task, time: origin.at.time }),
        _ => None,
    }
}
