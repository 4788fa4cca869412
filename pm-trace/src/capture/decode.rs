//! Records of the ring buffer into events.
//!
//! Nothing received is trusted: lengths are checked before anything is read, an unknown kind or number is an
//! error that is counted and shown, and no record makes this code panic.

mod ata;
mod lock;
mod pm;
mod scsi;
mod wait;
mod work;

#[cfg(test)]
mod tests;

use super::ids::{ObjectIds, SymbolIds, Symbolise};
use crate::event::{
    AtaOp, Body, Comm, CommandStage, Event, Frame, Nanos, ObjId, ScsiOp, Stack, SymId, TaskRef,
    whole_microseconds,
};
use crate::kernel::clock;
use pm_trace_common::ata::{AtaEhEnd, AtaReset};
use pm_trace_common::header::{Header, Kind, Record};
use pm_trace_common::hook::Hook;
use pm_trace_common::lock::{Owner, flags as lock_flags};
use pm_trace_common::member::{KernelFacts, MISSING, Member};
use pm_trace_common::pm::{Step, WakeupSource};
use pm_trace_common::{scsi::ScsiHost, task};
use std::collections::BTreeSet;

/// Why a record could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than a header, or than its kind's payload.
    #[error("a record of {len} bytes is too short: {need} are needed")]
    Short {
        /// Bytes received.
        len: usize,
        /// Bytes needed.
        need: usize,
    },
    /// The kind is not known.
    #[error("a record of unknown kind {0:#06x}")]
    UnknownKind(u16),
    /// The hook is not known.
    #[error("a record of unknown hook {0}")]
    UnknownHook(u16),
    /// A field holds a value that means nothing.
    #[error("a {kind} record with {field} {value:#x}, which means nothing")]
    BadValue {
        /// Kind of the record.
        kind: &'static str,
        /// Which field.
        field: &'static str,
        /// What it held.
        value: u64,
    },
    /// A record of a kind that needs an object has none.
    #[error("a {0} record about no object")]
    NoObject(&'static str),
}

/// Turns records into events. Keeps the ids of a whole trace.
pub struct Decoder {
    facts: KernelFacts,
    symbols: Box<dyn Symbolise>,
    objects: ObjectIds,
    functions: SymbolIds,
    /// Step of the phase that is under way, if its starts are not seen themselves.
    between: Option<Step>,
    /// Nanoseconds of a jiffy.
    jiffy: Nanos,
    /// Process whose threads are announced: the one that records.
    process: u32,
    /// Threads of it that were announced.
    tracers: BTreeSet<u32>,
}

/// The payload of a record, copied out of bytes that need not be aligned.
fn payload<P: Copy>(bytes: &[u8]) -> Result<P, DecodeError> {
    let need = size_of::<Record<P>>();
    if bytes.len() < need {
        return Err(DecodeError::Short { len: bytes.len(), need });
    }
    // SAFETY: there are enough bytes, and every payload is a `repr(C)` type of integers and arrays of
    // integers, for which any bytes are a value.
    Ok(unsafe { bytes.as_ptr().add(size_of::<Header>()).cast::<P>().read_unaligned() })
}

fn text(bytes: &[u8]) -> String {
    let len = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..len]).into_owned()
}

fn comm(bytes: [u8; pm_trace_common::COMM_LEN]) -> Comm {
    // What follows the terminator may be left over from an older record.
    let mut comm = [0; pm_trace_common::COMM_LEN];
    let len = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    comm[..len].copy_from_slice(&bytes[..len]);
    Comm(comm)
}

fn held_by_readers(owner: &Owner, flags: u32) -> bool {
    let rwsem = flags & lock_flags::MUTEX == 0 && flags & (lock_flags::READ | lock_flags::WRITE) != 0;
    rwsem && owner.bits & pm_trace_common::lock::READER_OWNED != 0
}

fn owner(owner: &Owner) -> Option<TaskRef> {
    (owner.tid != 0).then(|| TaskRef { tid: owner.tid, comm: comm(owner.comm) })
}

impl Decoder {
    /// For a kernel with these facts and this symbol table.
    pub fn new(facts: KernelFacts, symbols: Box<dyn Symbolise>) -> Self {
        Self {
            facts,
            symbols,
            objects: ObjectIds::default(),
            functions: SymbolIds::default(),
            between: None,
            jiffy: clock::jiffy(),
            process: std::process::id(),
            tracers: BTreeSet::new(),
        }
    }

    /// Decodes one record; appends the event to `out`, after the symbols it is the first to use.
    ///
    /// # Errors
    /// The record is not one of this version's programs. Nothing is appended then.
    pub fn decode(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> Result<Hook, DecodeError> {
        if bytes.len() < size_of::<Header>() {
            return Err(DecodeError::Short { len: bytes.len(), need: size_of::<Header>() });
        }
        // SAFETY: there are enough bytes, and any bytes are a `Header`.
        let header = unsafe { bytes.as_ptr().cast::<Header>().read_unaligned() };
        let kind = Kind::from_id(header.kind).ok_or(DecodeError::UnknownKind(header.kind))?;
        let hook = Hook::from_index(header.hook).ok_or(DecodeError::UnknownHook(header.hook))?;
        let mut event = Event {
            time: whole_microseconds(header.time),
            cpu: header.cpu,
            task: TaskRef { tid: header.tid, comm: comm(header.comm) },
            body: Body::Symbol { id: SymId(0), name: String::new(), module: String::new() },
        };
        let first = out.len();
        let is_new_tracer = header.tgid == self.process && !self.tracers.contains(&header.tid);
        if is_new_tracer {
            out.push(Event { body: Body::Tracer, ..event.clone() });
        }
        match self.body(kind, bytes, &event, out) {
            Ok(body) => {
                if is_new_tracer {
                    self.tracers.insert(header.tid);
                }
                event.body = body;
                out.push(event.to_microseconds());
                Ok(hook)
            }
            Err(error) => {
                out.truncate(first);
                Err(error)
            }
        }
    }

    fn offset(&self, member: Member) -> Option<u32> {
        Some(self.facts.members[member as usize]).filter(|&offset| offset != MISSING)
    }

    fn object(&mut self, address: u64) -> Option<ObjId> {
        self.objects.id(address)
    }

    fn needed(&mut self, kind: Kind, address: u64) -> Result<ObjId, DecodeError> {
        self.objects.id(address).ok_or(DecodeError::NoObject(kind.name()))
    }

    fn member(&mut self, base: u64, member: Member) -> Option<ObjId> {
        let offset = self.offset(member);
        self.objects.member(base, offset)
    }

    /// Id and start of the function an address lies in, announced in `out` if it is new.
    fn function(&mut self, address: u64, at: &Event, out: &mut Vec<Event>) -> Option<(SymId, u64)> {
        if address == 0 {
            return None;
        }
        let function = self.symbols.function(address)?;
        let (id, new) = self.functions.id(&function);
        if new {
            let body = Body::Symbol { id, name: function.name, module: function.module };
            out.push(Event { body, ..at.clone() });
        }
        Some((id, function.start))
    }

    fn symbol(&mut self, address: u64, at: &Event, out: &mut Vec<Event>) -> Option<SymId> {
        self.function(address, at, out).map(|(id, _)| id)
    }

    fn stack(&mut self, stack: &pm_trace_common::Stack, at: &Event, out: &mut Vec<Event>) -> Stack {
        let depth = usize::try_from(stack.len).unwrap_or(0) / size_of::<u64>();
        let mut frames = Vec::with_capacity(depth.min(stack.frames.len()));
        for &address in stack.frames.iter().take(depth) {
            // The stack of a raw tracepoint begins with the program that takes it.
            if frames.is_empty() && self.is_own(address) {
                continue;
            }
            if let Some((symbol, start)) = self.function(address, at, out) {
                let offset = u32::try_from(address.saturating_sub(start)).unwrap_or(u32::MAX);
                frames.push(Frame { symbol, offset });
            }
        }
        frames
    }

    /// Whether the address lies in an eBPF program, or in what calls one from a tracepoint.
    fn is_own(&self, address: u64) -> bool {
        let function = self.symbols.function(address);
        function.is_some_and(|f| f.name.starts_with("bpf_prog_") || f.name.starts_with("bpf_trace_run"))
    }

    fn body(
        &mut self,
        kind: Kind,
        bytes: &[u8],
        at: &Event,
        out: &mut Vec<Event>,
    ) -> Result<Body, DecodeError> {
        match kind {
            Kind::Phase
            | Kind::DeviceInfo
            | Kind::DeviceLink
            | Kind::StepStart
            | Kind::StepEnd
            | Kind::CallbackStart
            | Kind::CallbackEnd
            | Kind::DeviceWait
            | Kind::RuntimePmEnd => self.pm(kind, bytes, at, out),
            Kind::WakeupSource => {
                let p: WakeupSource = payload(bytes)?;
                Ok(Body::WakeupSource { name: text(&p.name), active: p.active != 0 })
            }
            Kind::RuntimePm => self.runtime(bytes, at, out),
            Kind::LockWait | Kind::LockWaitEnd => self.lock(kind, bytes, at, out),
            Kind::CompletionWait | Kind::Completed | Kind::QueueWait | Kind::FlushWork | Kind::AsyncWait => {
                self.wait(kind, bytes, at, out)
            }
            Kind::WorkQueued | Kind::WorkDelayed | Kind::WorkStart | Kind::WorkEnd | Kind::AsyncRun => {
                self.work(kind, bytes, at, out)
            }
            Kind::AtaPortResume => self.ata(AtaOp::PortResume, kind, bytes, at, out),
            Kind::AtaRequestPm => self.ata(AtaOp::RequestPm, kind, bytes, at, out),
            Kind::AtaEh => self.ata(AtaOp::Eh, kind, bytes, at, out),
            Kind::AtaEhPortResume => self.ata(AtaOp::EhPortResume, kind, bytes, at, out),
            Kind::AtaEhRecover => self.ata(AtaOp::EhRecover, kind, bytes, at, out),
            Kind::AtaRevalidate => self.ata(AtaOp::Revalidate, kind, bytes, at, out),
            Kind::AtaRescan => self.ata(AtaOp::Rescan, kind, bytes, at, out),
            Kind::AtaWaitEh => self.ata(AtaOp::WaitEh, kind, bytes, at, out),
            Kind::AtaEhEnd => {
                let p: AtaEhEnd = payload(bytes)?;
                Ok(Body::AtaEhEnd { port: self.needed(kind, p.port)? })
            }
            Kind::AtaReset => {
                let p: AtaReset = payload(bytes)?;
                let result = (p.end != 0).then_some(p.result);
                Ok(Body::AtaReset { port: self.needed(kind, p.port)?, hard: p.hard != 0, result })
            }
            Kind::ScsiRescan => self.scsi(ScsiOp::Rescan, kind, bytes),
            Kind::ScsiQuiesce => self.scsi(ScsiOp::Quiesce, kind, bytes),
            Kind::ScsiResume => self.scsi(ScsiOp::Resume, kind, bytes),
            Kind::ScsiResumeDevice => self.scsi(ScsiOp::ResumeDevice, kind, bytes),
            Kind::ScsiExecute => self.command(CommandStage::Execute, kind, bytes),
            Kind::ScsiDispatch => self.command(CommandStage::Dispatch, kind, bytes),
            Kind::ScsiDone => self.command(CommandStage::Done, kind, bytes),
            Kind::ScsiTimeout => self.command(CommandStage::Timeout, kind, bytes),
            Kind::ScsiEhWakeup => {
                let p: ScsiHost = payload(bytes)?;
                Ok(Body::ScsiEhWakeup { host_no: p.host_no })
            }
            Kind::Blocked => {
                let p: task::Blocked = payload(bytes)?;
                Ok(Body::Blocked { since: p.since, duration: p.duration })
            }
            Kind::TaskSnapshot => {
                let p: task::TaskSnapshot = payload(bytes)?;
                Ok(Body::TaskSnapshot {
                    state: p.state,
                    since: (p.since != 0).then_some(p.since),
                    lock: self.object(p.lock),
                    owner: owner(&p.owner),
                    stack: self.stack(&p.stack, at, out),
                    shared: held_by_readers(&p.owner, p.lock_flags),
                })
            }
        }
    }
}
