//! What happens: keys, the mouse, time, events. State in, state out; what has to be done outside is an
//! [`Effect`].

mod arrive;
mod jump;
mod mouse;
mod travel;

use super::action::{Action, View};
use super::app::{App, List, Popup};
use super::detail;
use super::keys::Key;
use super::theme::Role;
use crate::history::Filter;
use crate::report;
use ratatui::crossterm::event::KeyCode;

/// What the outside has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// End.
    Quit,
    /// Put this text on the clipboard.
    Copy(String),
    /// Write a file.
    Save {
        /// Its name.
        name: String,
        /// What is in it.
        text: String,
    },
    /// Suspend this machine.
    Suspend,
    /// Draw everything anew: somebody else wrote on the screen.
    Redraw,
}

/// Lines of a finding that a page key moves on by.
const PAGE: isize = 10;

impl App {
    /// A key was pressed.
    pub fn key(&mut self, key: Key) -> Option<Effect> {
        self.message = Default::default();
        if let Some(Popup::Filter { .. }) = self.popups.last() {
            self.type_filter(key);
            return None;
        }
        if self.popups.last() == Some(&Popup::Suspend) {
            self.popups.pop();
            let agreed = key.is(KeyCode::Char('y')) || key.is(KeyCode::Enter);
            return agreed.then_some(Effect::Suspend);
        }
        let action = self.keymap.action(key, self.view, self.is_watching());
        // What stands in front can be long where the view behind it is no list.
        let pages = || {
            let action = self.keymap.action(key, View::Events, false).filter(|_| !self.popups.is_empty());
            action.filter(|action| matches!(action, Action::PageUp | Action::PageDown))
        };
        self.act(action.or_else(pages)?)
    }

    /// Something is to be done.
    pub fn act(&mut self, action: Action) -> Option<Effect> {
        if let Some(popup) = self.popups.last_mut() {
            match action {
                Action::Quit => return Some(Effect::Quit),
                Action::Redraw => return Some(Effect::Redraw),
                Action::Up | Action::PageUp | Action::Down | Action::PageDown => {
                    scroll(popup, action);
                    return None;
                }
                _ => {
                    self.popups.pop();
                    if matches!(action, Action::Cancel | Action::Help | Action::Open) {
                        return None;
                    }
                }
            }
        }
        match action {
            Action::Quit => return Some(Effect::Quit),
            Action::Redraw => return Some(Effect::Redraw),
            Action::Help => self.popups.push(Popup::Help { scroll: 0 }),
            Action::Suspend => self.popups.push(Popup::Suspend),
            Action::Copy | Action::ExportText | Action::ExportJson => return self.export(action),
            Action::Cancel => self.leave_filter(),
            Action::Theme => self.theme = self.theme.next(),
            Action::NextView => self.turn(1),
            Action::PreviousView => self.turn(View::ALL.len() - 1),
            Action::Show(view) => self.show(view),
            Action::Open => self.open(),
            Action::Filter => {
                let text = self.filter_of_view().unwrap_or_default().to_owned();
                self.popups.push(Popup::Filter { text, wrong: None });
            }
            Action::ToDevice | Action::ToWaits | Action::ToTimeline | Action::ToEvents => self.jump(action),
            Action::Up
            | Action::Down
            | Action::PageUp
            | Action::PageDown
            | Action::Top
            | Action::Bottom
            | Action::Left
            | Action::Right => self.navigate(action),
            Action::Sort | Action::Reverse | Action::FoldAll => self.arrange(action),
            Action::ZoomIn | Action::ZoomOut | Action::ZoomFit => self.zoom(action),
            _ => self.travel(action),
        }
        None
    }

    fn turn(&mut self, by: usize) {
        let next = (self.view as usize + by) % View::ALL.len();
        self.show(View::ALL[next]);
    }

    fn show(&mut self, view: View) {
        self.view = view;
        self.scroll = 0;
        self.refresh();
    }

    /// The filter of the view in front, as typed.
    pub fn filter_of_view(&self) -> Option<&str> {
        match self.view {
            View::Devices => Some(&self.devices.filter),
            View::Timeline => Some(&self.timeline.filter),
            View::Events => Some(&self.event_filter),
            _ => None,
        }
    }

    fn set_filter(&mut self, text: String) {
        match self.view {
            View::Devices => self.devices.filter = text,
            View::Timeline => self.timeline.filter = text,
            View::Events => {
                self.event_filter = text;
                self.scene.events = None;
            }
            _ => return,
        }
        self.refresh();
    }

    fn leave_filter(&mut self) {
        if self.filter_of_view().is_some_and(|filter| !filter.is_empty()) {
            self.set_filter(String::new());
        }
    }

    fn type_filter(&mut self, key: Key) {
        let Some(Popup::Filter { text, wrong }) = self.popups.last_mut() else { return };
        if key.is(KeyCode::Esc) {
            self.popups.pop();
            return;
        }
        if key.is(KeyCode::Enter) {
            let text = text.clone();
            // Every word is a filter of names; only events have terms that can be wrong.
            if self.view == View::Events
                && let Err(error) = Filter::parse(&text)
            {
                *wrong = Some(error.to_string());
                return;
            }
            self.popups.pop();
            self.set_filter(text);
            return;
        }
        *wrong = None;
        if key.is(KeyCode::Backspace) {
            text.pop();
        } else if key == Key::parse("ctrl-u").unwrap_or(key) {
            text.clear();
        } else if let Some(c) = key.typed().filter(|c| text.len() < 200 && !crate::text::is_unsafe(*c)) {
            text.push(c);
        }
    }

    fn navigate(&mut self, action: Action) {
        let page = isize::try_from(self.list().height.max(2) - 1).unwrap_or(10);
        if self.view == View::Findings {
            // With one finding there is nothing to choose: the arrows read on, as page keys always do.
            let alone = self.lines() <= 1;
            match action {
                Action::Down if alone => return self.read_on(1),
                Action::Up if alone => return self.read_on(-1),
                Action::PageDown => return self.read_on(PAGE),
                Action::PageUp => return self.read_on(-PAGE),
                _ => self.scroll = 0,
            }
        }
        match action {
            Action::Up => self.step(-1),
            Action::Down => self.step(1),
            Action::PageUp => self.step(-page),
            Action::PageDown => self.step(page),
            Action::Top => self.step(isize::MIN),
            Action::Bottom => self.step(isize::MAX),
            Action::Left | Action::Right if self.view == View::Timeline => {
                let by = self.timeline.length() / 100;
                self.move_clock(by, action == Action::Right);
            }
            Action::Left | Action::Right => self.fold(action == Action::Left),
            _ => {}
        }
    }

    /// Moves on in what is told of the selected finding.
    fn read_on(&mut self, by: isize) {
        self.scroll = self.scroll.saturating_add_signed(by);
    }

    /// Moves the selection; among events it is the moment that is looked at.
    fn step(&mut self, by: isize) {
        let lines = self.lines();
        if self.view == View::Overview {
            return;
        }
        self.lists[self.view as usize].step(by, lines);
        if self.view == View::Events
            && let Some(number) = self.selected_event()
        {
            self.seek(number + 1);
        }
    }

    fn fold(&mut self, close: bool) {
        let Some(row) = self.scene.devices.get(self.list().selected).copied() else { return };
        if !close {
            self.devices.folded.remove(&row.dev);
        } else if row.parent && row.folded == 0 {
            self.devices.folded.insert(row.dev);
        } else {
            // Nothing to fold here: go to the parent.
            let above =
                self.scene.devices[..self.list().selected].iter().rposition(|up| up.depth < row.depth);
            if let Some(place) = above {
                self.lists[View::Devices as usize].selected = place;
            }
            return;
        }
        self.refresh();
    }

    fn arrange(&mut self, action: Action) {
        match action {
            Action::Sort => self.devices.order = self.devices.order.next(),
            Action::Reverse => self.devices.reverse = !self.devices.reverse,
            _ if self.devices.folded.is_empty() => {
                let parents = self.scene.devices.iter().filter(|row| row.parent).map(|row| row.dev);
                self.devices.folded = parents.collect();
            }
            _ => self.devices.folded.clear(),
        }
        self.refresh();
        if action == Action::Sort {
            self.lists[View::Devices as usize] = List::default();
            self.tell(format!("ordered by {}", self.devices.order.words()));
        }
    }

    fn zoom(&mut self, action: Action) {
        match action {
            Action::ZoomFit => self.timeline.fit(&self.history, self.cursor),
            _ => self.timeline.zoom(self.now(), action == Action::ZoomIn),
        }
        self.refresh();
    }

    fn open(&mut self) {
        match self.view {
            View::Overview => self.show(View::Findings),
            View::Findings if !self.scene.findings.is_empty() => self.jump(Action::ToWaits),
            _ => {
                if let Some((title, lines)) = detail::of(self) {
                    self.popups.push(Popup::Detail { title, lines, scroll: 0 });
                }
            }
        }
    }

    fn export(&mut self, action: Action) -> Option<Effect> {
        let Some(finding) = self.finding() else {
            self.tell("nothing was found at this moment");
            return None;
        };
        let text = report::verdict(finding);
        let json = serde_json::to_string_pretty(finding).map(|json| json + "\n").unwrap_or_default();
        let name = |end: &str| format!("pm-trace-finding-{}.{end}", finding.id());
        Some(match action {
            Action::Copy => Effect::Copy(text),
            Action::ExportText => Effect::Save { name: name("txt"), text },
            _ => Effect::Save { name: name("json"), text: json },
        })
    }
}

fn scroll(popup: &mut Popup, action: Action) {
    let page = PAGE.unsigned_abs();
    let (Popup::Help { scroll } | Popup::Detail { scroll, .. }) = popup else { return };
    *scroll = match action {
        Action::Up => scroll.saturating_sub(1),
        Action::PageUp => scroll.saturating_sub(page),
        Action::PageDown => *scroll + page,
        _ => *scroll + 1,
    };
}

/// Lines of the same role.
pub(super) fn lines(role: Role, texts: impl IntoIterator<Item = String>) -> Vec<(Role, String)> {
    texts.into_iter().map(|text| (role, text)).collect()
}
