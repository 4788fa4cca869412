//! Writing to what may take nothing for a long time: suspended lines, pipes that nobody reads, sockets.

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Time between two tries while nothing is taken. `poll()` would be told by the driver, which in a suspended
/// port may forget to.
const RETRY: Duration = Duration::from_millis(10);

/// Says that it is no use to wait any longer.
#[derive(Clone, Debug, Default)]
pub struct GiveUp(Arc<AtomicBool>);

impl GiveUp {
    /// Ends the waiting of all writers with this flag, or allows it again.
    pub fn set(&self, give_up: bool) {
        self.0.store(give_up, Ordering::Release);
    }

    /// Whether to give up.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Sleeps, but not on when it is time to give up.
    pub fn sleep(&self, time: Duration) {
        let mut left = time;
        while !left.is_zero() && !self.is_set() {
            let step = left.min(RETRY);
            std::thread::sleep(step);
            left -= step;
        }
    }
}

/// A file that is never waited for inside the kernel: what it does not take now is offered again, until it
/// takes it or [`GiveUp`] ends that with [`ErrorKind::TimedOut`].
///
/// So its thread can always be ended. (Not with a regular file: disks have no non-blocking writes.)
#[derive(Debug)]
pub struct Patient {
    file: File,
    give_up: GiveUp,
}

impl Patient {
    /// Makes the open file non-blocking, for everybody who shares it.
    ///
    /// # Errors
    /// The flag cannot be set.
    pub fn new(file: impl Into<OwnedFd>) -> io::Result<Self> {
        let file = File::from(file.into());
        let flags = OFlag::from_bits_truncate(fcntl(&file, FcntlArg::F_GETFL)?);
        fcntl(&file, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Ok(Self { file, give_up: GiveUp::default() })
    }

    /// Ends its waiting.
    pub fn give_up(&self) -> GiveUp {
        self.give_up.clone()
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.file.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.give_up.is_set() {
                        return Err(io::Error::new(ErrorKind::TimedOut, "nobody takes the bytes"));
                    }
                    std::thread::sleep(RETRY);
                }
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
    use std::io::Read as _;

    /// A thread that writes to a pipe nobody reads would otherwise keep user space frozen.
    #[test]
    fn a_pipe_that_nobody_reads_can_be_given_up() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut patient = Patient::new(writer).unwrap();
        let give_up = patient.give_up();
        let thread = std::thread::spawn(move || patient.write_all(&[7; 1 << 20]));
        // Something arrived, so it is in the middle of it.
        reader.read_exact(&mut [0; 10]).unwrap();
        assert!(!thread.is_finished());
        give_up.set(true);
        assert_eq!(thread.join().unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
    }
}
