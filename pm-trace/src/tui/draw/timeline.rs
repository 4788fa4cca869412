//! Timeline: bars of phases, devices and tasks over time.

use super::Canvas;
use crate::diagnose::{relative, seconds};
use crate::event::{Nanos, ObjId};
use crate::history::{Lane, Span, SpanKind, marked};
use crate::tui::app::App;
use crate::tui::theme::Role;
use ratatui::layout::Rect;
use std::collections::HashSet;

/// A part of a critical path, in bars and at the left.
const PATH: &str = "≡";
/// From this width on, what the characters mean stands further apart.
const ROOMY: u16 = 84;

pub(super) fn draw(app: &mut App, canvas: &mut Canvas<'_>, area: Rect) {
    let filter = match app.timeline.filter.trim() {
        "" => String::new(),
        filter => format!(", filter: {filter}"),
    };
    let shown = seconds(app.timeline.length());
    let inner = canvas
        .title(area, &format!("{}, {shown} of time{filter}", super::count(app.scene.lanes.len(), "lane")));
    let names = (inner.width / 4).clamp(18, 40);
    let bars = Rect { x: inner.x + names, width: inner.width - names - 1, ..inner };
    axis(app, canvas, bars);
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(3), ..inner };
    app.hits.bars = Rect { y: rows.y, height: rows.height, ..bars };
    let marked = marked(&app.scene.findings);
    let path: HashSet<ObjId> = app.timeline.inside(&app.critical).map(|part| part.dev).collect();
    super::list(app, canvas, rows, names - 1, |app, canvas, row, number| {
        let Some(&lane) = app.scene.lanes.get(number) else { return };
        let (mark, role) = match lane {
            lane if marked.contains(&lane) => ("!", Role::Bad),
            Lane::Device(dev) if path.contains(&dev) => (PATH, Role::Path),
            _ => (" ", Role::Text),
        };
        canvas.put(row.x, row.y, 1, mark, role);
        let role = match lane {
            Lane::Phases => Role::Title,
            _ if marked.contains(&lane) => Role::Bad,
            Lane::Device(_) => Role::Text,
            Lane::Task(_) => Role::Name,
        };
        canvas.put(row.x + 1, row.y, names - 2, &app.history.lane_name(lane), role);
        draw_bars(app, canvas, Rect { y: row.y, height: 1, ..bars }, lane);
    });
    cursor(app, canvas, Rect { y: inner.y, height: rows.height + 1, ..bars });
    let below = Rect { y: rows.bottom(), height: 2, ..inner };
    under_cursor(app, canvas, below);
}

/// Column of a moment; `None` outside of what is shown.
fn column(app: &App, bars: Rect, time: Nanos) -> Option<u16> {
    let view = &app.timeline;
    if time < view.from || time > view.to {
        return None;
    }
    let part =
        u128::from(time - view.from) * u128::from(bars.width.saturating_sub(1)) / u128::from(view.length());
    Some(bars.x + u16::try_from(part).unwrap_or(0))
}

fn axis(app: &App, canvas: &mut Canvas<'_>, bars: Rect) {
    if app.history.log().is_empty() {
        return;
    }
    let step = 14u16;
    let mut x = bars.x;
    while x + 9 < bars.right() {
        let part = u128::from(app.timeline.length()) * u128::from(x - bars.x) / u128::from(bars.width.max(1));
        let time = app.timeline.from + u64::try_from(part).unwrap_or(0);
        canvas.put(x, bars.y, step - 1, &format!("│{}", fine(app, time)), Role::Dim);
        x += step;
    }
}

/// A time with as many digits as the stretch that is shown makes sense of.
fn fine(app: &App, time: Nanos) -> String {
    if app.timeline.length() >= 400_000_000 {
        return relative(app.base(), time);
    }
    let base = app.base();
    let (sign, distance) = if time >= base { ('+', time - base) } else { ('-', base - time) };
    format!("{sign}{}.{:06}", distance / 1_000_000_000, distance / 1_000 % 1_000_000)
}

/// Character and colour of a bar: what it is can be told without colour.
fn look(kind: SpanKind) -> (&'static str, Role) {
    match kind {
        SpanKind::Phase => ("█", Role::Phase),
        SpanKind::Step(_) => ("░", Role::Step),
        SpanKind::Callback => ("█", Role::Callback),
        SpanKind::Wait => ("▒", Role::Wait),
        SpanKind::ErrorHandling => ("▓", Role::Handling),
        SpanKind::Work => ("▄", Role::Work),
    }
}

fn draw_bars(app: &App, canvas: &mut Canvas<'_>, bars: Rect, lane: Lane) {
    let view = &app.timeline;
    let end_of = |span: &Span| {
        span.end.unwrap_or_else(|| app.history.log().time(app.history.log().len()).max(app.now()))
    };
    let mut shown: Vec<&Span> = app
        .history
        .spans()
        .of(lane)
        .take_while(|span| span.start <= view.to)
        .filter(|span| end_of(span) >= view.from)
        .collect();
    if lane != Lane::Phases {
        shown.sort_by_key(|span| (span.kind, span.start));
    }
    // One character a column: of many short bars in it the last one drawn counts.
    let mut cells: Vec<Option<SpanKind>> = vec![None; usize::from(bars.width)];
    for span in shown {
        let from = column(app, bars, span.start.max(view.from)).unwrap_or(bars.x);
        let to = column(app, bars, end_of(span).min(view.to)).unwrap_or(bars.right() - 1);
        for x in from..=to.min(bars.right() - 1) {
            cells[usize::from(x - bars.x)] = Some(span.kind);
        }
    }
    for (place, kind) in cells.iter().enumerate() {
        if let Some(kind) = kind {
            let (symbol, role) = look(*kind);
            canvas.put(bars.x + u16::try_from(place).unwrap_or(0), bars.y, 1, symbol, role);
        }
    }
    match lane {
        Lane::Phases => phase_names(app, canvas, bars),
        Lane::Device(dev) => draw_path(app, canvas, bars, dev),
        Lane::Task(_) => {}
    }
}

/// The device's parts of critical paths, over its bars.
fn draw_path(app: &App, canvas: &mut Canvas<'_>, bars: Rect, dev: ObjId) {
    let view = &app.timeline;
    for part in view.inside(&app.critical).filter(|part| part.dev == dev) {
        let from = column(app, bars, part.start.max(view.from)).unwrap_or(bars.x);
        let to = column(app, bars, part.end.min(view.to)).unwrap_or(bars.right() - 1);
        for x in from..=to.min(bars.right() - 1) {
            canvas.put(x, bars.y, 1, PATH, Role::Path);
        }
    }
}

/// Names of the phases, where there is room for them in their bars.
fn phase_names(app: &App, canvas: &mut Canvas<'_>, bars: Rect) {
    for span in app.history.spans().of(Lane::Phases).filter(|span| span.start <= app.timeline.to) {
        let end = span.end.unwrap_or(app.timeline.to);
        let (Some(from), Some(to)) = (
            column(app, bars, span.start.max(app.timeline.from)),
            column(app, bars, end.min(app.timeline.to)),
        ) else {
            continue;
        };
        let label = app.history.spans().label(span);
        let room = to.saturating_sub(from);
        if usize::from(room) > label.len() + 1 && label.starts_with("dpm_") {
            canvas.put(from, bars.y, room, &format!("█{label} "), Role::Phase);
        }
    }
}

fn cursor(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    if let Some(x) = column(app, area, app.now()) {
        canvas.highlight(Rect { x, width: 1, ..area }, Role::Cursor);
    }
}

/// What the selected lane does at the cursor, and what the characters mean.
fn under_cursor(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let now = app.now();
    if let Some(&lane) = app.scene.lanes.get(app.list().selected) {
        let spans = app.history.spans();
        let over = spans.of(lane).filter(|span| span.start <= now && span.end.is_none_or(|end| end >= now));
        let mut told: Vec<String> = over
            .map(|span| {
                let took =
                    span.end.map_or("not ended".to_owned(), |end| seconds(end.saturating_sub(span.start)));
                format!("{} ({took}, from {})", spans.label(span), relative(app.base(), span.start))
            })
            .collect();
        told.extend(on_path(app, lane));
        let told = if told.is_empty() { "nothing".to_owned() } else { told.join("; ") };
        let text = format!("{} at {}: {told}", app.history.lane_name(lane), relative(app.base(), now));
        canvas.put(area.x + 1, area.y, area.width - 1, &text, Role::Name);
    }
    let gap = if area.width < ROOMY { 1 } else { 2 };
    let mut x = area.x + 1;
    for (kind, name) in [
        (SpanKind::Callback, "callback"),
        (SpanKind::Step(crate::event::Step::Resume), "step"),
        (SpanKind::Wait, "waits"),
        (SpanKind::ErrorHandling, "error handling"),
        (SpanKind::Work, "work"),
    ] {
        let (symbol, role) = look(kind);
        x = canvas.put(x, area.y + 1, area.right().saturating_sub(x), symbol, role) + 1;
        x = canvas.put(x, area.y + 1, area.right().saturating_sub(x), name, Role::Dim) + gap;
    }
    x = canvas.put(x, area.y + 1, area.right().saturating_sub(x), PATH, Role::Path) + 1;
    x = canvas.put(x, area.y + 1, area.right().saturating_sub(x), "critical path", Role::Dim) + gap;
    canvas.put(x, area.y + 1, area.right().saturating_sub(x), "! finding", Role::Bad);
}

/// What the lane's longest part of a critical path in sight costs.
fn on_path(app: &App, lane: Lane) -> Option<String> {
    let Lane::Device(dev) = lane else { return None };
    let parts = app.timeline.inside(&app.critical).filter(|part| part.dev == dev);
    let part = parts.max_by_key(|part| part.end - part.start)?;
    let gain = part.gain.map_or(String::new(), |gain| format!(", without it {} less", seconds(gain)));
    Some(format!("critical for dpm_{} with {}{gain}", part.step, seconds(part.end - part.start)))
}
