//! Where blocks go.

use crate::patient::{GiveUp, Patient};
use crate::tty::Line;
use nix::fcntl::OFlag;
use nix::unistd::isatty;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A destination of whole blocks.
pub(super) trait Sink: Send {
    /// Writes one block; after an error nothing of it counts as written.
    fn write(&mut self, block: &[u8]) -> io::Result<()>;

    /// Makes what was written durable.
    fn sync(&mut self) -> io::Result<()>;

    /// Bytes of the blocks written so far.
    fn written(&self) -> u64;

    /// What ends its waiting for the other side, if it waits for one.
    fn give_up(&self) -> Option<GiveUp> {
        None
    }
}

/// A regular file. A block that cannot be written whole is cut off again, so that the file ends in a whole
/// block and the same block can be tried again.
pub(super) struct FileSink {
    file: File,
    written: u64,
}

impl FileSink {
    pub(super) fn new(file: File) -> Self {
        Self { file, written: 0 }
    }
}

impl Sink for FileSink {
    fn write(&mut self, block: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(block) {
            // If these fail too, the file keeps part of a block; readers resynchronise behind it.
            let _ = self.file.set_len(self.written);
            let _ = self.file.seek(SeekFrom::Start(self.written));
            return Err(error);
        }
        self.written += block.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn written(&self) -> u64 {
        self.written
    }
}

/// Anything else that takes bytes.
pub(super) struct StreamSink<W> {
    stream: W,
    written: u64,
    give_up: Option<GiveUp>,
}

impl<W: Write + Send> StreamSink<W> {
    pub(super) fn new(stream: W) -> Self {
        Self { stream, written: 0, give_up: None }
    }
}

impl<W: Write + Send> Sink for StreamSink<W> {
    fn write(&mut self, block: &[u8]) -> io::Result<()> {
        self.stream.write_all(block)?;
        self.stream.flush()?;
        self.written += block.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.stream.flush()
    }

    fn written(&self) -> u64 {
        self.written
    }

    fn give_up(&self) -> Option<GiveUp> {
        self.give_up.clone()
    }
}

/// Opens the second destination: a file, which is created or emptied, a terminal line, or another device.
pub(super) fn open_tee(path: &Path) -> io::Result<Box<dyn Sink>> {
    let mut options = std::fs::OpenOptions::new();
    // A device that is not there must not become a file among the devices.
    options.write(true).create(!path.starts_with("/dev")).truncate(true).mode(0o600);
    // Not to wait for a carrier on a serial line, nor to get it as controlling terminal.
    options.custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).bits());
    let file = options.open(path)?;
    if isatty(&file).unwrap_or(false) {
        let line = Line::open(path)?;
        line.make_raw()?;
        let give_up = Some(line.give_up());
        return Ok(Box::new(StreamSink { stream: line, written: 0, give_up }));
    }
    if file.metadata()?.is_file() {
        return Ok(Box::new(StreamSink::new(file)));
    }
    let patient = Patient::new(file)?;
    let give_up = Some(patient.give_up());
    Ok(Box::new(StreamSink { stream: patient, written: 0, give_up }))
}
