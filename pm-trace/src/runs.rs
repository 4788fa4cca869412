//! Many cycles side by side: how long they took, which stand out, and whether one kernel is slower than another.
//!
//! The cycles come from any number of traces. Each is reduced to a [`CycleRow`] as soon as its trace is read, so that
//! memory is bounded by cycles and not by events.

mod diff;
mod html;
mod stats;
mod steps;
mod text;
mod times;

#[cfg(test)]
mod html_tests;
#[cfg(test)]
mod tests;

pub use diff::{Diff, Side, Slower};
pub use stats::Spread;
pub use times::{Times, times};

use crate::diagnose::{
    self, Analysis, CycleSummary, Explained, Finding, Kind, Outcome, Severity, StepSummary,
};
use crate::event::{Event, Nanos};
use schemars::JsonSchema;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Version of the JSON summary.
pub const SCHEMA: u32 = 1;
/// A resume is an outlier if it is longer than the median of its kernel by so many times the median deviation from
/// it. For normal noise that is one in 4000.
const OUTLIER: u64 = 5;
/// ... and by so much of the median, in percent: in a very even run a millisecond would stand out.
const OUTLIER_PERCENT: u64 = 10;
/// Fewest cycles that tell what is usual.
const USUAL: usize = 5;

/// What was found in a cycle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Found {
    /// What.
    pub kind: Kind,
    /// In one line.
    pub title: String,
}

/// One suspend and resume.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CycleRow {
    /// The trace.
    pub file: String,
    /// Number of the cycle in it, from 1.
    pub number: u32,
    /// Kernel release.
    pub kernel: String,
    /// What was entered: `mem`, `freeze` or `standby`; `test` if a test level stopped it before. Of a cycle that did not get
    /// there what was asked for, or `unknown`.
    pub sleep: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How long suspend and resume took.
    pub times: Times,
    /// The step with the slowest callback.
    pub slowest: Option<StepSummary>,
    /// What was found, apart from what the kernel handled by itself.
    pub found: Vec<Found>,
    /// Records lost.
    pub lost: u64,
}

/// All cycles of one kernel and one kind of sleep: times of different kinds say nothing about each other.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct KernelRow {
    /// Kernel release.
    pub kernel: String,
    /// Kind of sleep, as in a cycle.
    pub sleep: String,
    /// Cycles.
    pub cycles: usize,
    /// Cycles that did not come back.
    pub stuck: usize,
    /// Cycles in which something was found.
    pub with_findings: usize,
    /// Suspend, in nanoseconds; `None` if no cycle has it.
    pub suspend: Option<Spread>,
    /// Resume, in nanoseconds; `None` if no cycle has it.
    pub resume: Option<Spread>,
}

/// A cycle whose resume stands out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Outlier {
    /// The trace.
    pub file: String,
    /// Number of the cycle in it.
    pub number: u32,
    /// Kind of sleep, as in a cycle.
    pub sleep: String,
    /// Its resume, in nanoseconds.
    pub resume: Nanos,
    /// The median of its kernel and kind of sleep, in nanoseconds.
    pub median: Nanos,
}

/// A kernel that is slower, or faster, than the one before it in the list.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// `suspend` or `resume`.
    pub what: String,
    /// Kind of sleep, as in a cycle.
    pub sleep: String,
    /// The kernel before.
    pub from: String,
    /// The kernel after.
    pub to: String,
    /// Median before, in nanoseconds.
    pub before: Nanos,
    /// Median after, in nanoseconds.
    pub after: Nanos,
    /// Probability that chance alone shows such a difference (Mann-Whitney U, two-sided).
    pub chance: f64,
}

/// A trace that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unread {
    /// The file.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// A cycle that began and left nothing: pm-trace was frozen with the rest, and the machine did not come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unrecorded {
    /// The trace.
    pub file: String,
    /// Number of the cycle in it.
    pub number: u32,
    /// Kernel release.
    pub kernel: String,
}

/// Many cycles side by side.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Summary {
    /// Version of this format.
    pub schema: u32,
    /// Every cycle, in the order of files.
    pub cycles: Vec<CycleRow>,
    /// By kernel and kind of sleep, in the order of first appearance.
    pub kernels: Vec<KernelRow>,
    /// Cycles whose resume stands out, longest first.
    pub outliers: Vec<Outlier>,
    /// Differences between one kernel and the next that are more than chance.
    pub changes: Vec<Change>,
    /// Cycles that began and of which nothing was recorded.
    pub unrecorded: Vec<Unrecorded>,
    /// Traces that could not be read.
    pub unread: Vec<Unread>,
}

/// The traces meant by the names: files, and in folders all that end in `.pmtrace`, sorted.
///
/// # Errors
/// A folder that cannot be read.
pub fn files(names: &[PathBuf]) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for name in names {
        if !name.is_dir() {
            files.push(name.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(name)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "pmtrace") && path.is_file() {
                inside.push(path);
            }
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

/// What one trace has of cycles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Those recorded.
    pub cycles: Vec<CycleRow>,
    /// The last, if it began and nothing of it was recorded.
    pub unrecorded: Option<Unrecorded>,
}

/// The cycles of one trace.
///
/// # Errors
/// It is no readable trace.
pub fn rows(path: &Path) -> Result<Rows, crate::trace::Error> {
    rows_with(path, |_| {})
}

/// The same, with every event shown to `each`.
fn rows_with(path: &Path, each: impl FnMut(&Event)) -> Result<Rows, crate::trace::Error> {
    let explained = Explained::read_with(path, Analysis::default(), each)?;
    let session = explained.session.as_ref();
    let kernel = session.map_or_else(|| "unknown".to_owned(), |session| session.kernel.release.clone());
    let file = path.display().to_string();
    let asked = session.and_then(|session| session.state.as_deref());
    let row = |cycle: &CycleSummary| CycleRow {
        sleep: sleep(cycle, asked).to_owned(),
        ..row(&file, &kernel, cycle, &explained.findings)
    };
    let cycles = diagnose::cycles(explained.model()).iter().map(row).collect();
    let recorded = explained.model().transition().map_or(0, |last| last.number);
    let begun = explained.read.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.begun);
    // A suspend that the kernel refused at once leaves nothing either, but the recording goes on to its end.
    let is_cut = explained.read.totals.is_none();
    let unrecorded = (is_cut && begun > recorded).then_some(Unrecorded { file, number: begun, kernel });
    Ok(Rows { cycles, unrecorded })
}

/// What the cycle entered (`suspend_state_t` of `machine_suspend`), or was to enter.
pub(crate) fn sleep<'a>(cycle: &CycleSummary, asked: Option<&'a str>) -> &'a str {
    let entered = cycle.phases.iter().find(|phase| phase.action == "machine_suspend");
    match entered.map(|phase| phase.value) {
        Some(1) => "freeze",
        Some(2) => "standby",
        Some(3) => "mem",
        None if cycle.outcome == Outcome::Resumed => "test",
        _ => asked.unwrap_or("unknown"),
    }
}

fn row(file: &str, kernel: &str, cycle: &CycleSummary, findings: &[Finding]) -> CycleRow {
    let of_cycle = |finding: &&Finding| finding.cycle == cycle.number && finding.severity > Severity::Info;
    let found = |finding: &Finding| Found { kind: finding.kind, title: finding.title.clone() };
    CycleRow {
        file: file.to_owned(),
        number: cycle.number,
        kernel: kernel.to_owned(),
        sleep: String::new(),
        outcome: cycle.outcome,
        times: times(cycle),
        slowest: cycle.slowest.first().cloned(),
        found: findings.iter().filter(of_cycle).map(found).collect(),
        lost: cycle.lost,
    }
}

impl Summary {
    /// Reads the traces one after the other.
    pub fn of(files: &[PathBuf]) -> Self {
        let (mut cycles, mut unrecorded, mut unread) = (Vec::new(), Vec::new(), Vec::new());
        for file in files {
            match rows(file) {
                Ok(mut rows) => {
                    cycles.append(&mut rows.cycles);
                    unrecorded.extend(rows.unrecorded);
                }
                Err(error) => {
                    unread.push(Unread { file: file.display().to_string(), reason: error.to_string() });
                }
            }
        }
        Self { unrecorded, ..Self::new(cycles, unread) }
    }

    /// Compares the cycles.
    pub fn new(cycles: Vec<CycleRow>, unread: Vec<Unread>) -> Self {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for cycle in &cycles {
            let key = (cycle.kernel.as_str(), cycle.sleep.as_str());
            match groups.iter_mut().find(|group| (group.kernel, group.sleep) == key) {
                Some(group) => group.cycles.push(cycle),
                None => groups.push(Group { kernel: key.0, sleep: key.1, cycles: vec![cycle] }),
            }
        }
        let kernels: Vec<KernelRow> = groups.iter().map(Group::row).collect();
        let mut outliers: Vec<Outlier> =
            groups.iter().zip(&kernels).flat_map(|(group, row)| outliers(group, row)).collect();
        outliers.sort_by_key(|outlier| std::cmp::Reverse(outlier.resume));
        let before =
            |place: usize, to: &Group<'_>| groups[..place].iter().rfind(|from| from.sleep == to.sleep);
        let changes = groups
            .iter()
            .enumerate()
            .filter_map(|(place, to)| Some(changes(before(place, to)?, to)))
            .flatten()
            .collect();
        Self { schema: SCHEMA, kernels, outliers, changes, unrecorded: Vec::new(), unread, cycles }
    }

    /// Every cycle left something, and nothing was found in any that is a fault of the machine.
    pub fn is_clean(&self) -> bool {
        self.unrecorded.is_empty()
            && !self.cycles.iter().flat_map(|cycle| &cycle.found).any(|found| found.kind.is_fault())
    }

    /// For a terminal.
    pub fn text(&self, columns: usize) -> String {
        text::text(self, columns)
    }

    /// For a mail or a bug tracker.
    pub fn markdown(&self) -> String {
        text::markdown(self)
    }

    /// For a browser: one file.
    ///
    /// # Errors
    /// Never in practice; the template's error is passed on.
    pub fn html(&self) -> Result<String, askama::Error> {
        html::html(self)
    }

    /// For programs: one JSON object, indented, with a line feed at its end.
    ///
    /// # Errors
    /// Never in practice; the serializer's error is passed on.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|json| json + "\n")
    }
}

/// The JSON schema of [`Summary`], which is `docs/summary.schema.json`.
///
/// # Errors
/// Never in practice; the serializer's error is passed on.
pub fn summary_schema() -> serde_json::Result<String> {
    schema_of::<Summary>()
}

/// The JSON schema of [`Diff`], which is `docs/diff.schema.json`.
///
/// # Errors
/// Never in practice; the serializer's error is passed on.
pub fn diff_schema() -> serde_json::Result<String> {
    schema_of::<Diff>()
}

fn schema_of<T: JsonSchema>() -> serde_json::Result<String> {
    serde_json::to_string_pretty(&schemars::schema_for!(T)).map(|json| json + "\n")
}

fn suspends(cycles: &[&CycleRow]) -> Vec<Nanos> {
    cycles.iter().filter_map(|cycle| cycle.times.suspend).collect()
}

fn resumes(cycles: &[&CycleRow]) -> Vec<Nanos> {
    cycles.iter().filter_map(|cycle| cycle.times.resume).collect()
}

/// The cycles of one kernel and one kind of sleep.
struct Group<'a> {
    kernel: &'a str,
    sleep: &'a str,
    cycles: Vec<&'a CycleRow>,
}

impl Group<'_> {
    fn row(&self) -> KernelRow {
        let count = |is: fn(&CycleRow) -> bool| self.cycles.iter().filter(|cycle| is(cycle)).count();
        KernelRow {
            kernel: self.kernel.to_owned(),
            sleep: self.sleep.to_owned(),
            cycles: self.cycles.len(),
            stuck: count(|cycle| matches!(cycle.outcome, Outcome::Suspending | Outcome::Resuming)),
            with_findings: count(|cycle| !cycle.found.is_empty()),
            suspend: Spread::of(suspends(&self.cycles)),
            resume: Spread::of(resumes(&self.cycles)),
        }
    }
}

fn outliers(group: &Group<'_>, kernel: &KernelRow) -> Vec<Outlier> {
    let cycles = &group.cycles;
    let Some(spread) = kernel.resume.as_ref().filter(|_| cycles.len() >= USUAL) else { return Vec::new() };
    let deviation = stats::median_deviation(&resumes(cycles), spread.median).saturating_mul(OUTLIER);
    let beyond = spread.median.saturating_add(deviation.max(spread.median / 100 * OUTLIER_PERCENT));
    let outlier = |cycle: &&CycleRow| {
        let resume = cycle.times.resume.filter(|&resume| resume > beyond)?;
        let (file, sleep) = (cycle.file.clone(), cycle.sleep.clone());
        Some(Outlier { file, number: cycle.number, sleep, resume, median: spread.median })
    };
    cycles.iter().filter_map(outlier).collect()
}

fn changes(from: &Group<'_>, to: &Group<'_>) -> Vec<Change> {
    let change = |what: &str, before: Vec<Nanos>, after: Vec<Nanos>| {
        let compared = stats::mann_whitney(&before, &after)?;
        let (before, after) = (Spread::of(before)?.median, Spread::of(after)?.median);
        compared.is_real().then(|| Change {
            what: what.to_owned(),
            sleep: to.sleep.to_owned(),
            from: from.kernel.to_owned(),
            to: to.kernel.to_owned(),
            before,
            after,
            chance: compared.chance,
        })
    };
    let suspend = change("suspend", suspends(&from.cycles), suspends(&to.cycles));
    let resume = change("resume", resumes(&from.cycles), resumes(&to.cycles));
    [suspend, resume].into_iter().flatten().collect()
}
