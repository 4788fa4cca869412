//! Locks.

use super::{DecodeError, Decoder, held_by_readers, owner, payload};
use crate::event::{Body, Event, LockKind};
use pm_trace_common::header::Kind;
use pm_trace_common::lock;

fn lock_kind(flags: u32) -> LockKind {
    if flags & lock::flags::MUTEX != 0 {
        LockKind::Mutex
    } else if flags & lock::flags::PERCPU != 0 {
        LockKind::PercpuRwsem
    } else if flags & lock::flags::WRITE != 0 {
        // Also on an RT kernel, where the flag RT comes with it.
        LockKind::RwsemWrite
    } else if flags & lock::flags::READ != 0 {
        LockKind::RwsemRead
    } else if flags & lock::flags::RT != 0 {
        LockKind::RtMutex
    } else {
        LockKind::Other
    }
}

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
            lock_kind: lock_kind(p.flags),
            owner: owner(&p.owner),
            stack: self.stack(&p.stack, at, out),
            shared: held_by_readers(&p.owner, p.flags),
        })
    }
}
