//! Works.

use super::{DecodeError, Decoder, payload, text};
use crate::event::{Body, Event};
use pm_trace_common::header::Kind;
use pm_trace_common::work::{self, context};

impl Decoder {
    pub(super) fn work(
        &mut self,
        kind: Kind,
        bytes: &[u8],
        at: &Event,
        out: &mut Vec<Event>,
    ) -> Result<Body, DecodeError> {
        Ok(match kind {
            Kind::WorkQueued => {
                let p: work::WorkQueued = payload(bytes)?;
                Body::WorkQueued {
                    work: self.needed(kind, p.work)?,
                    function: self.symbol(p.function, at, out),
                    workqueue: text(&p.wq_name),
                    wq_flags: p.wq_flags,
                    queue: self.object(p.workqueue),
                    max_active: (p.max_active != 0).then_some(p.max_active),
                    interrupt: interrupt(p.context),
                }
            }
            Kind::WorkDelayed => {
                let p: work::WorkDelayed = payload(bytes)?;
                Body::WorkDelayed {
                    work: self.needed(kind, p.work)?,
                    function: self.symbol(p.function, at, out),
                    delay: p.delay,
                    interrupt: interrupt(p.context),
                }
            }
            Kind::AsyncRun => {
                let p: work::AsyncRun = payload(bytes)?;
                Body::AsyncRun {
                    work: self.needed(kind, p.work)?,
                    function: self.symbol(p.function, at, out),
                    data: self.object(p.data),
                    domain: self.object(p.domain),
                }
            }
            _ => {
                let p: work::WorkRun = payload(bytes)?;
                let work = self.needed(kind, p.work)?;
                let function = self.symbol(p.function, at, out);
                if kind == Kind::WorkStart {
                    Body::WorkStart { work, function }
                } else {
                    Body::WorkEnd { work, function }
                }
            }
        })
    }
}

/// Whether an interrupt did it; `None` if the program could not tell.
fn interrupt(context: u32) -> Option<bool> {
    match context {
        context::TASK => Some(false),
        context::INTERRUPT => Some(true),
        _ => None,
    }
}
