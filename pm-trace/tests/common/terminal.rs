//! A program in a real terminal: a pty, with a terminal emulator at its other end.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, SlavePty, native_pty_system};
use std::io::{Read as _, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long something may take to appear, on however slow a machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A program in a terminal of 80 x 24.
pub struct Session {
    screen: Arc<Mutex<vt100::Parser>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    /// How lines are read and written before the program has a say.
    before: String,
    _config: tempfile::TempDir,
    /// A terminal that nobody has open forgets how it was left.
    _slave: Box<dyn SlavePty + Send>,
}

impl Session {
    /// pm-trace.
    pub fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        Self::start_program(Path::new(env!("CARGO_BIN_EXE_pm-trace")), args, env)
    }

    /// Any program.
    pub fn start_program(program: &Path, args: &[&str], env: &[(&str, &str)]) -> Self {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).unwrap();
        let config = tempfile::tempdir().unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        command.env("XDG_CONFIG_HOME", config.path());
        command.env_remove("NO_COLOR");
        // A backtrace would push off the screen what is looked for.
        command.env("RUST_BACKTRACE", "0");
        command.cwd(config.path());
        for (name, value) in env {
            command.env(name, value);
        }
        let before = lines(&*pty.master);
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
        let (master, _slave) = (pty.master, pty.slave);
        Self { screen, keys, child, master, before, _config: config, _slave }
    }

    /// Something about the screen.
    pub fn look<T>(&self, at: impl Fn(&vt100::Screen) -> T) -> T {
        at(self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen())
    }

    /// Waits until the screen shows all of this.
    pub fn shows(&self, texts: &[&str]) {
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

    /// As if typed.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for the end; the terminal must be as it was before.
    pub fn ends(&mut self) -> ExitStatus {
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
        assert_eq!(lines(&*self.master), self.before, "lines are not read or written as before");
        status
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.process_id().unwrap()).unwrap();
        nix::sys::signal::kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// The view has the terminal: its other screen, the mouse, every key at once.
    pub fn is_taken(&self) -> bool {
        let mouse = self.look(vt100::Screen::mouse_protocol_mode) != vt100::MouseProtocolMode::None;
        let (other, hidden) =
            (self.look(vt100::Screen::alternate_screen), self.look(vt100::Screen::hide_cursor));
        mouse && other && hidden && lines(&*self.master) != self.before
    }

    /// Another size of the terminal.
    pub fn resize(&self, cols: u16, rows: u16) {
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
    }
}

/// How the terminal reads and writes lines: raw or not, echo or not.
fn lines(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().unwrap())
}
