//! The summary as one HTML file, of the same kind as the report's: opens from disk, asks the network for nothing, is whole
//! without JavaScript.

use super::text::{cycle_cells, head, kernel_head, kernel_rows, remark, told_lines};
use super::{CycleRow, KernelRow, Summary};
use crate::diagnose::seconds;
use crate::event::Nanos;
use crate::report::html::shell::{self, Part, STYLE, THEME, policy, without_unsafe};
use askama::Template;
use std::collections::BTreeSet;
use std::fmt::Write as _;

pub(super) const STYLES: [Part; 2] = [STYLE, shell::SUMMARY_STYLE];
pub(super) const SCRIPTS: [Part; 2] = [THEME, shell::SUMMARY_SCRIPT];
/// Size of a picture, and room for the figures at its left, in pixels.
const WIDTH: u64 = 900;
const HEIGHT: u64 = 170;
const LEFT: u64 = 70;
/// Between the dots and the border.
const MARGIN: u64 = 8;
/// Lines across a picture, with the time each stands for.
const LEVELS: u64 = 4;

#[derive(Template)]
#[template(path = "summary.html")]
struct SummaryPage {
    policy: String,
    styles: [Part; 2],
    scripts: [Part; 2],
    verdict: String,
    class: &'static str,
    kernels: Vec<KernelView>,
    told: Vec<String>,
    cycles: Vec<CycleView>,
    tool: &'static str,
}

struct KernelView {
    head: String,
    titles: Vec<String>,
    rows: Vec<Vec<String>>,
    plot: Option<Plot>,
}

/// The resume of every cycle of a kernel as a dot, in the order in which they were recorded.
struct Plot {
    width: u64,
    height: u64,
    left: u64,
    told: String,
    levels: Vec<Level>,
    median: u64,
    dots: Vec<Dots>,
}

struct Level {
    y: u64,
    told: String,
}

struct Dots {
    class: &'static str,
    path: String,
}

struct CycleView {
    file: String,
    number: u32,
    suspend: String,
    resume: String,
    remark: String,
    bad: bool,
}

pub(super) fn html(summary: &Summary) -> Result<String, askama::Error> {
    let standing_out: BTreeSet<(&str, u32)> =
        summary.outliers.iter().map(|outlier| (outlier.file.as_str(), outlier.number)).collect();
    let kernel = |kernel: &KernelRow| {
        let mut rows = kernel_rows(kernel);
        let titles = rows.remove(0);
        KernelView { head: kernel_head(kernel), titles, rows, plot: plot(summary, kernel, &standing_out) }
    };
    let page = SummaryPage {
        policy: policy(&STYLES, &SCRIPTS),
        styles: STYLES,
        scripts: SCRIPTS,
        verdict: head(summary),
        class: class(summary),
        kernels: summary.kernels.iter().map(kernel).collect(),
        told: told_lines(summary),
        cycles: cycles(summary),
        tool: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
    };
    Ok(without_unsafe(page.render()?))
}

fn class(summary: &Summary) -> &'static str {
    if !summary.is_clean() {
        "error"
    } else if summary.unread.is_empty() && summary.cycles.iter().all(|cycle| cycle.found.is_empty()) {
        "fine"
    } else {
        "warning"
    }
}

fn cycles(summary: &Summary) -> Vec<CycleView> {
    let cells = cycle_cells(summary);
    let view = |(cycle, [file, _, suspend, resume]): (&CycleRow, [String; 4])| CycleView {
        file,
        number: cycle.number,
        suspend,
        resume,
        remark: remark(cycle),
        bad: !cycle.found.is_empty(),
    };
    summary.cycles.iter().zip(cells).map(view).collect()
}

fn plot(summary: &Summary, kernel: &KernelRow, standing_out: &BTreeSet<(&str, u32)>) -> Option<Plot> {
    let spread = kernel.resume.as_ref()?;
    let of_kernel: Vec<&CycleRow> = summary
        .cycles
        .iter()
        .filter(|cycle| (&cycle.kernel, &cycle.sleep) == (&kernel.kernel, &kernel.sleep))
        .collect();
    let top = spread.most.max(1);
    let height = |time: Nanos| {
        let up = u128::from(time) * u128::from(HEIGHT - 2 * MARGIN) / u128::from(top);
        HEIGHT - MARGIN - u64::try_from(up).unwrap_or(0)
    };
    let across = |place: usize| {
        let (place, steps) = (place as u64, of_kernel.len().saturating_sub(1).max(1) as u64);
        LEFT + MARGIN + place * (WIDTH - LEFT - 2 * MARGIN) / steps
    };
    let mut dots = ["usual", "outlier", "found"].map(|class| Dots { class, path: String::new() });
    for (place, cycle) in of_kernel.iter().enumerate() {
        let Some(resume) = cycle.times.resume else { continue };
        let stands_out = standing_out.contains(&(cycle.file.as_str(), cycle.number));
        let class = if cycle.found.is_empty() { usize::from(stands_out) } else { 2 };
        // A line of no length with round ends is a dot, and thousands of them are one element.
        // Writing to a String cannot fail.
        let _ = write!(dots[class].path, "M{} {}h0", across(place), height(resume));
    }
    let level = |part: u64| {
        let time = top / LEVELS * part;
        Level { y: height(time), told: seconds(time) }
    };
    Some(Plot {
        width: WIDTH,
        height: HEIGHT,
        left: LEFT,
        told: format!(
            "Resume of each cycle in the order of the traces, from 0 to {}; the broken line is the median, {}.",
            seconds(top),
            seconds(spread.median)
        ),
        levels: (0..=LEVELS).map(level).collect(),
        median: height(spread.median),
        dots: dots.into_iter().filter(|dots| !dots.path.is_empty()).collect(),
    })
}
