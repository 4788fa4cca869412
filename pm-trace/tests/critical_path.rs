//! The critical path against two others: one worked out by hand for three recorded traces
//! (`data/critical-paths.tsv`), and one that a reference works out from the raw events of every recording, naively and
//! without the model.

use pm_trace::diagnose::{Explained, PathSummary, cycles};
use pm_trace::event::{Body, DeviceWaitKind, Nanos, ObjId, Step, step_of_phase};
use pm_trace::trace::Trace;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

fn file(name: &str) -> PathBuf {
    format!("{}/tests/data/traces/{name}.pmtrace", env!("CARGO_MANIFEST_DIR")).into()
}

fn told(name: &str) -> Vec<PathSummary> {
    let explained = Explained::read(&file(name)).expect("a readable trace");
    cycles(explained.model()).into_iter().flat_map(|cycle| cycle.critical).collect()
}

#[test]
fn it_is_the_one_worked_out_by_hand() {
    let text =
        std::fs::read_to_string(format!("{}/tests/data/critical-paths.tsv", env!("CARGO_MANIFEST_DIR")));
    let text = text.unwrap();
    type Part<'a> = (&'a str, Nanos, Nanos);
    let mut by_hand: BTreeMap<(&str, &str), Vec<Part<'_>>> = BTreeMap::new();
    let mut took = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        let number = |place: usize| cells[place].parse::<Nanos>().unwrap();
        let key = (cells[0], cells[1]);
        took.insert(key, number(3) - number(2));
        by_hand.entry(key).or_default().push((cells[4], number(9), number(10)));
    }
    assert_eq!(by_hand.len(), 3);
    for ((trace, step), parts) in by_hand {
        let paths = told(trace);
        let path = paths.iter().find(|path| path.step == step).unwrap();
        assert_eq!(path.took, took[&(trace, step)]);
        let told: Vec<_> =
            path.parts.iter().map(|part| (part.device.name.as_str(), part.start, part.own)).collect();
        assert_eq!(told, parts, "{trace} {step}");
    }
}

/// A step of the reference.
#[derive(Clone)]
struct Run {
    start: Nanos,
    end: Nanos,
    tid: u32,
    is_async: bool,
}

/// What the reference needs of a trace: nothing but its events.
#[derive(Default)]
struct Raw {
    parents: BTreeMap<ObjId, ObjId>,
    suppliers: BTreeMap<ObjId, BTreeMap<ObjId, u32>>,
    waits: BTreeSet<(ObjId, ObjId)>,
}

/// A phase of steps that ended.
struct Phase {
    step: Step,
    start: Nanos,
    runs: BTreeMap<ObjId, Run>,
}

impl Raw {
    /// Those whose end the step of `dev` waits for: every step is looked at for every step.
    fn before(&self, phase: &Phase, dev: ObjId) -> Vec<ObjId> {
        let up = matches!(phase.step, Step::Resume | Step::ResumeEarly | Step::ResumeNoirq);
        let ended = |dev: ObjId| (phase.runs[&dev].end, phase.runs[&dev].start, dev);
        let earlier = |other: &ObjId| ended(*other) < ended(dev);
        let depends = |other: &ObjId| {
            let (lower, upper) = if up { (dev, *other) } else { (*other, dev) };
            let link = self.suppliers.get(&lower).and_then(|suppliers| suppliers.get(&upper));
            self.parents.get(&lower) == Some(&upper)
                || link.is_some_and(|&status| status != 0)
                || self.waits.contains(&(dev, *other))
        };
        let mut before: Vec<ObjId> = phase.runs.keys().copied().filter(earlier).filter(depends).collect();
        before.extend(self.in_line(phase, dev));
        before
    }

    /// The step that the same task carried out before, for one that is not asynchronous.
    fn in_line(&self, phase: &Phase, dev: ObjId) -> Option<ObjId> {
        let run = &phase.runs[&dev];
        let ended = |dev: ObjId| (phase.runs[&dev].end, phase.runs[&dev].start, dev);
        let same = phase.runs.iter().filter(|(other, of)| of.tid == run.tid && ended(**other) < ended(dev));
        same.map(|(other, _)| *other).max_by_key(|&other| ended(other)).filter(|_| !run.is_async)
    }

    fn own_start(&self, phase: &Phase, dev: ObjId) -> Nanos {
        let ends = self.before(phase, dev).into_iter().map(|other| phase.runs[&other].end);
        ends.max().unwrap_or(0).max(phase.runs[&dev].start)
    }

    /// The path, last step first.
    fn path(&self, phase: &Phase) -> Vec<(ObjId, Nanos, Nanos)> {
        let mut path = Vec::new();
        let mut at = phase.runs.keys().copied().max_by_key(|dev| {
            let run = &phase.runs[dev];
            (run.end, run.start, *dev)
        });
        while let Some(dev) = at.filter(|_| path.len() < 32) {
            let (start, run) = (self.own_start(phase, dev), &phase.runs[&dev]);
            path.push((dev, start, run.end - start));
            let latest = self.before(phase, dev).into_iter().max_by_key(|other| phase.runs[other].end);
            at = match latest {
                Some(latest) if phase.runs[&latest].end > run.start => Some(latest),
                _ => self.in_line(phase, dev),
            };
        }
        path
    }

    /// When the last step ends if that of `without` takes no time of its own, by the recursion that defines it.
    fn length(&self, phase: &Phase, without: Option<ObjId>) -> Nanos {
        let mut order: Vec<ObjId> = phase.runs.keys().copied().collect();
        order.sort_by_key(|dev| (phase.runs[dev].end, phase.runs[dev].start, *dev));
        let mut ends: BTreeMap<ObjId, Nanos> = BTreeMap::new();
        for dev in order {
            let before = self.before(phase, dev);
            let own_start = self.own_start(phase, dev);
            let free = before.iter().map(|other| phase.runs[other].end).max().unwrap_or(0).max(phase.start);
            let lag = own_start.saturating_sub(free);
            let own = if without == Some(dev) { 0 } else { phase.runs[&dev].end - own_start };
            let begins = before.iter().map(|other| ends[other]).max().unwrap_or(0).max(phase.start);
            ends.insert(dev, begins + lag + own);
        }
        ends.into_values().max().unwrap_or(0)
    }
}

/// The phases of a trace that ended, from its events.
fn raw(name: &str) -> Vec<(Raw, Phase)> {
    let mut done = Vec::new();
    let mut raw = Raw::default();
    let mut open: Option<Phase> = None;
    let mut current: BTreeMap<ObjId, Run> = BTreeMap::new();
    for event in Trace::open(&file(name)).expect("a readable trace") {
        match &event.body {
            Body::Device(info) => {
                raw.parents.extend(info.parent.map(|parent| (info.dev, parent)));
            }
            Body::Link { supplier, consumer, status, .. } => {
                raw.suppliers.entry(*consumer).or_default().insert(*supplier, *status);
            }
            Body::DeviceWait { dev, target: Some(target), why: DeviceWaitKind::Explicit } => {
                raw.waits.insert((*dev, *target));
            }
            Body::Phase { action, start, .. } => match (step_of_phase(action), start, open.take()) {
                (Some(step), true, _) => {
                    open = Some(Phase { step, start: event.time, runs: BTreeMap::new() });
                }
                (Some(step), false, Some(phase)) if phase.step == step => {
                    let known = Raw {
                        parents: raw.parents.clone(),
                        suppliers: raw.suppliers.clone(),
                        waits: raw.waits.clone(),
                    };
                    done.push((known, phase));
                }
                (_, _, other) => open = other,
            },
            Body::StepStart { dev, step, is_async, .. } if open.as_ref().is_some_and(|o| o.step == *step) => {
                let run = Run { start: event.time, end: 0, tid: event.task.tid, is_async: *is_async };
                current.insert(*dev, run);
            }
            Body::StepEnd { dev, .. } => {
                if let (Some(run), Some(phase)) = (current.remove(dev), &mut open) {
                    phase.runs.insert(*dev, Run { end: event.time, ..run });
                }
            }
            _ => {}
        }
    }
    done
}

#[test]
fn it_is_the_one_that_follows_from_the_raw_events() {
    let mut compared = 0;
    for name in ["6.1-healthy", "6.12-healthy", "6.1-pmlab-async", "6.1-pmlab-race", "6.12-rescan-guarded"] {
        let paths = told(name);
        let phases = raw(name);
        assert_eq!(paths.len(), phases.len(), "{name}");
        for (path, (raw, phase)) in paths.iter().zip(&phases) {
            let mut expected = raw.path(phase);
            expected.reverse();
            let told: Vec<_> =
                path.parts.iter().map(|part| (ObjId(part.device.id), part.start, part.own)).collect();
            assert_eq!(told, expected, "{name} {}", path.step);
            let whole = raw.length(phase, None);
            for part in path.parts.iter().filter(|part| part.gain.is_some()).take(3) {
                let without = raw.length(phase, Some(ObjId(part.device.id)));
                assert_eq!(part.gain, Some(whole - without), "{name} {} {}", path.step, part.device.name);
                compared += 1;
            }
        }
    }
    assert!(compared > 20, "{compared}");
}
