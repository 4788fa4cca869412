//! Saying things while the machine is stuck.
//!
//! Every output has its own expendable thread: a console or a log that blocks takes only its thread with it.

use crate::tty::Line;
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal as _, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Texts that wait for an output; further ones are dropped and counted.
const QUEUE: usize = 64;
/// Stack of a thread that only writes.
const STACK: usize = 128 << 10;

struct Output {
    sender: SyncSender<String>,
    thread: JoinHandle<()>,
    dropped: u64,
}

/// The terminal and the kernel log.
pub struct Voice {
    terminal: Option<Output>,
    kernel_log: Option<Output>,
}

fn write_all(mut sink: impl Write, texts: &Receiver<String>) {
    for text in texts {
        // What cannot be written is lost here; the trace has it.
        let _ = sink.write_all(text.as_bytes()).and_then(|()| sink.flush());
    }
}

impl Output {
    fn start(name: &str, sink: impl Write + Send + 'static) -> std::io::Result<Self> {
        let (sender, texts) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .stack_size(STACK)
            .spawn(move || write_all(sink, &texts))?;
        Ok(Self { sender, thread, dropped: 0 })
    }

    fn say(&mut self, text: String) {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(text) {
            self.dropped += 1;
        }
    }

    /// Ends the thread; false if it is still blocked after `patience`.
    fn finish(self, patience: Duration) -> bool {
        drop(self.sender);
        let deadline = Instant::now() + patience;
        while !self.thread.is_finished() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.thread.join().is_ok()
    }
}

/// Standard output; a terminal is opened anew, so that being non-blocking is no business of the shell's.
fn terminal() -> Box<dyn Write + Send> {
    let stdout = std::io::stdout();
    if stdout.is_terminal()
        && let Ok(line) = Line::open(Path::new("/proc/self/fd/1"))
    {
        return Box::new(line);
    }
    Box::new(stdout)
}

/// The kernel's log, to be opened before anything is frozen.
pub fn kernel_log() -> Option<File> {
    let file = OpenOptions::new().write(true).open("/dev/kmsg");
    file.inspect_err(|error| log::warn!("cannot write to the kernel log (/dev/kmsg): {error}")).ok()
}

impl Voice {
    /// Starts the outputs' threads, which inherit the caller's exemption from freezing.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(kernel_log: Option<File>) -> std::io::Result<Self> {
        let terminal = Some(Output::start("terminal", terminal())?);
        let kernel_log = kernel_log.map(|file| Output::start("kernel-log", file)).transpose()?;
        Ok(Self { terminal, kernel_log })
    }

    /// Writes to the terminal.
    pub fn say(&mut self, text: impl Into<String>) {
        if let Some(output) = &mut self.terminal {
            output.say(text.into());
        }
    }

    /// Writes lines to the kernel log, one record each.
    pub fn log(&mut self, lines: impl IntoIterator<Item = String>) {
        if let Some(output) = &mut self.kernel_log {
            for line in lines {
                output.say(line + "\n");
            }
        }
    }

    /// Ends the threads; false if one is still blocked after `patience`.
    pub fn finish(&mut self, patience: Duration) -> bool {
        let outputs = [self.terminal.take(), self.kernel_log.take()];
        let blocked =
            outputs.into_iter().flatten().filter_map(|output| (!output.finish(patience)).then_some(()));
        blocked.count() == 0
    }
}
