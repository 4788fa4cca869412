//! Findings: the list, and all about the selected one.

use super::Canvas;
use crate::diagnose::Severity;
use crate::report;
use crate::tui::app::App;
use crate::tui::theme::Role;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

/// Most lines of the list.
const LIST: u16 = 8;

pub(super) fn draw(app: &mut App, canvas: &mut Canvas<'_>, area: Rect) {
    let count = app.scene.findings.len();
    let told = if count == 0 { "no finding".to_owned() } else { super::count(count, "finding") };
    let inner = canvas.title(area, &format!("{told} at this moment"));
    let lines = u16::try_from(count).unwrap_or(LIST).clamp(1, LIST);
    let list = Rect { height: lines.min(inner.height), ..inner };
    super::list(app, canvas, list, list.width, |app, canvas, row, number| {
        let Some(finding) = app.scene.findings.get(number) else { return };
        let role = match finding.severity {
            Severity::Error => Role::Bad,
            Severity::Warning => Role::Warn,
            Severity::Info => Role::Text,
        };
        let width = row.width - 2;
        canvas.put(row.x + 1, row.y, width, &super::in_a_line(finding, usize::from(width)), role);
    });
    let Some(finding) = app.finding() else { return };
    let rest = Rect { y: list.bottom(), height: inner.bottom() - list.bottom(), ..inner };
    let inner = canvas.title(rest, &format!("details, suspend {}", finding.cycle));
    let text = report::verdict_in(finding, usize::from(inner.width - 1));
    // The list has the headline, unless it had to be cut there.
    let is_cut = report::in_a_line(finding).width() > usize::from(list.width - 2);
    let below = text.lines().skip_while(|line| !is_cut && !line.is_empty());
    let told: Vec<&str> = below.filter(|line| !line.is_empty()).collect();
    let bad = finding.severity > Severity::Info;
    let room = usize::from(inner.height);
    let first = app.scroll.min(told.len().saturating_sub(room));
    app.scroll = first;
    for (place, line) in told.iter().skip(first).take(room).enumerate() {
        let y = inner.y + u16::try_from(place).unwrap_or(0);
        canvas.put(inner.x, y, inner.width, line, role_of(line, bad));
    }
    let left = told.len().saturating_sub(first + room);
    if left > 0 && inner.height > 0 {
        let key = app.keymap.first(crate::tui::action::Action::PageDown);
        let y = inner.bottom() - 1;
        canvas.put(inner.x, y, inner.width, &" ".repeat(usize::from(inner.width)), Role::Dim);
        canvas.put(
            inner.x,
            y,
            inner.width,
            &format!("  » {} more: {key}", super::count(left + 1, "line")),
            Role::Key,
        );
    }
}

/// How a line of the report is drawn.
pub(super) fn role_of(line: &str, bad: bool) -> Role {
    let first = line.split_whitespace().next().unwrap_or_default();
    match first {
        "LOCKUP" | "STALL" | "HAZARD" => Role::Bad,
        _ if line.contains("closes the cycle") => Role::Bad,
        "waits" | "held" | "ends" | "performed" if bad => Role::Text,
        "ordering" | "behind" | "known" | "advice" | "times" | "what" => Role::Name,
        _ => Role::Text,
    }
}
