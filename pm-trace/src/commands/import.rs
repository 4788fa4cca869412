//! `pm-trace import`

use super::{Outcome, say, show};
use crate::cli::{ImportArgs, ReportFormat};
use crate::diagnose::Analysis;
use crate::import::{Imported, Logs};
use crate::model::Model;
use crate::report::{Report, html};
use crate::text::{self, Form, Page};
use crate::trace::Overwrite;

/// Unread events that are named.
const NAMED: usize = 6;

/// Makes a trace from logs and says what it is and what it lacks. If asked to, it shows the report too.
///
/// # Errors
/// A log cannot be read or is none, or the trace cannot be written.
pub(super) fn run(args: &ImportArgs) -> anyhow::Result<Outcome> {
    let overwrite = if args.force { Overwrite::Replace } else { Overwrite::Refuse };
    let output = args.output.as_deref().map(|path| (path, overwrite));
    let logs = Logs::read(&args.files)?;
    let Some(format) = args.report else {
        let imported = logs.import(output, &mut Model::new())?;
        warn(&imported);
        show(&told(&imported, args), Form::Plain)?;
        return Ok(Outcome::Fine);
    };
    // Standard output is the report's.
    let tell = |imported: &Imported| {
        warn(imported);
        say(&told(imported, args));
    };
    if format == ReportFormat::Html {
        // Events are folded once: by what keeps all that the timeline shows.
        let mut gather = html::Gather::without_events();
        let imported = logs.import(output, &mut gather)?;
        tell(&imported);
        let report = gather.report();
        if !report.findings.is_empty() {
            gather.look_up(&report, |each| logs.events(each))?;
        }
        // The page is made in the memory that the logs took.
        drop(logs);
        super::report::show_as(&report, format, Some(gather))?;
        return Ok(Outcome::of(&report.findings));
    }
    let mut analysis = Analysis::default();
    let imported = logs.import(output, &mut analysis)?;
    tell(&imported);
    let findings = analysis.findings_at_end();
    let report = Report::new(Some(&imported.session), analysis.model(), findings, Vec::new());
    super::report::show_as(&report, format, None)?;
    Ok(Outcome::of(&report.findings))
}

fn warn(imported: &Imported) {
    if imported.cycles == 0 {
        say("warning: the logs hold no suspend: events of suspend_resume begin and end one\n");
    }
}

fn told(imported: &Imported, args: &ImportArgs) -> String {
    let mut page = Page::new(text::columns());
    let place = args.output.as_ref().map(|path| format!(", in {}", text::path(path))).unwrap_or_default();
    let figures = format!(
        "{} and {} events from {} lines{place}",
        text::counted(imported.cycles, "cycle"),
        imported.events,
        imported.lines
    );
    page.paragraph("imported  ", &figures);
    for from in &imported.from {
        page.paragraph("  from       ", from);
    }
    for note in &imported.notes {
        page.paragraph("  note       ", note);
    }
    if !imported.unread.is_empty() {
        let mut names: Vec<String> =
            imported.unread.iter().take(NAMED).map(|(name, count)| format!("{name} ({count})")).collect();
        if imported.unread.len() > NAMED {
            names.push(format!("and {} others", imported.unread.len() - NAMED));
        }
        page.paragraph("  not read   ", &names.join(", "));
    }
    page.into_text()
}
