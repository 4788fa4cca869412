//! What survived, as text.

use super::Recovered;
use crate::report;
use crate::text::Page;

/// What to do so that the next lockup leaves something.
const ARM: &str = "Next time: 'pm-trace suspend --live' names a lockup while it lasts and writes it to disk and to the \
    kernel log; with '--on-stall panic' pstore (ramoops, efi_pstore) or kdump keep that log, with '--tee' or '--stream' \
    it leaves over a serial line or the network. For suspends that something else starts: the service pm-trace.service \
    or 'pm-trace record'. 'pm-trace doctor' tells what this machine can keep.";

pub(super) fn text(recovered: &Recovered, columns: usize) -> String {
    let mut page = Page::new(columns);
    let nothing = recovered.traces.is_empty() && recovered.reports.is_empty() && recovered.told.is_empty();
    if nothing {
        page.paragraph(
            "NOTHING  ",
            "survived: no trace was cut off, and no log has a verdict of pm-trace's.",
        );
        page.gap();
        page.paragraph("  advice     ", ARM);
    }
    let mut whole = String::new();
    for left in &recovered.traces {
        part(&mut whole, columns, &format!("the trace {}", left.place), &left.report.text_in(columns));
    }
    for left in &recovered.reports {
        let from = format!("the report {}, written while it was stuck", left.place);
        part(&mut whole, columns, &from, &left.text);
    }
    for told in &recovered.told {
        part(&mut whole, columns, &told.from.join(", "), &report::verdict_in(&told.finding, columns));
    }
    page.gap();
    for (title, holds) in [("found in   ", true), ("nothing in ", false)] {
        for source in recovered.sources.iter().filter(|source| source.holds_evidence == holds) {
            page.paragraph(title, &format!("{} ({}): {}", source.place, source.kind, source.note));
        }
    }
    whole + &page.into_text()
}

/// What one of the places tells, under its name.
fn part(whole: &mut String, columns: usize, from: &str, text: &str) {
    let mut heading = Page::new(columns);
    heading.paragraph("FROM  ", from);
    whole.push_str(&heading.into_text());
    whole.push('\n');
    whole.push_str(text);
    whole.push('\n');
}
