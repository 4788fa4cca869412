//! Terminal lines, written by somebody who is awake while they are suspended.

use nix::fcntl::OFlag;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// Time between two tries while the line takes nothing.
const RETRY: Duration = Duration::from_millis(10);

/// A terminal line that is never waited for inside its driver.
///
/// A write that sleeps in a serial driver when the port is suspended may sleep for ever: the resume does not
/// always start the transmitter again, and only the next write would. So the line is opened non-blocking,
/// and what it does not take now is offered again.
#[derive(Debug)]
pub struct Line(File);

impl Line {
    /// Opens the line without waiting for a carrier, and not as controlling terminal.
    ///
    /// # Errors
    /// It cannot be opened for writing.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        OpenOptions::new().write(true).custom_flags(flags.bits()).open(path).map(Self)
    }

    /// Makes the line transparent for bytes: raw, no flow or modem control. Its speed is left as it is.
    ///
    /// # Errors
    /// It is no terminal line.
    pub fn make_raw(&self) -> io::Result<()> {
        use nix::sys::termios::{ControlFlags, SetArg, cfmakeraw, tcgetattr, tcsetattr};
        let mut settings = tcgetattr(&self.0)?;
        cfmakeraw(&mut settings);
        settings.control_flags |= ControlFlags::CLOCAL;
        settings.control_flags -= ControlFlags::CRTSCTS;
        tcsetattr(&self.0, SetArg::TCSANOW, &settings)?;
        Ok(())
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(RETRY),
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
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
