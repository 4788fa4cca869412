//! `pm-trace report`

use super::{Outcome, show};
use crate::cli::{Format, ReportArgs};
use crate::diagnose;
use crate::model::Model;
use crate::report::Report;
use crate::text::{self, Form};
use crate::trace::Trace;

/// Reads a trace, explains it and shows the report.
///
/// # Errors
/// The file is no readable trace, or standard output cannot be written.
pub(super) fn run(args: &ReportArgs) -> anyhow::Result<Outcome> {
    let mut trace = Trace::open(&args.file)?;
    let mut model = Model::new();
    for event in trace.by_ref() {
        model.apply(&event);
    }
    let notes = trace.notes().iter().map(ToString::to_string).collect();
    let findings = diagnose::findings_at_end(&model);
    let report = Report::new(trace.session(), &model, findings, notes);
    match args.format {
        Format::Text => show(&report.text_in(text::columns()), Form::Plain)?,
        Format::Markdown => show(&report.markdown(), Form::Plain)?,
        Format::Json => show(&report.json()?, Form::Json)?,
    }
    Ok(Outcome::of(&report.findings))
}
