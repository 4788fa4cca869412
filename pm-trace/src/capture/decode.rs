//! Records of the ring buffer into events.
//!
//! Nothing received is trusted: lengths are checked before anything is read, an unknown kind or number is an
//! error that is counted and shown, and no record makes this code panic.

use super::ids::{ObjectIds, Symbolise, SymbolIds};
use crate::event::{
    AtaOp, AtaPort, Body, Comm, CommandStage, DeviceInfo, DeviceWaitKind, Event, Frame, LockKind, ObjId,
    Power, ScsiDevice, ScsiOp, Stack, SymId, TaskRef, step_from_number,
};
use pm_trace_common::header::{Header, Kind, Record};
use pm_trace_common::hook::Hook;
use pm_trace_common::member::{KernelFacts, MISSING, Member};
use pm_trace_common::{ata, lock, pm, scsi, task, wait, work};

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

fn owner(owner: &lock::Owner) -> Option<TaskRef> {
    (owner.tid != 0).then(|| TaskRef { tid: owner.tid, comm: comm(owner.comm) })
}

fn lock_kind(flags: u32) -> LockKind {
    if flags & lock::flags::MUTEX != 0 {
        LockKind::Mutex
    } else if flags & lock::flags::RT != 0 {
        LockKind::RtMutex
    } else if flags & lock::flags::PERCPU != 0 {
        LockKind::PercpuRwsem
    } else if flags & lock::flags::WRITE != 0 {
        LockKind::RwsemWrite
    } else if flags & lock::flags::READ != 0 {
        LockKind::RwsemRead
    } else {
        LockKind::Other
    }
}

impl Decoder {
    /// For a kernel with these facts and this symbol table.
    pub fn new(facts: KernelFacts, symbols: Box<dyn Symbolise>) -> Self {
        Self { facts, symbols, objects: ObjectIds::default(), functions: SymbolIds::default() }
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
            time: header.time,
            cpu: header.cpu,
            task: TaskRef { tid: header.tid, comm: comm(header.comm) },
            body: Body::Symbol { id: SymId(0), name: String::new(), module: String::new() },
        };
        let first = out.len();
        match self.body(kind, bytes, &event, out) {
            Ok(body) => {
                event.body = body;
                out.push(event);
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
            if let Some((symbol, start)) = self.function(address, at, out) {
                let offset = u32::try_from(address.saturating_sub(start)).unwrap_or(u32::MAX);
                frames.push(Frame { symbol, offset });
            }
        }
        frames
    }

    fn body(&mut self, kind: Kind, bytes: &[u8], at: &Event, out: &mut Vec<Event>) -> Result<Body, DecodeError> {
        match kind {
            Kind::Phase
            | Kind::DeviceInfo
            | Kind::DeviceLink
            | Kind::StepStart
            | Kind::StepEnd
            | Kind::CallbackStart
            | Kind::CallbackEnd
            | Kind::DeviceWait => self.pm(kind, bytes),
            Kind::LockWait | Kind::LockWaitEnd => self.lock(kind, bytes, at, out),
            Kind::CompletionWait | Kind::Completed | Kind::QueueWait | Kind::FlushWork | Kind::AsyncWait => {
                self.wait(kind, bytes, at, out)
            }
            Kind::WorkQueued | Kind::WorkDelayed | Kind::WorkStart | Kind::WorkEnd | Kind::AsyncRun => {
                self.work(kind, bytes, at, out)
            }
            Kind::AtaPortResume => self.ata(AtaOp::PortResume, kind, bytes, at, out),
            Kind::AtaPortSuspend => self.ata(AtaOp::PortSuspend, kind, bytes, at, out),
            Kind::AtaRequestPm => self.ata(AtaOp::RequestPm, kind, bytes, at, out),
            Kind::AtaEh => self.ata(AtaOp::Eh, kind, bytes, at, out),
            Kind::AtaEhPortResume => self.ata(AtaOp::EhPortResume, kind, bytes, at, out),
            Kind::AtaEhRecover => self.ata(AtaOp::EhRecover, kind, bytes, at, out),
            Kind::AtaRevalidate => self.ata(AtaOp::Revalidate, kind, bytes, at, out),
            Kind::AtaRescan => self.ata(AtaOp::Rescan, kind, bytes, at, out),
            Kind::AtaWaitEh => self.ata(AtaOp::WaitEh, kind, bytes, at, out),
            Kind::ScsiRescan => self.scsi(ScsiOp::Rescan, kind, bytes),
            Kind::ScsiQuiesce => self.scsi(ScsiOp::Quiesce, kind, bytes),
            Kind::ScsiResume => self.scsi(ScsiOp::Resume, kind, bytes),
            Kind::ScsiResumeDevice => self.scsi(ScsiOp::ResumeDevice, kind, bytes),
            Kind::ScsiExecute => self.command(CommandStage::Execute, kind, bytes),
            Kind::ScsiDispatch => self.command(CommandStage::Dispatch, kind, bytes),
            Kind::ScsiDone => self.command(CommandStage::Done, kind, bytes),
            Kind::ScsiTimeout => self.command(CommandStage::Timeout, kind, bytes),
            Kind::ScsiEhWakeup => {
                let p: scsi::ScsiHost = payload(bytes)?;
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
                })
            }
        }
    }

    fn pm(&mut self, kind: Kind, bytes: &[u8]) -> Result<Body, DecodeError> {
        Ok(match kind {
            Kind::Phase => {
                let p: pm::Phase = payload(bytes)?;
                Body::Phase { action: text(&p.action), value: p.value, start: p.start != 0 }
            }
            Kind::DeviceInfo => {
                let p: pm::DeviceInfo = payload(bytes)?;
                Body::Device(DeviceInfo {
                    dev: self.needed(kind, p.dev)?,
                    parent: self.object(p.parent),
                    name: text(&p.name),
                    bus: text(&p.bus),
                    class: text(&p.class),
                    driver: text(&p.driver),
                    power: Power(p.power),
                    lock: self.member(p.dev, Member::DeviceMutex),
                    completion: self.member(p.dev, Member::DevicePmCompletion),
                    links_left: p.links_left,
                })
            }
            Kind::DeviceLink => {
                let p: pm::DeviceLink = payload(bytes)?;
                Body::Link {
                    supplier: self.needed(kind, p.supplier)?,
                    consumer: self.needed(kind, p.consumer)?,
                    flags: p.flags,
                    status: p.status,
                }
            }
            Kind::StepStart => {
                let p: pm::StepStart = payload(bytes)?;
                let step = step_from_number(p.step).ok_or(DecodeError::BadValue {
                    kind: kind.name(),
                    field: "step",
                    value: p.step.into(),
                })?;
                Body::StepStart {
                    dev: self.needed(kind, p.dev)?,
                    step,
                    is_async: p.is_async != 0,
                    power: Power(p.power),
                }
            }
            Kind::StepEnd => {
                let p: pm::StepEnd = payload(bytes)?;
                Body::StepEnd { dev: self.needed(kind, p.dev)?, power: Power(p.power) }
            }
            Kind::CallbackStart => {
                let p: pm::CallbackStart = payload(bytes)?;
                Body::CallbackStart {
                    dev: self.needed(kind, p.dev)?,
                    event: p.event,
                    ops: text(&p.ops).trim_end().to_owned(),
                }
            }
            Kind::CallbackEnd => {
                let p: pm::CallbackEnd = payload(bytes)?;
                Body::CallbackEnd { dev: self.needed(kind, p.dev)?, error: p.error }
            }
            _ => {
                let p: pm::DeviceWait = payload(bytes)?;
                let why = match p.why {
                    pm::device_wait::SUPERIOR => DeviceWaitKind::Superior,
                    pm::device_wait::SUBORDINATE => DeviceWaitKind::Subordinate,
                    pm::device_wait::EXPLICIT => DeviceWaitKind::Explicit,
                    why => {
                        return Err(DecodeError::BadValue {
                            kind: kind.name(),
                            field: "why",
                            value: why.into(),
                        });
                    }
                };
                Body::DeviceWait { dev: self.needed(kind, p.dev)?, target: self.object(p.target), why }
            }
        })
    }

    fn lock(&mut self, kind: Kind, bytes: &[u8], at: &Event, out: &mut Vec<Event>) -> Result<Body, DecodeError> {
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
        })
    }

    fn wait(&mut self, kind: Kind, bytes: &[u8], at: &Event, out: &mut Vec<Event>) -> Result<Body, DecodeError> {
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

    fn work(&mut self, kind: Kind, bytes: &[u8], at: &Event, out: &mut Vec<Event>) -> Result<Body, DecodeError> {
        Ok(match kind {
            Kind::WorkQueued => {
                let p: work::WorkQueued = payload(bytes)?;
                Body::WorkQueued {
                    work: self.needed(kind, p.work)?,
                    function: self.symbol(p.function, at, out),
                    workqueue: text(&p.wq_name),
                    wq_flags: p.wq_flags,
                }
            }
            Kind::WorkDelayed => {
                let p: work::WorkDelayed = payload(bytes)?;
                Body::WorkDelayed {
                    work: self.needed(kind, p.work)?,
                    function: self.symbol(p.function, at, out),
                    delay: p.delay,
                }
            }
            Kind::AsyncRun => {
                let p: work::AsyncRun = payload(bytes)?;
                Body::AsyncRun {
                    work: self.needed(kind, p.work)?,
                    function: self.symbol(p.function, at, out),
                    data: self.object(p.data),
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

    fn ata(
        &mut self,
        what: AtaOp,
        kind: Kind,
        bytes: &[u8],
        at: &Event,
        out: &mut Vec<Event>,
    ) -> Result<Body, DecodeError> {
        let p: ata::AtaPort = payload(bytes)?;
        Ok(Body::Ata(AtaPort {
            what,
            port: self.needed(kind, p.port)?,
            dev: self.member(p.port, Member::PortDevice),
            controller: self.object(p.controller),
            print_id: p.print_id,
            pflags: p.pflags,
            scan_mutex: self.member(p.port, Member::PortScanMutex),
            rescan_work: self.member(p.port, Member::PortRescanTask),
            sdev: self.object(p.sdev),
            event: p.event,
            is_async: p.is_async != 0,
            caller: self.symbol(p.caller, at, out),
        }))
    }

    fn scsi(&mut self, what: ScsiOp, kind: Kind, bytes: &[u8]) -> Result<Body, DecodeError> {
        let p: scsi::ScsiDevice = payload(bytes)?;
        Ok(Body::Scsi(ScsiDevice {
            what,
            sdev: self.needed(kind, p.sdev)?,
            dev: self.member(p.sdev, Member::SdevDevice),
            queue: self.object(p.queue),
            state: p.state,
            power: Power(p.power),
            pm_only: p.pm_only,
        }))
    }

    fn command(&mut self, stage: CommandStage, kind: Kind, bytes: &[u8]) -> Result<Body, DecodeError> {
        let p: scsi::ScsiCommand = payload(bytes)?;
        Ok(Body::ScsiCommand {
            stage,
            command: self.object(p.command),
            sdev: self.needed(kind, p.sdev)?,
            dev: self.member(p.sdev, Member::SdevDevice),
            // Operation codes have 8 bits.
            opcode: (p.opcode & 0xff) as u8,
            result: p.result,
        })
    }
}
