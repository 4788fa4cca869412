//! Findings from the short lines that live mode writes to the kernel log: the inverse of
//! [`crate::report::kmsg_lines`].

use crate::diagnose::{
    Behind, Confidence, DeviceRef, Finding, Kind, Link, Party, PartyKind, Relation, Severity, TaskName,
    known_by_id,
};
use crate::event::Nanos;
use crate::text;

/// What every line begins with, behind time stamps and the like.
const PREFIX: &str = "pm-trace: ";
/// Longest line that is looked at, in bytes.
const MAX_LINE: usize = 2048;
/// Most findings that are kept.
const MOST: usize = 64;
/// Relations that lines tell of; the words of the first that fits separate waiter and object.
const RELATIONS: [Relation; 4] =
    [Relation::WaitsFor, Relation::HeldBy, Relation::EndsOnlyWhen, Relation::PerformedBy];

/// The findings that a text tells of, each as it was told last. A finding whose lines were lost in part has what is
/// left of it.
pub fn findings_in(text: &str) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        let Some((_, said)) = text::cut(line, MAX_LINE).split_once(PREFIX) else { continue };
        if let Some(finding) = headline(said) {
            findings.retain(|earlier| (earlier.kind, &earlier.title) != (finding.kind, &finding.title));
            findings.truncate(MOST - 1);
            findings.push(finding);
            open = true;
        } else if open && let Some(finding) = findings.last_mut() {
            open = add(finding, said);
        }
    }
    for finding in &mut findings {
        finish(finding);
    }
    findings
}

/// `LOCKUP  resume stuck for 7.29 s: deadlock, proved (resume of ... deadlocked)`
fn headline(said: &str) -> Option<Finding> {
    let (word, rest) = said.split_once(' ')?;
    let (kind, severity, between) = match word {
        "LOCKUP" => (Kind::Deadlock, Severity::Error, " stuck for "),
        "STALL" => (Kind::Stall, Severity::Warning, " held up for "),
        _ => return None,
    };
    let (direction, rest) = rest.trim_start().split_once(between)?;
    let (lasted, rest) = rest.split_once(": ")?;
    let (confidence, title) = match kind {
        Kind::Deadlock => {
            let (sure, title) = rest.strip_prefix("deadlock, ")?.split_once(' ')?;
            let confidence = match sure {
                "proved" => Confidence::Proved,
                "likely" => Confidence::Likely,
                _ => Confidence::Possible,
            };
            (confidence, title.trim_start_matches('(').trim_end_matches(')').to_owned())
        }
        _ => (Confidence::Likely, rest.to_owned()),
    };
    let phase = if direction == "suspend" { "dpm_suspend" } else { "dpm_resume" };
    Some(Finding {
        id: format!("log-{word}-{title}"),
        kind,
        severity,
        confidence,
        cycle: 0,
        title,
        devices: Vec::new(),
        tasks: Vec::new(),
        chain: Vec::new(),
        ordering: None,
        behind: Some(Behind { phase: Some(phase.to_owned()), ..Behind::default() }),
        closed_at: None,
        lasted: duration(lasted),
        ended: None,
        margin: None,
        base: 0,
        base_name: String::new(),
        confirmed_at: None,
        explanation: String::new(),
        advice: "The trace of that run, where there is one, tells the whole: 'pm-trace report FILE'."
            .to_owned(),
        known_issue: None,
        evidence: Vec::new(),
    })
}

/// `7.29 s`, `310 ms`
fn duration(text: &str) -> Option<Nanos> {
    let (number, unit) = text.split_once(' ')?;
    let factor = match unit {
        "s" => 1e9,
        "ms" => 1e6,
        _ => return None,
    };
    let nanos = number.parse::<f64>().ok()? * factor;
    (nanos.is_finite() && nanos >= 0.0).then_some(nanos as Nanos)
}

/// Takes a line of the finding in; false if it is none.
fn add(finding: &mut Finding, said: &str) -> bool {
    if let Some(behind) = said.strip_prefix("behind it: ") {
        finding.behind = Some(parse_behind(behind));
    } else if let Some(known) = said.strip_prefix("known: ") {
        finding.known_issue = known_by_id(known);
    } else if said.starts_with("... and ") {
        finding.explanation = format!("{said} were not written to the log. ");
    } else if let Some(link) = parse_link(said) {
        finding.chain.push(link);
    } else if said.contains(", queued by ") {
        if let Some(last) = finding.chain.last_mut() {
            last.notes.push(said.to_owned());
        }
    } else {
        return false;
    }
    true
}

fn parse_link(said: &str) -> Option<Link> {
    let (relation, waiter, object) = RELATIONS.into_iter().find_map(|relation| {
        let (waiter, object) = said.split_once(&format!(" {} ", relation.words()))?;
        Some((relation, waiter, object))
    })?;
    // The time counts from a moment that the lines do not tell.
    let (object, since) = object.split_once(" since ").map_or((object, None), |(o, at)| (o, Some(at)));
    let (object, inside) = object.split_once("] in ").map_or((object.to_owned(), None), |(task, inside)| {
        (format!("{task}]"), Some(format!("in {inside}")))
    });
    let (waiter, role) = waiter.split_once("] (").map_or((waiter.to_owned(), None), |(task, role)| {
        (format!("{task}]"), Some(format!("in the {}", role.strip_suffix(')').unwrap_or(role))))
    });
    let since = since.map(|at| format!("since {at}"));
    Some(Link {
        waiter: party(&waiter),
        relation,
        object: party(&object),
        since: None,
        notes: inside.into_iter().chain(role).chain(since).collect(),
        doubt: None,
        evidence: Vec::new(),
        stack: Vec::new(),
        in_cycle: false,
        closes: false,
    })
}

fn party(label: &str) -> Party {
    let kinds = [
        ("device lock of ", PartyKind::Lock),
        ("request queue of ", PartyKind::Queue),
        ("work ", PartyKind::Work),
        ("resume of ", PartyKind::DeviceStep),
        ("suspend of ", PartyKind::DeviceStep),
    ];
    let task = task(label);
    let found = kinds.iter().find(|(words, _)| label.starts_with(words));
    let kind =
        found.map_or(if task.is_some() { PartyKind::Task } else { PartyKind::Unknown }, |(_, kind)| *kind);
    let device =
        found.filter(|(_, kind)| *kind != PartyKind::Work).map(|(words, _)| device(&label[words.len()..]));
    Party { kind, label: label.to_owned(), task, device }
}

/// `kworker/0:1[17]`
fn task(label: &str) -> Option<TaskName> {
    let (comm, tid) = label.strip_suffix(']')?.rsplit_once('[')?;
    Some(TaskName { tid: tid.parse().ok()?, comm: comm.to_owned() })
}

/// `1:0:0:0 (sr, on ata2)`
fn device(label: &str) -> DeviceRef {
    let (name, rest) = label.split_once(" (").unwrap_or((label, ""));
    let (driver, port) =
        rest.trim_end_matches(')').split_once(", on ").unwrap_or((rest.trim_end_matches(')'), ""));
    DeviceRef {
        id: 0,
        name: name.to_owned(),
        bus: String::new(),
        class: String::new(),
        driver: driver.to_owned(),
        port: Some(port.to_owned()).filter(|port| !port.is_empty()),
    }
}

/// `dpm_resume (pm-trace[155], in async_synchronize_full), 1 of 282 devices not resumed, user space frozen`
fn parse_behind(text: &str) -> Behind {
    let mut behind = Behind::default();
    let phase = text.split([' ', ',']).next().unwrap_or_default();
    behind.phase = Some(phase.to_owned()).filter(|phase| !phase.is_empty() && !phase.contains('['));
    if let Some((_, rest)) = text.split_once('(')
        && let Some((inside, _)) = rest.split_once(')')
    {
        let (who, place) = inside.split_once(", in ").unwrap_or((inside, ""));
        behind.task = task(who);
        behind.task_waits_in = place.to_owned();
    }
    if let Some((front, _)) = text.split_once(" devices not ")
        && let Some((left, all)) = front.rsplit(", ").next().unwrap_or(front).split_once(" of ")
    {
        behind.devices_not_done = left.parse().unwrap_or(0);
        behind.devices = all.parse().unwrap_or(0);
    }
    behind.user_space_frozen = text.contains("user space frozen");
    behind
}

/// What follows from all lines of a finding.
fn finish(finding: &mut Finding) {
    let is_deadlock = finding.kind == Kind::Deadlock;
    for link in &mut finding.chain {
        link.in_cycle = is_deadlock;
    }
    // A verdict in the log is short: its last link closes the circle unless links were left out.
    if let Some(last) = finding.chain.last_mut() {
        last.closes = is_deadlock && finding.explanation.is_empty();
    }
    for party in finding.chain.iter().flat_map(|link| [&link.waiter, &link.object]) {
        if let Some(task) = party.task.clone().filter(|task| !finding.tasks.contains(task)) {
            finding.tasks.push(task);
        }
        if let Some(device) = party.device.clone()
            && !finding.devices.iter().any(|known| known.name == device.name)
        {
            finding.devices.push(device);
        }
    }
    finding
        .explanation
        .push_str("Rebuilt from the lines of the verdict in a kernel log; a trace tells more.");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use crate::report;
    use crate::trace::Trace;

    /// What live mode wrote of a real deadlock, in the form in which pstore keeps it, is the same deadlock again.
    #[test]
    fn a_verdict_survives_the_kernel_log() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/traces/6.1-rescan-deadlock.pmtrace");
        let mut model = Model::new();
        for event in Trace::open(std::path::Path::new(file)).unwrap() {
            model.apply(&event);
        }
        let findings = crate::diagnose::findings_at_end(&model);
        let told = findings.iter().find(|finding| finding.kind == Kind::Deadlock).unwrap();
        let lines: Vec<String> =
            report::kmsg_lines(told).iter().map(|line| format!("<10>[   12.3] {line}")).collect();
        let text = format!("<6>[   1.0] before\n{}\n<6>[  99.0] sysrq: Trigger a crash\n", lines.join("\n"));
        let found = findings_in(&text);
        assert_eq!(found.len(), 1, "{text}");
        let found = &found[0];
        assert_eq!((found.kind, found.confidence), (told.kind, told.confidence));
        assert_eq!(found.devices[0].name, told.devices[0].name);
        assert_eq!(found.known_issue, told.known_issue);
        assert_eq!(found.behind.as_ref().unwrap().phase, told.behind.as_ref().unwrap().phase);
        let relations = |finding: &Finding| -> Vec<Relation> {
            let all = finding.chain.iter().map(|link| link.relation);
            all.filter(|relation| !matches!(relation, Relation::PerformedBy | Relation::QueuedBy)).collect()
        };
        assert_eq!(relations(found), relations(told), "{text}");
        assert!(
            found.chain.iter().any(|link| link.notes.iter().any(|note| note.contains("scsi_rescan_device")))
        );
    }

    /// It may have a bracket of its own.
    #[test]
    fn a_stall_has_its_whole_title() {
        let title = "resume of pmlab-a (pmlab) does not end";
        let found = findings_in(&format!("pm-trace: STALL  resume held up for 8.55 s: {title}\n"));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].kind, &*found[0].title), (Kind::Stall, title));
    }

    /// The text is what was left in memory by a crash: anything may stand there.
    #[test]
    fn damaged_lines_are_no_findings() {
        for text in [
            "pm-trace: LOCKUP",
            "pm-trace: LOCKUP  resume stuck for",
            "pm-trace: ",
            "x",
            "pm-trace: STALL \u{0}\n",
        ] {
            assert_eq!(findings_in(text), Vec::new(), "{text}");
        }
        let cut = "pm-trace: LOCKUP  resume stuck for 1e999 s: deadlock, proved (x\npm-trace: [ waits for ]";
        assert_eq!(findings_in(cut).len(), 1);
    }
}
