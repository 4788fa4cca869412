//! From a trace file to its findings: events per second, by number of events and devices.
//!
//! `cargo bench -p pm-trace --bench analysis` compares 100,000 events with a million, of 300 devices and of 10,000.
//! `PM_TRACE_EVENTS=10000000 PM_TRACE_DEVICES=10000 cargo bench -p pm-trace --bench analysis` reads one trace of that
//! size once, and prints the time and the most memory that the process needed.

use criterion::{BenchmarkId, Criterion, Throughput};
use made::{ASYNC, Feed, SUSPENDED, completion, device, worker};
use pm_trace::diagnose::Explained;
use pm_trace::event::*;
use pm_trace::trace::{Result, Session};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[path = "../examples/made/mod.rs"]
mod made;

fn twelve_frames() -> Stack {
    (0..12).map(|n| Frame { symbol: SymId(n), offset: 0x10 + n }).collect()
}

/// A device takes a step: it waits for its parent, for a contended lock, for a work that it queues, and is written to.
fn step_of(feed: &mut Feed, n: u32, step: Step) -> Result<()> {
    let (dev, tid) = (device(n), worker(n));
    let (lock, work) = (ObjId(dev.0 + 3), ObjId(dev.0 + 4));
    let parent = completion(made::parent(n).unwrap_or(1));
    feed.push(tid, Body::StepStart { dev, step, is_async: true, power: SUSPENDED })?;
    feed.push(tid, Body::DeviceWait { dev, target: None, why: DeviceWaitKind::Superior })?;
    let stack = twelve_frames();
    feed.push(tid, Body::CompletionWait { completion: parent, timeout: None, io: false, stack })?;
    feed.push(tid, Body::CallbackStart { dev, event: 2, ops: "bus".to_owned() })?;
    if matches!(step, Step::Suspend | Step::Resume) {
        let (owner, stack) = (Some(TaskRef { tid: 9, comm: Comm::new("other") }), twelve_frames());
        let wait = Body::LockWait { lock, lock_kind: LockKind::Mutex, owner, stack, shared: false };
        feed.push(tid, wait)?;
        feed.push(tid, Body::LockWaitEnd { lock, acquired: true })?;
        let workqueue = "events".to_owned();
        let (function, queue, max_active) = (Some(SymId(3)), Some(ObjId(5)), Some(256));
        feed.push(
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
        )?;
        feed.push(5, Body::WorkStart { work, function })?;
        let stack = twelve_frames();
        feed.push(tid, Body::FlushWork { work, function, stack })?;
        feed.push(5, Body::WorkEnd { work, function })?;
    }
    feed.push(tid, Body::CallbackEnd { dev, error: 0 })?;
    let power = if step == Step::Resume { ASYNC } else { SUSPENDED };
    feed.push(tid, Body::StepEnd { dev, power })
}

fn cycle(feed: &mut Feed, devices: u32) -> Result<()> {
    for step in Step::ALL {
        let action = format!("dpm_{}", step_label(*step));
        feed.phase(&action, 2, true)?;
        if *step == Step::Suspend {
            for n in 1..=devices {
                feed.push(1, Body::Device(made::info(n, format!("device-{n}"))))?;
            }
        }
        for n in 1..=devices {
            step_of(feed, n, *step)?;
        }
        feed.phase(&action, 2, false)?;
    }
    for action in ["dpm_complete", "thaw_processes"] {
        feed.phase(action, 2, true)?;
        feed.phase(action, 2, false)?;
    }
    Ok(())
}

/// Whole cycles in which every device takes all six steps, so many events or a little more.
fn write(folder: &Path, events: u64, devices: u32) -> Result<(PathBuf, u64)> {
    let path = folder.join(format!("{events}-{devices}.pmtrace"));
    let mut feed = Feed::new(&path, &Session::default(), 2_000)?;
    for n in 0..16 {
        feed.push(1, Body::Symbol { id: SymId(n), name: format!("function_{n}"), module: String::new() })?;
    }
    while feed.events < events {
        cycle(&mut feed, devices)?;
    }
    let count = feed.events;
    feed.finish()?;
    Ok((path, count))
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
    let (path, events) = write(folder, events, devices).expect("a trace");
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
        let (path, count) = write(folder.path(), events, devices).expect("a trace");
        group.throughput(Throughput::Elements(count));
        let id = BenchmarkId::from_parameter(format!("{events} events, {devices} devices"));
        group.bench_function(id, |bench| {
            bench.iter(|| Explained::read(&path).expect("a readable trace").findings.len());
        });
    }
    group.finish();
    criterion.final_summary();
}
