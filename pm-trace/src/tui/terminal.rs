//! Taking a terminal over and giving it back, whatever happens in between.

use super::app::App;
use super::draw;
use crate::text;
use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute};
use ratatui::layout::Rect;
use std::cell::Cell;
use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

/// Columns and lines where the terminal does not say: a serial line has no size.
const USUAL: (u16, u16) = (80, 24);

/// A terminal is taken over; what a panic has to put back.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// What other threads said when they panicked while the view was open.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

thread_local! {
    /// This thread took the terminal over.
    static TAKER: Cell<bool> = const { Cell::new(false) };
}

/// A terminal that was taken over. Dropping it gives it back.
///
/// ratatui's own `Terminal` is not used: it asks the terminal where its cursor is, and a serial line with
/// nobody at its other end does not answer.
pub struct Screen {
    backend: CrosstermBackend<Box<dyn Write + Send>>,
    /// What is on the screen.
    shown: Buffer,
    /// How many panics of other threads were told of.
    told: usize,
}

impl Screen {
    /// Takes the terminal over: raw, its other screen, the mouse if it is wanted. `out` is written to.
    ///
    /// # Errors
    /// Standard input is no terminal, or it cannot be written.
    pub fn take(mut out: Box<dyn Write + Send>, mouse: bool) -> io::Result<Self> {
        restore_on_panic();
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        TAKER.set(true);
        let taken = execute!(out, EnterAlternateScreen, cursor::Hide)
            .and_then(|()| if mouse { execute!(out, EnableMouseCapture) } else { Ok(()) });
        let mut screen = Self { backend: CrosstermBackend::new(out), shown: Buffer::empty(area()), told: 0 };
        // If it fails, dropping the screen gives back what was taken.
        taken.and_then(|()| screen.backend.clear())?;
        Ok(screen)
    }

    /// Draws what has changed.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub fn draw(&mut self, app: &mut App) -> io::Result<()> {
        if self.shown.area != area() {
            self.shown = Buffer::empty(area());
            self.backend.clear()?;
        }
        let mut next = Buffer::empty(self.shown.area);
        draw::draw(app, &mut next);
        self.backend.draw(self.shown.diff(&next).into_iter())?;
        Write::flush(&mut self.backend)?;
        self.shown = next;
        Ok(())
    }

    /// Draws everything anew: somebody else may have written there.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub fn redraw(&mut self, app: &mut App) -> io::Result<()> {
        self.backend.clear()?;
        self.shown.reset();
        self.draw(app)
    }

    /// What a thread said that panicked since this was asked last: it stands in the middle of the view.
    pub fn panicked(&mut self) -> Option<String> {
        let panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
        let new = panics.len() > std::mem::replace(&mut self.told, panics.len());
        panics.last().filter(|_| new).cloned()
    }

    /// Where to write what is no drawing.
    pub fn out(&mut self) -> &mut impl Write {
        &mut self.backend
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore(&mut self.backend);
    }
}

/// Gives the terminal back. What cannot be written is lost; there is nobody to tell.
fn restore(out: &mut impl Write) {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(out, DisableMouseCapture, LeaveAlternateScreen, cursor::Show);
        let _ = out.flush();
        let _ = disable_raw_mode();
        // What they said went with the view, if it was written there.
        let panics = std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner));
        if io::stderr().is_terminal() {
            panics.iter().for_each(|panic| eprintln!("pm-trace: {panic}"));
        }
    }
}

/// A panic's message is of no use on a screen that is thrown away. Another thread's panic does not end the view, which
/// has to keep its terminal.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if TAKER.get() {
                restore(&mut io::stdout());
            } else if TAKEN.load(Ordering::SeqCst) {
                let words = panic.to_string().lines().collect::<Vec<_>>().join(" ");
                PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(text::line(&words).into_owned());
            }
            before(panic);
        }));
    });
}

/// All of the screen.
fn area() -> Rect {
    let (columns, lines) = size();
    Rect::new(0, 0, columns, lines)
}

/// Columns and lines: what the terminal says, or `COLUMNS` and `LINES`, or 80 x 24.
fn size() -> (u16, u16) {
    nix::ioctl_read_bad!(window_size, nix::libc::TIOCGWINSZ, nix::libc::winsize);
    let mut told = nix::libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the request fills in a `winsize`, which lives until the call is over.
    let _ = unsafe { window_size(nix::libc::STDOUT_FILENO, &raw mut told) };
    let var = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let or = |told: u16, name: &str, usual: u16| {
        if told > 0 { told } else { var(name).filter(|&size| size > 0).unwrap_or(usual) }
    };
    // More than this is no terminal, and a buffer of it would take long to fill.
    (or(told.ws_col, "COLUMNS", USUAL.0).min(1000), or(told.ws_row, "LINES", USUAL.1).min(500))
}
