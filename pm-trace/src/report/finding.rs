//! A finding as text.

use crate::diagnose::{Behind, Confidence, Finding, Kind, Link, PartyKind, Relation, relative, seconds};
use crate::text::Page;

/// Where the second column begins unless something is longer, in hundredths of the width.
const COLUMN: usize = 55;
/// Where the words of a link begin.
const MARGIN: usize = 4;

/// The finding on the page; `right` stands at the right end of its first line.
pub(super) fn show(page: &mut Page, finding: &Finding, right: &str) {
    page.gap();
    page.margins(&headline(finding), right);
    if !finding.chain.is_empty() {
        page.gap();
        chain(page, finding);
    }
    page.gap();
    if matches!(finding.kind, Kind::Stall | Kind::Guarded | Kind::Loss | Kind::Hazard) {
        page.paragraph("  what       ", &finding.explanation);
    }
    if let Some(ordering) = &finding.ordering {
        page.paragraph("  ordering   ", &ordering.text);
    }
    if let Some(behind) = &finding.behind {
        page.paragraph("  behind it  ", &behind_text(behind));
    }
    if let Some(issue) = &finding.known_issue {
        page.paragraph("  known      ", &known(issue));
    }
    if finding.kind != Kind::Guarded {
        page.paragraph("  advice     ", &finding.advice);
    }
    if finding.closed_at.is_some() {
        page.paragraph("  times      ", &times(finding));
    }
}

/// The first line: `LOCKUP  resume stuck for 18.4 s: deadlock, proved`.
pub fn headline(finding: &Finding) -> String {
    let lasted = finding.lasted.map(seconds).unwrap_or_default();
    let sure = confidence(finding.confidence);
    match finding.kind {
        Kind::Deadlock => format!("LOCKUP  {} stuck for {lasted}: deadlock, {sure}", direction(finding)),
        Kind::Stall => format!("STALL  {} held up for {lasted}: {}", direction(finding), finding.title),
        Kind::Hazard => format!("HAZARD  {}, {sure}", finding.title),
        Kind::Guarded => format!("HANDLED  {}", finding.title),
        Kind::Failure => format!("FAILED  {}", finding.title),
        Kind::Loss => format!("LOSS  {}", finding.title),
    }
}

/// What is wrong, of what, in one line: for a list, where nothing stands below it that says more.
pub fn in_a_line(finding: &Finding) -> String {
    let lasted = finding.lasted.map(seconds).unwrap_or_default();
    let title = &finding.title;
    match finding.kind {
        Kind::Deadlock => format!("LOCKUP  {title} for {lasted}, {}", confidence(finding.confidence)),
        // The title of one that is over tells for how long.
        Kind::Stall if title.contains(&lasted) => format!("STALL  {title}"),
        Kind::Stall => format!("STALL  {title}, {} held up for {lasted}", direction(finding)),
        Kind::Hazard | Kind::Guarded | Kind::Failure | Kind::Loss => headline(finding),
    }
}

/// Suspend or resume, by the phase that is stuck.
fn direction(finding: &Finding) -> &'static str {
    let phase = finding.behind.as_ref().and_then(|behind| behind.phase.as_deref()).unwrap_or_default();
    if phase.contains("suspend") { "suspend" } else { "resume" }
}

pub(super) fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Possible => "possible",
        Confidence::Likely => "likely",
        Confidence::Proved => "proved",
    }
}

/// The chain alone.
pub(super) fn chain_text(finding: &Finding, columns: usize) -> String {
    let mut page = Page::new(columns);
    chain(&mut page, finding);
    page.into_text()
}

fn chain(page: &mut Page, finding: &Finding) {
    let words = finding.chain.iter().map(|link| words(link).len()).max().unwrap_or_default();
    let indent = MARGIN + words + 2;
    let lefts = finding.chain.iter().filter(|link| !right(finding, link).is_empty());
    let longest = lefts.map(|link| indent + object(link).chars().count() + 2).max().unwrap_or_default();
    let mut layout = Layout { indent, column: longest.max(page.width() * COLUMN / 100), page };
    for (place, link) in finding.chain.iter().enumerate() {
        if place > 0 {
            layout.link(finding, link);
        } else if link.waiter.kind == PartyKind::DeviceStep && link.relation == Relation::PerformedBy {
            layout.page.columns("  ", &link.waiter.label, layout.column, &link.object.label);
            layout.notes(link, &link.notes);
        } else {
            layout.page.columns("  ", &link.waiter.label, layout.column, "");
            layout.link(finding, link);
        }
    }
}

/// What stands before the object of a link.
fn words(link: &Link) -> &'static str {
    if link.relation == Relation::QueuedBy { "" } else { link.relation.words() }
}

/// Columns of a chain: objects, and what stands at the right of them.
struct Layout<'a> {
    page: &'a mut Page,
    indent: usize,
    column: usize,
}

impl Layout<'_> {
    fn link(&mut self, finding: &Finding, link: &Link) {
        let indent = self.indent;
        if link.relation == Relation::QueuedBy {
            let text = link.notes.first().unwrap_or(&link.object.label);
            self.page.paragraph(&format!("{:indent$}<- ", ""), text);
            return;
        }
        let (_, rest) = inside(link);
        let lead = format!("{:MARGIN$}{:2$}", "", words(link), indent - MARGIN);
        self.page.columns(&lead, &object(link), self.column, &right(finding, link));
        self.notes(link, rest);
    }

    /// One line each, below the object.
    fn notes(&mut self, link: &Link, notes: &[String]) {
        let lead = " ".repeat(self.indent);
        for note in notes {
            self.page.paragraph(&lead, note);
        }
        if let Some(doubt) = &link.doubt {
            self.page.paragraph(&lead, &format!("not beyond doubt: {doubt}"));
        }
    }
}

/// A note that says where a task is, and the other notes.
pub(super) fn inside(link: &Link) -> (Option<&String>, &[String]) {
    match link.notes.split_first() {
        Some((first, rest)) if first.starts_with("in ") => (Some(first), rest),
        _ => (None, &link.notes),
    }
}

/// The object of a link in words.
fn object(link: &Link) -> String {
    match (link.relation, &link.object.device, inside(link).0) {
        (Relation::EndsOnlyWhen, Some(device), _) => ends_when(&link.object.label, &device.name),
        (_, _, Some(inside)) => format!("{} {inside}", link.object.label),
        _ => link.object.label.clone(),
    }
}

/// What stands at the right of a link; empty if nothing does.
fn right(finding: &Finding, link: &Link) -> String {
    match (link.closes, link.relation, link.since) {
        (true, ..) => "<-- closes the cycle".to_owned(),
        (_, Relation::WaitsFor, Some(since)) => format!("since {}", relative(finding.base, since)),
        _ => String::new(),
    }
}

/// `1:0:0:0 is resumed`
fn ends_when(label: &str, device: &str) -> String {
    if label.starts_with("resume of ") { format!("{device} is resumed") } else { format!("the {label} ends") }
}

/// What waits behind the finding, as a sentence.
pub(super) fn behind_text(behind: &Behind) -> String {
    let mut parts = Vec::new();
    let task = behind.task.as_ref().map(|task| format!("{}[{}]", task.comm, task.tid));
    match (&behind.phase, task, behind.task_waits_in.as_str()) {
        (Some(phase), Some(task), "") => parts.push(format!("{phase} ({task})")),
        (Some(phase), Some(task), place) => parts.push(format!("{phase} ({task}, in {place})")),
        (Some(phase), None, _) => parts.push(phase.clone()),
        (None, Some(task), _) => parts.push(task),
        (None, None, _) => {}
    }
    if behind.devices > 0 {
        let resumes = behind.phase.as_deref().is_none_or(|phase| !phase.contains("suspend"));
        let done = if resumes { "resumed" } else { "suspended" };
        parts.push(format!("{} of {} devices not {done}", behind.devices_not_done, behind.devices));
    }
    match behind.waiting_tasks {
        0 => {}
        1 => parts.push("1 other task".to_owned()),
        tasks => parts.push(format!("{tasks} other tasks")),
    }
    if behind.user_space_frozen {
        parts.push("user space frozen".to_owned());
    }
    parts.join(", ")
}

/// `kernel bug 217530; fixed upstream by 6aa0365a3c85, ...`
pub(super) fn known(issue: &crate::diagnose::KnownIssue) -> String {
    let commits: Vec<&str> =
        issue.fixed_by.iter().map(|fix| fix.split(' ').next().unwrap_or_default()).collect();
    let commits = match commits.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => return issue.id.clone(),
    };
    format!("{} ({}); fixed upstream by {commits}", issue.id, issue.title)
}

pub(super) fn times(finding: &Finding) -> String {
    let closed = finding.closed_at.map(|at| relative(finding.base, at)).unwrap_or_default();
    let began = match finding.kind {
        Kind::Deadlock => format!("; the cycle closed at {closed}"),
        _ => String::new(),
    };
    let confirmed = finding
        .confirmed_at
        .map(|at| {
            format!("; found unchanged in a look at all blocked tasks at {}", relative(finding.base, at))
        })
        .unwrap_or_default();
    let ended =
        finding.ended.map(|at| format!("; last seen at {}, then it went on", relative(finding.base, at)));
    format!("count from the start of {}{began}{confirmed}{}", finding.base_name, ended.unwrap_or_default())
}
