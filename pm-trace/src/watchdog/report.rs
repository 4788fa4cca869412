//! Lines that belong together.

use super::line::{Body, Line};
use crate::event::Nanos;

/// Most lines kept of a report; the watchdog prints fewer.
const MAX_LINES: usize = 64;
/// Most reports kept.
const MAX_REPORTS: usize = 1000;

/// A report of the watchdog's, as far as it survived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Number of the report.
    pub number: u32,
    /// Its lines, in order.
    pub lines: Vec<Line>,
    /// Lines that are missing before the last one there is.
    pub missing: u32,
    /// How long the stall lasted in all, in nanoseconds, if it ended.
    pub ended_after: Option<Nanos>,
}

impl Report {
    /// The stall that it tells of, and how often that had been told; `None` if its first line is missing and
    /// its last one too.
    pub fn episode(&self) -> Option<u32> {
        self.lines.iter().find_map(|line| match line.body {
            Body::Stall { episode, .. } | Body::End { episode, .. } => Some(episode),
            _ => None,
        })
    }

    /// It ends as a report does, and nothing before is missing.
    pub fn is_whole(&self) -> bool {
        self.missing == 0 && self.lines.iter().any(|line| matches!(line.body, Body::End { .. }))
    }

    /// Whether `next` tells of the same stall. Numbers begin anew when the watchdog is armed anew.
    pub(super) fn is_retold_by(&self, next: &Report) -> bool {
        next.number > self.number && self.episode().is_some() && self.episode() == next.episode()
    }

    fn add(&mut self, line: &Line) {
        let expected = self.lines.last().map_or(0, |last| last.number.saturating_add(1));
        self.missing = self.missing.saturating_add(line.number.saturating_sub(expected));
        self.lines.push(line.clone());
    }
}

/// The reports that lines tell of, in their order. A line that appears again (a console and a kernel log hold
/// the same) is taken once.
pub fn reports(lines: &[Line]) -> Vec<Report> {
    let mut reports: Vec<Report> = Vec::new();
    for line in lines {
        if let Body::Over { episode, lasted, .. } = line.body {
            let told = reports.iter_mut().rev().take_while(|report| report.number <= line.report);
            for report in told.filter(|report| report.episode() == Some(episode)) {
                report.ended_after = Some(lasted);
            }
            continue;
        }
        match reports.last_mut() {
            Some(last) if last.number == line.report => {
                let next = last.lines.last().is_none_or(|before| before.number < line.number);
                if next && last.lines.len() < MAX_LINES {
                    last.add(line);
                }
            }
            _ => {
                let known = reports.iter().any(|report| report.lines.contains(line));
                if !known && reports.len() < MAX_REPORTS {
                    let mut report = Report { number: line.report, ..Report::default() };
                    report.add(line);
                    reports.push(report);
                }
            }
        }
    }
    reports
}
