//! The collector that is awake while everything else is frozen: drains, looks for lockups, speaks, and has the
//! last resort taken.

use super::guard::tell;
use super::memory;
use super::recorder::{RecordError, Recorder, boottime};
use super::voice::Voice;
use crate::diagnose::{Finding, Kind};
use crate::model::Transition;
use crate::pulse::{Pulse, Watcher};
use crate::{report, text};
use std::collections::BTreeMap;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Events stay in memory no longer than this: a block that is closed sooner than by its size packs worse, but what a
/// collector that is killed has not handed over is lost.
const HAND_OVER: Duration = Duration::from_millis(300);

/// Longest time between two looks at the ring buffer, should a wake-up be missed.
const TICK: Duration = Duration::from_millis(100);
/// Looks without any event after which counters are written to the trace and the trace to disk.
const QUIET_TICKS: u32 = 5;
/// Looks without a sign of life after which a thread counts as blocked: 2 s at least.
const PATIENCE: u32 = 20;

/// What the collector has done by somebody who may block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Bring the console with the verdict to the screen.
    Show,
    /// Take the last resort, for this reason.
    TakeLastResort(String),
}

/// What the collector works with besides the recorder.
pub struct Desk<'a> {
    /// Where it speaks.
    pub voice: &'a Voice,
    /// To whom it gives orders.
    pub orders: SyncSender<Order>,
    /// What holds the transition up for so long is a stall, and is when the last resort is due.
    pub stall_after: Duration,
    /// Its own sign of life.
    pub pulse: Arc<Pulse>,
    /// Those of the others.
    pub others: Vec<Arc<Pulse>>,
}

/// Lockups found so far.
#[derive(Debug, Default)]
pub struct Watch {
    /// Identity and headline of what was told and is not over.
    told: BTreeMap<String, String>,
    /// Whether the last resort was ordered, or would have been.
    resorted: bool,
}

/// A finding that is new, with how long it took to be found.
#[derive(Debug)]
pub struct Verdict {
    /// The finding.
    pub finding: Finding,
    /// From the event that closed the cycle until now.
    pub latency: Option<Duration>,
}

/// What a look brought.
#[derive(Debug, Default)]
pub struct News {
    /// What was not told yet.
    pub verdicts: Vec<Verdict>,
    /// Headlines of what was told and is no longer so.
    pub over: Vec<String>,
    /// How long the oldest of what holds the transition up has lasted.
    pub stuck: Option<Duration>,
}

impl Watch {
    /// Looks for lockups that were not told yet, and checks each against the blocked tasks.
    ///
    /// # Errors
    /// The tasks cannot be looked at.
    pub fn look(&mut self, recorder: &mut Recorder, stall: Duration) -> Result<News, RecordError> {
        let holds_up = |finding: &Finding| matches!(finding.kind, Kind::Deadlock | Kind::Stall);
        let mut findings = recorder.findings(stall);
        findings.retain(holds_up);
        if findings.iter().any(|finding| !self.told.contains_key(finding.id())) {
            recorder.snapshot()?;
            findings = recorder.findings(stall);
            findings.retain(holds_up);
        }
        let now = boottime();
        let mut news = News::default();
        let gone = |id: &String, _: &mut String| !findings.iter().any(|finding| finding.id() == id);
        news.over = self.told.extract_if(.., gone).map(|(_, headline)| headline).collect();
        for finding in findings {
            let lasted = finding.lasted.map(Duration::from_nanos);
            news.stuck = news.stuck.max(lasted);
            let headline = report::headline(&finding);
            if self.told.insert(finding.id().to_owned(), headline).is_none() {
                let latency = finding.closed_at.map(|at| Duration::from_nanos(now.saturating_sub(at)));
                news.verdicts.push(Verdict { finding, latency });
            }
        }
        Ok(news)
    }
}

/// Drains and looks until `done` is set, then once more.
///
/// Runs in a thread created after the freeze; it builds its own runtime, whose threads and timers are
/// therefore exempt too. Nothing here waits for a disk or a console.
///
/// # Errors
/// The runtime cannot be built. Errors of the recording are said and recording goes on.
pub fn collect(recorder: &mut Recorder, desk: &Desk<'_>, done: &AtomicBool) -> std::io::Result<()> {
    let _living = desk.pulse.live();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let ring = recorder.ring().as_fd().try_clone_to_owned()?;
        // SAFETY: the descriptor is owned by what it is handed to, and stays the same until that is dropped.
        let ring = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }
            .map_err(std::io::Error::from)?;
        let mut collector = Collector::new(desk);
        while !done.load(Ordering::Acquire) {
            await_records(&ring).await?;
            collector.step(recorder);
        }
        collector.step(recorder);
        Ok(())
    })
}

/// Waits for records, but no longer than for a tick.
async fn await_records(ring: &AsyncFd<std::os::fd::OwnedFd>) -> std::io::Result<()> {
    if let Ok(ready) = tokio::time::timeout(TICK, ring.readable()).await {
        ready?.clear_ready();
        // Let a few records come together: waking up for each one costs more than it tells.
        tokio::time::sleep(TICK / 10).await;
    }
    Ok(())
}

/// The collector's state between two looks.
pub struct Collector<'a> {
    desk: &'a Desk<'a>,
    watch: Watch,
    watcher: Watcher,
    /// Looks without any event.
    quiet: u32,
    /// When events were last handed to the file's thread.
    handed_over: Instant,
}

impl<'a> Collector<'a> {
    /// Begins.
    pub fn new(desk: &'a Desk<'a>) -> Self {
        let watcher = Watcher::new(desk.others.iter().cloned(), PATIENCE);
        Self { desk, watch: Watch::default(), watcher, quiet: 0, handed_over: Instant::now() }
    }

    /// Drains once and says what is new. Returns how many events there were.
    pub fn step(&mut self, recorder: &mut Recorder) -> usize {
        self.desk.pulse.beat();
        for news in self.watcher.look() {
            tell(self.desk.voice, &news);
        }
        let drained = recorder.drain();
        self.quiet = if drained > 0 { 0 } else { self.quiet.saturating_add(1) };
        match self.watch.look(recorder, self.desk.stall_after) {
            Ok(news) => self.take_in(news, recorder),
            Err(error) => self.complain(&error),
        }
        if self.quiet == QUIET_TICKS {
            self.keep(recorder);
        } else if self.handed_over.elapsed() >= HAND_OVER {
            self.handed_over = Instant::now();
            recorder.hand_over();
        }
        drained
    }

    fn take_in(&mut self, news: News, recorder: &mut Recorder) {
        for headline in news.over {
            tell(self.desk.voice, &format!("it goes on; no longer so: {headline}"));
        }
        let is_news = !news.verdicts.is_empty();
        for verdict in news.verdicts {
            self.announce(&verdict);
        }
        if is_news {
            self.keep(recorder);
            self.write_report(recorder);
            self.order(Order::Show);
        }
        let stuck = news.stuck.or_else(|| self.silent(recorder));
        if stuck.is_some_and(|stuck| stuck >= self.desk.stall_after) && !self.watch.resorted {
            self.watch.resorted = true;
            self.write_report(recorder);
            let stuck = stuck.unwrap_or_default().as_secs_f64();
            self.order(Order::TakeLastResort(format!("stuck for {stuck:.1} s")));
        }
    }

    /// How long nothing at all has happened in a transition that is under way, where no finding says why.
    /// Looks are counted: while the machine sleeps, there are none.
    fn silent(&self, recorder: &Recorder) -> Option<Duration> {
        let under_way = recorder.model().transition().is_some_and(|now| !Transition::is_complete(now));
        under_way.then(|| TICK * self.quiet)
    }

    fn order(&self, order: Order) {
        // One that is not taken now would come too late.
        if self.desk.orders.try_send(order).is_err() {
            self.desk.voice.say("pm-trace: nobody takes orders any more\n");
        }
    }

    fn announce(&self, verdict: &Verdict) {
        let voice = self.desk.voice;
        voice.log(report::kmsg_lines(&verdict.finding));
        let mut said = report::verdict_in(&verdict.finding, text::columns());
        if let Some(latency) = verdict.latency {
            let what = if verdict.finding.kind == Kind::Deadlock { "the cycle closed" } else { "it began" };
            said.push_str(&format!("pm-trace: verdict {:.3} s after {what}\n", latency.as_secs_f64()));
        }
        voice.say(said);
    }

    fn write_report(&self, recorder: &Recorder) {
        let report = recorder.report(recorder.findings(self.desk.stall_after));
        self.desk.voice.report(&report.text());
    }

    /// Writes counters to the trace and the trace to where it survives.
    fn keep(&self, recorder: &mut Recorder) {
        if let Err(error) = recorder.checkpoint() {
            self.complain(&error);
        }
        recorder.sync();
        for trouble in recorder.take_trouble() {
            self.complain(&trouble);
        }
        log::debug!("{} KiB resident", memory::resident_kib());
    }

    fn complain(&self, error: &dyn std::error::Error) {
        self.desk.voice.say(format!("pm-trace: {}\n", text::line(&error.to_string())));
    }
}
