use super::*;
use crate::capture::ids::Function;
use crate::event::{LockKind, Power, Step};
use pm_trace_common::hook::Hook;
use pm_trace_common::{lock, pm};
use proptest::prelude::*;

struct Table;

impl Symbolise for Table {
    fn function(&self, address: u64) -> Option<Function> {
        (0x1000..0x2000).contains(&address).then(|| Function {
            name: "device_resume".to_owned(),
            module: String::new(),
            start: 0x1000,
        })
    }
}

fn decoder() -> Decoder {
    let mut facts = KernelFacts { members: [MISSING; Member::COUNT], request_size: 0, rescan_takes_sdev: 1 };
    facts.members[Member::DeviceMutex as usize] = 0x68;
    facts.members[Member::DevicePmCompletion as usize] = 0xa0;
    Decoder::new(facts, Box::new(Table))
}

fn header(kind: Kind) -> Header {
    let mut comm = [0; pm_trace_common::COMM_LEN];
    comm[..2].copy_from_slice(b"sh");
    // Left over from an older record; must not be seen.
    comm[5] = b'x';
    let size = u16::try_from(kind.record_size()).unwrap();
    Header { time: 5, tid: 7, tgid: 7, kind: kind as u16, cpu: 1, size, hook: Hook::Resume as u16, comm }
}

fn bytes<P: Copy>(kind: Kind, payload: P) -> Vec<u8> {
    let record = Record { header: header(kind), payload };
    // SAFETY: a record is a `repr(C)` type without padding.
    unsafe { std::slice::from_raw_parts((&raw const record).cast::<u8>(), size_of_val(&record)) }.to_vec()
}

fn device(dev: u64) -> pm::DeviceInfo {
    let mut name = [0; pm::NAME_LEN];
    name[..7].copy_from_slice(b"1:0:0:0");
    let label = [0; pm::LABEL_LEN];
    pm::DeviceInfo { dev, parent: 0, power: 2, links_left: 0, name, bus: label, class: label, driver: label }
}

/// A lock inside a device is that device's lock: both must get the same id, in either order.
#[test]
fn a_devices_lock_is_known_by_its_address() {
    let mut decoder = decoder();
    let mut out = Vec::new();
    let stack = pm_trace_common::Stack { len: 0, frames: [0; pm_trace_common::STACK_DEPTH] };
    let owner = Owner { tid: 46, bits: 1, comm: *b"kworker/1:1\0\0\0\0\0" };
    let wait = lock::LockWait { lock: 0xf068, flags: lock::flags::MUTEX, reserved: 0, owner, stack };
    decoder.decode(&bytes(Kind::LockWait, wait), &mut out).unwrap();
    decoder.decode(&bytes(Kind::DeviceInfo, device(0xf000)), &mut out).unwrap();
    let Body::LockWait { lock, lock_kind, owner, .. } = &out[0].body else { panic!("{:?}", out[0]) };
    let Body::Device(info) = &out[1].body else { panic!("{:?}", out[1]) };
    assert_eq!(Some(*lock), info.lock);
    assert_eq!(*lock_kind, LockKind::Mutex);
    assert_eq!(owner.unwrap().to_string(), "kworker/1:1[46]");
    assert_eq!((info.name.as_str(), info.power), ("1:0:0:0", Power(2)));
    assert_ne!(info.completion, info.lock);
}

/// Functions are announced once, before the event that uses them; addresses never leave the decoder.
#[test]
fn stacks_are_symbols() {
    let mut decoder = decoder();
    let mut out = Vec::new();
    let mut frames = [0; pm_trace_common::STACK_DEPTH];
    frames[0] = 0x1010;
    frames[1] = 0xdead;
    let wait = lock::LockWait {
        lock: 1,
        flags: 0,
        reserved: 0,
        owner: Owner { tid: 0, bits: 0, comm: [0; 16] },
        stack: pm_trace_common::Stack { len: 16, frames },
    };
    for _ in 0..2 {
        decoder.decode(&bytes(Kind::LockWait, wait), &mut out).unwrap();
    }
    let symbols = out.iter().filter(|event| matches!(event.body, Body::Symbol { .. })).count();
    assert_eq!((symbols, out.len()), (1, 3));
    let Body::LockWait { stack, owner, .. } = &out[1].body else { panic!("{:?}", out[1]) };
    assert_eq!(stack.as_slice(), [Frame { symbol: SymId(1), offset: 0x10 }]);
    assert_eq!(*owner, None);
}

/// The steps between suspend and resume have no hook for their start: it is the device's first wait in the phase.
/// In the other phases it would be a second start of the same step.
#[test]
fn a_step_in_between_starts_with_the_wait_for_others() {
    let mut decoder = decoder();
    let mut phase = |action: &[u8], start| {
        let mut name = [0; pm::LABEL_LEN];
        name[..action.len()].copy_from_slice(action);
        let phase = pm::Phase { action: name, value: 2, start };
        let mut out = Vec::new();
        decoder.decode(&bytes(Kind::Phase, phase), &mut out).unwrap();
        for why in [pm::device_wait::SUPERIOR, pm::device_wait::EXPLICIT] {
            let wait = pm::DeviceWait { dev: 1, target: 2, why, is_async: 1, power: 8, reserved: 0 };
            decoder.decode(&bytes(Kind::DeviceWait, wait), &mut out).unwrap();
        }
        let starts = out.into_iter().filter_map(|event| match event.body {
            Body::StepStart { step, is_async, power, .. } => Some((step, is_async, power.0)),
            _ => None,
        });
        starts.collect::<Vec<_>>()
    };
    assert_eq!(phase(b"dpm_resume_noirq", 1), [(Step::ResumeNoirq, true, 8)]);
    assert_eq!(phase(b"dpm_resume_noirq", 0), []);
    assert_eq!(phase(b"dpm_resume", 1), []);
}

/// What is left of an older record behind a terminator is not shown.
#[test]
fn names_end_at_their_terminator() {
    let mut out = Vec::new();
    let start = pm::StepStart { dev: 1, power: 0, step: Step::Resume as u16, is_async: 1 };
    decoder().decode(&bytes(Kind::StepStart, start), &mut out).unwrap();
    assert_eq!(out[0].task.comm, Comm::new("sh"));
}

/// The task that an rwsem held by readers names may have let go long ago.
#[test]
fn a_reader_is_told_from_an_owner() {
    let mut decoder = decoder();
    let mut out = Vec::new();
    let stack = pm_trace_common::Stack { len: 0, frames: [0; pm_trace_common::STACK_DEPTH] };
    let (write, rt) = (lock::flags::WRITE, lock::flags::RT);
    for (bits, flags, by_readers) in
        [(1, write, true), (0, write, false), (1, write | rt, true), (0, write | rt, false)]
    {
        let owner = Owner { tid: 46, bits, comm: [0; 16] };
        let wait = lock::LockWait { lock: 8, flags, reserved: 0, owner, stack };
        decoder.decode(&bytes(Kind::LockWait, wait), &mut out).unwrap();
        let Some(Body::LockWait { shared, lock_kind, .. }) = out.pop().map(|event| event.body) else {
            panic!()
        };
        assert_eq!((shared, lock_kind), (by_readers, LockKind::RwsemWrite));
    }
}

#[test]
fn what_means_nothing_is_an_error() {
    let mut decoder = decoder();
    let mut out = Vec::new();
    let start = pm::StepStart { dev: 1, power: 0, step: 99, is_async: 0 };
    let error = decoder.decode(&bytes(Kind::StepStart, start), &mut out).unwrap_err();
    assert_eq!(error.to_string(), "a StepStart record with step 0x63, which means nothing");
    let error = decoder.decode(&[0; 8], &mut out).unwrap_err();
    assert_eq!(error.to_string(), "a record of 8 bytes is too short: 40 are needed");
    assert!(out.is_empty());
}

proptest! {
    /// The ring buffer is written by another program: whatever it holds, decoding ends in an event or an
    /// error.
    #[test]
    fn any_bytes_are_survived(kind in 0usize..Kind::ALL.len(), tail in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut decoder = decoder();
        let mut out = Vec::new();
        let _ = decoder.decode(&tail, &mut out);
        let header = header(Kind::ALL[kind]);
        // SAFETY: a header is a `repr(C)` type without padding.
        let head = unsafe { std::slice::from_raw_parts((&raw const header).cast::<u8>(), size_of::<Header>()) };
        let record: Vec<u8> = head.iter().copied().chain(tail).collect();
        let enough = record.len() >= Kind::ALL[kind].record_size();
        let decoded = decoder.decode(&record, &mut out);
        prop_assert!(enough || decoded.is_err());
    }
}

/// A trace tells which of its tasks are the recorder's own threads: each once, before its first event.
#[test]
fn own_threads_are_announced_once() {
    let record = |tid: u32, tgid: u32| {
        let header = Header { tid, tgid, ..header(Kind::DeviceInfo) };
        let record = Record { header, payload: device(0xf000) };
        // SAFETY: a record is a `repr(C)` type without padding.
        unsafe { std::slice::from_raw_parts((&raw const record).cast::<u8>(), size_of_val(&record)) }.to_vec()
    };
    let (mut decoder, own) = (decoder(), std::process::id());
    let mut out = Vec::new();
    let short = record(8, own)[..size_of::<Header>()].to_vec();
    assert!(decoder.decode(&short, &mut out).is_err() && out.is_empty(), "nothing is said of a bad record");
    for (tid, tgid) in [(7, own + 1), (8, own), (8, own), (9, own)] {
        decoder.decode(&record(tid, tgid), &mut out).unwrap();
    }
    let told: Vec<(u32, bool)> =
        out.iter().map(|event| (event.task.tid, event.body == Body::Tracer)).collect();
    assert_eq!(told, [(7, false), (8, true), (8, false), (8, false), (9, true), (9, false)]);
}
