//! The interactive view in a real terminal: a pty, with a terminal emulator at its other end.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use std::io::{Read as _, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long something may take to appear, on however slow a machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// pm-trace in a terminal of 80 x 24.
struct Session {
    screen: Arc<Mutex<vt100::Parser>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    _config: tempfile::TempDir,
}

impl Session {
    fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).unwrap();
        let config = tempfile::tempdir().unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pm-trace"));
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        command.env("XDG_CONFIG_HOME", config.path());
        command.env_remove("NO_COLOR");
        command.cwd(config.path());
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pty.slave.spawn_command(command).unwrap();
        let lines = 24.try_into().unwrap();
        let columns = 80.try_into().unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(lines, columns, 0)));
        let mut output = pty.master.try_clone_reader().unwrap();
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                shown.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..count]);
            }
        });
        let keys = pty.master.take_writer().unwrap();
        Self { screen, keys, child, master: pty.master, _config: config }
    }

    fn look<T>(&self, at: impl Fn(&vt100::Screen) -> T) -> T {
        at(self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen())
    }

    /// Waits until the screen shows all of this.
    fn shows(&self, texts: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let contents = self.look(vt100::Screen::contents);
            if texts.iter().all(|text| contents.contains(text)) {
                return;
            }
            assert!(Instant::now() < deadline, "never showed {texts:?}:\n{contents}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for the end; the terminal must be as it was before.
    fn ends(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        while self.look(vt100::Screen::alternate_screen) {
            assert!(Instant::now() < deadline, "the other screen was not left");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(!self.look(vt100::Screen::hide_cursor), "the cursor is hidden");
        assert_eq!(self.look(vt100::Screen::mouse_protocol_mode), vt100::MouseProtocolMode::None);
        status
    }
}

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
    let size = PtySize { rows: 10, cols: 40, pixel_width: 0, pixel_height: 0 };
    session.master.resize(size).unwrap();
    session.press(".");
    session.shows(&["40 x 10 is too small"]);
    session.press("q");
    assert_eq!(session.ends().exit_code(), 0);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let mut session = Session::start(&["replay", &trace("6.12-healthy")], &[]);
    session.shows(&["nothing wrong was found"]);
    let pid = i32::try_from(session.child.process_id().unwrap()).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).unwrap();
    session.ends();
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
