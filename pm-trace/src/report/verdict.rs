//! A finding in short: for the console of a machine that is stuck, and for the kernel log.

use super::finding;
use crate::diagnose::{Finding, Kind, Link, Relation, relative};
use crate::text::{self, Page, WIDTH};

/// Most lines for the kernel log.
const LINES: usize = 8;
/// Most bytes of such a line.
const BYTES: usize = 200;

/// What live mode prints on the console: the finding as in the report, at most 100 columns.
pub fn verdict(finding: &Finding) -> String {
    verdict_in(finding, WIDTH)
}

/// The same for a console of so many columns.
pub fn verdict_in(finding: &Finding, columns: usize) -> String {
    let mut page = Page::new(columns);
    finding::show(&mut page, finding, "");
    page.into_text()
}

/// The same in at most 8 lines of at most 200 bytes for `/dev/kmsg`, without line feeds.
pub fn kmsg_lines(finding: &Finding) -> Vec<String> {
    let headline = finding::headline(finding);
    let mut lines = match headline.contains(&finding.title) {
        true => vec![headline],
        false => vec![format!("{headline} ({})", finding.title)],
    };
    let mut tail = Vec::new();
    if let Some(behind) = &finding.behind {
        tail.push(format!("behind it: {}", finding::behind_text(behind)));
    }
    if let Some(issue) = &finding.known_issue {
        tail.push(format!("known: {}", finding::known(issue)));
    }
    if finding.chain.is_empty() && finding.kind != Kind::Deadlock {
        tail.insert(0, finding.explanation.clone());
    }
    let room = LINES.saturating_sub(lines.len() + tail.len());
    let links: Vec<String> =
        finding.chain.iter().enumerate().filter_map(|(n, l)| link(finding, n, l)).collect();
    if links.len() > room {
        let left = links.len() - room.saturating_sub(1);
        lines.extend(links.into_iter().take(room.saturating_sub(1)));
        lines.push(format!("... and {left} more links"));
    } else {
        lines.extend(links);
    }
    lines.extend(tail);
    lines.into_iter().take(LINES).map(|line| kernel_line(&line)).collect()
}

/// A link in one line; who carries out the first step stands with the wait that follows.
fn link(finding: &Finding, place: usize, link: &Link) -> Option<String> {
    let next_waits = finding.chain.get(place + 1).is_some_and(|next| next.relation == Relation::WaitsFor);
    match link.relation {
        Relation::PerformedBy if next_waits => None,
        Relation::QueuedBy => link.notes.first().cloned(),
        Relation::WaitsFor => {
            let since = link.since.map(|at| format!(" since {}", relative(finding.base, at)));
            let role = place.checked_sub(1).and_then(|before| finding.chain.get(before));
            let role = role.filter(|before| before.relation == Relation::PerformedBy);
            let role = role.map(|before| format!(" ({})", before.waiter.label)).unwrap_or_default();
            let since = since.unwrap_or_default();
            Some(format!("{}{role} waits for {}{since}", link.waiter.label, link.object.label))
        }
        relation => {
            let inside = finding::inside(link).0.map(|note| format!(" {note}")).unwrap_or_default();
            Some(format!("{} {} {}{inside}", link.waiter.label, relation.words(), link.object.label))
        }
    }
}

/// With the prefix, free of control characters, cut to size.
fn kernel_line(line: &str) -> String {
    let text = format!("pm-trace: {}", text::line(line));
    if text.len() <= BYTES {
        return text;
    }
    format!("{}...", text::cut(&text, BYTES - 3))
}
