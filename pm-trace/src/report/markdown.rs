//! The report as Markdown: what goes into a mail to a list or into a bug tracker.
//!
//! Most who read it see it as it is, not rendered. So it is laid out for that: the verdict first, lines that no
//! mail program breaks, chains and stacks as indented blocks, lists instead of tables.

use super::{Report, finding, text};
use crate::diagnose::{CycleSummary, Finding, Kind, Link, Severity};
use crate::text::Page;

/// Columns: a mail program breaks longer lines, and a reply puts `> > ` before each.
const WIDTH: usize = 76;
/// Frames of a stack shown; those further out are the same for every task of their kind.
const FRAMES: usize = 16;

pub(super) fn report(report: &Report) -> String {
    let mut page = Page::new(WIDTH);
    let (bad, info): (Vec<_>, Vec<_>) =
        report.findings.iter().partition(|finding| finding.severity > Severity::Info);
    if bad.is_empty() {
        page.paragraph("# ", &escaped(&text::nothing_found(report)));
    }
    for found in &bad {
        show(&mut page, found, "#");
    }
    for found in info {
        show(&mut page, found, "##");
    }
    cycles(&mut page, report);
    machine(&mut page, report);
    trace(&mut page, report);
    page.gap();
    let tool = &report.tool;
    page.paragraph("", &escaped(&format!("Made by {} {} from a trace.", tool.name, tool.version)));
    page.into_text()
}

/// A name from the kernel or a file must not become markup. What cannot become any stays as it is, since most
/// readers see the escapes: `kworker/0:1[17]`, `dpm_resume`, `#1`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let next = rest.clone().next().unwrap_or(' ');
        let is_markup = match c {
            '\\' | '`' | '*' | '<' | '|' => true,
            '_' => !before.is_alphanumeric() || !next.is_alphanumeric(),
            ']' => matches!(next, '(' | '[' | ':'),
            '!' => next == '[',
            '&' => next.is_alphanumeric() || next == '#',
            // Wrapping may put any word first in its line. A quote needs no more, a fence begins a word; of the others
            // only a word of nothing else is markup: `-` is, `--wake` is not.
            '>' => before == ' ',
            '~' => next == c,
            '#' | '+' | '-' | '=' => before == ' ' && is_all(c, rest.clone()),
            _ => false,
        };
        if is_markup {
            escaped.push('\\');
        }
        escaped.push(c);
        before = c;
    }
    escaped
}

/// Whether the rest of the word is this character again and again.
fn is_all(c: char, rest: std::str::Chars<'_>) -> bool {
    rest.take_while(|&next| next != ' ').all(|next| next == c)
}

fn section(page: &mut Page, title: &str) {
    page.gap();
    page.paragraph("", title);
    page.gap();
}

fn show(page: &mut Page, found: &Finding, level: &str) {
    page.gap();
    page.paragraph("", &format!("{level} {}", escaped(&finding::in_a_line(found))));
    page.gap();
    if found.kind != Kind::Deadlock {
        page.paragraph("", &escaped(&found.explanation));
    }
    if !found.chain.is_empty() {
        section(page, "Who waits for whom:");
        block(page, &finding::chain_text(found, WIDTH - INDENT.len()));
    }
    page.gap();
    let mut item = |title: &str, text: &str| page.wrapped(&format!("- **{title}:** "), 2, &escaped(text));
    if let Some(ordering) = &found.ordering {
        item("Ordering", &ordering.text);
    }
    if let Some(behind) = &found.behind {
        item("Behind it", &finding::behind_text(behind));
    }
    if let Some(issue) = &found.known_issue {
        item("Known", &finding::known(issue));
    }
    if found.kind != Kind::Guarded {
        item("Advice", &found.advice);
    }
    if found.closed_at.is_some() {
        item("Times", &finding::times(found));
    }
    if let Some(issue) = found.known_issue.as_ref().filter(|issue| !issue.url.is_empty()) {
        page.gap();
        page.paragraph("", &format!("<{}>", issue.url));
    }
    for link in found.chain.iter().filter(|link| !link.stack.is_empty()) {
        stack(page, link);
    }
}

/// What an indented block begins its lines with.
const INDENT: &str = "    ";

fn block(page: &mut Page, text: &str) {
    for line in text.lines() {
        page.verbatim(&format!("{INDENT}{line}"));
    }
}

fn stack(page: &mut Page, link: &Link) {
    let label = format!("{} {} {}:", link.waiter.label, link.relation.words(), link.object.label);
    section(page, &format!("Stack: {}", escaped(&label)));
    for frame in link.stack.iter().take(FRAMES) {
        page.verbatim(&format!("{INDENT}{frame}"));
    }
    if link.stack.len() > FRAMES {
        page.verbatim(&format!("{INDENT}... {} more", link.stack.len() - FRAMES));
    }
}

/// Of many cycles those with findings and the last: each is told in full only if there is something to tell.
fn cycles(page: &mut Page, report: &Report) {
    if report.cycles.is_empty() {
        return;
    }
    section(page, "## Cycles");
    let told = |cycle: &CycleSummary| {
        report.findings.iter().any(|finding| finding.cycle == cycle.number)
            || report.cycles.last().is_some_and(|last| last.number == cycle.number)
    };
    let (shown, left): (Vec<_>, Vec<_>) = report.cycles.iter().partition(|cycle| told(cycle));
    for cycle in shown {
        let (outcome, figures) = text::cycle_head(cycle);
        page.wrapped("- ", 2, &escaped(&format!("cycle {}: {outcome}; {figures}", cycle.number)));
        for (title, told) in text::cycle_lines(cycle) {
            page.wrapped("  - ", 4, &escaped(&format!("{title}: {told}")));
        }
    }
    if !left.is_empty() {
        page.wrapped("- ", 2, &format!("{} more without a finding", left.len()));
    }
}

fn machine(page: &mut Page, report: &Report) {
    let Some(session) = &report.session else { return };
    section(page, "## Machine");
    let mut item = |title: &str, text: &str| {
        if !text.is_empty() {
            page.wrapped("- ", 2, &escaped(&format!("{title}: {text}")));
        }
    };
    item("kernel", &format!("{} {} {}", session.kernel, session.architecture, session.kernel_version));
    item("machine", &format!("{}, {} CPUs", session.product, session.cpus));
    item("kernel command line", &session.cmdline);
    match &session.imported {
        Some(imported) => {
            let by = &session.recorded_by;
            item("recorded", &session.started);
            item("imported", &format!("from {} by pm-trace {by}", imported.from.join(" and ")));
        }
        None => item("recorded", &format!("{} by pm-trace {}", session.started, session.recorded_by)),
    }
    item("command", &session.command.join(" "));
}

fn trace(page: &mut Page, report: &Report) {
    section(page, "## Trace");
    page.wrapped("- ", 2, &escaped(&text::trace_figures(report)));
    for probe in report.probes.iter().filter(|probe| probe.place.is_none()) {
        let reason = probe.skipped.as_deref().unwrap_or("no reason given");
        page.wrapped("- ", 2, &escaped(&format!("without {}: {reason}; lost: {}", probe.hook, probe.lost)));
    }
    for note in text::notes(report) {
        page.wrapped("- ", 2, &escaped(&format!("note: {note}")));
    }
}
