//! The report as text.

use super::{Check, DoctorReport, Status};
use crate::text::{Page, WIDTH};

/// Columns before the results: margin, status, title.
const INDENT: usize = 32;

/// The whole report, ending with a line feed.
pub(super) fn text(report: &DoctorReport) -> String {
    let mut page = Page::new(WIDTH);
    let machine = if report.machine.is_empty() { "unknown machine" } else { &report.machine };
    page.paragraph("", &format!("pm-trace doctor: kernel {}, {machine}", report.kernel));
    page.gap();
    for check in &report.checks {
        one(&mut page, check);
    }
    page.gap();
    let tracing = if report.traceable { "possible" } else { "NOT possible" };
    let live = if report.live_possible { "possible" } else { "NOT possible" };
    page.paragraph("", &format!("Tracing this machine: {tracing}. Live mode: {live}."));
    page.into_text()
}

fn one(page: &mut Page, check: &Check) {
    let status = match check.status {
        Status::Ok => "ok",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
    };
    page.paragraph(&format!("  {status:<5} {:<24}", check.title), &check.result);
    if !check.consequence.is_empty() {
        page.paragraph(&format!("{:INDENT$}-> ", ""), &check.consequence);
    }
    if !check.remedy.is_empty() {
        page.paragraph(&format!("{:INDENT$}try: ", ""), &check.remedy);
    }
}
