//! A finding as text.

use super::wrap::Page;
use crate::diagnose::{Behind, Confidence, Finding, Kind, Link, PartyKind, Relation, relative, seconds};

/// Where the second column begins.
const COLUMN: usize = 57;
/// Where what belongs to a link begins.
const INDENT: usize = 15;

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
pub(super) fn headline(finding: &Finding) -> String {
    let lasted = finding.lasted.map(seconds).unwrap_or_default();
    let sure = confidence(finding.confidence);
    match finding.kind {
        Kind::Deadlock => format!("LOCKUP  {} stuck for {lasted}: deadlock, {sure}", direction(finding)),
        Kind::Stall => format!("STALL  {} held up for {lasted}: {}", direction(finding), finding.title),
        Kind::Hazard => format!("HAZARD  {}, {sure}", finding.title),
        Kind::Guarded => format!("HANDLED  {}", finding.title),
        Kind::Loss => format!("LOSS  {}", finding.title),
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

fn chain(page: &mut Page, finding: &Finding) {
    for (place, link) in finding.chain.iter().enumerate() {
        let is_first = place == 0;
        if is_first && link.waiter.kind == PartyKind::DeviceStep && link.relation == Relation::PerformedBy {
            page.columns("  ", &link.waiter.label, COLUMN, &link.object.label);
            notes(page, link, &link.notes);
            continue;
        }
        if is_first {
            page.columns("  ", &link.waiter.label, COLUMN, "");
        }
        show_link(page, finding, link);
    }
}

fn show_link(page: &mut Page, finding: &Finding, link: &Link) {
    if link.relation == Relation::QueuedBy {
        let text = link.notes.first().cloned().unwrap_or_else(|| link.object.label.clone());
        page.wrapped(&format!("{:INDENT$}<- ", ""), INDENT + 3, &text);
        return;
    }
    let words = link.relation.words();
    let (inside, rest) = match link.notes.split_first() {
        Some((first, rest)) if first.starts_with("in ") => (format!(" {first}"), rest),
        _ => (String::new(), link.notes.as_slice()),
    };
    let object = match (&link.relation, &link.object.device) {
        (Relation::EndsOnlyWhen, Some(device)) => ends_when(&link.object.label, &device.name),
        _ => format!("{}{inside}", link.object.label),
    };
    let right = match (link.closes, link.relation, link.since) {
        (true, ..) => "<-- closes the cycle".to_owned(),
        (_, Relation::WaitsFor, Some(since)) => format!("since {}", relative(finding.base, since)),
        _ => String::new(),
    };
    let lead = if words.len() <= 9 { format!("    {words:9}  ") } else { format!("    {words}  ") };
    page.columns(&lead, &object, COLUMN, &right);
    notes(page, link, rest);
}

fn notes(page: &mut Page, link: &Link, notes: &[String]) {
    let mut notes = notes.to_vec();
    notes.extend(link.doubt.iter().map(|doubt| format!("not beyond doubt: {doubt}")));
    if !notes.is_empty() {
        page.wrapped(&format!("{:INDENT$}(", ""), INDENT + 1, &format!("{})", notes.join("; ")));
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

fn times(finding: &Finding) -> String {
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
    format!("count from the start of {}{began}{confirmed}", finding.base_name)
}
