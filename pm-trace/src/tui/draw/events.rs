//! Events: everything that was recorded, in words.

use super::Canvas;
use crate::diagnose::narrate;
use crate::tui::app::App;
use crate::tui::theme::Role;
use ratatui::layout::Rect;

pub(super) fn draw(app: &mut App, canvas: &mut Canvas<'_>, area: Rect) {
    let (count, all) = (app.lines(), app.history.log().len());
    let filter = match app.event_filter.trim() {
        "" => String::new(),
        filter => format!(", filter: {filter}"),
    };
    let follow = if app.follow { ", following" } else { "" };
    let inner = canvas.title(area, &format!("{count} of {all} events{filter}{follow}"));
    let task = (inner.width / 6).clamp(17, 24);
    let head = [(1, "time"), (13, "subject"), (21, "task"), (22 + task, "what")];
    for (x, name) in head {
        canvas.put(inner.x + x, inner.y, 10, name, Role::Dim);
    }
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    super::list(app, canvas, rows, rows.width, |app, canvas, row, number| {
        let number = match &app.scene.events {
            Some(picked) => picked.get(number).map_or(usize::MAX, |&n| n as usize),
            None => number,
        };
        line(app, canvas, row, number, task);
    });
}

fn line(app: &App, canvas: &mut Canvas<'_>, row: Rect, number: usize, task: u16) {
    let log = app.history.log();
    let (Some(entry), Some(event)) = (log.entry(number), log.event(number)) else { return };
    let future = number >= app.cursor;
    let role = if future { Role::Dim } else { Role::Text };
    let base = app.base();
    let (sign, distance) =
        if entry.time >= base { ('+', entry.time - base) } else { ('-', base - entry.time) };
    let time = format!("{sign}{}.{:06}", distance / 1_000_000_000, distance / 1_000 % 1_000_000);
    canvas.put_right(row.x + 12, row.y, 12, &time, role);
    canvas.put(row.x + 13, row.y, 7, entry.subject.name(), if future { Role::Dim } else { Role::Name });
    canvas.put(row.x + 21, row.y, task, &event.task.to_string(), role);
    let x = row.x + 22 + task;
    // Names come from the whole trace: a device may be described after its first event.
    canvas.put(x, row.y, row.right().saturating_sub(x + 1), &narrate(app.history.head(), &event), role);
}
