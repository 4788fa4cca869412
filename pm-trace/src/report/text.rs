//! The report as text.

use super::{Report, finding};
use crate::diagnose::{
    AbortSummary, CycleSummary, EhSummary, Outcome, PathPartSummary, PathSummary, PhaseSummary, Severity,
    StepSummary, relative, seconds,
};
use crate::event::Nanos;
use crate::text::{Page, counted};

/// Steps of devices shown per cycle.
const SLOWEST: usize = 5;
/// Phases deeper than this are left out.
const DEPTH: u32 = 1;
/// And so are shorter ones.
const SHORTEST: Nanos = 1_000_000;

pub(super) fn report(report: &Report, columns: usize) -> String {
    let mut page = Page::new(columns);
    let kernel = report.session.as_ref().filter(|session| !session.kernel.is_empty());
    let kernel = kernel.map(|session| format!("kernel {}", session.kernel)).unwrap_or_default();
    let (bad, info): (Vec<_>, Vec<_>) =
        report.findings.iter().partition(|finding| finding.severity > Severity::Info);
    for (place, found) in bad.iter().enumerate() {
        finding::show(&mut page, found, if place == 0 { &kernel } else { "" });
    }
    if bad.is_empty() {
        page.margins(&nothing_found(report), &kernel);
    }
    for found in info {
        finding::show(&mut page, found, "");
    }
    for cycle in &report.cycles {
        show_cycle(&mut page, cycle);
    }
    trace(&mut page, report);
    page.into_text()
}

/// The first line where nothing is wrong: "OK" only if something was seen to go well.
pub(super) fn nothing_found(report: &Report) -> String {
    let resumed = report.cycles.iter().filter(|cycle| cycle.outcome == Outcome::Resumed).count();
    match (report.cycles.len(), resumed) {
        (0, _) => "EMPTY  the trace holds no suspend".to_owned(),
        (1, 1) => "OK  suspended and resumed once, nothing wrong found".to_owned(),
        (all, resumed) if all == resumed => {
            format!("OK  suspended and resumed {all} times, nothing wrong found")
        }
        (all, resumed) => format!("OPEN  {resumed} of {all} cycles resumed, then the trace ends"),
    }
}

fn show_cycle(page: &mut Page, cycle: &CycleSummary) {
    page.gap();
    let (outcome, figures) = cycle_head(cycle);
    let column = page.width() / 2;
    page.columns(&format!("cycle {}  ", cycle.number), &outcome, column, &figures);
    for (title, told) in cycle_lines(cycle) {
        page.paragraph(&format!("  {title:<11}"), &told);
    }
}

/// How a cycle ended, and its figures.
pub(super) fn cycle_head(cycle: &CycleSummary) -> (String, String) {
    let took = seconds(cycle.took);
    let outcome = match cycle.outcome {
        Outcome::Resumed => format!("resumed, {took} in all"),
        Outcome::Suspending => format!("not asleep after {took}"),
        Outcome::Resuming => format!("not back after {took}"),
        Outcome::Aborted => format!("given up after {took}, before devices were suspended"),
    };
    let lost = if cycle.lost > 0 { format!(", {} lost", cycle.lost) } else { String::new() };
    let figures = format!(
        "{} of {} devices resumed, {} events{lost}",
        cycle.devices_resumed, cycle.devices_to_resume, cycle.events
    );
    (outcome, figures)
}

/// What is told of a cycle below its figures: a title, and what it is about.
pub(super) fn cycle_lines(cycle: &CycleSummary) -> Vec<(&'static str, String)> {
    let phases: Vec<String> = cycle.phases.iter().filter(|phase| is_told(phase)).map(phase_text).collect();
    let lines = [
        ("phases", phases.join(", ")),
        ("slowest", steps(cycle.slowest.iter().take(SLOWEST))),
        ("critical", paths(&cycle.critical)),
        ("in line", in_line(&cycle.critical)),
        ("ATA EH", ports(&cycle.error_handling)),
        ("failed", steps(cycle.failed.iter())),
        ("wakeups", wakeups(cycle)),
        ("given up", cycle.abort.as_ref().map(abort).unwrap_or_default()),
    ];
    lines.into_iter().filter(|(_, told)| !told.is_empty()).collect()
}

/// Parts of a critical path worth telling: without them the phase would be shorter by so many hundredths.
const WORTH: Nanos = 5;
/// Most parts of a path that are told.
const PARTS: usize = 3;

/// The critical paths of the long phases: what would make them shorter.
fn paths(paths: &[PathSummary]) -> String {
    let told = paths.iter().filter(|path| path.took >= SHORTEST * 50).filter_map(|path| {
        let mut parts: Vec<&PathPartSummary> = path
            .parts
            .iter()
            .filter(|part| part.gain.is_some_and(|gain| gain > path.took / 100 * WORTH))
            .collect();
        parts.sort_by_key(|part| std::cmp::Reverse(part.gain));
        let parts: Vec<String> = parts.into_iter().take(PARTS).map(part_text).collect();
        (!parts.is_empty()).then(|| format!("dpm_{} {}: {}", path.step, seconds(path.took), parts.join(", ")))
    });
    told.collect::<Vec<_>>().join("; ")
}

fn part_text(part: &PathPartSummary) -> String {
    let how = if part.is_async { "" } else { ", not asynchronous" };
    let gain = seconds(part.gain.unwrap_or_default());
    format!("{} {} (without it {gain} less{how})", part.device.name, seconds(part.own))
}

/// What keeps the long phases from being shorter because it does not run asynchronously.
fn in_line(paths: &[PathSummary]) -> String {
    let told = paths.iter().filter(|path| path.took >= SHORTEST * 50).flat_map(|path| {
        let worth =
            path.in_line.iter().filter(|part| part.gain.is_some_and(|gain| gain > path.took / 100 * WORTH));
        worth.take(PARTS).map(|part| {
            let gain = seconds(part.gain.unwrap_or_default());
            format!("dpm_{} {gain} less if {} ran asynchronously", path.step, part.device.name)
        })
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Most ports told.
const PORTS: usize = 6;

fn ports(ports: &[EhSummary]) -> String {
    let told = ports.iter().filter(|port| port.took >= SHORTEST).take(PORTS).map(|port| {
        let least = if port.ended { "" } else { "at least " };
        let mut parts = vec![format!("{} {least}{}", port.port, seconds(port.took))];
        if port.runs > 1 {
            parts.push(format!("in {} runs", port.runs));
        }
        if port.resets > 0 {
            let failed = if port.resets_failed > 0 {
                format!(", {} failed", port.resets_failed)
            } else {
                String::new()
            };
            parts.push(format!("({} {}{failed})", counted(port.resets, "reset"), seconds(port.resetting)));
        }
        parts.join(" ")
    });
    told.collect::<Vec<_>>().join(", ")
}

fn wakeups(cycle: &CycleSummary) -> String {
    let told = cycle.wakeups.iter().map(|wakeup| {
        let times = if wakeup.times > 1 { format!(", {} times", wakeup.times) } else { String::new() };
        format!("{} at {}{times}", wakeup.name, relative(cycle.started, wakeup.first))
    });
    told.collect::<Vec<_>>().join(", ")
}

fn abort(abort: &AbortSummary) -> String {
    let source = match &abort.source {
        Some(source) => format!("the wakeup source activated last is {source}"),
        None => {
            "no wakeup source was activated; /sys/power/pm_wakeup_irq may tell of an interrupt".to_owned()
        }
    };
    match &abort.failed {
        Some(failed) => {
            format!(
                "in {}: {} of {} failed ({}); {source}",
                abort.during, failed.step, failed.device.name, failed.error
            )
        }
        None => format!("in {}: {source}", abort.during),
    }
}

fn is_told(phase: &PhaseSummary) -> bool {
    phase.depth <= DEPTH
        && !phase.action.starts_with("CPU_")
        && phase.took.is_none_or(|took| took >= SHORTEST)
}

fn phase_text(phase: &PhaseSummary) -> String {
    let Some(took) = phase.took else { return format!("{} (not ended)", phase.action) };
    // timekeeping_resume() sets the clock of events forward by the time asleep.
    let asleep = if phase.action == "syscore_resume" { " (with the time asleep)" } else { "" };
    format!("{} {}{asleep}", phase.action, seconds(took))
}

fn steps<'a>(steps: impl Iterator<Item = &'a StepSummary>) -> String {
    let told: Vec<String> = steps
        .map(|step| {
            let sort = match step.device.sort() {
                sort if sort.is_empty() || sort == step.device.name => String::new(),
                sort => format!(" ({sort})"),
            };
            let error = if step.error == 0 { String::new() } else { format!(", error {}", step.error) };
            format!("{} of {}{sort} {}{error}", step.step, step.device.name, seconds(step.callback))
        })
        .collect();
    told.join(", ")
}

/// What the trace holds and lacks.
pub(super) fn trace_figures(report: &Report) -> String {
    let mut parts = vec![format!("{} events", report.loss.events)];
    parts.push(match report.loss.lost {
        0 => "none lost".to_owned(),
        lost => format!("{lost} lost"),
    });
    if report.loss.undecoded > 0 {
        parts.push(format!("{} undecoded", report.loss.undecoded));
    }
    if !report.probes.is_empty() {
        let attached = report.probes.iter().filter(|probe| probe.place.is_some()).count();
        parts.push(format!("{attached} of {} hooks attached", report.probes.len()));
    }
    parts.join(", ")
}

fn trace(page: &mut Page, report: &Report) {
    page.gap();
    page.paragraph("trace  ", &trace_figures(report));
    let skipped: Vec<&str> =
        report.probes.iter().filter(|probe| probe.place.is_none()).map(|probe| probe.hook.as_str()).collect();
    if !skipped.is_empty() {
        page.paragraph("  without    ", &skipped.join(", "));
    }
    if let Some(imported) = report.session.as_ref().and_then(|session| session.imported.as_ref()) {
        page.paragraph("  imported   ", &format!("from {}", imported.from.join(" and ")));
    }
    for note in notes(report) {
        page.paragraph("  note       ", note);
    }
}

/// What is to be known about the trace: of logs that it was made from, and of the file itself.
pub(super) fn notes(report: &Report) -> impl Iterator<Item = &str> {
    let imported = report.session.as_ref().and_then(|session| session.imported.as_ref());
    let of_logs = imported.into_iter().flat_map(|imported| &imported.notes);
    of_logs.chain(&report.loss.notes).map(String::as_str)
}
