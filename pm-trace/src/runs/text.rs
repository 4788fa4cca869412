//! The summary for people.

use super::{Change, CycleRow, KernelRow, Outlier, Summary};
use crate::diagnose::{Outcome, seconds};
use crate::event::Nanos;
use crate::text::{self, Page, counted};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Columns of the Markdown: a mail program breaks longer lines.
const MARKDOWN: usize = 76;
/// Most cycles of a trace named that stand out.
const OUTLIERS: usize = 8;

pub(super) fn text(summary: &Summary, columns: usize) -> String {
    let mut page = Page::new(columns);
    page.paragraph("", &head(summary));
    page.gap();
    for kernel in &summary.kernels {
        page.wrapped("", 2, &kernel_head(kernel));
        for line in aligned(&kernel_rows(kernel)) {
            page.verbatim(&format!("  {line}"));
        }
    }
    told(&mut page, summary, "  ");
    page.gap();
    page.paragraph("", "cycles");
    cycles(&mut page, summary, "  ");
    page.into_text()
}

pub(super) fn markdown(summary: &Summary) -> String {
    let mut page = Page::new(MARKDOWN);
    page.paragraph("", &format!("# {}", head(summary)));
    for kernel in &summary.kernels {
        page.gap();
        page.paragraph("## ", &kernel_head(kernel));
        page.gap();
        // A table that is laid out already stays one in a mail, where nothing is rendered.
        for line in aligned(&kernel_rows(kernel)) {
            page.verbatim(&format!("    {line}"));
        }
    }
    told(&mut page, summary, "- ");
    page.gap();
    page.paragraph("", "## Cycles");
    page.gap();
    cycles(&mut page, summary, "    ");
    page.into_text()
}

pub(super) fn head(summary: &Summary) -> String {
    let unrecorded = summary.unrecorded.iter().map(|cycle| cycle.file.as_str());
    let files: BTreeSet<&str> = summary.cycles.iter().map(|c| c.file.as_str()).chain(unrecorded).collect();
    let found = summary.cycles.iter().filter(|cycle| !cycle.found.is_empty()).count();
    let lost: u64 = summary.cycles.iter().map(|cycle| cycle.lost).sum();
    let cycles = summary.cycles.len() + summary.unrecorded.len();
    let mut head = format!("{} in {}, ", counted(cycles, "cycle"), counted(files.len(), "trace"));
    // Writing to a String cannot fail.
    let _ = match found {
        0 => write!(head, "nothing wrong found"),
        found => write!(head, "something found in {found}"),
    };
    if !summary.unrecorded.is_empty() {
        let _ = write!(head, ", nothing recorded of {}", summary.unrecorded.len());
    }
    if lost > 0 {
        let _ = write!(head, ", {lost} records lost");
    }
    head
}

/// Rows with their cells below each other; all but the first are figures, to the right.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let wide = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| wide(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let cell = text::line(cell);
            let _ = match column {
                0 => write!(line, "{cell:<width$}"),
                _ => write!(line, "  {cell:>width$}"),
            };
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

pub(super) fn kernel_head(kernel: &KernelRow) -> String {
    let mut head = format!("{}, {}: {}", kernel.kernel, kernel.sleep, counted(kernel.cycles, "cycle"));
    for (count, what) in [(kernel.stuck, "not back"), (kernel.with_findings, "with something found")] {
        if count > 0 {
            let _ = write!(head, ", {count} {what}");
        }
    }
    head
}

pub(super) fn kernel_rows(kernel: &KernelRow) -> Vec<Vec<String>> {
    let mut rows = vec![["", "median", "90 %", "99 %", "longest"].map(str::to_owned).to_vec()];
    for (what, spread) in [("suspend", &kernel.suspend), ("resume", &kernel.resume)] {
        let Some(s) = spread else { continue };
        let figures = [s.median, s.p90, s.p99, s.most].map(seconds);
        rows.push(std::iter::once(what.to_owned()).chain(figures).collect());
    }
    rows
}

fn told(page: &mut Page, summary: &Summary, lead: &str) {
    page.gap();
    for line in told_lines(summary) {
        page.wrapped(lead, 4, &line);
    }
}

/// What stands out, in sentences.
pub(super) fn told_lines(summary: &Summary) -> Vec<String> {
    let change = |change: &Change| {
        let word = if change.after > change.before { "slower" } else { "faster" };
        format!(
            "{} ({}) is {word} on {} than on {}: median {} instead of {} (by chance alone: p = {})",
            change.what,
            change.sleep,
            change.to,
            change.from,
            seconds(change.after),
            seconds(change.before),
            Short(change.chance)
        )
    };
    let mut lines: Vec<String> = summary.changes.iter().map(change).collect();
    lines.extend(outliers(summary));
    lines.extend(summary.unrecorded.iter().map(|cycle| {
        format!(
            "cycle {} of {} began and left nothing: pm-trace was frozen with the rest, and the machine did not come \
             back ('suspend --live' stays awake; 'pm-trace recover' looks for what survived)",
            cycle.number,
            Names::of(summary).name(&cycle.file)
        )
    }));
    lines.extend(summary.unread.iter().map(|unread| format!("not read: {}", unread.reason)));
    lines
}

/// One sentence for each trace: a list as long as the trace would say that nothing stands out.
fn outliers(summary: &Summary) -> Vec<String> {
    let names = Names::of(summary);
    let mut by_file: BTreeMap<(&str, &str), Vec<&Outlier>> = BTreeMap::new();
    for outlier in &summary.outliers {
        by_file.entry((&outlier.file, &outlier.sleep)).or_default().push(outlier);
    }
    let sentence = |((file, sleep), outliers): ((&str, &str), Vec<&Outlier>)| {
        let of = summary.cycles.iter().filter(|cycle| cycle.file == file && cycle.sleep == sleep).count();
        let told = outliers.iter().take(OUTLIERS);
        let told: Vec<String> =
            told.map(|outlier| format!("{} in cycle {}", seconds(outlier.resume), outlier.number)).collect();
        let rest = match outliers.len().saturating_sub(OUTLIERS) {
            0 => String::new(),
            left => format!(" and {left} more"),
        };
        let median = outliers.first().map_or(0, |outlier| outlier.median);
        format!(
            "{} of {of} resumes of {} stand out ({sleep}; the median is {}): {}{rest}",
            outliers.len(),
            names.name(file),
            seconds(median),
            told.join(", ")
        )
    };
    by_file.into_iter().map(sentence).collect()
}

/// A probability: `0.0021`, `3e-9`.
pub(super) struct Short(pub(super) f64);

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 < 1e-4 { write!(f, "{:.0e}", self.0) } else { write!(f, "{:.4}", self.0) }
    }
}

fn cycles(page: &mut Page, summary: &Summary, lead: &str) {
    let mut rows = vec![["trace", "cycle", "suspend", "resume"].map(str::to_owned).to_vec()];
    let mut last = None;
    for (cycle, [mut file, number, suspend, resume]) in summary.cycles.iter().zip(cycle_cells(summary)) {
        if last == Some(&cycle.file) {
            file.clear();
        }
        last = Some(&cycle.file);
        rows.push(vec![file, number, suspend, resume]);
    }
    let remarks = std::iter::once("slowest step, or what was found".to_owned());
    let remarks = remarks.chain(summary.cycles.iter().map(remark));
    for (line, remark) in aligned(&rows).iter().zip(remarks) {
        let lead = format!("{lead}{line}  ");
        page.wrapped(&lead, lead.chars().count().min(page.width() / 2), &remark);
    }
}

/// Of each cycle: its trace, its number, how long suspend and resume took.
pub(super) fn cycle_cells(summary: &Summary) -> Vec<[String; 4]> {
    let names = Names::of(summary);
    let took = |time: Option<Nanos>| time.map_or_else(|| "-".to_owned(), seconds);
    let cells = |cycle: &CycleRow| {
        let [suspend, resume] = [cycle.times.suspend, cycle.times.resume].map(took);
        [names.name(&cycle.file), cycle.number.to_string(), suspend, resume]
    };
    summary.cycles.iter().map(cells).collect()
}

/// What the traces are called: by their file names, and by their paths where these are the same. What all paths
/// begin with says nothing.
struct Names<'a> {
    shared: BTreeSet<&'a OsStr>,
    /// Folders that all paths begin with.
    folders: usize,
}

impl<'a> Names<'a> {
    fn of(summary: &'a Summary) -> Self {
        let files: BTreeSet<&Path> = summary.cycles.iter().map(|cycle| Path::new(&cycle.file)).collect();
        let (mut seen, mut shared) = (BTreeSet::new(), BTreeSet::new());
        for name in files.iter().filter_map(|file| file.file_name()) {
            if !seen.insert(name) {
                shared.insert(name);
            }
        }
        let folders = |file: &Path| file.parent().map_or(0, |folder| folder.components().count());
        let common =
            |a: &Path, b: &Path| a.components().zip(b.components()).take_while(|(a, b)| a == b).count();
        let first = files.first().copied().unwrap_or_else(|| Path::new(""));
        let folders = files.iter().map(|file| common(first, file).min(folders(file))).min().unwrap_or(0);
        Self { shared, folders }
    }

    fn name(&self, file: &str) -> String {
        let path = Path::new(file);
        match path.file_name() {
            Some(name) if self.shared.contains(name) => {
                path.components().skip(self.folders).collect::<PathBuf>().display().to_string()
            }
            Some(name) => name.to_string_lossy().into_owned(),
            None => file.to_owned(),
        }
    }
}

pub(super) fn remark(cycle: &CycleRow) -> String {
    let outcome = match cycle.outcome {
        Outcome::Resumed => "",
        Outcome::Suspending => "not asleep: ",
        Outcome::Resuming => "not back: ",
        Outcome::Aborted => "given up: ",
    };
    let found: Vec<&str> = cycle.found.iter().map(|found| found.title.as_str()).collect();
    let told = match (&cycle.slowest, found.is_empty()) {
        (_, false) => found.join("; "),
        (Some(step), _) => format!("{} of {} {}", step.step, step.device.full_name(), seconds(step.callback)),
        (None, _) => String::new(),
    };
    format!("{outcome}{told}")
}
