//! Locks.

use super::{DecodeError, Decoder, held_by_readers, owner, payload};
use crate::event::{Body, Event, LockKind};
use pm_trace_common::header::Kind;
use pm_trace_common::lock;

impl Decoder {
    pub(super) fn lock(
        &mut self,
        kind: Kind,
        bytes: &[u8],
        at: &Event,
        out: &mut Vec<Event>,
    ) -> Result<Body, DecodeError> {
        if kind == Kind::LockWaitEnd {
            let p: lock::LockWaitEnd = payload(bytes)?;
            return Ok(Body::LockWaitEnd { lock: self.needed(kind, p.lock)?, acquired: p.result == 0 });
        }
        let p: lock::LockWait = payload(bytes)?;
        Ok(Body::LockWait {
            lock: self.needed(kind, p.lock)?,
            lock_kind: LockKind::of_contention(p.flags),
            owner: owner(&p.owner),
            stack: self.stack(&p.stack, at, out),
            shared: held_by_readers(&p.owner, p.flags),
        })
    }
}
