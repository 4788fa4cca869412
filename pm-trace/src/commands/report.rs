//! `pm-trace report`

use super::{Outcome, show};
use crate::cli::{ReportArgs, ReportFormat};
use crate::diagnose::{Analysis, Evidence, Explained};
use crate::report::{Report, html};
use crate::text::{self, Form};
use crate::trace::Trace;
use anyhow::Context as _;
use std::io::{self, Write as _};

/// Reads a trace, explains it and shows the report.
///
/// # Errors
/// The file is no readable trace, or standard output cannot be written.
pub(super) fn run(args: &ReportArgs) -> anyhow::Result<Outcome> {
    let mut analysis = Analysis::default();
    if let Some(folder) = &args.rules {
        analysis.add_rules(folder)?;
    }
    if args.format == ReportFormat::Html && args.explain.is_none() {
        // Events are folded once: by what keeps all that the timeline shows.
        let gather = html::Gather::read(&args.file, analysis)?;
        let report = gather.report();
        show_as(&report, args.format, Some(gather))?;
        return Ok(Outcome::of(&report.findings));
    }
    let explained = Explained::read_with(&args.file, analysis, |_| {})?;
    if let Some(number) = args.explain {
        return explain(args, number, &explained);
    }
    let report = Report::of(&explained);
    show_as(&report, args.format, None)?;
    Ok(Outcome::of(&report.findings))
}

/// Shows a report, as a page with what was gathered for its timeline.
pub(super) fn show_as(
    report: &Report,
    format: ReportFormat,
    gathered: Option<html::Gather>,
) -> anyhow::Result<()> {
    match format {
        ReportFormat::Text => show(&report.text_in(text::columns()), Form::Plain),
        ReportFormat::Markdown => show(&report.markdown(), Form::Plain),
        ReportFormat::Html => {
            let mut gathered = gathered.unwrap_or_default();
            // It is free of what a terminal would act on, and is not looked through once more.
            let page = gathered.page(report)?;
            let mut out = io::stdout().lock();
            out.write_all(page.as_bytes()).and_then(|()| out.flush()).context("cannot write the result")?;
            // The program ends, which gives all of its memory back at once.
            std::mem::forget(gathered);
            Ok(())
        }
        ReportFormat::Json => show(&report.json()?, Form::Json),
    }
}

/// Shows the events behind a finding, counted from 1, which takes a second look at the trace.
fn explain(args: &ReportArgs, number: usize, explained: &Explained) -> anyhow::Result<Outcome> {
    let findings = &explained.findings;
    let found = number.checked_sub(1).and_then(|place| findings.get(place)).with_context(|| {
        format!("there is no finding {number}: the report has {}, counted from 1", findings.len())
    })?;
    let mut evidence = Evidence::of(found);
    for event in Trace::open(&args.file)?.by_ref() {
        evidence.apply(explained.model(), found, &event);
    }
    let lines = evidence.lines(found);
    show(&(lines.join("\n") + "\n"), Form::Plain)?;
    Ok(Outcome::of(findings))
}
