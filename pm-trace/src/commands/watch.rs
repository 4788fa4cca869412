//! `pm-trace watch`, which is also `pm-trace` alone: waits for suspends in the interactive view.

use super::recording::{self, Plan};
use super::replay::{apply, configuration, require_terminal};
use super::{Context, Outcome, require_root, say};
use crate::capture::record::Window;
use crate::capture::recorder::Recorder;
use crate::capture::switches::{self, WakeAlarm};
use crate::cli::{WatchArgs, WatchdogArgs};
use crate::event::Event;
use crate::history::History;
use crate::text;
use crate::trace::Mode;
use crate::tui::app::{App, Source, Watching};
use crate::tui::run::{self, Feed};
use crate::tui::terminal::Screen;
use anyhow::Context as _;
use std::sync::mpsc::{Receiver, channel};

/// Arms, opens the view, and shows each suspend when the machine is back.
///
/// # Errors
/// Not root, no terminal, a wrong configuration, or nothing can be traced.
pub(super) fn run(args: &WatchArgs, context: &Context) -> anyhow::Result<Outcome> {
    require_root("watch", "loading eBPF programs needs it")?;
    require_terminal("'pm-trace record' records without one")?;
    let config = configuration()?;
    let stop = run::stop_flag().context("cannot receive signals")?;
    let default = WatchdogArgs::default();
    let (stall_after, watchdog) = (recording::stall_after(&default), recording::watchdog(&default));
    let plan = Plan { output: &args.output, mode: Mode::Watch, state: None, stall_after, watchdog };
    let (mut recorder, options) = recording::start(&plan, context)?;
    let (sender, events) = channel();
    recorder.set_tap(Box::new(move |batch: &[Event]| {
        // The receiver lives as long as the recorder.
        let _ = sender.send(batch.to_vec());
    }));
    let armed = recorder.armed();
    let watching = Watching {
        hooks: armed.hooks,
        skipped: armed.skipped,
        took: u64::try_from(armed.took.as_nanos()).unwrap_or(u64::MAX),
        trace: text::path(&options.output),
        wake: args.wake,
        arrived: String::new(),
    };
    let mut app = App::new(History::new(Some(recorder.session().clone())), Source::Watch(watching));
    apply(&mut app, &config, &args.look);
    recorder.await_transition()?;
    let mut feed = Watch { window: Window::new(), recorder, events, wake: args.wake };
    let mut screen =
        Screen::take(Box::new(std::io::stdout()), config.mouse).context("cannot use this terminal")?;
    let ended = run::run(&mut app, &mut screen, &mut feed, &stop);
    drop(screen);
    drop(app);
    let Watch { mut recorder, .. } = feed;
    // What was recorded is kept and explained, whatever went wrong.
    if let Err(error) = recorder.close_window() {
        say(&format!("pm-trace: {error}\n"));
    }
    recorder.drain();
    let outcome = recording::finish(recorder)?;
    ended.map(|()| outcome)
}

/// The recording behind the view.
struct Watch {
    recorder: Recorder,
    window: Window,
    events: Receiver<Vec<Event>>,
    wake: u32,
}

impl Feed for Watch {
    fn poll(&mut self, app: &mut App) -> anyhow::Result<bool> {
        let drained = self.recorder.drain();
        let integrity = self.window.step(&mut self.recorder, drained)?;
        if let Some(integrity) = &integrity {
            if let Source::Watch(watching) = &mut app.source {
                watching.arrived = recording::arrived(integrity);
            }
            self.recorder.await_transition()?;
        }
        for trouble in self.recorder.take_trouble() {
            app.complain(format!("{trouble}; recording goes on"));
        }
        Ok(app.drained(self.events.try_iter().flatten(), integrity.is_some()))
    }

    fn suspend(&mut self, _: &mut App) -> anyhow::Result<()> {
        let alarm = WakeAlarm::set(self.wake)?;
        let entered = switches::enter("mem");
        drop(alarm);
        Ok(entered?)
    }
}
