//! State into cells: the frame around the views, and the one place where text becomes cells.

mod devices;
mod events;
mod findings;
mod overview;
mod popup;
mod timeline;
mod waits;

pub use waits::row_text as wait_text;

use super::action::{ACTIONS, Action, Place, Spec, View};
use super::app::{App, List, Popup, Source};
use super::theme::{Glyphs, Role};
use crate::diagnose::{Finding, Severity, relative};
pub(super) use crate::text::counted as count;
use crate::{report, text};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Fewest columns and lines that the views are made for.
pub const LEAST: (u16, u16) = (60, 16);

/// Where things were drawn, for the mouse.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    tabs: Vec<(Rect, View)>,
    /// Lines of the view's list.
    pub list: Rect,
    /// Where bars are drawn.
    pub bars: Rect,
}

impl Hits {
    /// The tab at this place.
    pub fn tab(&self, at: Position) -> Option<View> {
        self.tabs.iter().find(|(area, _)| area.contains(at)).map(|(_, view)| *view)
    }
}

/// Cells to draw on. Whatever is put there is cut to its room, and free of characters that act on a terminal.
pub(super) struct Canvas<'a> {
    buffer: &'a mut Buffer,
    theme: super::theme::Theme,
}

impl Canvas<'_> {
    pub(super) fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// Puts text at a place, cut to `width` columns. Returns the column after it.
    pub(super) fn put(&mut self, x: u16, y: u16, width: u16, text: &str, role: Role) -> u16 {
        let style = self.style(role);
        self.put_styled(x, y, width, text, style)
    }

    pub(super) fn put_styled(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
        let area = self.buffer.area;
        if y >= area.bottom() || x >= area.right() {
            return x;
        }
        let text = clip(&text::line(text), usize::from(width.min(area.right() - x)));
        self.buffer.set_stringn(x, y, &text, usize::from(width), style).0
    }

    /// Puts text so that it ends before column `right`.
    pub(super) fn put_right(&mut self, right: u16, y: u16, width: u16, text: &str, role: Role) {
        let wide = u16::try_from(text::line(text).width()).unwrap_or(width).min(width);
        self.put(right.saturating_sub(wide), y, wide, text, role);
    }

    /// Gives a line of cells a style, on top of what they have.
    pub(super) fn highlight(&mut self, area: Rect, role: Role) {
        let style = self.style(role);
        self.buffer.set_style(area.intersection(self.buffer.area), style);
    }

    /// A title and a line to the right of it.
    pub(super) fn title(&mut self, area: Rect, text: &str) -> Rect {
        let style = self.style(Role::Border);
        self.put_styled(area.x, area.y, area.width, &"─".repeat(usize::from(area.width)), style);
        let end =
            self.put(area.x + 1, area.y, area.width.saturating_sub(2), &format!(" {text}"), Role::Title);
        self.put(end, area.y, 1, " ", Role::Title);
        Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
    }

    pub(super) fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            self.buffer[position].reset();
        }
    }
}

/// The beginning of a text, of at most so many columns, with a mark where something was cut.
pub(super) fn clip(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        out.push(c);
    }
    if width > 0 {
        out.push('»');
    }
    out
}

/// Draws everything.
pub fn draw(app: &mut App, buffer: &mut Buffer) {
    let area = buffer.area;
    app.hits = Hits::default();
    let (theme, glyphs) = (app.theme, app.glyphs);
    let mut canvas = Canvas { buffer, theme };
    if area.width < LEAST.0 || area.height < LEAST.1 {
        too_small(&mut canvas, area);
    } else {
        tabs(app, &mut canvas, area);
        moment(app, &mut canvas, Rect { y: area.y + 1, height: 1, ..area });
        let used = 2 + alarm(app, &mut canvas, Rect { y: area.y + 2, height: 1, ..area });
        let body = Rect { y: area.y + used, height: area.height - used - 1, ..area };
        view(app, &mut canvas, body);
        popup::draw(app, &mut canvas, area);
        footer(app, &mut canvas, Rect { y: area.bottom() - 1, height: 1, ..area });
    }
    if glyphs == Glyphs::Ascii {
        to_ascii(buffer);
    }
}

fn view(app: &mut App, canvas: &mut Canvas<'_>, body: Rect) {
    match app.view {
        View::Overview => overview::draw(app, canvas, body),
        View::Devices => devices::draw(app, canvas, body),
        View::Waits => waits::draw(app, canvas, body),
        View::Timeline => timeline::draw(app, canvas, body),
        View::Findings => findings::draw(app, canvas, body),
        View::Events => events::draw(app, canvas, body),
    }
}

fn too_small(canvas: &mut Canvas<'_>, area: Rect) {
    let told = format!("{} x {} is too small", area.width, area.height);
    let wanted = format!("{} x {} are needed", LEAST.0, LEAST.1);
    canvas.put(area.x, area.y, area.width, &told, Role::Warn);
    canvas.put(area.x, area.y + 1, area.width, &wanted, Role::Text);
    canvas.put(area.x, area.y + 2, area.width, "q quits", Role::Text);
}

fn tabs(app: &mut App, canvas: &mut Canvas<'_>, area: Rect) {
    let mut x = area.x;
    for view in View::ALL {
        let key = app.keymap.first(Action::Show(view));
        let start = x;
        let (role, name) =
            if view == app.view { (Role::Title, Role::Cursor) } else { (Role::Key, Role::Text) };
        x = canvas.put(x + 1, area.y, area.right().saturating_sub(x), &key, role);
        x = canvas.put(x, area.y, area.right().saturating_sub(x), &format!(" {} ", view.name()), name);
        app.hits.tabs.push((Rect::new(start, area.y, x - start, 1), view));
    }
    let room = area.right().saturating_sub(x + 2);
    let (label, role) = match &app.source {
        // Where there is little room, the name says more than what is done with it.
        Source::Replay { name, reading: None } => {
            let whole = format!("replay {name}");
            (if whole.width() > usize::from(room) { name.clone() } else { whole }, Role::Dim)
        }
        Source::Replay { reading: Some(percent), .. } => (format!("READING, {percent} %"), Role::Good),
        Source::Watch(_) => ("WATCHING".to_owned(), Role::Good),
        Source::Live { .. } => ("LIVE".to_owned(), Role::Bad),
    };
    canvas.put_right(area.right() - 1, area.y, room, &clip(&label, usize::from(room)), role);
}

/// The moment that is looked at.
fn moment(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let (label, role) = match (app.play, app.follow || app.is_at_end()) {
        (Some(speed), _) => (format!("► {}", speed_words(speed)), Role::Good),
        (None, true) => ("at the end".to_owned(), Role::Dim),
        (None, false) => ("paused".to_owned(), Role::Warn),
    };
    let loss = app.model().loss();
    let lost = loss.lost + loss.undecoded;
    let label = if lost > 0 { format!("{lost} LOST  {label}") } else { label };
    let room = usize::from(area.width).saturating_sub(label.width() + 4);
    canvas.put(area.x + 1, area.y, area.width - 2, &whereabouts(app, room), Role::Dim);
    canvas.put_right(area.right() - 1, area.y, 24, &label, if lost > 0 { Role::Bad } else { role });
}

/// When and where that is, in so many columns.
fn whereabouts(app: &App, room: usize) -> String {
    let log = app.history.log();
    if log.is_empty() {
        return "no events yet".to_owned();
    }
    let transition = app.model().transition().filter(|transition| !transition.is_complete());
    let phase = match transition.map(|transition| transition.phase()) {
        Some(Some(phase)) => format!("in {}", phase.action),
        Some(None) => "between phases".to_owned(),
        None => "no suspend now".to_owned(),
    };
    let mut told =
        format!("{}  {phase}  event {} of {}", relative(app.base(), app.now()), app.cursor, log.len());
    if let Some(session) = app.history.session() {
        // All of the release or nothing: its end says which kernel it is.
        let release = &session.kernel.release;
        let ways = [format!("  kernel {release}"), format!("  {release}")];
        let fits = ways.iter().find(|way| told.width() + way.width() <= room);
        told += fits.map_or("", String::as_str);
    }
    clip(&told, room)
}

fn speed_words(speed: u64) -> String {
    if speed >= 1024 { format!("{}x", speed / 1024) } else { format!("1/{}x", 1024 / speed.max(1)) }
}

/// The worst finding in one line. Returns how many lines it took.
fn alarm(app: &App, canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    let Some(finding) = app.worst().filter(|finding| finding.severity > Severity::Info) else {
        return 0;
    };
    let role = if finding.severity == Severity::Error { Role::Alarm } else { Role::Warn };
    let told = format!(" {}", in_a_line(finding, usize::from(area.width.saturating_sub(1))));
    canvas.put(area.x, area.y, area.width, &told, role);
    canvas.highlight(area, role);
    1
}

/// A finding in a line of so many columns.
fn in_a_line(finding: &Finding, columns: usize) -> String {
    let told = report::in_a_line(finding);
    if told.width() <= columns {
        return told;
    }
    // What is stuck says more than for how long and how sure that is, which stand with the chain.
    let kind = told.split_whitespace().next().unwrap_or_default();
    format!("{kind}  {}", finding.title)
}

fn footer(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    if !app.message.text.is_empty() {
        let role = if app.message.bad { Role::Bad } else { Role::Good };
        canvas.put(area.x + 1, area.y, area.width - 1, &app.message.text, role);
        return;
    }
    let hints = hints(app);
    // Help and quit are always shown: they stand at the end of the table, and get their room first.
    let wide = |(key, hint): &(String, &str)| key.width() + hint.width() + 3;
    let tail = hints.len().saturating_sub(2);
    let reserved: usize = hints[tail..].iter().map(wide).sum();
    let mut room = usize::from(area.width).saturating_sub(reserved + 1);
    let mut x = area.x + 1;
    for (place, hint) in hints.iter().enumerate() {
        if place < tail {
            if hint.0.is_empty() || wide(hint) > room {
                continue;
            }
            room -= wide(hint);
        }
        x = canvas.put(x, area.y, area.right().saturating_sub(x), &hint.0, Role::Key);
        x = canvas.put(x + 1, area.y, area.right().saturating_sub(x + 1), hint.1, Role::Dim) + 2;
    }
}

/// Keys and what they do here, those of most use first; help and quit last where they work.
fn hints(app: &App) -> Vec<(String, &'static str)> {
    let filtered = app.filter_of_view().is_some_and(|filter| !filter.trim().is_empty());
    let in_front = app.popups.last();
    let shown = |spec: &&Spec| {
        !spec.hint.is_empty()
            && spec.place.has(app.view)
            && match spec.action {
                // What is typed into a filter is no key, and a question takes any.
                Action::Help | Action::Quit => {
                    !matches!(in_front, Some(Popup::Filter { .. } | Popup::Suspend))
                }
                Action::Cancel => filtered || in_front.is_some(),
                _ if in_front.is_some() => false,
                _ => does_something(app, spec),
            }
    };
    let mut specs: Vec<&Spec> = ACTIONS.iter().filter(shown).collect();
    // How to leave a filter comes first: what it hides may be what is looked for.
    specs.sort_by_key(|spec| spec.action != Action::Cancel);
    let hint = |spec: &Spec| match (spec.action, in_front) {
        (Action::Cancel, Some(_)) => "close",
        _ => spec.hint,
    };
    let mut hints: Vec<_> =
        specs.into_iter().map(|spec| (app.keymap.first(spec.action), hint(spec))).collect();
    if let Some(Popup::Detail { .. } | Popup::Help { .. }) = in_front {
        hints.insert(1, (app.keymap.first(Action::Down), "read on"));
    }
    hints
}

/// Whether the action has anything to be done with now.
fn does_something(app: &App, spec: &Spec) -> bool {
    let about_findings = matches!(app.view, View::Overview | View::Findings);
    match spec.place {
        // Nothing has come yet that they could be about, or nothing was found.
        Place::In(_) if app.history.log().is_empty() => false,
        Place::In(_) if about_findings => app.finding().is_some(),
        // A filter may be what empties the list.
        Place::In(_) => app.lines() > 0 || spec.action == Action::Filter,
        Place::Watching => app.is_watching(),
        Place::Everywhere => match spec.action {
            Action::NextFinding => app.has_finding(true),
            Action::PreviousFinding => app.has_finding(false) && !app.has_finding(true),
            Action::Play => !app.history.log().is_empty(),
            // A file does not grow.
            Action::Follow => !app.history.log().is_empty() && !matches!(app.source, Source::Replay { .. }),
            _ => true,
        },
    }
}

/// Draws the visible lines of a list: `line` draws the one with this number in this area. Of the selected one `marked`
/// columns are marked: where bars are drawn their colours say something already.
pub(super) fn list(
    app: &mut App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    marked: u16,
    mut line: impl FnMut(&App, &mut Canvas<'_>, Rect, usize),
) {
    let lines = app.lines();
    let mut list: List = app.list();
    list.fit(lines, usize::from(area.height));
    app.lists[app.view as usize] = list;
    app.hits.list = area;
    if lines == 0 {
        canvas.put(area.x + 1, area.y, area.width - 1, &super::detail::nothing(app), Role::Dim);
    }
    for (place, number) in (list.offset..lines).take(usize::from(area.height)).enumerate() {
        let row = Rect { y: area.y + u16::try_from(place).unwrap_or(0), height: 1, ..area };
        line(app, canvas, row, number);
        if number == list.selected {
            canvas.highlight(Rect { width: marked, ..row }, Role::Selected);
        }
    }
    // Where in the list one is, at its right edge.
    if lines > list.height && list.height > 2 {
        let place = list.offset * (list.height - 1) / (lines - list.height).max(1);
        let y = area.y + u16::try_from(place.min(list.height - 1)).unwrap_or(0);
        // No block: beside the bars of a timeline it would be one of them.
        canvas.put(area.right() - 1, y, 1, "║", Role::Border);
    }
}

/// All about what is selected, beside or below the list; what finds no room is told of, and opened as a popup.
fn panel(app: &App, canvas: &mut Canvas<'_>, area: Rect, title: &str, lines: &popup::Lines) {
    let inner = canvas.title(area, title);
    let wrapped = popup::wrap(lines, usize::from(inner.width.saturating_sub(2)));
    let room = usize::from(inner.height);
    let left = if wrapped.len() > room { wrapped.len() + 1 - room } else { 0 };
    let mut y = inner.y;
    for (role, text) in wrapped.iter().take(wrapped.len().saturating_sub(left)) {
        canvas.put(inner.x + 1, y, inner.width - 1, text, *role);
        y += 1;
    }
    if left > 0 && room > 0 {
        let told = format!("» {} more: {}", count(left, "line"), app.keymap.first(Action::Open));
        canvas.put(inner.x + 1, y, inner.width - 1, &told, Role::Key);
    }
}

/// Replaces everything that is not ASCII.
fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let ascii = Glyphs::ascii(cell.symbol());
            cell.set_symbol(ascii);
        }
    }
}
