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
    let nothing = recovered.traces.is_empty() && recovered.told.is_empty();
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
        let mut heading = Page::new(columns);
        heading.paragraph("FROM  ", &format!("the trace {}", left.place));
        whole.push_str(&heading.into_text());
        whole.push('\n');
        whole.push_str(&left.report.text_in(columns));
        whole.push('\n');
    }
    for told in &recovered.told {
        let mut heading = Page::new(columns);
        heading.paragraph("FROM  ", &told.from.join(", "));
        whole.push_str(&heading.into_text());
        whole.push('\n');
        whole.push_str(&report::verdict_in(&told.finding, columns));
        whole.push('\n');
    }
    page.gap();
    for (title, holds) in [("found in   ", true), ("nothing in ", false)] {
        for source in recovered.sources.iter().filter(|source| source.holds_evidence == holds) {
            page.paragraph(title, &format!("{} ({}): {}", source.place, source.kind, source.note));
        }
    }
    whole + &page.into_text()
}
