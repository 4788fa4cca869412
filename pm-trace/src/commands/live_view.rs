//! `pm-trace suspend --live --tui`: the interactive view, awake while everything else is frozen.

use super::replay::{apply, configuration, require_terminal};
use crate::capture::companion::Companion;
use crate::capture::recorder::{Recorder, boottime};
use crate::cli::LookArgs;
use crate::diagnose::Severity;
use crate::event::Event;
use crate::history::History;
use crate::tty::Line;
use crate::tui::action::View;
use crate::tui::app::{App, Source};
use crate::tui::run::{self, Feed};
use crate::tui::terminal::Screen;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Batches of events that wait for the view; what comes while it is full is missing there, not in the trace.
const QUEUE: usize = 4096;
/// Time between two looks while nothing happens: what lasts gets older.
const AGE: Duration = Duration::from_millis(500);

/// The view as a companion of the collector. It draws on standard output and reads keys from standard input.
///
/// # Errors
/// No terminal, or a wrong configuration.
pub(super) fn companion(recorder: &mut Recorder, look: &LookArgs) -> anyhow::Result<Companion> {
    let config = configuration()?;
    let (sender, events) = sync_channel(QUEUE);
    let missed = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&missed);
    recorder.set_tap(Box::new(move |batch: &[Event]| {
        if let Err(TrySendError::Full(batch)) = sender.try_send(batch.to_vec()) {
            counter.fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
    }));
    let history = History::new(Some(recorder.session().clone()));
    let mut app = App::new(history, Source::Live { now: boottime() });
    apply(&mut app, &config, look);
    let feed = Live { events, missed, told: 0, seen: 0, aged: Instant::now() };
    let view = Mutex::new((app, feed));
    Ok(Arc::new(move |done: &AtomicBool| {
        let mut view = view.lock().unwrap_or_else(PoisonError::into_inner);
        let (app, feed) = &mut *view;
        app.follow = true;
        let shown = Screen::take(output(), false)
            .map_err(anyhow::Error::from)
            .and_then(|mut screen| run::run(app, &mut screen, feed, done));
        if let Err(error) = shown {
            log::warn!("the view is closed: {error:#}; recording goes on");
        }
    }))
}

/// Refuses what cannot be drawn on, before anything is armed.
///
/// # Errors
/// Standard input or output is no terminal.
pub(super) fn check() -> anyhow::Result<()> {
    require_terminal("without --tui the verdict is printed as text")
}

/// Standard output; a terminal's line is opened anew, so that it is never waited for inside its driver.
fn output() -> Box<dyn Write + Send> {
    match Line::open(Path::new("/proc/self/fd/1")) {
        Ok(line) => Box::new(line),
        Err(_) => Box::new(std::io::stdout()),
    }
}

/// Events from the collector.
struct Live {
    events: Receiver<Vec<Event>>,
    missed: Arc<AtomicU64>,
    /// How many missed events the view was told of.
    told: u64,
    /// Errors that were shown.
    seen: usize,
    aged: Instant,
}

impl Feed for Live {
    fn poll(&mut self, app: &mut App) -> anyhow::Result<bool> {
        let mut any = false;
        for event in self.events.try_iter().flatten() {
            app.history.push(&event);
            any = true;
        }
        let missed = self.missed.load(Ordering::Relaxed);
        if missed > self.told {
            self.told = missed;
            app.complain(format!(
                "{missed} events are missing here, not in the trace: this terminal is slow"
            ));
        }
        if !any && self.aged.elapsed() < AGE {
            return Ok(false);
        }
        self.aged = Instant::now();
        app.source = Source::Live { now: boottime() };
        app.grown();
        let errors = app.found.iter().filter(|finding| finding.severity == Severity::Error).count();
        if errors > self.seen && app.view == View::Overview {
            app.view = View::Waits;
            app.refresh();
        }
        self.seen = errors;
        Ok(true)
    }

    fn suspend(&mut self, _: &mut App) -> anyhow::Result<()> {
        anyhow::bail!("this machine is suspending already")
    }
}
