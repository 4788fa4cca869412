//! How long the interactive view takes on a large trace: a million events of 10,000 devices.
//!
//! `cargo bench -p pm-trace --bench view`

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use pm_trace::event::{Body, Comm, DeviceInfo, Event, ObjId, Power, Step, TaskRef};
use pm_trace::history::History;
use pm_trace::trace::{Overwrite, Session, Totals, Writer};
use pm_trace::tui::action::{Action, View};
use pm_trace::tui::app::{App, Source};
use pm_trace::tui::draw;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::path::Path;
use std::time::Duration;

const DEVICES: u32 = 10_000;
const EVENTS: usize = 1_000_000;

/// Suspends and resumes of a tree of devices, eight children each, by sixteen workers.
fn write(path: &Path) {
    let mut writer = Writer::create(path, &Session::default(), Overwrite::Replace).expect("a trace");
    let (mut time, mut count) = (1_000_000_000, 0);
    let mut push = |tid: u32, body: Body| {
        time += 2_000;
        count += 1;
        let task = TaskRef { tid, comm: Comm::new("kworker/u32:1") };
        writer.append(&Event { time, cpu: 0, task, body }).expect("an event is written");
        count
    };
    for n in 1..=DEVICES {
        let info = DeviceInfo {
            dev: ObjId(n),
            parent: (n > 1).then(|| ObjId(n / 8 + u32::from(n < 8))),
            name: format!("device-{n}"),
            bus: "pci".to_owned(),
            class: String::new(),
            driver: format!("driver-{}", n % 50),
            power: Power(0),
            lock: None,
            completion: None,
            links_left: 0,
        };
        push(1, Body::Device(info));
    }
    let phase = |step: Step, start| Body::Phase { action: phase_of(step).to_owned(), value: 2, start };
    'all: loop {
        for &step in Step::ALL {
            push(1, phase(step, true));
            for n in 1..=DEVICES {
                let (dev, tid) = (ObjId(n), 100 + n % 16);
                push(tid, Body::StepStart { dev, step, is_async: true, power: Power(0) });
                push(tid, Body::CallbackStart { dev, event: 2, ops: "bus".to_owned() });
                push(tid, Body::CallbackEnd { dev, error: 0 });
                if push(tid, Body::StepEnd { dev, power: Power(2) }) >= EVENTS {
                    break 'all;
                }
            }
            push(1, phase(step, false));
        }
        push(1, Body::Phase { action: "dpm_complete".to_owned(), value: 16, start: true });
        push(1, Body::Phase { action: "dpm_complete".to_owned(), value: 16, start: false });
    }
    writer.finish(Totals::default()).expect("the trace is closed");
}

fn phase_of(step: Step) -> &'static str {
    match step {
        Step::Suspend => "dpm_suspend",
        Step::SuspendLate => "dpm_suspend_late",
        Step::SuspendNoirq => "dpm_suspend_noirq",
        Step::ResumeNoirq => "dpm_resume_noirq",
        Step::ResumeEarly => "dpm_resume_early",
        Step::Resume => "dpm_resume",
    }
}

/// Most memory the process had so far, as the kernel says.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default().to_owned()
}

fn benches(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("large.pmtrace");
    write(&path);
    let mut group = criterion.benchmark_group("a million events, 10,000 devices");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    eprintln!("before reading {}", peak());
    let history = History::read(&path).expect("the trace is read");
    let mut app = App::new(history, Source::Replay("large".to_owned()));
    eprintln!("after reading {}", peak());
    group.bench_function("open", |bencher| {
        bencher.iter_batched(|| (), |()| History::read(&path), BatchSize::PerIteration);
    });
    let mut buffer = Buffer::empty(Rect::new(0, 0, 200, 60));
    for view in View::ALL {
        app.act(Action::Show(view));
        group.bench_function(format!("frame of {} at 200 x 60", view.name()), |bencher| {
            bencher.iter(|| draw::draw(&mut app, &mut buffer));
        });
    }
    for view in View::ALL {
        let name = view.name();
        group.bench_function(format!("key that shows {name}"), |bencher| {
            bencher.iter(|| app.act(Action::Show(view)));
        });
        // The worst: back in time, where the model has to be folded anew.
        let mut far = [900_001, 100_001, 500_001].into_iter().cycle();
        group.bench_function(format!("jump in time in {name}"), |bencher| {
            bencher.iter(|| app.seek(far.next().unwrap_or_default()));
        });
    }
    // What watching does between the drain and the frame with the whole cycle.
    group.bench_function("arrival of a cycle, with its frame", |bencher| {
        bencher.iter(|| {
            app.arrived();
            draw::draw(&mut app, &mut buffer);
        });
    });
    app.act(Action::Show(View::Events));
    group.bench_function("filter of events", |bencher| {
        bencher.iter(|| {
            app.event_filter = "pm dev:device-77 !task:7".to_owned();
            app.scene.events = None;
            app.refresh();
        });
    });
}

criterion_group!(view, benches);
criterion_main!(view);
