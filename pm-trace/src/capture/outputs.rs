//! What a verdict goes to, opened before user space is frozen.

use super::stream::Address;
use super::voice::Role;
use crate::patient::{GiveUp, Patient};
use crate::tty::Line;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// `/dev/kmsg` takes so many records of a writer in [`BURST_TIME`] (`DEFAULT_RATELIMIT_BURST`, lib/ratelimit.c);
/// the kernel drops what is more, unless booted with `printk.devkmsg=on`.
const BURST: usize = 10;
/// `DEFAULT_RATELIMIT_INTERVAL`.
const BURST_TIME: Duration = Duration::from_secs(5);
/// Before each record: critical, so that it is shown on consoles of kernels booted with `quiet`.
const LEVEL: &str = "<2>";

/// Where the kernel keeps what user space wants to outlive a crash, if it was built with `CONFIG_PSTORE_PMSG`.
const PMSG: &str = "/dev/pmsg0";
const KMSG: &str = "/dev/kmsg";

/// Something that takes texts.
pub(super) trait Sink: Send {
    /// Writes one.
    fn write(&mut self, text: &str) -> io::Result<()>;

    /// Waits until one may be written.
    fn await_turn(&mut self) {}

    /// What ends its waiting.
    fn give_up(&self) -> GiveUp {
        GiveUp::default()
    }
}

/// An output: its name, what is lost while it blocks, what it is for.
pub(super) type Named = (&'static str, &'static str, Role, Box<dyn Sink>);

/// Open outputs. Several voices can be made of them, one after the other.
#[derive(Debug)]
pub struct Outputs {
    /// A console instead of standard output.
    pub tty: Option<PathBuf>,
    /// Whether standard output is told, if there is no console.
    pub stdout: bool,
    /// The kernel's log.
    pub kernel_log: Option<File>,
    /// The persistent log for user space.
    pub pmsg: Option<File>,
    /// A connection.
    pub stream: Option<OwnedFd>,
    /// The file for the report.
    pub report: Option<PathBuf>,
}

impl Outputs {
    /// No output at all.
    pub fn none() -> Self {
        Self { tty: None, stdout: false, kernel_log: None, pmsg: None, stream: None, report: None }
    }

    /// Opens what is there.
    ///
    /// # Errors
    /// What was asked for cannot be had: the console, the connection.
    pub fn open(
        tty: Option<&Path>,
        stream: Option<&Address>,
        report: Option<PathBuf>,
    ) -> Result<Self, OutputError> {
        if let Some(path) = tty {
            Line::open(path).map_err(|source| OutputError::Tty { path: path.to_owned(), source })?;
        }
        let stream = stream.map(|address| {
            let connected = address.connect();
            connected.map_err(|source| OutputError::Stream { address: address.clone(), source })
        });
        let kernel_log = OpenOptions::new().write(true).open(KMSG);
        let kernel_log =
            kernel_log.inspect_err(|error| log::warn!("cannot write to the kernel log ({KMSG}): {error}"));
        Ok(Self {
            tty: tty.map(Path::to_owned),
            stdout: tty.is_none(),
            kernel_log: kernel_log.ok(),
            // Most kernels have none.
            pmsg: OpenOptions::new().write(true).open(PMSG).ok(),
            stream: stream.transpose()?,
            report,
        })
    }

    /// Every output.
    pub(super) fn sinks(&self) -> io::Result<Vec<Named>> {
        let mut sinks: Vec<Named> = Vec::new();
        if let Some(tty) = &self.tty {
            let line = Line::open(tty)?;
            sinks.push(("console", "nothing more appears there", Role::Speech, Box::new(Speech::line(line))));
        } else if self.stdout {
            sinks.push(("terminal", "nothing more appears on it", Role::Speech, Box::new(stdout())));
        }
        if let Some(stream) = &self.stream {
            let patient = Patient::new(stream.as_fd().try_clone_to_owned()?)?;
            let speech = Speech { give_up: patient.give_up(), out: Box::new(patient) };
            sinks.push(("stream", "the other side gets nothing more", Role::Speech, Box::new(speech)));
        }
        if let Some(log) = &self.kernel_log {
            let sink = Kmsg { file: log.try_clone()?, sent: Vec::new(), give_up: GiveUp::default() };
            sinks.push(("kernel-log", "verdicts do not reach it", Role::Log, Box::new(sink)));
        }
        if let Some(log) = &self.pmsg {
            let file = log.try_clone()?;
            let speech = Speech { give_up: GiveUp::default(), out: Box::new(file) };
            sinks.push(("pmsg", "verdicts do not reach it", Role::Log, Box::new(speech)));
        }
        if let Some(path) = &self.report {
            let sink = ReportFile { path: path.clone(), file: None };
            sinks.push(("report", "the report does not reach the disk", Role::Report, Box::new(sink)));
        }
        Ok(sinks)
    }
}

/// Why an output that was asked for cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The console.
    #[error(
        "cannot write to the console {}: {source}; --tty takes a virtual terminal such as /dev/tty8 or a serial line \
             such as /dev/ttyS0",
        crate::text::path(path)
    )]
    Tty {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The connection.
    #[error(
        "cannot stream to {address}: {source}; is somebody listening there? For TCP, e.g.: nc -l -p PORT"
    )]
    Stream {
        /// To whom.
        address: Address,
        /// Why.
        source: io::Error,
    },
}

/// Text as it is.
struct Speech {
    out: Box<dyn Write + Send>,
    give_up: GiveUp,
}

impl Speech {
    fn line(line: Line) -> Self {
        Self { give_up: line.give_up(), out: Box::new(line) }
    }
}

impl Sink for Speech {
    fn write(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    fn give_up(&self) -> GiveUp {
        self.give_up.clone()
    }
}

/// Standard output. What can block (a terminal, a pipe whose reader is frozen) is opened anew, so that being
/// non-blocking is no business of those who share it.
fn stdout() -> Speech {
    let stdout = io::stdout();
    let own = stdout.as_fd().try_clone_to_owned().map(File::from);
    let is_file = own.and_then(|file| file.metadata()).is_ok_and(|metadata| metadata.is_file());
    if !is_file && let Ok(line) = Line::open(Path::new("/proc/self/fd/1")) {
        return Speech::line(line);
    }
    Speech { out: Box::new(stdout), give_up: GiveUp::default() }
}

/// The kernel's log, which takes a record a write, and not too many.
struct Kmsg {
    file: File,
    sent: Vec<Instant>,
    give_up: GiveUp,
}

impl Sink for Kmsg {
    fn write(&mut self, text: &str) -> io::Result<()> {
        self.sent.push(Instant::now());
        self.file.write_all(format!("{LEVEL}{text}").as_bytes())
    }

    fn await_turn(&mut self) {
        self.sent.retain(|at| at.elapsed() < BURST_TIME);
        if self.sent.len() >= BURST
            && let Some(oldest) = self.sent.first()
        {
            self.give_up.sleep(BURST_TIME.saturating_sub(oldest.elapsed()));
        }
    }

    fn give_up(&self) -> GiveUp {
        self.give_up.clone()
    }
}

/// The report's file, made when there is something to report.
struct ReportFile {
    path: PathBuf,
    file: Option<File>,
}

impl Sink for ReportFile {
    fn write(&mut self, text: &str) -> io::Result<()> {
        use io::Seek as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        if self.file.is_none() {
            // One of an earlier recording with the same name has been replaced with its trace.
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(true).mode(0o600).open(&self.path)?;
            self.file = Some(file);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        file.rewind()?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)?;
        file.sync_all()?;
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel silently drops what exceeds its rate, so the lines must wait for their turn, and a voice that
    /// ends must not wait for them.
    #[test]
    fn the_kernel_log_gets_no_more_than_it_takes() {
        let file = tempfile::tempfile().unwrap();
        let mut log = Kmsg { file, sent: Vec::new(), give_up: GiveUp::default() };
        let give_up = log.give_up();
        for _ in 0..BURST {
            log.await_turn();
            log.write("line\n").unwrap();
        }
        let waiting = std::thread::spawn(move || log.await_turn());
        assert!(!waiting.is_finished());
        give_up.set(true);
        waiting.join().unwrap();
    }
}
