//! What made-up traces are made of, for examples and benchmarks: a tree of devices and the events of many workers.

use pm_trace::event::{Body, Comm, DeviceInfo, Event, ObjId, Power, TaskRef};
use pm_trace::trace::{Overwrite, Result, Session, Totals, Writer};
use std::path::Path;

/// `power.async_suspend`, and `is_suspended` with it.
pub const ASYNC: Power = Power(1 << 4);
pub const SUSPENDED: Power = Power(1 << 4 | 1 << 1);
/// Threads that carry out steps.
const WORKERS: u32 = 64;
/// Every device has so many ids: its own, its lock's, its completion's, and some for what else it needs.
const IDS: u32 = 8;

/// Writes events, a little apart.
pub struct Feed {
    writer: Writer,
    /// Time of the last event.
    pub time: u64,
    /// How many there are.
    pub events: u64,
    apart: u64,
}

impl Feed {
    /// A new trace whose events are so many nanoseconds apart.
    pub fn new(path: &Path, session: &Session, apart: u64) -> Result<Self> {
        let writer = Writer::create(path, session, Overwrite::Replace)?;
        Ok(Self { writer, time: 1_000_000_000, events: 0, apart })
    }

    pub fn push(&mut self, tid: u32, body: Body) -> Result<()> {
        self.time += self.apart;
        self.events += 1;
        let comm = if tid == 1 { "rtcwake".to_owned() } else { format!("kworker/u8:{tid}") };
        let task = TaskRef { tid, comm: Comm::new(&comm) };
        self.writer.append(&Event { time: self.time, cpu: 0, task, body })
    }

    pub fn phase(&mut self, action: &str, value: i32, start: bool) -> Result<()> {
        self.push(1, Body::Phase { action: action.to_owned(), value, start })
    }

    pub fn finish(self) -> Result<()> {
        self.writer.finish(Totals::default()).map(drop)
    }
}

pub fn device(n: u32) -> ObjId {
    ObjId(n * IDS)
}

pub fn completion(n: u32) -> ObjId {
    ObjId(device(n).0 + 2)
}

/// Devices have eight children each.
pub fn parent(n: u32) -> Option<u32> {
    (n > 1).then(|| (n / 8).max(1))
}

pub fn worker(n: u32) -> u32 {
    100 + n % WORKERS
}

/// The device's description. Numbers count from 1.
pub fn info(n: u32, name: String) -> DeviceInfo {
    let dev = device(n);
    DeviceInfo {
        dev,
        parent: parent(n).map(device),
        name,
        bus: "pci".to_owned(),
        class: String::new(),
        driver: format!("driver-{}", n % 50),
        power: ASYNC,
        lock: Some(ObjId(dev.0 + 1)),
        completion: Some(completion(n)),
        links_left: 0,
    }
}
