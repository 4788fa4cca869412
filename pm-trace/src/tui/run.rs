//! The loop: wait for a key, for time to pass, for events; then draw.

use super::action::Action;
use super::app::App;
use super::console::Console;
use super::keys::Key;
use super::terminal::Screen;
use super::update::Effect;
use crate::text;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use ratatui::crossterm::clipboard::CopyToClipboard;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use ratatui::crossterm::execute;
use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Longest time between two looks at what feeds the view.
const TICK: Duration = Duration::from_millis(50);
/// Time between two frames while time goes on by itself.
const FRAME: Duration = Duration::from_millis(33);

/// What brings new events while the view is open.
pub trait Feed {
    /// Takes in what is new. True if something changed.
    ///
    /// # Errors
    /// The recording fails as a whole.
    fn poll(&mut self, app: &mut App) -> anyhow::Result<bool>;

    /// Suspends this machine.
    ///
    /// # Errors
    /// It did not come about.
    fn suspend(&mut self, app: &mut App) -> anyhow::Result<()>;

    /// There is more to take in right now: do not wait for keys.
    fn is_busy(&self) -> bool {
        false
    }

    /// Nothing more will come, and the view is to close.
    fn is_over(&self) -> bool {
        false
    }
}

/// Set when somebody asks the program to end.
///
/// # Errors
/// Signals cannot be received.
pub fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Shows the view until the user leaves, somebody asks the program to end, or the feed is over.
///
/// # Errors
/// The terminal cannot be used, or the feed fails.
pub fn run(app: &mut App, screen: &mut Screen, feed: &mut dyn Feed, stop: &AtomicBool) -> anyhow::Result<()> {
    let mut last = Instant::now();
    let mut console = Console::of(io::stdout().as_fd());
    screen.draw(app)?;
    while !stop.load(Ordering::Relaxed) && !feed.is_over() {
        let wait = match app.play {
            _ if feed.is_busy() => Duration::ZERO,
            Some(_) => FRAME,
            None => TICK,
        };
        let mut changed = false;
        match await_input(wait)? {
            Input::Gone => return Ok(()),
            // The window has another size, perhaps.
            Input::Interrupted => changed = true,
            Input::Nothing => {}
            Input::Ready => {
                // What has come together is one frame.
                while event::poll(Duration::ZERO)? {
                    match input(app, &event::read()?, &mut changed) {
                        Some(Effect::Quit) => return Ok(()),
                        Some(effect) => perform(app, screen, feed, effect)?,
                        None => {}
                    }
                }
            }
        }
        let elapsed = last.elapsed();
        last = Instant::now();
        changed |= app.tick(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
        changed |= feed.poll(app)?;
        if let Some(words) = screen.panicked() {
            app.complain(words);
            screen.redraw(app)?;
        } else if console.as_mut().is_some_and(Console::was_written_to) {
            screen.redraw(app)?;
        } else if changed {
            screen.draw(app)?;
        }
    }
    Ok(())
}

/// What became of waiting for a key.
enum Input {
    Ready,
    Nothing,
    Interrupted,
    Gone,
}

/// Waits for input. A terminal that is gone is readable for ever and gives nothing: whoever reads on, as
/// crossterm does, keeps a CPU busy.
fn await_input(wait: Duration) -> io::Result<Input> {
    let stdin = io::stdin();
    let mut input = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(wait).unwrap_or(PollTimeout::ZERO);
    match nix::poll::poll(&mut input, timeout) {
        Err(nix::errno::Errno::EINTR) => Ok(Input::Interrupted),
        Err(error) => Err(error.into()),
        Ok(0) => Ok(Input::Nothing),
        Ok(_) => {
            let told = input[0].revents().unwrap_or(PollFlags::POLLERR);
            let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
            Ok(if told.intersects(gone) { Input::Gone } else { Input::Ready })
        }
    }
}

fn input(app: &mut App, event: &Event, changed: &mut bool) -> Option<Effect> {
    *changed = true;
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => app.key(Key::of(*key)),
        Event::Mouse(mouse) => app.mouse(*mouse),
        _ => None,
    }
}

fn perform(app: &mut App, screen: &mut Screen, feed: &mut dyn Feed, effect: Effect) -> anyhow::Result<()> {
    match effect {
        Effect::Quit => {}
        Effect::Redraw => screen.redraw(app)?,
        Effect::Copy(text) => {
            execute!(screen.out(), CopyToClipboard::to_clipboard_from(text))?;
            let key = app.keymap.first(Action::ExportText);
            app.tell(format!(
                "copied, if this terminal passes it on to the clipboard (OSC 52); {key} writes a file"
            ));
        }
        Effect::Save { name, text } => match save(Path::new(&name), &text) {
            Ok(()) => app.tell(format!("written to {}", text::path(Path::new(&name)))),
            Err(error) => app.complain(format!("cannot write {}: {error}", text::path(Path::new(&name)))),
        },
        Effect::Suspend => {
            app.tell("suspending ...");
            screen.draw(app)?;
            if let Err(error) = feed.suspend(app) {
                app.complain(format!("not suspended: {error:#}"));
            }
            // The kernel may have written over it.
            screen.redraw(app)?;
        }
    }
    Ok(())
}

/// Writes a new file; one that is there stays as it is, unless it holds the same.
fn save(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    match std::fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let same = std::fs::metadata(path).is_ok_and(|meta| meta.len() == text.len() as u64)
                && std::fs::read_to_string(path).is_ok_and(|old| old == text);
            if same { Ok(()) } else { Err(error) }
        }
        Err(error) => Err(error),
    }
}
