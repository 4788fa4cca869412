//! From a trace file to its findings: events per second, by number of events and devices.
//!
//! `cargo bench -p pm-trace --bench analysis` compares 100,000 events with a million, of 300 devices and of 10,000.
//! `PM_TRACE_EVENTS=10000000 PM_TRACE_DEVICES=10000 cargo bench -p pm-trace --bench analysis` reads one trace of that
//! size once, and prints the time and the most memory that the process needed.

use criterion::{BenchmarkId, Criterion, Throughput};
use pm_trace::diagnose::Explained;
use pm_trace::event::*;
use pm_trace::trace::{Overwrite, Session, Totals, Writer};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// `power.is_suspended` and `power.async_suspend`.
const SUSPENDED: Power = Power(1 << 1 | 1 << 4);
const ASYNC: Power = Power(1 << 4);
/// Tasks that carry out steps.
const WORKERS: u32 = 64;
/// Objects of a device have ids of their own.
const IDS: u32 = 8;

/// Writes a trace of cycles in which every device takes all six steps, waits for its parent, for a contended lock, for
/// a work that it queues, and is written to.
struct Feed {
    writer: Writer,
    devices: u32,
    time: Nanos,
    events: u64,
}

impl Feed {
    fn push(&mut self, tid: u32, body: Body) {
        self.time += 2_000;
        self.events += 1;
        let task = TaskRef { tid, comm: Comm::new("kworker/u128:3") };
        self.writer.append(&Event { time: self.time, cpu: 0, task, body }).expect("an event is written");
    }

    fn phase(&mut self, action: &str, start: bool) {
        self.push(1, Body::Phase { action: action.to_owned(), value: 2, start });
    }

    fn stack(&self) -> Stack {
        (0..12).map(|n| Frame { symbol: SymId(n), offset: 0x10 + n }).collect()
    }

    fn describe(&mut self, n: u32) {
        let dev = ObjId(n * IDS);
        let info = DeviceInfo {
            dev,
            // A tree with eight children each.
            parent: (n > 1).then(|| ObjId((n / 8).max(1) * IDS)).filter(|&parent| parent != dev),
            name: format!("device-{n}"),
            bus: "pci".to_owned(),
            class: String::new(),
            driver: format!("driver-{}", n % 50),
            power: ASYNC,
            lock: Some(ObjId(dev.0 + 1)),
            completion: Some(ObjId(dev.0 + 2)),
            links_left: 0,
        };
        self.push(1, Body::Device(info));
    }

    fn step(&mut self, n: u32, step: Step) {
        let (dev, tid) = (ObjId(n * IDS), 100 + n % WORKERS);
        let (lock, work) = (ObjId(dev.0 + 3), ObjId(dev.0 + 4));
        let parent = ObjId((n / 8).max(1) * IDS + 2);
        self.push(tid, Body::StepStart { dev, step, is_async: true, power: SUSPENDED });
        self.push(tid, Body::DeviceWait { dev, target: None, why: DeviceWaitKind::Superior });
        let stack = self.stack();
        self.push(tid, Body::CompletionWait { completion: parent, timeout: None, io: false, stack });
        self.push(tid, Body::CallbackStart { dev, event: 2, ops: "bus".to_owned() });
        if matches!(step, Step::Suspend | Step::Resume) {
            let (owner, stack) = (Some(TaskRef { tid: 9, comm: Comm::new("other") }), self.stack());
            let wait = Body::LockWait { lock, lock_kind: LockKind::Mutex, owner, stack, shared: false };
            self.push(tid, wait);
            self.push(tid, Body::LockWaitEnd { lock, acquired: true });
            let workqueue = "events".to_owned();
            let (function, queue, max_active) = (Some(SymId(3)), Some(ObjId(5)), Some(256));
            self.push(
                tid,
                Body::WorkQueued {
                    work,
                    function,
                    workqueue,
                    wq_flags: 0,
                    queue,
                    max_active,
                    interrupt: Some(false),
                },
            );
            self.push(5, Body::WorkStart { work, function });
            let stack = self.stack();
            self.push(tid, Body::FlushWork { work, function, stack });
            self.push(5, Body::WorkEnd { work, function });
        }
        self.push(tid, Body::CallbackEnd { dev, error: 0 });
        let power = if step == Step::Resume { ASYNC } else { SUSPENDED };
        self.push(tid, Body::StepEnd { dev, power });
    }

    fn cycle(&mut self) {
        for step in Step::ALL {
            let action = format!("dpm_{}", step_label(*step));
            self.phase(&action, true);
            if *step == Step::Suspend {
                (1..=self.devices).for_each(|n| self.describe(n));
            }
            (1..=self.devices).for_each(|n| self.step(n, *step));
            self.phase(&action, false);
        }
        for start in [true, false] {
            self.phase("dpm_complete", start);
        }
        for start in [true, false] {
            self.phase("thaw_processes", start);
        }
    }
}

/// Whole cycles, so many events or a little more.
fn write(folder: &Path, events: u64, devices: u32) -> (PathBuf, u64) {
    let path = folder.join(format!("{events}-{devices}.pmtrace"));
    let writer = Writer::create(&path, &Session::default(), Overwrite::Replace).expect("a trace");
    let mut feed = Feed { writer, devices, time: 1_000_000_000, events: 0 };
    for n in 0..16 {
        feed.push(1, Body::Symbol { id: SymId(n), name: format!("function_{n}"), module: String::new() });
    }
    while feed.events < events {
        feed.cycle();
    }
    let count = feed.events;
    feed.writer.finish(Totals::default()).expect("the trace is closed");
    (path, count)
}

/// The most memory this process has had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default();
    kib / 1024
}

/// Reads a trace once.
fn once(folder: &Path, events: u64, devices: u32) {
    let (path, events) = write(folder, events, devices);
    let (before, began) = (peak(), Instant::now());
    let explained = Explained::read(&path).expect("a readable trace");
    let took = began.elapsed();
    println!(
        "{events} events of {devices} devices in {} cycles, {} MiB: {:.2} s, {:.0} events/s, {} findings; at most {} \
         MiB of memory, {before} MiB before",
        explained.model().transitions().len(),
        std::fs::metadata(&path).map_or(0, |file| file.len() >> 20),
        took.as_secs_f64(),
        events as f64 / took.as_secs_f64(),
        explained.findings.len(),
        peak(),
    );
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if let Some(events) = number("PM_TRACE_EVENTS") {
        let devices = number("PM_TRACE_DEVICES").and_then(|n| u32::try_from(n).ok()).unwrap_or(10_000);
        return once(folder.path(), events, devices);
    }
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(8))
        .configure_from_args();
    let mut group = criterion.benchmark_group("file to findings");
    for (events, devices) in [(100_000, 300), (1_000_000, 300), (1_000_000, 10_000)] {
        let (path, count) = write(folder.path(), events, devices);
        group.throughput(Throughput::Elements(count));
        let id = BenchmarkId::from_parameter(format!("{events} events, {devices} devices"));
        group.bench_function(id, |bench| {
            bench.iter(|| Explained::read(&path).expect("a readable trace").findings.len());
        });
    }
    group.finish();
    criterion.final_summary();
}
