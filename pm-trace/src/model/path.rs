//! The critical path of a phase: which steps, one after the other, made it as long as it was.
//!
//! Worked out when the phase ends, from the steps of its devices, so that nothing of a transition has to be kept
//! longer. A step begins its own work when the last of those it depends on has ended: parent and suppliers on the way
//! up, children and consumers on the way down (drivers/base/power/main.c), what its callback waited for explicitly,
//! and, unless it runs asynchronously, the step that the same task carried out before.

use super::{At, Model};
use crate::event::{Nanos, ObjId, Step};
use std::collections::BTreeMap;

/// Most parts of a path.
const PARTS: usize = 32;
/// For how many of the longest parts it is worked out what they cost.
const GAINS: usize = 8;

/// The critical path of a phase.
#[derive(Clone, Debug)]
pub struct CriticalPath {
    /// The step of its devices.
    pub step: Step,
    /// Start of the phase.
    pub start: At,
    /// How long the phase took, in nanoseconds.
    pub took: Nanos,
    /// Its parts in the order of time.
    pub parts: Vec<PathPart>,
}

/// A step on a critical path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathPart {
    /// The device.
    pub dev: ObjId,
    /// When its own work began: nothing that it depends on was outstanding.
    pub start: Nanos,
    /// How long that took, in nanoseconds.
    pub own: Nanos,
    /// It runs asynchronously.
    pub is_async: bool,
    /// By how many nanoseconds the phase would be shorter if it took no time; `None` if that was not worked out.
    pub gain: Option<Nanos>,
}

/// A step as the schedule sees it.
struct Run {
    dev: ObjId,
    start: Nanos,
    end: Nanos,
    is_async: bool,
    /// Places of those that it depends on.
    before: Vec<usize>,
    /// Of these, the one carried out by the same task.
    in_line: Option<usize>,
}

/// The path of the phase of this step, which ends now.
pub(crate) fn critical_path(model: &Model, step: Step, start: At, end: At) -> Option<CriticalPath> {
    let runs = runs(model, step, start);
    let last = runs.iter().enumerate().max_by_key(|(_, run)| run.end).map(|(place, _)| place)?;
    let mut places = Vec::new();
    let mut at = Some(last);
    while let Some(place) = at.filter(|_| places.len() < PARTS) {
        places.push(place);
        at = held_up_by(&runs, place);
    }
    places.reverse();
    let mut parts: Vec<PathPart> = places.iter().map(|&place| part(&runs, place)).collect();
    let total = schedule(&runs, start.time, None);
    let mut longest: Vec<usize> = (0..parts.len()).collect();
    longest.sort_by_key(|&n| std::cmp::Reverse(parts[n].own));
    for n in longest.into_iter().take(GAINS) {
        let without = schedule(&runs, start.time, Some(places[n]));
        parts[n].gain = Some(total.saturating_sub(without));
    }
    Some(CriticalPath { step, start, took: end.time.saturating_sub(start.time), parts })
}

/// The ended steps of the phase in the order of their ends, each with those before it.
fn runs(model: &Model, step: Step, start: At) -> Vec<Run> {
    let mut ended: Vec<(ObjId, &super::StepRun, Nanos)> = model
        .devices()
        .filter_map(|(dev, device)| {
            let run = device.step(step)?;
            let end = run.end?;
            (run.start.time >= start.time).then_some((dev, run, end.time))
        })
        .collect();
    ended.sort_by_key(|&(dev, run, end)| (end, run.start, dev));
    let places: BTreeMap<ObjId, usize> = ended.iter().enumerate().map(|(n, (dev, ..))| (*dev, n)).collect();
    let mut depends: Vec<Vec<usize>> = vec![Vec::new(); ended.len()];
    let resumes = matches!(step, Step::Resume | Step::ResumeEarly | Step::ResumeNoirq);
    let explicit = model.transition().map(|transition| &transition.explicit_waits);
    for (n, (dev, ..)) in ended.iter().enumerate() {
        let device = model.device(*dev);
        let parent = device.and_then(super::Device::parent);
        let links = device.map(|device| device.links.as_slice()).unwrap_or_default();
        let suppliers = links.iter().filter(|link| !link.is_dormant()).map(|link| link.supplier);
        for above in parent.into_iter().chain(suppliers) {
            match places.get(&above) {
                Some(&above) if resumes => depends[n].push(above),
                Some(&above) => depends[above].push(n),
                None => {}
            }
        }
    }
    for (waits, target) in explicit.into_iter().flatten() {
        if let (Some(&waits), Some(&target)) = (places.get(waits), places.get(target)) {
            depends[waits].push(target);
        }
    }
    let mut last_of: BTreeMap<u32, usize> = BTreeMap::new();
    let mut runs = Vec::with_capacity(ended.len());
    for (n, (dev, run, end)) in ended.iter().enumerate() {
        let in_line = last_of.insert(run.task.tid, n).filter(|_| !run.is_async);
        // What ended later cannot have been waited for.
        let before = depends[n].iter().copied().filter(|&other| other < n).chain(in_line).collect();
        runs.push(Run {
            dev: *dev,
            start: run.start.time,
            end: *end,
            is_async: run.is_async,
            before,
            in_line,
        });
    }
    runs
}

/// The step whose end let this one begin, if there was something to wait for.
fn held_up_by(runs: &[Run], place: usize) -> Option<usize> {
    let run = &runs[place];
    let latest = run.before.iter().copied().max_by_key(|&other| runs[other].end)?;
    let waited = runs[latest].end > run.start;
    if waited { Some(latest) } else { run.in_line }
}

/// When the step began its own work.
fn own_start(runs: &[Run], run: &Run) -> Nanos {
    run.before.iter().map(|&other| runs[other].end).max().map_or(run.start, |end| end.max(run.start))
}

fn part(runs: &[Run], place: usize) -> PathPart {
    let run = &runs[place];
    let start = own_start(runs, run);
    PathPart { dev: run.dev, start, own: run.end.saturating_sub(start), is_async: run.is_async, gain: None }
}

/// How long the phase takes until its last step, if the step at `without` takes no time of its own.
fn schedule(runs: &[Run], start: Nanos, without: Option<usize>) -> Nanos {
    let mut ends: Vec<Nanos> = Vec::with_capacity(runs.len());
    for (n, run) in runs.iter().enumerate() {
        let begun = own_start(runs, run);
        let own = if without == Some(n) { 0 } else { run.end.saturating_sub(begun) };
        // What else it waited for, such as a free worker, stays as it was.
        let was_free = run.before.iter().map(|&other| runs[other].end).max().unwrap_or(start);
        let lag = begun.saturating_sub(was_free.max(start));
        let free = run.before.iter().map(|&other| ends[other]).max().unwrap_or(start);
        ends.push(free.max(start) + lag + own);
    }
    ends.into_iter().max().unwrap_or(start).saturating_sub(start)
}
