//! What is different between two sets of cycles: what got slower, what changed its order, what is found now.

use super::CycleRow;
use super::stats::{Compared, Spread, mann_whitney};
use super::steps::Steps;
use super::text::Short;
use crate::diagnose::{Kind, seconds};
use crate::event::{Nanos, Step};
use crate::text::Page;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

/// Version of the JSON comparison.
pub const SCHEMA: u32 = 1;
/// Callbacks that differ by less are not told, in nanoseconds.
const LEAST: Nanos = 1_000_000;
/// Most devices told whose order changed.
const MOVED: usize = 20;
/// Most lines of each sort in text.
const LISTED: usize = 12;
/// Most of them in text.
const MOVED_TOLD: usize = 6;

/// Something that takes another time now.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Slower {
    /// `suspend (mem)`, `resume (mem)`, with the kind of sleep, or `resume of 1:0:0:0 (scsi)`.
    pub what: String,
    /// Median before, in nanoseconds.
    pub before: Nanos,
    /// Median after, in nanoseconds.
    pub after: Nanos,
    /// Probability that chance alone shows such a difference; `None` for fewer than six cycles on a side.
    pub chance: Option<f64>,
    /// With about so many cycles on each side, a difference like this would be told from chance; `None` if it is told
    /// already, and if that cannot be said.
    pub needed: Option<u64>,
    /// It is more than chance, as far as that can be told.
    #[serde(skip)]
    is_real: bool,
}

impl Slower {
    /// By how much of the time before, in percent; negative if it is faster.
    pub fn percent(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a percentage for people")]
        let ratio = self.after as f64 / self.before.max(1) as f64;
        (ratio - 1.0) * 100.0
    }
}

/// A callback that was not there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct New {
    /// `resume of slow_supplier (platform)`.
    pub what: String,
    /// Median, in nanoseconds.
    pub took: Nanos,
}

/// Something that was found on one side only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Seen {
    /// What.
    pub kind: Kind,
    /// In one line, without the numbers of tasks, which differ from boot to boot.
    pub title: String,
    /// In how many cycles.
    pub cycles: usize,
}

/// Two sets of cycles compared.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Diff {
    /// Version of this format.
    pub schema: u32,
    /// Cycles before and after.
    pub cycles: [usize; 2],
    /// Suspend and resume as a whole, whatever the difference.
    pub whole: Vec<Slower>,
    /// Callbacks that take longer by more than the threshold, the largest difference first.
    pub slower: Vec<Slower>,
    /// Callbacks that take less time by more than the threshold, the largest difference first.
    pub faster: Vec<Slower>,
    /// Callbacks of a millisecond or more that there were none of before, the longest first.
    pub new: Vec<New>,
    /// Devices that the PM core resumes at another place among the others than before: at most 20, those first that
    /// moved farthest.
    pub moved: Vec<String>,
    /// How many devices moved.
    pub moved_count: usize,
    /// What is found now and was not before.
    pub appeared: Vec<Seen>,
    /// What was found before and is not now.
    pub gone: Vec<Seen>,
    /// Percent that a time may grow.
    pub threshold: f64,
}

/// One side of a comparison.
#[derive(Debug, Default)]
pub struct Side {
    cycles: Vec<CycleRow>,
    steps: Steps,
}

impl Side {
    /// Reads traces.
    ///
    /// # Errors
    /// One of them cannot be read: a comparison that leaves something out would mislead.
    pub fn read(files: &[PathBuf]) -> Result<Self, crate::trace::Error> {
        let mut side = Self::default();
        for file in files {
            let mut steps = std::mem::take(&mut side.steps);
            side.cycles.extend(super::rows_with(file, |event| steps.take(event))?.cycles);
            // Ids are those of one trace.
            side.steps = steps.next_trace();
        }
        Ok(side)
    }

    /// Cycles without the traces that they are from.
    #[cfg(test)]
    pub(super) fn of_rows(cycles: Vec<CycleRow>) -> Self {
        Self { cycles, ..Self::default() }
    }

    /// What was found, and in how many cycles.
    fn findings(&self) -> BTreeMap<(Kind, String), usize> {
        let mut found = BTreeMap::new();
        for cycle in &self.cycles {
            let of_cycle: BTreeSet<(Kind, String)> =
                cycle.found.iter().map(|found| (found.kind, without_task_ids(&found.title))).collect();
            of_cycle.into_iter().for_each(|key| *found.entry(key).or_default() += 1);
        }
        found
    }
}

/// `kworker/0:1[46] does not end` of one boot is `kworker/0:1[52] does not end` of another.
pub(super) fn without_task_ids(title: &str) -> String {
    let mut parts = title.split('[');
    let mut generic = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(']') {
            Some((id, rest)) if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) => {
                generic.push_str(rest);
            }
            _ => {
                generic.push('[');
                generic.push_str(part);
            }
        }
    }
    generic
}

/// What only `some` has and `others` have not.
fn only(some: &BTreeMap<(Kind, String), usize>, others: &BTreeMap<(Kind, String), usize>) -> Vec<Seen> {
    let only = some.iter().filter(|(key, _)| !others.contains_key(*key));
    only.map(|((kind, title), cycles)| Seen { kind: *kind, title: title.clone(), cycles: *cycles }).collect()
}

impl Diff {
    /// Compares; a time that grew by more than `threshold` percent is slower.
    pub fn new(before: &Side, after: &Side, threshold: f64) -> Self {
        let whole = whole(before, after);
        let mut differ: Vec<Slower> = after
            .steps
            .callbacks()
            .filter_map(|(device, step, now)| {
                let then = before.steps.callback(device, step)?;
                compare(&format!("{step} of {device}"), then.to_vec(), now.to_vec())
            })
            .filter(|slower| slower.before.abs_diff(slower.after) >= LEAST && slower.is_real)
            .collect();
        differ.sort_by_key(|slower| std::cmp::Reverse(slower.before.abs_diff(slower.after)));
        let slower = differ.iter().filter(|slower| slower.percent() > threshold).cloned().collect();
        let faster = differ.iter().filter(|slower| slower.percent() < -threshold).cloned().collect();
        let is_new = |(device, step, now): (&_, &'static str, &[Nanos])| {
            let took = Spread::of(now.to_vec())?.median;
            let known = before.steps.callback(device, step).is_some_and(|then| !then.is_empty());
            (!known && took >= LEAST).then(|| New { what: format!("{step} of {device}"), took })
        };
        let mut new: Vec<New> = after.steps.callbacks().filter_map(is_new).collect();
        new.sort_by_key(|new| std::cmp::Reverse(new.took));
        let (then, now) = (before.findings(), after.findings());
        let mut moved = moved(&before.steps, &after.steps);
        let moved_count = moved.len();
        moved.truncate(MOVED);
        Self {
            schema: SCHEMA,
            cycles: [before.cycles.len(), after.cycles.len()],
            whole,
            slower,
            faster,
            new,
            moved,
            moved_count,
            appeared: only(&now, &then),
            gone: only(&then, &now),
            threshold,
        }
    }

    /// Suspend or resume as a whole is slower by more than the threshold, or something is found that was not before.
    pub fn is_worse(&self) -> bool {
        !self.appeared.is_empty()
            || self.whole.iter().any(|whole| whole.percent() > self.threshold && whole.is_real)
    }

    /// For a terminal.
    pub fn text(&self, columns: usize) -> String {
        let mut page = Page::new(columns);
        let [before, after] = self.cycles;
        let verdict = if self.is_worse() { "WORSE" } else { "OK" };
        let limit = format!("{} % is the threshold", self.threshold);
        page.margins(&format!("{verdict}  cycles: {before} before, {after} after"), &limit);
        let changed = |slower: &Slower| {
            let chance = match (slower.chance, slower.needed) {
                _ if slower.is_real => String::new(),
                (Some(chance), Some(needed)) => {
                    format!(
                        "; may be chance: p = {}, about {needed} cycles of each would tell",
                        Short(chance)
                    )
                }
                _ => ", no more than chance".to_owned(),
            };
            let (before, after) = (seconds(slower.before), seconds(slower.after));
            format!("{}: {before} -> {after} ({:+.0} %{chance})", slower.what, slower.percent())
        };
        let mut told = |title: &str, lines: Vec<String>| {
            for (place, line) in lines.iter().take(LISTED).enumerate() {
                page.paragraph(&format!("  {:<11}", if place == 0 { title } else { "" }), line);
            }
            if let Some(left @ 1..) = lines.len().checked_sub(LISTED) {
                page.paragraph(&format!("  {:<11}", ""), &format!("and {left} more (--format json has all)"));
            }
        };
        told("whole", self.whole.iter().map(changed).collect());
        let seen = |seen: &[Seen], of: usize| -> Vec<String> {
            seen.iter().map(|seen| format!("{} (in {} of {of} cycles)", seen.title, seen.cycles)).collect()
        };
        told("appeared", seen(&self.appeared, after));
        told("gone", seen(&self.gone, before));
        told("new", self.new.iter().map(|new| format!("{}: {}", new.what, seconds(new.took))).collect());
        told("slower", self.slower.iter().map(changed).collect());
        told("faster", self.faster.iter().map(changed).collect());
        if !self.moved.is_empty() {
            let told_of = &self.moved[..self.moved.len().min(MOVED_TOLD)];
            let rest = match self.moved_count - told_of.len() {
                0 => String::new(),
                left => format!(" and {left} more"),
            };
            let devices = told_of.join(", ");
            told("moved", vec![format!("resumed at another place among the others: {devices}{rest}")]);
        }
        if self.whole.iter().any(|whole| whole.chance.is_none()) {
            page.paragraph(
                "  note       ",
                "fewer than six cycles on a side: nothing of this can be told from chance",
            );
        }
        page.into_text()
    }

    /// For programs: one JSON object, indented, with a line feed at its end.
    ///
    /// # Errors
    /// Never in practice; the serializer's error is passed on.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|json| json + "\n")
    }
}

/// How long a part of a cycle took, if it got there.
type Part = fn(&CycleRow) -> Option<Nanos>;

/// Suspend and resume as a whole for each kind of sleep that both sides have.
fn whole(before: &Side, after: &Side) -> Vec<Slower> {
    let kinds = |side: &Side| side.cycles.iter().map(|cycle| cycle.sleep.clone()).collect::<BTreeSet<_>>();
    let times = |side: &Side, sleep: &str, of: Part| {
        side.cycles.iter().filter(|cycle| cycle.sleep == sleep).filter_map(of).collect()
    };
    let parts: [(&str, Part); 2] =
        [("suspend", |cycle| cycle.times.suspend), ("resume", |cycle| cycle.times.resume)];
    let mut whole = Vec::new();
    for sleep in kinds(before).intersection(&kinds(after)) {
        for (what, of) in parts {
            let what = format!("{what} ({sleep})");
            whole.extend(compare(&what, times(before, sleep, of), times(after, sleep, of)));
        }
    }
    whole
}

fn compare(what: &str, before: Vec<Nanos>, after: Vec<Nanos>) -> Option<Slower> {
    let compared = mann_whitney(&before, &after);
    let (before, after) = (Spread::of(before)?.median, Spread::of(after)?.median);
    Some(Slower {
        what: what.to_owned(),
        before,
        after,
        chance: compared.map(|compared| compared.chance),
        needed: compared.as_ref().and_then(Compared::needed),
        is_real: compared.as_ref().is_none_or(Compared::is_real),
    })
}

/// Devices that have to be taken out for the rest to be in the same order on both sides: all that are not in a longest
/// common subsequence. Those first that moved farthest.
fn moved(before: &Steps, after: &Steps) -> Vec<String> {
    let (then, now) = (before.order(Step::Resume), after.order(Step::Resume));
    let known: BTreeSet<_> = now.iter().copied().collect();
    let then: Vec<_> = then.into_iter().filter(|device| known.contains(device)).collect();
    let places: HashMap<_, usize> = then.iter().enumerate().map(|(place, device)| (*device, place)).collect();
    let common: Vec<(usize, _)> =
        now.iter().filter_map(|device| Some((*places.get(device)?, *device))).collect();
    // Patience sorting: the last of the best run of each length, and where each came from.
    let mut ends: Vec<usize> = Vec::new();
    let mut from: Vec<Option<usize>> = Vec::with_capacity(common.len());
    for (number, (place, _)) in common.iter().enumerate() {
        let length = ends.partition_point(|&end| common[end].0 < *place);
        from.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        if length == ends.len() { ends.push(number) } else { ends[length] = number }
    }
    let mut stays = BTreeSet::new();
    let mut at = ends.last().copied();
    while let Some(number) = at {
        stays.insert(number);
        at = from[number];
    }
    let mut moved: Vec<(usize, usize)> = common
        .iter()
        .enumerate()
        .filter(|(number, _)| !stays.contains(number))
        .map(|(number, (place, _))| (number.abs_diff(*place), number))
        .collect();
    moved.sort_by_key(|&(far, number)| (std::cmp::Reverse(far), number));
    moved.iter().map(|&(_, number)| common[number].1.to_string()).collect()
}
