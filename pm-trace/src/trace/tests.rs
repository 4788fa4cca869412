mod ahead;
pub(super) mod arbitrary;
mod damage;
mod outputs;
mod properties;
mod recorded;

use super::*;
use crate::event::{Body, Comm, Event, TaskRef};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A stream that tests can look into.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Memory {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

fn session() -> Session {
    Session {
        tool: "0.1.0".into(),
        command: vec!["pm-trace".into(), "suspend".into()],
        probes: vec![ProbeRecord {
            hook: "resume".into(),
            place: Some("device_resume".into()),
            ..Default::default()
        }],
        missing: vec![MissingMember { member: "device.links".into(), reason: "absent".into() }],
        mode: Mode::Live,
        state: Some("mem".into()),
        ..Session::default()
    }
}

fn phase(number: u64) -> Event {
    let task = TaskRef { tid: 7, comm: Comm::new("rtcwake") };
    let body = Body::Phase { action: "dpm_resume".into(), value: 16, start: true };
    Event { time: number, cpu: 1, task, body }
}

/// A trace of these events, with a block for each `per_block` of them.
fn trace_of(events: &[Event], per_block: usize) -> Vec<u8> {
    let memory = Memory::default();
    let mut writer = Writer::stream("memory", memory.clone(), &session()).unwrap();
    for some in events.chunks(per_block.max(1)) {
        some.iter().for_each(|event| writer.append(event).unwrap());
        writer.flush_block().unwrap();
    }
    writer.finish(Totals::default()).unwrap();
    memory.bytes()
}

fn read(bytes: &[u8]) -> Result<Trace<&[u8]>> {
    Trace::read(Path::new("memory"), bytes)
}

/// Everything in a trace: what was recorded without stand-ins, and the trace for its notes.
fn read_all(bytes: &[u8]) -> Result<(Vec<Event>, Trace<&[u8]>)> {
    let mut trace = read(bytes)?;
    let events = trace.by_ref().collect();
    Ok((events, trace))
}

fn is_stand_in(event: &Event) -> bool {
    matches!(&event.body, Body::Undecoded { reason, .. } if reason.starts_with("lost to damage"))
}
