//! The collector that is awake while everything else is frozen: drains, looks for lockups, speaks.

use super::recorder::{RecordError, Recorder, boottime};
use super::voice::Voice;
use crate::diagnose::{Finding, Kind};
use crate::{report, text};
use std::collections::HashSet;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Longest time between two looks at the ring buffer, should a wake-up be missed.
const TICK: Duration = Duration::from_millis(100);
/// Looks without any event after which counters are written to the trace and the trace to disk.
const QUIET_TICKS: u32 = 5;

/// Lockups found so far.
#[derive(Debug, Default)]
pub struct Watch {
    announced: HashSet<String>,
}

/// A finding that is new, with how long it took to be found.
#[derive(Debug)]
pub struct Verdict {
    /// The finding.
    pub finding: Finding,
    /// From the event that closed the cycle until now.
    pub latency: Option<Duration>,
}

impl Watch {
    /// Looks for lockups that were not announced yet, and checks each against the blocked tasks.
    ///
    /// # Errors
    /// The tasks cannot be looked at.
    pub fn look(&mut self, recorder: &mut Recorder) -> Result<Vec<Verdict>, RecordError> {
        if !recorder.findings().iter().any(|finding| self.is_news(finding)) {
            return Ok(Vec::new());
        }
        recorder.snapshot()?;
        let now = boottime();
        let news: Vec<Finding> =
            recorder.findings().into_iter().filter(|finding| self.is_news(finding)).collect();
        self.announced.extend(news.iter().map(|finding| finding.id().to_owned()));
        Ok(news
            .into_iter()
            .map(|finding| Verdict {
                latency: finding.closed_at.map(|at| Duration::from_nanos(now.saturating_sub(at))),
                finding,
            })
            .collect())
    }

    fn is_news(&self, finding: &Finding) -> bool {
        matches!(finding.kind, Kind::Deadlock | Kind::Stall) && !self.announced.contains(finding.id())
    }
}

/// Drains and looks until `done` is set, then once more.
///
/// Runs in a thread created after the freeze; it builds its own runtime, whose threads and timers are
/// therefore exempt too. Nothing here waits for a disk or a console.
///
/// # Errors
/// The runtime cannot be built. Errors of the recording are said and recording goes on.
pub fn collect(recorder: &mut Recorder, voice: &mut Voice, done: &AtomicBool) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let ring = recorder.ring().as_fd().try_clone_to_owned()?;
        // SAFETY: the descriptor is owned by what it is handed to, and stays the same until that is dropped.
        let ring = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }
            .map_err(std::io::Error::from)?;
        let mut watch = Watch::default();
        let mut quiet = 0;
        while !done.load(Ordering::Acquire) {
            if let Ok(ready) = tokio::time::timeout(TICK, ring.readable()).await {
                ready?.clear_ready();
                // Let a few records come together: waking up for each one costs more than it tells.
                tokio::time::sleep(TICK / 10).await;
            }
            quiet = if step(recorder, voice, &mut watch) > 0 { 0 } else { quiet + 1 };
            if quiet == QUIET_TICKS {
                keep(recorder, voice);
            }
        }
        step(recorder, voice, &mut watch);
        Ok(())
    })
}

/// Drains once and says what is new. Returns how many events there were.
fn step(recorder: &mut Recorder, voice: &mut Voice, watch: &mut Watch) -> usize {
    let count = recorder.drain();
    match watch.look(recorder) {
        Ok(verdicts) => {
            for verdict in verdicts {
                announce(&verdict, voice);
                keep(recorder, voice);
            }
        }
        Err(error) => complain(voice, &error),
    }
    count
}

/// Writes counters to the trace and the trace to where it survives.
fn keep(recorder: &mut Recorder, voice: &mut Voice) {
    if let Err(error) = recorder.checkpoint() {
        complain(voice, &error);
    }
    recorder.sync();
    for trouble in recorder.take_trouble() {
        complain(voice, &trouble);
    }
}

fn announce(verdict: &Verdict, voice: &mut Voice) {
    voice.log(report::kmsg_lines(&verdict.finding));
    let mut said = report::verdict_in(&verdict.finding, text::columns());
    if let Some(latency) = verdict.latency {
        let what = if verdict.finding.kind == Kind::Deadlock { "the cycle closed" } else { "it began" };
        said.push_str(&format!("pm-trace: verdict {:.3} s after {what}\n", latency.as_secs_f64()));
    }
    voice.say(said);
}

fn complain(voice: &mut Voice, error: &dyn std::error::Error) {
    voice.say(format!("pm-trace: {}\n", text::line(&error.to_string())));
}
