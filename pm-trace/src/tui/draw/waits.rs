//! Waits: the wait-for graph as chains, cycles first.

use super::Canvas;
use crate::diagnose::{WaitRow, relative};
use crate::tui::app::App;
use crate::tui::detail;
use crate::tui::theme::Role;
use ratatui::layout::Rect;

/// From this width on, what is selected is explained beside the chains.
const WIDE: u16 = 140;

/// Lines for what is told below the chains, at least.
const LEAST_NOTES: u16 = 5;

/// Room for the list and, if it is wide enough, for what is told beside it.
pub(super) fn split(area: Rect, wide: u16) -> (Rect, Option<Rect>) {
    if area.width < wide {
        return (area, None);
    }
    let main = area.width * 11 / 20;
    let side = Rect { x: area.x + main + 1, width: area.width - main - 1, ..area };
    (Rect { width: main, ..area }, Some(side))
}

pub(super) fn draw(app: &mut App, canvas: &mut Canvas<'_>, area: Rect) {
    let (main, side) = split(area, WIDE);
    let waits = &app.scene.waits;
    let chains = waits.rows.iter().filter(|row| row.relation.is_none()).count() + waits.left;
    let cycles = match waits.cycles {
        0 => String::new(),
        1 => ", 1 cycle: a deadlock".to_owned(),
        cycles => format!(", {cycles} cycles: deadlocks"),
    };
    let left = if waits.left > 0 { format!(", {} not shown", waits.left) } else { String::new() };
    let inner = canvas.title(main, &format!("{}{cycles}{left}", super::count(chains, "chain")));
    // Below the list on a narrow screen: what is known about the selected line, in the room that the list leaves.
    let left = inner.height.saturating_sub(u16::try_from(app.scene.waits.rows.len()).unwrap_or(u16::MAX));
    let notes = if side.is_none() && inner.height > 12 {
        left.saturating_sub(1).clamp(LEAST_NOTES, inner.height - LEAST_NOTES)
    } else {
        0
    };
    let list = Rect { height: inner.height - notes, ..inner };
    super::list(app, canvas, list, list.width, |app, canvas, row, number| {
        if let Some(wait) = app.scene.waits.rows.get(number) {
            line(app, canvas, row, wait);
        }
    });
    let Some(selected) = app.scene.waits.rows.get(app.list().selected) else { return };
    let lines = detail::wait(app, selected);
    let below = Rect { y: list.bottom(), height: notes, ..inner };
    let room = match side {
        Some(side) => side,
        None if notes > 0 => below,
        None => return,
    };
    super::panel(app, canvas, room, &selected.party.label, &lines);
}

/// The words of a row, without its place.
pub fn row_text(row: &WaitRow) -> String {
    match row.relation {
        None => row.party.label.clone(),
        Some(relation) => {
            let inside =
                row.notes.first().filter(|note| note.starts_with("in ")).map(|note| format!(" {note}"));
            format!("{:<14} {}{}", relation.words(), row.party.label, inside.unwrap_or_default())
        }
    }
}

fn line(app: &App, canvas: &mut Canvas<'_>, row: Rect, wait: &WaitRow) {
    let head = wait.relation.is_none();
    // A mark at the left makes the cycle stand out as one piece.
    let mark = match (wait.in_cycle, head, wait.closes) {
        (true, true, _) => "┌►",
        (true, _, true) => "└─",
        (true, ..) => "│ ",
        _ => "  ",
    };
    canvas.put(row.x, row.y, 2, mark, Role::Bad);
    let indent = 2 + u16::from(!head) * 2 + wait.depth.min(8) * 2;
    let role = match (wait.in_cycle, head) {
        (true, _) => Role::Bad,
        (false, true) => Role::Name,
        _ => Role::Text,
    };
    let since = wait.since.filter(|_| !wait.closes).map(|at| format!("since {}", relative(app.base(), at)));
    let right = match (wait.closes, wait.repeated, since) {
        (true, ..) => "<- closes the cycle".to_owned(),
        (_, true, _) => "see above".to_owned(),
        (.., Some(since)) => since,
        _ => String::new(),
    };
    let wide = u16::try_from(right.chars().count()).unwrap_or(0);
    let more = if wait.left > 0 { format!(" (and {} more)", wait.left) } else { String::new() };
    let room = row.width.saturating_sub(indent + wide + 2);
    canvas.put(row.x + indent, row.y, room, &format!("{}{more}", row_text(wait)), role);
    canvas.put_right(row.right() - 1, row.y, wide, &right, if wait.closes { Role::Bad } else { Role::Dim });
}
