//! What it costs to go from events to findings, by number of events and devices.
//!
//! `cargo run --release -p pm-trace --example analysis_cost [-- EVENTS DEVICES]`
//!
//! Makes up cycles of suspend and resume in which every device depends on the one before it or on none, folds them, and
//! prints events per second and the memory that the process needed at most so far. Without arguments it goes through
//! the sizes below.

use pm_trace::diagnose::Analysis;
use pm_trace::event::{Body, Comm, DeviceInfo, Event, ObjId, Power, Step, TaskRef};
use std::time::Instant;

/// `power.async_suspend`, and `is_suspended` with it.
const ASYNC: Power = Power(1 << 4);
const SUSPENDED: Power = Power(1 << 4 | 1 << 1);

/// Hands events to the analysis.
struct Feed {
    analysis: Analysis,
    time: u64,
    events: u64,
}

impl Feed {
    fn push(&mut self, tid: u32, body: Body) {
        self.time += 1_000;
        self.events += 1;
        let task = TaskRef { tid, comm: Comm::new("kworker") };
        self.analysis.apply(&Event { time: self.time, cpu: 0, task, body });
    }

    fn phase(&mut self, action: &str, start: bool) {
        self.push(1, Body::Phase { action: action.to_owned(), value: 0, start });
    }

    fn describe(&mut self, device: u32) {
        let dev = ObjId(device * 4 + 1);
        let parent = (!device.is_multiple_of(8)).then(|| ObjId(dev.0 - 4));
        let info = DeviceInfo {
            dev,
            parent,
            name: format!("device{device}"),
            bus: "pci".to_owned(),
            class: String::new(),
            driver: "driver".to_owned(),
            power: ASYNC,
            lock: Some(ObjId(dev.0 + 1)),
            completion: Some(ObjId(dev.0 + 2)),
            links_left: 0,
        };
        self.push(1, Body::Device(info));
    }

    fn step(&mut self, device: u32, step: Step) {
        let (dev, tid) = (ObjId(device * 4 + 1), 100 + device % 256);
        let down = step == Step::Suspend;
        let (before, after) = if down { (ASYNC, SUSPENDED) } else { (SUSPENDED, ASYNC) };
        self.push(tid, Body::StepStart { dev, step, is_async: true, power: before });
        self.push(tid, Body::CallbackStart { dev, event: 2, ops: "bus".to_owned() });
        self.push(tid, Body::CallbackEnd { dev, error: 0 });
        self.push(tid, Body::StepEnd { dev, power: after });
    }

    fn cycle(&mut self, devices: u32) {
        self.phase("dpm_prepare", true);
        self.phase("dpm_prepare", false);
        self.phase("dpm_suspend", true);
        (0..devices).for_each(|device| self.describe(device));
        (0..devices).rev().for_each(|device| self.step(device, Step::Suspend));
        self.phase("dpm_suspend", false);
        self.phase("dpm_resume", true);
        (0..devices).for_each(|device| self.step(device, Step::Resume));
        self.phase("dpm_resume", false);
        self.phase("dpm_complete", true);
        self.phase("dpm_complete", false);
        self.phase("thaw_processes", true);
        self.phase("thaw_processes", false);
    }
}

/// The most memory this process has had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default();
    kib / 1024
}

fn measure(events: u64, devices: u32) {
    let mut feed = Feed { analysis: Analysis::default(), time: 1_000_000_000, events: 0 };
    let began = Instant::now();
    while feed.events < events {
        feed.cycle(devices);
    }
    let findings = feed.analysis.findings_at_end().len();
    let took = began.elapsed().as_secs_f64();
    let rate = feed.events as f64 / took / 1e6;
    println!(
        "{:>10} events, {devices:>6} devices: {took:>7.2} s, {rate:.2} million events/s, {findings} findings, at most {} MiB",
        feed.events,
        peak()
    );
}

fn main() {
    let args: Vec<u64> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    match args.as_slice() {
        [events, devices] => measure(*events, u32::try_from(*devices).unwrap_or(10_000)),
        _ => {
            for (events, devices) in [
                (100_000, 300),
                (1_000_000, 300),
                (10_000_000, 300),
                (1_000_000, 10_000),
                (10_000_000, 10_000),
            ] {
                measure(events, devices);
            }
        }
    }
}
