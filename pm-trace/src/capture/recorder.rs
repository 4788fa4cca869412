//! A recording: programs in the kernel, events to the trace file and to the model.

use super::arming::Placement;
use super::companion::Companion;
use super::decode::Decoder;
use super::drain::Drain;
use super::head;
use super::ids::{NoSymbols, Symbolise};
pub use super::integrity::Integrity;
pub use super::options::{RecordError, RecordOptions};
use super::probes::Probes;
use super::watchdog::{self, Flavour};
use crate::diagnose::{self, Analysis, Finding};
use crate::event::{Body, Event, Nanos, TaskRef, whole_microseconds};
use crate::kernel::clock;
use crate::kernel::layout::{self, Layout};
use crate::kernel::symbols::Symbols;
use crate::kernel::system::System;
use crate::model::Model;
use crate::report::Report;
use crate::trace::{self, Checkpoint, HookCounts, Mode, Overwrite, Session, Status, Totals, Writer};
use aya::maps::{MapData, RingBuf};
use pm_trace_common::control::armed;
use pm_trace_common::member::Member;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// After a transition's last phase, recording goes on until nothing has happened for this long: work that the
/// resume left behind is part of the story.
pub(super) const LINGER_QUIET: Duration = Duration::from_millis(400);
/// But no longer than this, on a machine that is never quiet.
pub(super) const LINGER_MOST: Duration = Duration::from_secs(3);

/// How long a cycle waits for the trace to be on its disk before it begins.
const DURABLE: Duration = Duration::from_secs(5);

/// How long arming took, and how much is armed.
#[derive(Clone, Copy, Debug)]
pub struct Armed {
    /// From the start of the program until every hook was attached.
    pub took: Duration,
    /// Hooks attached.
    pub hooks: usize,
    /// Hooks this kernel has no place for.
    pub skipped: usize,
    /// What makes the watchdog look, if there is one.
    pub watchdog: Option<Flavour>,
}

/// A recording that has ended.
pub struct Recording {
    /// The head of the trace.
    pub session: Session,
    /// What was seen.
    pub analysis: Analysis,
    /// The trace file.
    pub path: PathBuf,
    /// The second output.
    pub tee: Option<PathBuf>,
    /// How writing went, if the trace is complete on disk.
    pub closed: Result<Status, RecordError>,
    /// Detached when dropped, which takes seconds on a slow machine: nothing should wait for it.
    _probes: Probes,
}

/// Is given every batch of events that comes in.
pub type Tap = Box<dyn FnMut(&[Event]) + Send>;

/// A recording.
pub struct Recorder {
    probes: Probes,
    drain: Drain,
    writer: Writer,
    tee: Option<PathBuf>,
    session: Session,
    analysis: Analysis,
    armed: Armed,
    window: u32,
    begun: u32,
    cycles: u32,
    events: Vec<Event>,
    trouble: Vec<trace::Error>,
    can_snapshot: bool,
    tap: Option<Tap>,
    companion: Option<Companion>,
    logger: Option<aya_log::EbpfLogger<&'static dyn log::Log>>,
}

impl Recorder {
    /// Loads and attaches the programs, and makes the head of the trace durable. The window stays closed.
    ///
    /// `started` is when the program began, for [`Armed::took`].
    ///
    /// # Errors
    /// The kernel lacks what is required, or the trace cannot be written.
    pub fn start(
        system: &dyn System,
        options: &RecordOptions,
        started: Instant,
    ) -> Result<Self, RecordError> {
        let layout = layout::resolve(system)?;
        log::debug!("structure members resolved {:.3} s after the start", started.elapsed().as_secs_f64());
        let flavour = options.stall_after.and(options.watchdog.first().copied());
        let mut probes = Probes::arm(&layout, options.buffer_mib << 20, options.programs_log, flavour, true)?;
        log::debug!("programs attached {:.3} s after the start", started.elapsed().as_secs_f64());
        let attached = probes.placements().filter(|(_, placement)| matches!(placement, Placement::At(_)));
        let hooks = attached.count();
        let skipped = probes.placements().count() - hooks;
        let watchdog = start_watchdog(&mut probes, &layout, options);
        let armed = Armed { took: started.elapsed(), hooks, skipped, watchdog };
        let logger = options.programs_log.then(|| aya_log::EbpfLogger::init(probes.bpf_mut()));
        let logger = logger.and_then(|logger| {
            logger
                .inspect_err(|error| log::warn!("the programs' own diagnostics are not shown: {error}"))
                .ok()
        });
        let session = head::session(system, &layout, &probes, options);
        let mut writer = Writer::create(&options.output, &session, options.overwrite)?;
        if let Some(tee) = &options.tee {
            writer.tee(tee, &session)?;
            // In live mode the threads come later, to be exempt from freezing.
            if options.mode == Mode::Watch {
                writer.go_background()?;
            }
        }
        let symbols = symbols(system);
        if let Some(symbols) = &symbols {
            probes.set_preempt_count(symbols.preempt_count(layout.offset(Member::PreemptCount)))?;
        }
        let decoder = Decoder::new(layout.facts, symbolise(symbols));
        let mut analysis = Analysis::default();
        analysis.set_session(&session);
        let drain = Drain::new(probes.take_ring()?, decoder);
        Ok(Self {
            probes,
            drain,
            writer,
            tee: options.tee.clone(),
            session,
            analysis,
            armed,
            window: 0,
            begun: 0,
            cycles: 0,
            events: Vec::new(),
            trouble: Vec::new(),
            can_snapshot: false,
            tap: None,
            companion: None,
            logger,
        })
    }

    /// How long arming took.
    pub fn armed(&self) -> Armed {
        self.armed
    }

    /// What the trace says about itself.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Hands events on to somebody else, too, as they come in. It must not wait for anything.
    pub fn set_tap(&mut self, tap: Tap) {
        self.tap = Some(tap);
    }

    /// Has somebody run beside the live collector.
    pub fn set_companion(&mut self, companion: Companion) {
        self.companion = Some(companion);
    }

    /// Who runs beside the live collector.
    pub fn companion(&self) -> Option<Companion> {
        self.companion.clone()
    }

    /// Makes [`snapshot`](Self::snapshot) possible. Not part of arming, since it reads all of the kernel's BTF.
    ///
    /// # Errors
    /// The kernel has no task iterator.
    pub fn prepare_snapshot(&mut self) -> Result<(), RecordError> {
        self.probes.load_snapshot()?;
        self.can_snapshot = true;
        Ok(())
    }

    /// Opens the window now.
    ///
    /// # Errors
    /// The switch cannot be set.
    pub fn open_window(&mut self) -> Result<(), RecordError> {
        self.switch(armed::OPEN)
    }

    /// Lets the next transition open the window.
    ///
    /// # Errors
    /// The switch cannot be set.
    pub fn await_transition(&mut self) -> Result<(), RecordError> {
        self.switch(armed::WAITING)
    }

    /// Closes the window.
    ///
    /// # Errors
    /// The switch cannot be set.
    pub fn close_window(&mut self) -> Result<(), RecordError> {
        Ok(self.probes.set_window(armed::NO, self.window)?)
    }

    /// Whether a transition has opened the window.
    ///
    /// # Errors
    /// The switch cannot be read.
    pub fn window_is_open(&self) -> Result<bool, RecordError> {
        Ok(self.probes.window_is_open()?)
    }

    fn switch(&mut self, state: u32) -> Result<(), RecordError> {
        self.window += 1;
        Ok(self.probes.set_window(state, self.window)?)
    }

    /// Takes what the ring buffer holds: into the trace and the model. Returns how many events there were.
    pub fn drain(&mut self) -> usize {
        let mut count = 0;
        loop {
            let more = self.drain.take(&mut self.events);
            count += self.events.len();
            self.record();
            if !more {
                break;
            }
        }
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
        count
    }

    /// Hands the pending events on.
    fn record(&mut self) {
        if let Some(tap) = self.tap.as_mut().filter(|_| !self.events.is_empty()) {
            tap(&self.events);
        }
        for event in self.events.drain(..) {
            if let Err(error) = self.writer.append(&event) {
                self.trouble.push(error);
            }
            self.analysis.apply(&event);
        }
    }

    /// Troubles with the trace file since the last call. They do not stop a recording: the writer keeps what
    /// it could not write and tries again, and the model has it all.
    pub fn take_trouble(&mut self) -> Vec<trace::Error> {
        std::mem::take(&mut self.trouble)
    }

    /// Hands what is recorded so far to whoever writes it: a reset may still take it, the end of this process not.
    pub fn hand_over(&mut self) {
        if let Err(error) = self.writer.flush_block() {
            self.trouble.push(error);
        }
    }

    /// Makes what is recorded so far durable, if that can be done without waiting.
    pub fn sync(&mut self) {
        if let Err(error) = self.writer.sync() {
            self.trouble.push(error);
        }
    }

    /// Looks at all blocked tasks, so that waits in the model are confirmed or ended. Does nothing where the
    /// kernel has no task iterator.
    ///
    /// # Errors
    /// The walk fails.
    pub fn snapshot(&mut self) -> Result<(), RecordError> {
        if !self.can_snapshot {
            return Ok(());
        }
        let began = boottime();
        self.probes.snapshot()?;
        let mut tasks = 0;
        loop {
            let more = self.drain.take(&mut self.events);
            tasks += self.events.iter().filter(|event| is_snapshot_since(event, began)).count();
            self.record();
            if !more {
                break;
            }
        }
        let tasks = u32::try_from(tasks).unwrap_or(u32::MAX);
        let body = Body::SnapshotEnd { began, tasks };
        self.events.push(Event { time: boottime(), cpu: 0, task: TaskRef::default(), body });
        self.record();
        Ok(())
    }

    /// Puts losses since the last call into the trace and the model, and counters into the trace.
    ///
    /// # Errors
    /// Counters cannot be read.
    pub fn checkpoint(&mut self) -> Result<Vec<HookCounts>, RecordError> {
        let counters = self.probes.counters()?;
        self.drain.losses(&counters, boottime(), &mut self.events);
        self.record();
        let hooks = self.drain.counts(&counters);
        let (time, hooks_now) = (boottime(), hooks.clone());
        let checkpoint = Checkpoint { time, cycles: self.cycles, hooks: hooks_now, begun: self.begun };
        if let Err(error) = self.writer.checkpoint(&checkpoint) {
            self.trouble.push(error);
        }
        Ok(hooks)
    }

    /// Begins a cycle: notes that in the trace and makes it durable. Of a cycle that does not come back it may be all
    /// there is.
    ///
    /// # Errors
    /// Counters cannot be read.
    pub fn begin_cycle(&mut self) -> Result<(), RecordError> {
        self.begun += 1;
        self.checkpoint()?;
        self.sync();
        if !self.writer.settle(DURABLE) {
            log::warn!(
                "the trace is not on its disk after {} s: if this cycle never comes back, --resume may run it again",
                DURABLE.as_secs()
            );
        }
        Ok(())
    }

    /// Ends a cycle: counts it and compares what was sent with what arrived. Drain first, with the window
    /// closed.
    ///
    /// # Errors
    /// Counters cannot be read.
    pub fn end_cycle(&mut self) -> Result<Integrity, RecordError> {
        self.cycles += 1;
        Ok(Integrity::of(&self.checkpoint()?))
    }

    /// Findings at this time; what holds the transition up for `stall` is one.
    pub fn findings(&self, stall: Duration) -> Vec<Finding> {
        let stall = Nanos::try_from(stall.as_nanos()).unwrap_or(Nanos::MAX);
        let options = diagnose::Options { stall, ..diagnose::Options::LIVE };
        diagnose::findings_with(self.analysis.model(), boottime(), options)
    }

    /// Findings between two transitions, of all that this trace tells.
    pub fn findings_at_end(&self) -> Vec<Finding> {
        self.analysis.findings_at_end()
    }

    /// The report at this time, with these findings.
    pub fn report(&self, findings: Vec<Finding>) -> Report {
        Report::new(Some(&self.session), self.analysis.model(), findings, Vec::new())
    }

    /// Where the trace goes.
    pub fn path(&self) -> &Path {
        self.writer.path()
    }

    /// Closes the trace between two transitions, and goes on in another one that knows nothing of the first.
    ///
    /// # Errors
    /// The new trace cannot be created: the old one stays open. Or the old one is not complete on disk: the new one
    /// is open.
    pub fn next_trace(&mut self, path: &Path) -> Result<(), RecordError> {
        let clocks = clock::now();
        let session = Session { started: clocks.utc(), clocks, ..self.session.clone() };
        let writer = Writer::create(path, &session, Overwrite::Refuse)?;
        let hooks = self.checkpoint();
        let old = std::mem::replace(&mut self.writer, writer);
        self.session = session;
        self.analysis = Analysis::default();
        self.analysis.set_session(&self.session);
        let cycles = std::mem::take(&mut self.cycles);
        self.begun = 0;
        old.finish(Totals { clocks, cycles, hooks: hooks?, ..Totals::default() })?;
        Ok(())
    }

    /// Ends the recording; a trace without any transition is removed.
    pub fn discard_if_empty(self) {
        let is_empty = self.analysis.model().transition().is_none();
        let recording = self.finish();
        if is_empty && let Err(error) = std::fs::remove_file(&recording.path) {
            log::warn!("cannot remove the empty trace {}: {error}", crate::text::path(&recording.path));
        }
    }

    /// Looks that the watchdog in the kernel has taken, and stalls that it has told.
    ///
    /// # Errors
    /// The counters cannot be read.
    pub fn watchdog_counts(&self) -> Result<(u64, u32), RecordError> {
        Ok(self.probes.watchdog_counts()?)
    }

    /// What is known now.
    pub fn model(&self) -> &Model {
        self.analysis.model()
    }

    /// The trace file's writer.
    pub fn writer(&mut self) -> &mut Writer {
        &mut self.writer
    }

    /// The ring buffer, to wait on.
    pub fn ring(&self) -> &RingBuf<MapData> {
        self.drain.ring()
    }

    /// Closes the trace. What was seen is there in any case; [`Recording::closed`] says if the file is not.
    pub fn finish(mut self) -> Recording {
        let hooks = self.checkpoint();
        let path = self.writer.path().to_owned();
        let closed = hooks.and_then(|hooks| {
            let clocks = clock::now();
            let totals = Totals { clocks, cycles: self.cycles, hooks, ..Totals::default() };
            self.writer.finish(totals).map_err(Into::into)
        });
        Recording {
            session: self.session,
            analysis: self.analysis,
            path,
            tee: self.tee,
            closed,
            _probes: self.probes,
        }
    }
}

/// Sets the watchdog to work; recording is worth it without one too.
fn start_watchdog(probes: &mut Probes, layout: &Layout, options: &RecordOptions) -> Option<Flavour> {
    let stall_after = options.stall_after.filter(|_| !options.watchdog.is_empty())?;
    watchdog::start(probes, layout, options.watchdog, stall_after)
        .inspect_err(|error| log::warn!("{error}"))
        .ok()
}

/// The kernel's symbols; where it hides them, stacks stay empty and everything else works.
fn symbols(system: &dyn System) -> Option<Symbols> {
    Symbols::load(system).inspect_err(|error| log::warn!("{error}")).ok()
}

fn symbolise(symbols: Option<Symbols>) -> Box<dyn Symbolise> {
    match symbols {
        Some(symbols) => Box::new(symbols),
        None => Box::new(NoSymbols),
    }
}

fn is_snapshot_since(event: &Event, began: Nanos) -> bool {
    event.time >= began && matches!(event.body, Body::TaskSnapshot { .. })
}

/// The clock that events carry, as they carry it.
pub fn boottime() -> Nanos {
    whole_microseconds(clock::now().boottime)
}
