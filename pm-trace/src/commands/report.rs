//! `pm-trace report`

use super::{Outcome, show};
use crate::cli::{ReportArgs, ReportFormat};
use crate::diagnose::{Analysis, Evidence, Finding};
use crate::report::{Report, html};
use crate::text::{self, Form};
use crate::trace::Trace;
use anyhow::Context as _;

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
    let mut gather = (args.format == ReportFormat::Html).then(html::Gather::default);
    for event in trace.by_ref() {
        analysis.apply(&event);
        if let Some(gather) = &mut gather {
            gather.apply(&event);
        }
    }
    let notes = trace.notes().iter().map(ToString::to_string).collect();
    let findings = analysis.findings_at_end();
    if let Some(number) = args.explain {
        return explain(args, number, &analysis, &findings);
    }
    let report = Report::new(trace.session(), analysis.model(), findings, notes);
    match args.format {
        ReportFormat::Text => show(&report.text_in(text::columns()), Form::Plain)?,
        ReportFormat::Markdown => show(&report.markdown(), Form::Plain)?,
        ReportFormat::Html => show(&gather.unwrap_or_default().page(&report)?, Form::Plain)?,
        ReportFormat::Json => show(&report.json()?, Form::Json)?,
    }
    Ok(Outcome::of(&report.findings))
}

/// Shows the events behind a finding, counted from 1, which takes a second look at the trace.
fn explain(
    args: &ReportArgs,
    number: usize,
    analysis: &Analysis,
    findings: &[Finding],
) -> anyhow::Result<Outcome> {
    let found = number.checked_sub(1).and_then(|place| findings.get(place)).with_context(|| {
        format!("there is no finding {number}: the report has {}, counted from 1", findings.len())
    })?;
    let mut evidence = Evidence::of(found);
    for event in Trace::open(&args.file)?.by_ref() {
        evidence.apply(analysis.model(), found, &event);
    }
    let lines = evidence.lines(found);
    show(&(lines.join("\n") + "\n"), Form::Plain)?;
    Ok(Outcome::of(findings))
}
