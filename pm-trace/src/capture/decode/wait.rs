//! Waits that are not locks.

use super::{DecodeError, Decoder, payload};
use crate::event::{Body, Event, Power};
use pm_trace_common::header::Kind;
use pm_trace_common::member::Member;
use pm_trace_common::wait;

impl Decoder {
    pub(super) fn wait(
        &mut self,
        kind: Kind,
        bytes: &[u8],
        at: &Event,
        out: &mut Vec<Event>,
    ) -> Result<Body, DecodeError> {
        Ok(match kind {
            Kind::CompletionWait => {
                let p: wait::CompletionWait = payload(bytes)?;
                Body::CompletionWait {
                    completion: self.needed(kind, p.completion)?,
                    timeout: (p.flags & wait::completion::TIMEOUT != 0).then_some(p.timeout),
                    io: p.flags & wait::completion::IO != 0,
                    stack: self.stack(&p.stack, at, out),
                }
            }
            Kind::Completed => {
                let p: wait::Completed = payload(bytes)?;
                Body::Completed {
                    completion: self.needed(kind, p.completion)?,
                    all: p.flags & wait::completion::ALL != 0,
                }
            }
            Kind::QueueWait => {
                let p: wait::QueueWait = payload(bytes)?;
                // PM-only queues are SCSI's, whose queuedata is the device; of others it is unknown what it is.
                let scsi = p.pm_only > 0;
                Body::QueueWait {
                    queue: self.needed(kind, p.queue)?,
                    sdev: if scsi { self.object(p.queuedata) } else { None },
                    dev: if scsi { self.member(p.queuedata, Member::SdevDevice) } else { None },
                    pm: p.flags & wait::queue::PM != 0,
                    nowait: p.flags & wait::queue::NOWAIT != 0,
                    bio: p.flags & wait::queue::BIO != 0,
                    pm_only: p.pm_only,
                    freeze_depth: p.freeze_depth,
                    power: Power(p.power),
                    stack: self.stack(&p.stack, at, out),
                }
            }
            Kind::FlushWork => {
                let p: wait::FlushWork = payload(bytes)?;
                Body::FlushWork {
                    work: self.needed(kind, p.work)?,
                    function: self.symbol(p.function, at, out),
                    stack: self.stack(&p.stack, at, out),
                }
            }
            _ => {
                let p: wait::AsyncWait = payload(bytes)?;
                Body::AsyncWait {
                    domain: self.object(p.domain),
                    all: p.cookie == u64::MAX,
                    stack: self.stack(&p.stack, at, out),
                }
            }
        })
    }
}
