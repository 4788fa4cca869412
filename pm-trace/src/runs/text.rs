//! The summary for people.

use super::{CycleRow, KernelRow, Summary};
use crate::diagnose::{Outcome, seconds};
use crate::event::Nanos;
use crate::text::{self, Page};
use std::fmt::Write as _;

/// Columns of the Markdown: a mail program breaks longer lines.
const MARKDOWN: usize = 76;

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

fn head(summary: &Summary) -> String {
    let files: std::collections::BTreeSet<&str> = summary.cycles.iter().map(|c| c.file.as_str()).collect();
    let found = summary.cycles.iter().filter(|cycle| !cycle.found.is_empty()).count();
    let lost: u64 = summary.cycles.iter().map(|cycle| cycle.lost).sum();
    let mut head = format!("{} cycles in {} traces, ", summary.cycles.len(), files.len());
    // Writing to a String cannot fail.
    let _ = match found {
        0 => write!(head, "nothing wrong found"),
        found => write!(head, "something found in {found}"),
    };
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

fn kernel_head(kernel: &KernelRow) -> String {
    let mut head = format!("{}: {} cycles", kernel.kernel, kernel.cycles);
    for (count, what) in [(kernel.stuck, "not back"), (kernel.with_findings, "with something found")] {
        if count > 0 {
            let _ = write!(head, ", {count} {what}");
        }
    }
    head
}

fn kernel_rows(kernel: &KernelRow) -> Vec<Vec<String>> {
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
    for change in &summary.changes {
        let word = if change.after > change.before { "slower" } else { "faster" };
        page.wrapped(
            lead,
            4,
            &format!(
                "{} is {word} on {} than on {}: median {} instead of {} (by chance alone: p = {})",
                change.what,
                change.to,
                change.from,
                seconds(change.after),
                seconds(change.before),
                Short(change.chance)
            ),
        );
    }
    for outlier in &summary.outliers {
        page.wrapped(
            lead,
            4,
            &format!(
                "cycle {} of {} stands out: resume took {}, the median is {}",
                outlier.number,
                file_name(&outlier.file),
                seconds(outlier.resume),
                seconds(outlier.median)
            ),
        );
    }
    for unread in &summary.unread {
        page.wrapped(lead, 4, &format!("not read: {}", unread.reason));
    }
}

/// A probability: `0.0021`, `3e-9`.
struct Short(f64);

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 < 1e-4 { write!(f, "{:.0e}", self.0) } else { write!(f, "{:.4}", self.0) }
    }
}

fn cycles(page: &mut Page, summary: &Summary, lead: &str) {
    let mut rows = vec![["trace", "cycle", "suspend", "resume"].map(str::to_owned).to_vec()];
    let mut last = "";
    for cycle in &summary.cycles {
        let file = if cycle.file == last { String::new() } else { file_name(&cycle.file) };
        last = &cycle.file;
        let took = |time: Option<Nanos>| time.map_or_else(|| "-".to_owned(), seconds);
        let [suspend, resume] = [cycle.times.suspend, cycle.times.resume].map(took);
        rows.push(vec![file, cycle.number.to_string(), suspend, resume]);
    }
    let remarks = std::iter::once("slowest step, or what was found".to_owned());
    let remarks = remarks.chain(summary.cycles.iter().map(remark));
    for (line, remark) in aligned(&rows).iter().zip(remarks) {
        let lead = format!("{lead}{line}  ");
        page.wrapped(&lead, lead.chars().count().min(page.width() / 2), &remark);
    }
}

fn file_name(file: &str) -> String {
    let name = std::path::Path::new(file).file_name();
    name.map_or_else(|| file.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn remark(cycle: &CycleRow) -> String {
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
