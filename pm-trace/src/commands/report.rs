//! `pm-trace report`

use super::{Outcome, show};
use crate::cli::{Format, ReportArgs};
use crate::diagnose::Analysis;
use crate::report::Report;
use crate::text::{self, Form};
use crate::trace::Trace;

/// Reads a trace, explains it and shows the report.
///
/// # Errors
/// The file is no readable trace, or standard output cannot be written.
pub(super) fn run(args: &ReportArgs) -> anyhow::Result<Outcome> {
    let mut trace = Trace::open(&args.file)?;
    let mut analysis = Analysis::default();
    if let Some(folder) = &args.rules {
        analysis.add_rules(folder)?;
    }
    if let Some(session) = trace.session() {
        analysis.set_kernel(&session.kernel.release);
    }
    for event in trace.by_ref() {
        analysis.apply(&event);
    }
    let notes = trace.notes().iter().map(ToString::to_string).collect();
    let findings = analysis.findings_at_end();
    let report = Report::new(trace.session(), analysis.model(), findings, notes);
    match args.format {
        Format::Text => show(&report.text_in(text::columns()), Form::Plain)?,
        Format::Markdown => show(&report.markdown(), Form::Plain)?,
        Format::Json => show(&report.json()?, Form::Json)?,
    }
    Ok(Outcome::of(&report.findings))
}
