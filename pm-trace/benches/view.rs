//! How long the interactive view takes on a large trace: more than a million events of 10,000 devices.
//!
//! `cargo bench -p pm-trace --bench view` measures all of it, in about two minutes; behind `--` a part of a name chooses.
//! `PM_TRACE_LARGE=FILE` measures another trace. The trace is made once and kept in the target directory.
//!
//! Before criterion's figures stands a table with the worst of each kind: every key in every view, and every frame.

use criterion::{BatchSize, Criterion, criterion_group};
use pm_trace::event::Event;
use pm_trace::history::{DeviceView, History, Reading};
use pm_trace::trace::{Overwrite, Session, Totals, Trace, Writer};
use pm_trace::tui::action::{ACTIONS, Action, View};
use pm_trace::tui::app::{App, Popup, Source, Watching};
use pm_trace::tui::draw;
use pm_trace::tui::keys::Key;
use pm_trace::tui::opening::Opening;
use pm_trace::tui::run::Feed as _;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[path = "../examples/large_trace.rs"]
#[allow(dead_code, reason = "an example of its own, too")]
mod large_trace;

const DEVICES: u32 = 10_000;
/// Suspends and resumes, of 174,000 events each.
const CYCLES: u64 = 6;

/// The trace to be measured, made if it is not there.
fn trace() -> PathBuf {
    if let Some(path) = std::env::var_os("PM_TRACE_LARGE") {
        return path.into();
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("view-{CYCLES}x{DEVICES}.pmtrace"));
    if !path.exists() {
        let (once, part) = (folder.join("view-once.pmtrace"), folder.join("view.part"));
        large_trace::write(&once, DEVICES).expect("a trace is made");
        repeat(&once, &part).expect("a trace is made");
        std::fs::rename(part, &path).expect("a trace is kept");
    }
    path
}

/// The same events several times, one after the other.
fn repeat(once: &Path, to: &Path) -> anyhow::Result<()> {
    let mut writer = Writer::create(to, &Session::default(), Overwrite::Replace)?;
    let mut later = 0;
    for _ in 0..CYCLES {
        let mut last = 0;
        for event in Trace::open(once)? {
            last = event.time + later;
            writer.append(&Event { time: last, ..event })?;
        }
        later = last;
    }
    writer.finish(Totals::default())?;
    Ok(())
}

/// Most memory the process had so far, as the kernel says.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn screen() -> Buffer {
    Buffer::empty(Rect::new(0, 0, 200, 60))
}

/// Time on the CPU, in which others on a busy machine do not count.
fn cpu() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(
        told.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default(),
    )
}

/// What it took, by the clock and on the CPU.
fn timed(work: impl FnOnce()) -> (Duration, Duration) {
    let (wall, busy) = (Instant::now(), cpu());
    work();
    (wall.elapsed(), cpu() - busy)
}

/// The worst times of what was tried: of a key, and of the frame after it.
#[derive(Default)]
struct Worst {
    key: (Duration, Duration),
    frame: (Duration, Duration),
}

/// Moments of a trace: its end, the middle of a cycle, and one where the model has to be folded furthest.
fn moments(app: &App) -> [usize; 3] {
    let all = app.history.log().len();
    [all, all / 2, (all * 2 / 3) | ((1 << 13) - 1)]
}

/// As it was opened, at a moment of the trace, in a view.
fn reset(app: &mut App, view: View, moment: usize) {
    app.popups.clear();
    app.event_filter.clear();
    app.scene.events = None;
    (app.devices, app.timeline.filter) = (DeviceView::default(), String::new());
    app.seek(moment);
    app.act(Action::Show(view));
    app.timeline.show(&app.history, app.cursor);
    app.refresh();
}

/// What a key does.
type Press = Box<dyn Fn(&mut App)>;

/// Everything a view answers to: each action, and the filters that are typed.
fn keys(view: View) -> Vec<(String, Press)> {
    let actions = ACTIONS.iter().filter(|spec| spec.place.has(view) && spec.action != Action::Quit);
    let mut keys: Vec<(String, Press)> = Vec::new();
    for spec in actions {
        keys.push((spec.name.to_owned(), Box::new(move |app: &mut App| drop(app.act(spec.action)))));
    }
    let filters: &[&str] = match view {
        View::Events => &["pm dev:0:01 !task:7", "time:+0.1..+0.2", "0000"],
        View::Devices => &["0000", "driver:driver-7 state:resumed"],
        View::Timeline => &["0000", "kworker"],
        _ => &[],
    };
    for &filter in filters {
        let apply = move |app: &mut App| {
            app.popups.push(Popup::Filter { text: filter.to_owned(), wrong: None });
            app.key(Key::parse("enter").expect("a key"));
        };
        keys.push((format!("filter {filter:?}"), Box::new(apply)));
    }
    // What 33 ms bring while time goes on by itself, 64 times as fast.
    keys.push((
        "a frame of play".to_owned(),
        Box::new(|app| {
            app.play = Some(64 << 10);
            app.tick(33_000_000);
        }),
    ));
    keys
}

/// Every key in a view, at three moments; and the frame after each.
fn every_key(app: &mut App, view: View, rows: &mut Vec<(Duration, String)>) {
    let mut buffer = screen();
    let mut all = Worst::default();
    for (name, press) in keys(view) {
        let mut worst = Worst::default();
        for moment in moments(app) {
            reset(app, view, moment);
            draw::draw(app, &mut buffer);
            worst.key = longer(worst.key, timed(|| press(app)));
            worst.frame = longer(worst.frame, timed(|| draw::draw(app, &mut buffer)));
        }
        rows.push((worst.key.1, format!("{name} in {}", view.name())));
        all.key = longer(all.key, worst.key);
        all.frame = longer(all.frame, worst.frame);
    }
    println!("{:<10} {} {}", view.name(), times(all.key), times(all.frame));
}

fn longer(one: (Duration, Duration), other: (Duration, Duration)) -> (Duration, Duration) {
    (one.0.max(other.0), one.1.max(other.1))
}

fn times((wall, busy): (Duration, Duration)) -> String {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    format!("{:>7.2} ms {:>7.2} ms", ms(wall), ms(busy))
}

/// The worst of each view, in a table.
fn table(app: &mut App) {
    println!("\nthe worst key of each view and the worst frame of 200 x 60 after one, at three moments");
    println!("{:<10} {:>21} {:>21}", "", "key: clock, CPU", "frame: clock, CPU");
    let mut rows = Vec::new();
    for view in View::ALL {
        every_key(app, view, &mut rows);
    }
    rows.sort_by_key(|row| Reverse(row.0));
    println!("\nthe ten longest keys, on the CPU");
    for (time, name) in rows.iter().take(10) {
        println!("{:>7.2} ms  {name}", time.as_secs_f64() * 1e3);
    }
    println!();
}

fn benches(criterion: &mut Criterion) {
    let path = trace();
    let mut group = criterion.benchmark_group("view");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let before = peak();
    let mut first = screen();
    let mut opened = None;
    let opening = timed(|| {
        let history = History::read(&path).expect("the trace is read");
        let mut app = App::new(history, Source::file("large"));
        draw::draw(&mut app, &mut first);
        opened = Some(app);
    });
    let mut app = opened.expect("it is opened");
    println!("{} events, {before} before", app.history.log().len());
    println!("read to its end, with a frame: {}, {}", times(opening), peak());
    table(&mut app);
    reset(&mut app, View::Overview, usize::MAX);
    println!("after all keys: {}", peak());
    for view in View::ALL {
        app.act(Action::Show(view));
        group.bench_function(format!("frame of {} at 200 x 60", view.name()), |bencher| {
            bencher.iter(|| draw::draw(&mut app, &mut first));
        });
    }
    // One trace at a time: what they take of memory does not add up.
    drop(app);
    begin(&path);
    arrival(&mut group);
    group.finish();
}

/// The same as somebody who waits for it sees it: a first frame, and what keys take until all has been read.
fn begin(path: &Path) {
    let mut buffer = screen();
    let mut begun = None;
    let opened = Instant::now();
    let first = timed(|| {
        let (history, reading) = Reading::begin(path).expect("the trace is read");
        let mut app = App::new(history, Source::file("large"));
        let opening = Opening::begin(&mut app, reading);
        draw::draw(&mut app, &mut buffer);
        begun = Some((app, opening));
    });
    let (mut app, mut opening) = begun.expect("it is begun");
    let mut longest = (Duration::ZERO, Duration::ZERO);
    let mut views = View::ALL.into_iter().cycle();
    while opening.is_busy() {
        // A key that comes when reading has just gone on.
        let answered = timed(|| {
            let _ = opening.poll(&mut app);
            app.act(Action::Show(views.next().unwrap_or(View::Overview)));
            draw::draw(&mut app, &mut buffer);
        });
        longest = (longest.0.max(answered.0), longest.1.max(answered.1));
    }
    let all = opened.elapsed().as_secs_f64();
    println!(
        "first frame: {}; the longest answer to another view's key until all was read, after {all:.2} s: {}",
        times(first),
        times(longest)
    );
}

/// What watching does with a whole cycle, between its drain and the frame that shows it.
fn arrival(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for devices in [300, DEVICES] {
        let path = folder.join(format!("view-cycle-{devices}.pmtrace"));
        large_trace::write(&path, devices).expect("a trace is made");
        let events: Vec<Event> = Trace::open(&path).expect("the trace is read").collect();
        let empty = || App::new(History::new(None), Source::Watch(Watching::default()));
        let mut buffer = screen();
        let count = events.len();
        group.bench_function(format!("take in {count} events of {devices} devices, and draw"), |bencher| {
            let take = |(mut app, events): (App, Vec<Event>)| {
                app.drained(events, false);
                draw::draw(&mut app, &mut buffer);
                app
            };
            bencher.iter_batched(|| (empty(), events.clone()), take, BatchSize::PerIteration);
        });
        let mut app = empty();
        app.drained(events, false);
        group.bench_function(format!("of that, what is not folding, {devices} devices"), |bencher| {
            bencher.iter(|| {
                // As if its transition had not been shown yet.
                app.shown = 0;
                app.drained([], true);
                draw::draw(&mut app, &mut buffer);
            });
        });
    }
}

criterion_group!(view, benches);

fn main() {
    view();
    Criterion::default().configure_from_args().final_summary();
}
