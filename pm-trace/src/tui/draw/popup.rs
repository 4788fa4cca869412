//! What stands in front of the view: help, details, a filter being typed, a question.

use super::Canvas;
use crate::tui::action::{ACTIONS, Place, View};
use crate::tui::app::{App, Popup, Source};
use crate::tui::theme::Role;
use crate::{history, text};
use ratatui::layout::Rect;

pub(super) type Lines = Vec<(Role, String)>;

pub(super) fn draw(app: &mut App, canvas: &mut Canvas<'_>, area: Rect) {
    let first = match app.popups.last() {
        None => return,
        Some(Popup::Help { scroll }) => frame(canvas, area, "keys", &help(app), *scroll),
        Some(Popup::Detail { title, lines, scroll }) => frame(canvas, area, title, lines, *scroll),
        Some(Popup::Filter { text, wrong }) => filter(app, canvas, area, text, wrong.as_deref()),
        Some(Popup::Suspend) => frame(canvas, area, "suspend this machine?", &question(app), 0),
    };
    // Whoever scrolled beyond the end must not have to come all the way back.
    if let Some(Popup::Help { scroll } | Popup::Detail { scroll, .. }) = app.popups.last_mut() {
        *scroll = first;
    }
}

/// A box around lines, as large as they need. Returns the first line shown.
fn frame(canvas: &mut Canvas<'_>, area: Rect, title: &str, lines: &Lines, scroll: usize) -> usize {
    let widest = lines.iter().map(|(_, line)| line.chars().count()).chain([title.chars().count() + 4]).max();
    let width = u16::try_from(widest.unwrap_or(0) + 4).unwrap_or(u16::MAX).clamp(40, area.width - 4);
    let wrapped = wrap(lines, usize::from(width - 4));
    let height = u16::try_from(wrapped.len() + 2).unwrap_or(u16::MAX).clamp(3, area.height - 4);
    let outer =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    canvas.clear(outer);
    border(canvas, outer, title);
    let room = usize::from(height - 2);
    let first = scroll.min(wrapped.len().saturating_sub(room));
    for (place, (role, line)) in wrapped.iter().skip(first).take(room).enumerate() {
        canvas.put(outer.x + 2, outer.y + 1 + u16::try_from(place).unwrap_or(0), width - 4, line, *role);
    }
    let left = wrapped.len().saturating_sub(first + room);
    if left > 0 {
        canvas.put_right(
            outer.right() - 2,
            outer.bottom() - 1,
            width - 4,
            &format!(" ▼ {left} more "),
            Role::Key,
        );
    }
    first
}

fn border(canvas: &mut Canvas<'_>, area: Rect, title: &str) {
    let bar = "─".repeat(usize::from(area.width - 2));
    canvas.put(area.x, area.y, area.width, &format!("┌{bar}┐"), Role::Border);
    for y in area.y + 1..area.bottom() - 1 {
        canvas.put(area.x, y, 1, "│", Role::Border);
        canvas.put(area.right() - 1, y, 1, "│", Role::Border);
    }
    canvas.put(area.x, area.bottom() - 1, area.width, &format!("└{bar}┘"), Role::Border);
    canvas.put(area.x + 2, area.y, area.width - 4, &format!(" {} ", text::line(title)), Role::Title);
}

/// Lines cut into pieces that fit, later ones indented.
pub(super) fn wrap(lines: &Lines, width: usize) -> Lines {
    let mut out = Lines::new();
    for (role, line) in lines {
        let chars: Vec<char> = line.chars().collect();
        let mut rest = &chars[..];
        let mut indent = "";
        loop {
            let room = width.saturating_sub(indent.len()).max(1);
            let cut = if rest.len() <= room {
                rest.len()
            } else {
                rest[..room].iter().rposition(|&c| c == ' ').filter(|&at| at > room / 2).unwrap_or(room)
            };
            out.push((*role, format!("{indent}{}", rest[..cut].iter().collect::<String>().trim_end())));
            rest = &rest[cut..];
            if rest.is_empty() {
                break;
            }
            rest = &rest[rest.iter().position(|&c| c != ' ').unwrap_or(0)..];
            indent = "    ";
        }
    }
    out
}

/// Every key, from the table of actions; those of the view in front first.
fn help(app: &App) -> Lines {
    let mut out = Lines::new();
    let mut group = |title: String, wanted: &dyn Fn(Place) -> bool| {
        out.push((Role::Title, title));
        for (place, spec) in ACTIONS.iter().enumerate().filter(|(_, spec)| wanted(spec.place)) {
            let keys = app.keymap.names(place).join(" ");
            out.push((Role::Text, format!("  {keys:<12} {}", spec.words)));
        }
        out.push((Role::Text, String::new()));
    };
    let view = app.view;
    group(format!("in {}", view.name()), &|place| matches!(place, Place::In(_)) && place.has(view));
    if app.is_watching() {
        group("while waiting for a suspend".to_owned(), &|place| place == Place::Watching);
    }
    group("everywhere".to_owned(), &|place| place == Place::Everywhere);
    out.extend(terms(view));
    out.push((Role::Title, "signs".to_owned()));
    for (sign, words) in [
        ("!", "suspended, or on its way, and something waits for it"),
        ("~", "in a step"),
        ("z", "suspended"),
        ("+", "resumed"),
        ("x", "failed"),
        ("<2", "two wait for it"),
    ] {
        out.push((Role::Text, format!("  {sign:<12} {words}")));
    }
    out
}

/// What can be typed into the view's filter.
fn terms(view: View) -> Lines {
    let terms: &[(&str, &str)] = match view {
        View::Events => &history::TERMS,
        View::Devices => &history::DEVICE_TERMS,
        _ => return Lines::new(),
    };
    let mut out = vec![(Role::Title, "terms of the filter, all of which must be true".to_owned())];
    out.extend(terms.iter().map(|(term, words)| (Role::Text, format!("  {term:<16} {words}"))));
    out.push((Role::Text, String::new()));
    out
}

fn filter(app: &App, canvas: &mut Canvas<'_>, area: Rect, text: &str, wrong: Option<&str>) -> usize {
    let mut lines = vec![(Role::Name, format!("> {text}_"))];
    if let Some(wrong) = wrong {
        lines.push((Role::Bad, wrong.to_owned()));
    }
    lines.push((Role::Dim, "enter applies, esc leaves, ctrl-u clears; an empty filter shows all".to_owned()));
    lines.push((Role::Text, String::new()));
    lines.extend(terms(app.view));
    frame(canvas, area, &format!("filter of {}", app.view.name()), &lines, 0)
}

fn question(app: &App) -> Lines {
    let wake = match &app.source {
        Source::Watch(watching) => watching.wake,
        _ => 0,
    };
    vec![
        (Role::Text, format!("Suspends to RAM; the real-time clock wakes it after {wake} s.")),
        (Role::Text, "Save your work first: a machine with this kind of bug may not come back.".to_owned()),
        (Role::Text, String::new()),
        (Role::Key, "y or enter   suspend now".to_owned()),
        (Role::Key, "other keys   do not".to_owned()),
    ]
}
