//! `pm-trace import`

use super::{Outcome, say, show};
use crate::cli::ImportArgs;
use crate::import::{Imported, import};
use crate::text::{self, Form, Page};
use crate::trace::Overwrite;

/// Unread events that are named.
const NAMED: usize = 6;

/// Makes a trace from logs and says what it is and what it lacks.
///
/// # Errors
/// A log cannot be read or is none, or the trace cannot be written.
pub(super) fn run(args: &ImportArgs) -> anyhow::Result<Outcome> {
    let overwrite = if args.force { Overwrite::Replace } else { Overwrite::Refuse };
    let imported = import(&args.files, &args.output, overwrite)?;
    if imported.cycles == 0 {
        say("warning: the logs hold no suspend: events of suspend_resume begin and end one\n");
    }
    show(&told(&imported, &text::path(&args.output)), Form::Plain)?;
    Ok(Outcome::Fine)
}

fn told(imported: &Imported, output: &str) -> String {
    let mut page = Page::new(text::columns());
    let cycles = if imported.cycles == 1 { "cycle" } else { "cycles" };
    let figures = format!(
        "{} {cycles} and {} events from {} lines, in {output}",
        imported.cycles, imported.events, imported.lines
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
