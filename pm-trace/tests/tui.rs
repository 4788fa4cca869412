//! The interactive view in a real terminal: a pty, with a terminal emulator at its other end.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use nix::sys::signal::Signal;
use pm_trace::history::History;
use pm_trace::tui::app::{App, Source, Watching};
use pm_trace::tui::run::{self, Feed};
use pm_trace::tui::terminal::Screen;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use terminal::{PATIENCE, Session};

fn trace(name: &str) -> String {
    let path: PathBuf = format!("{}/tests/data/traces/{name}.pmtrace", env!("CARGO_MANIFEST_DIR")).into();
    path.to_str().unwrap().to_owned()
}

/// From the first screen to the stack of the culprit with five keys.
#[test]
fn from_the_first_screen_to_the_root_cause() {
    let mut session = Session::start(&["replay", &trace("6.1-rescan-deadlock")], &[]);
    session.shows(&["LOCKUP  resume stuck for 7.29 s", "worst finding", "? help  q quit"]);
    session.press("w");
    session.shows(&["1 cycle: a deadlock", "scsi_rescan_device", "closes the cycle"]);
    session.press("jjj\r");
    session.shows(&["kernel stack", "blk_queue_enter", "queued by scsi_eh_1"]);
    session.press("\x1b");
    session.press("qq");
    assert_eq!(session.ends().exit_code(), 3, "something was found");
}

#[test]
fn a_larger_terminal_is_used_at_once() {
    let mut session = Session::start(&["replay", &trace("6.12-healthy")], &[]);
    session.shows(&["nothing wrong was found"]);
    session.resize(40, 10);
    session.press(".");
    session.shows(&["40 x 10 is too small"]);
    session.press("q");
    assert_eq!(session.ends().exit_code(), 0);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let mut session = Session::start(&["replay", &trace("6.12-healthy")], &[]);
        session.shows(&["nothing wrong was found"]);
        assert!(session.is_taken());
        session.signal(signal);
        session.ends();
    }
}

/// Says to [`a_view_that_fails`] how it fails.
const FAILS: &str = "PM_TRACE_TEST_FAILS";

/// No test by itself: the program that the next ones run in a terminal.
#[test]
#[ignore = "runs in a terminal of other tests"]
fn a_view_that_fails() {
    let Ok(how) = std::env::var(FAILS) else { return };
    let mut app = App::new(History::new(None), Source::Watch(Watching::default()));
    let mut screen = Screen::take(Box::new(std::io::stdout()), true).unwrap();
    let ended = run::run(&mut app, &mut screen, &mut Failing { how, now: false }, &AtomicBool::new(false));
    drop(screen);
    ended.unwrap();
}

/// A feed that fails once it is asked to suspend.
struct Failing {
    how: String,
    now: bool,
}

impl Feed for Failing {
    fn poll(&mut self, _: &mut App) -> anyhow::Result<bool> {
        if !std::mem::take(&mut self.now) {
            return Ok(false);
        }
        match self.how.as_str() {
            "panic" => panic!("the feed panics"),
            "error" => anyhow::bail!("the feed fails"),
            _ => {
                let other = std::thread::spawn(|| panic!("another thread panics"));
                Ok(other.join().is_ok())
            }
        }
    }

    fn suspend(&mut self, _: &mut App) -> anyhow::Result<()> {
        self.now = true;
        Ok(())
    }
}

/// The view in a terminal, about to fail in this way.
fn failing(how: &str) -> Session {
    let args = ["--exact", "a_view_that_fails", "--ignored", "--nocapture"];
    let mut session = Session::start_program(&std::env::current_exe().unwrap(), &args, &[(FAILS, how)]);
    session.shows(&["? help  q quit"]);
    assert!(session.is_taken());
    session.press("sy");
    session
}

#[test]
fn a_panic_gives_the_terminal_back() {
    let mut session = failing("panic");
    assert!(!session.ends().success());
    session.shows(&["the feed panics"]);
}

#[test]
fn an_error_gives_the_terminal_back() {
    let mut session = failing("error");
    assert!(!session.ends().success());
    session.shows(&["the feed fails"]);
}

/// The view goes on, and what the thread said is told again when it is closed.
#[test]
fn another_threads_panic_does_not_take_the_terminal_away() {
    let mut session = failing("thread");
    session.shows(&["another thread panics", "1 Overview"]);
    assert!(session.is_taken());
    session.press("1");
    session.press("q");
    assert!(session.ends().success());
    session.shows(&["another thread panics"]);
}

/// A terminal that is gone is readable for ever and gives nothing: whoever reads on keeps a CPU busy.
#[test]
fn it_ends_when_its_terminal_goes() {
    let pty = nix::pty::openpty(None, None).unwrap();
    // A master that the program inherits would keep its terminal alive.
    let cloexec = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC);
    nix::fcntl::fcntl(&pty.master, cloexec).unwrap();
    let slave = || std::process::Stdio::from(pty.slave.try_clone().unwrap());
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pm-trace"));
    command.args(["replay", &trace("6.12-healthy")]).stdin(slave()).stdout(slave());
    let mut child = command.spawn().unwrap();
    drop((command, pty.slave));
    let mut master = std::fs::File::from(pty.master);
    master.read_exact(&mut [0; 64]).unwrap();
    drop(master);
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it goes on without a terminal");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_console_without_glyphs_or_colours() {
    let env = [("TERM", "vt100"), ("NO_COLOR", "1")];
    let mut session = Session::start(&["replay", &trace("6.1-rescan-deadlock")], &env);
    session.shows(&["LOCKUP  resume stuck", "? help  q quit"]);
    session.press("3");
    session.shows(&["+>resume of 1:0:0:0", "<- closes the cycle"]);
    assert!(session.look(vt100::Screen::contents).is_ascii());
    let colours = session.look(|screen| {
        let cells = (0..24).flat_map(|y| (0..80).map(move |x| (y, x)));
        cells
            .filter_map(|(y, x)| screen.cell(y, x))
            .filter(|cell| cell.fgcolor() != vt100::Color::Default)
            .count()
    });
    assert_eq!(colours, 0);
    session.press("q");
    session.ends();
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let told = common::pm_trace().args(["replay", &trace("6.12-healthy")]).assert().code(1);
    let told = common::stderr(&told);
    assert!(told.contains("needs a terminal") && told.contains("pm-trace report"), "{told}");
}

#[test]
fn a_wrong_configuration_is_told_before_anything_else() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("pm-trace")).unwrap();
    std::fs::write(dir.path().join("pm-trace/config.toml"), "[keys]\nquit = \"f\"\n").unwrap();
    let config = dir.path().to_str().unwrap();
    let mut session = Session::start(&["replay", &trace("6.12-healthy")], &[("XDG_CONFIG_HOME", config)]);
    session.shows(&["'follow' and 'quit'; a free key is 'a'"]);
    assert_eq!(session.ends().exit_code(), 1);
}
