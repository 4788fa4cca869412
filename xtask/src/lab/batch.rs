//! Many runs, as many side by side as there is room for.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, Result};

use super::result::RunResult;
use super::run::Setting;
use super::scenario::Scenario;

/// One run to come.
pub(super) struct Job<'a> {
    /// Where and with what.
    pub(super) setting: Setting<'a>,
    /// What.
    pub(super) scenario: &'a Scenario,
    /// How often it may be tried: an emulated machine fails for reasons of its own now and then.
    pub(super) attempts: u32,
}

/// Guests that fit on this machine: software emulation keeps one CPU busy for each.
pub(super) fn guests_that_fit() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Runs all, `side_by_side` at a time, and tells of each as soon as it is known. The results are in the order of
/// the jobs. The first run that cannot be carried out at all ends the batch.
pub(super) fn run(jobs: &[Job<'_>], side_by_side: usize) -> Result<Vec<RunResult>> {
    let next = AtomicUsize::new(0);
    let broken = AtomicBool::new(false);
    let results = Mutex::new(Vec::with_capacity(jobs.len()));
    thread::scope(|scope| {
        for _ in 0..side_by_side.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                while !broken.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(index) else { break };
                    let result = run_one(job, index + 1, jobs.len());
                    broken.fetch_or(result.is_err(), Ordering::Relaxed);
                    results.lock().expect("no thread panics with it").push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no thread panics with it");
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn run_one(job: &Job<'_>, number: usize, total: usize) -> Result<RunResult> {
    let (name, release) = (&job.scenario.name, job.setting.tree.release());
    eprintln!("==> {number}/{total}: {name} on {release}");
    let mut attempt = 1;
    loop {
        let result = job.setting.run(job.scenario);
        let mut result = result.with_context(|| format!("cannot run {name} on {release}"))?;
        result.attempts = attempt;
        eprintln!("    {}", result.summary());
        if result.passed() || attempt >= job.attempts {
            return Ok(result);
        }
        attempt += 1;
        eprintln!("==> {number}/{total}: {name} on {release} again: attempt {attempt} of {}", job.attempts);
    }
}
