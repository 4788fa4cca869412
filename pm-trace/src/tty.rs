//! Terminal lines, written by somebody who is awake while they are suspended.

use crate::patient::{GiveUp, Patient};
use nix::fcntl::OFlag;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

mod ioctl {
    // include/uapi/linux/vt.h
    nix::ioctl_write_int_bad!(activate, 0x5606);
}

/// A terminal line that is never waited for inside its driver.
///
/// A write that sleeps in a serial driver when the port is suspended may sleep for ever: the resume does not
/// always start the transmitter again, and only the next write would. So the line is opened non-blocking,
/// and what it does not take now is offered again.
#[derive(Debug)]
pub struct Line(Patient);

impl Line {
    /// Opens the line without waiting for a carrier, and not as controlling terminal.
    ///
    /// # Errors
    /// It cannot be opened for writing.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = OpenOptions::new().write(true).custom_flags(flags.bits()).open(path)?;
        Patient::new(file).map(Self)
    }

    /// Ends waiting for the line.
    pub fn give_up(&self) -> GiveUp {
        self.0.give_up()
    }

    /// Makes the line transparent for bytes: raw, no flow or modem control. Its speed is left as it is.
    ///
    /// # Errors
    /// It is no terminal line.
    pub fn make_raw(&self) -> io::Result<()> {
        use nix::sys::termios::{ControlFlags, SetArg, cfmakeraw, tcgetattr, tcsetattr};
        let mut settings = tcgetattr(self.0.file())?;
        cfmakeraw(&mut settings);
        settings.control_flags |= ControlFlags::CLOCAL;
        settings.control_flags -= ControlFlags::CRTSCTS;
        tcsetattr(self.0.file(), SetArg::TCSANOW, &settings)?;
        Ok(())
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A virtual terminal that can be brought to the screen.
#[derive(Debug)]
pub struct Screen {
    /// Any virtual terminal answers for all.
    console: File,
    number: u8,
}

impl Screen {
    /// The screen of `/dev/ttyN`; `None` if the path names no virtual terminal, such as a serial line.
    ///
    /// # Errors
    /// The console cannot be opened.
    pub fn of(path: &Path) -> io::Result<Option<Self>> {
        let name = path.strip_prefix("/dev").ok().and_then(Path::to_str).unwrap_or_default();
        // 1 to MAX_NR_CONSOLES (include/uapi/linux/vt.h).
        let number = name.strip_prefix("tty").and_then(|number| number.parse().ok());
        let Some(number) = number.filter(|number| (1..=63).contains(number)) else { return Ok(None) };
        Ok(Some(Self { console: File::open("/dev/tty0")?, number }))
    }

    /// Brings it to the screen: asks for that and does not wait until it is so. A graphical session that owns
    /// the screen has to agree, and is frozen.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn show(&self) -> io::Result<()> {
        // SAFETY: the descriptor is open, the argument is a number.
        unsafe { ioctl::activate(self.console.as_raw_fd(), self.number.into()) }?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::pty::openpty;
    use std::io::Read as _;

    /// What a full line does not take at once arrives when the other side reads, raw.
    #[test]
    fn a_full_line_is_tried_again() {
        let pty = openpty(None, None).unwrap();
        let name = nix::unistd::ttyname(&pty.slave).unwrap();
        let mut line = Line::open(&name).unwrap();
        line.make_raw().unwrap();
        let bytes: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        let expected = bytes.clone();
        let writer = std::thread::spawn(move || line.write_all(&bytes));
        let mut received = vec![0; expected.len()];
        File::from(pty.master).read_exact(&mut received).unwrap();
        writer.join().unwrap().unwrap();
        assert_eq!(received, expected);
    }
}
