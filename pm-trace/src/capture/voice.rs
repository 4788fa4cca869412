//! Saying things while the machine is stuck.
//!
//! Every output has its own expendable thread: a console, a log, a network or a disk that blocks takes only its
//! thread with it. Everything is opened before user space is frozen.

use super::outputs::{Outputs, Sink};
use crate::patient::GiveUp;
use crate::pulse::{Pulse, State};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Texts that wait for an output; further ones are dropped and counted.
const QUEUE: usize = 64;
/// Stack of a thread that only writes.
const STACK: usize = 128 << 10;
/// How long an output that was told to give up may take to end.
const GIVING_UP: Duration = Duration::from_secs(1);
/// Between two looks whether threads have ended.
const LOOK: Duration = Duration::from_millis(5);

/// What an output is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What people read: the verdict, and how things go.
    Speech,
    /// Short lines that outlive the machine.
    Log,
    /// The whole report, a newer one in place of an older.
    Report,
}

struct Output {
    role: Role,
    sender: SyncSender<String>,
    thread: JoinHandle<()>,
    pulse: Arc<Pulse>,
    give_up: GiveUp,
    /// Texts handed over, and those that the thread is through with.
    given: AtomicU64,
    done: Arc<AtomicU64>,
}

/// Everything that a verdict goes to. Can be used by several threads; nothing here waits.
pub struct Voice {
    outputs: Vec<Output>,
}

impl Output {
    fn start(
        name: &'static str,
        lost: &'static str,
        role: Role,
        mut sink: Box<dyn Sink>,
    ) -> std::io::Result<Self> {
        let (sender, texts): (_, Receiver<String>) = sync_channel(QUEUE);
        let pulse = Pulse::new(name, lost);
        let give_up = sink.give_up();
        give_up.set(false);
        let done = Arc::new(AtomicU64::new(0));
        let (own, count) = (Arc::clone(&pulse), Arc::clone(&done));
        let thread =
            std::thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(move || {
                let _living = own.live();
                for text in texts {
                    sink.await_turn();
                    // What cannot be written is lost here; the trace has it.
                    if let Err(error) = own.busy(|| sink.write(&text)) {
                        log::debug!("{name}: {error}");
                    }
                    count.fetch_add(1, Ordering::AcqRel);
                }
            })?;
        Ok(Self { role, sender, thread, pulse, give_up, given: AtomicU64::new(0), done })
    }

    fn give(&self, text: String) {
        match self.sender.try_send(text) {
            Ok(()) => {
                self.given.fetch_add(1, Ordering::AcqRel);
            }
            // One that blocks is told of by who looks at the pulses.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    fn is_through(&self) -> bool {
        self.done.load(Ordering::Acquire) >= self.given.load(Ordering::Acquire)
            || !matches!(self.pulse.state(), State::Busy(_) | State::Idle)
    }
}

impl Voice {
    /// Starts the outputs' threads, which inherit the caller's exemption from freezing.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(outputs: &Outputs) -> std::io::Result<Self> {
        let start = |(name, lost, role, sink)| Output::start(name, lost, role, sink);
        let outputs = outputs.sinks()?.into_iter().map(start).collect::<std::io::Result<_>>()?;
        Ok(Self { outputs })
    }

    /// Tells people.
    pub fn say(&self, text: impl Into<String>) {
        self.give(Role::Speech, &text.into());
    }

    /// Writes lines to the kernel log and what else keeps them.
    pub fn log(&self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            self.give(Role::Log, &(line + "\n"));
        }
    }

    /// Writes the report to disk.
    pub fn report(&self, text: &str) {
        self.give(Role::Report, text);
    }

    fn give(&self, role: Role, text: &str) {
        for output in self.outputs.iter().filter(|output| output.role == role) {
            output.give(text.to_owned());
        }
    }

    /// The threads' signs of life.
    pub fn pulses(&self) -> Vec<Arc<Pulse>> {
        self.outputs.iter().map(|output| Arc::clone(&output.pulse)).collect()
    }

    /// Waits until everything has been written; the names of outputs that are not through after `patience`.
    pub fn settle(&self, patience: Duration) -> Vec<String> {
        let deadline = Instant::now() + patience;
        loop {
            let behind = self.outputs.iter().filter(|output| !output.is_through());
            let behind: Vec<String> =
                behind.filter_map(|output| output.thread.thread().name().map(str::to_owned)).collect();
            if behind.is_empty() || Instant::now() >= deadline {
                return behind;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Ends the threads; the names of those that are still blocked after `patience`.
    pub fn finish(self, patience: Duration) -> Vec<String> {
        let mut ending: Vec<(JoinHandle<()>, GiveUp)> = Vec::new();
        for output in self.outputs {
            drop(output.sender);
            ending.push((output.thread, output.give_up));
        }
        ended(&mut ending, patience);
        for (_, give_up) in &ending {
            give_up.set(true);
        }
        ended(&mut ending, GIVING_UP);
        ending.iter().filter_map(|(thread, _)| thread.thread().name().map(str::to_owned)).collect()
    }
}

/// Joins those that end within `patience` and keeps the others.
fn ended(threads: &mut Vec<(JoinHandle<()>, GiveUp)>, patience: Duration) {
    let deadline = Instant::now() + patience;
    loop {
        for at in (0..threads.len()).rev() {
            if threads[at].0.is_finished() {
                // A panic has been told of, and there is nothing left to save.
                let _ = threads.swap_remove(at).0.join();
            }
        }
        if threads.is_empty() || Instant::now() >= deadline {
            return;
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn outputs(dir: &std::path::Path) -> Outputs {
        Outputs { report: Some(dir.join("report.txt")), ..Outputs::none() }
    }

    /// A reader that is gone must not keep user space frozen, nor silence the others.
    #[test]
    fn a_blocked_output_takes_only_its_own_thread_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let voice = Voice::start(&Outputs { stream: Some(writer.into()), ..outputs(dir.path()) }).unwrap();
        voice.say("x".repeat(1 << 20));
        reader.read_exact(&mut [0; 10]).unwrap();
        voice.report("stuck\n");
        assert_eq!(voice.settle(Duration::from_millis(200)), ["stream"]);
        assert_eq!(std::fs::read_to_string(dir.path().join("report.txt")).unwrap(), "stuck\n");
        assert_eq!(voice.finish(Duration::from_millis(50)), Vec::<String>::new());
    }

    #[test]
    fn a_newer_report_replaces_an_older_longer_one() {
        let dir = tempfile::tempdir().unwrap();
        let voice = Voice::start(&outputs(dir.path())).unwrap();
        voice.report("a long first report\n");
        voice.report("second\n");
        assert_eq!(voice.finish(Duration::from_secs(5)), Vec::<String>::new());
        assert_eq!(std::fs::read_to_string(dir.path().join("report.txt")).unwrap(), "second\n");
    }
}
