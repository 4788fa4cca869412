//! The critical path of a phase: which steps, one after the other, made it as long as it was.
//!
//! Worked out when the phase ends, from the steps of its devices, so that nothing of a transition has to be kept
//! longer. A step begins its own work when the last of those it depends on has ended: parent and suppliers on the way
//! up, children and consumers on the way down (drivers/base/power/main.c), what its callback waited for explicitly,
//! and, unless it runs asynchronously, the step that the same task carried out before.

use super::{At, Model};
use crate::event::{Nanos, ObjId, Step};
use std::collections::{BTreeMap, HashMap};

/// Most parts of a path.
const PARTS: usize = 32;
/// For how many of the longest parts it is worked out what they cost.
const GAINS: usize = 8;
/// Most steps told that run in line.
const IN_LINE: usize = 5;

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
    /// Steps that ran in line, with what the phase would gain if each alone ran asynchronously; the largest first.
    pub in_line: Vec<PathPart>,
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
    /// When its own work began: what it depends on had ended.
    begun: Nanos,
    /// How long it waited then for something else, such as a free worker.
    lag: Nanos,
    end: Nanos,
    is_async: bool,
    /// Places of those that it depends on: as a device, and behind them the one that the same task carried out.
    before: Vec<usize>,
    /// That one.
    in_line: Option<usize>,
}

impl Run {
    /// How long its own work took.
    fn own(&self) -> Nanos {
        self.end.saturating_sub(self.begun)
    }

    /// Places of those that it depends on as a device.
    fn depends(&self) -> &[usize] {
        &self.before[..self.before.len() - usize::from(self.in_line.is_some())]
    }
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
    let total = schedule(&runs, start.time, Change::Nothing);
    let mut longest: Vec<usize> = (0..parts.len()).collect();
    longest.sort_by_key(|&n| std::cmp::Reverse(parts[n].own));
    for n in longest.into_iter().take(GAINS) {
        let without = schedule(&runs, start.time, Change::NoTime(places[n]));
        parts[n].gain = Some(total.saturating_sub(without));
    }
    let in_line = in_line(&runs, start.time, total);
    Some(CriticalPath { step, start, took: end.time.saturating_sub(start.time), parts, in_line })
}

/// The steps for which it would pay most to run asynchronously.
fn in_line(runs: &[Run], start: Nanos, total: Nanos) -> Vec<PathPart> {
    let mut longest: Vec<usize> = (0..runs.len()).filter(|&n| !runs[n].is_async).collect();
    longest.sort_by_key(|&n| std::cmp::Reverse(runs[n].own()));
    let gained = longest.into_iter().take(GAINS).filter_map(|n| {
        let gain = total.saturating_sub(schedule(runs, start, Change::Asynchronous(n)));
        (gain > 0).then(|| PathPart { gain: Some(gain), ..part(runs, n) })
    });
    let mut gained: Vec<PathPart> = gained.collect();
    gained.sort_by_key(|part| std::cmp::Reverse(part.gain));
    gained.truncate(IN_LINE);
    gained
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
    let places: HashMap<ObjId, usize, foldhash::fast::RandomState> =
        ended.iter().enumerate().map(|(n, (dev, ..))| (*dev, n)).collect();
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
    let mut runs: Vec<Run> = Vec::with_capacity(ended.len());
    for (n, (dev, run, end)) in ended.iter().enumerate() {
        let in_line = last_of.insert(run.task.tid, n).filter(|_| !run.is_async);
        // What ended later cannot have been waited for.
        let depends = depends[n].iter().copied().filter(|&other| other < n);
        let before: Vec<usize> = depends.chain(in_line).collect();
        let free = before.iter().map(|&other| runs[other].end).max();
        let begun = run.start.time.max(free.unwrap_or_default());
        runs.push(Run {
            dev: *dev,
            start: run.start.time,
            begun,
            lag: begun.saturating_sub(free.unwrap_or(start.time).max(start.time)),
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

fn part(runs: &[Run], place: usize) -> PathPart {
    let run = &runs[place];
    PathPart { dev: run.dev, start: run.begun, own: run.own(), is_async: run.is_async, gain: None }
}

/// What is to be another way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Nothing.
    Nothing,
    /// This step takes no time of its own.
    NoTime(usize),
    /// This step runs asynchronously: it waits for no step of the same task, and none for it for that reason.
    Asynchronous(usize),
}

/// How long the phase takes until its last step, if one thing were another way.
fn schedule(runs: &[Run], start: Nanos, change: Change) -> Nanos {
    let mut ends: Vec<Nanos> = Vec::with_capacity(runs.len());
    for (n, run) in runs.iter().enumerate() {
        let own = if change == Change::NoTime(n) { 0 } else { run.own() };
        let free = match change {
            Change::Asynchronous(moved) => beside(runs, run, n, moved, &ends),
            _ => run.before.iter().map(|&other| ends[other]).max(),
        };
        let free = free.unwrap_or(start);
        ends.push(free.max(start) + run.lag + own);
    }
    ends.into_iter().max().unwrap_or(start).saturating_sub(start)
}

/// When the step could begin if the step at `moved` ran beside its task's others.
fn beside(runs: &[Run], run: &Run, n: usize, moved: usize, ends: &[Nanos]) -> Option<Nanos> {
    let line = if n == moved { None } else { run.in_line };
    let line = line.and_then(|before| if before == moved { runs[moved].in_line } else { Some(before) });
    let depends = run.depends().iter().copied().chain(line);
    depends.map(|other| ends[other]).max()
}
