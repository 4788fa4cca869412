//! What happens: keys, the mouse, time, events. State in, state out; what has to be done outside is an
//! [`Effect`].

use super::action::{Action, View};
use super::app::{App, List, Popup};
use super::detail;
use super::keys::Key;
use super::theme::Role;
use crate::diagnose::Finding;
use crate::event::Nanos;
use crate::history::{Filter, Lane};
use crate::report;
use ratatui::crossterm::event::{KeyCode, MouseButton, MouseEvent, MouseEventKind};

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
}

/// Fastest and slowest play, in 1/1024 of the real speed.
const SPEEDS: std::ops::RangeInclusive<u64> = 1..=1024 * 64;
/// Lines of one turn of the mouse wheel.
const WHEEL: isize = 3;

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
        let action = self.keymap.action(key, self.view, self.is_watching())?;
        self.act(action)
    }

    /// Something is to be done.
    pub fn act(&mut self, action: Action) -> Option<Effect> {
        if let Some(popup) = self.popups.last_mut() {
            match action {
                Action::Quit => return Some(Effect::Quit),
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
            match action {
                Action::PageDown => self.scroll += 5,
                Action::PageUp => self.scroll = self.scroll.saturating_sub(5),
                _ => self.scroll = 0,
            }
            if matches!(action, Action::PageDown | Action::PageUp) {
                return;
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

    /// Looks at the moment after so many events.
    pub fn seek(&mut self, events: usize) {
        self.cursor = events.min(self.history.log().len());
        self.follow = false;
        self.play = None;
        self.clock = 0;
        self.timeline.reveal(self.now());
        self.refresh();
    }

    fn move_clock(&mut self, by: Nanos, forward: bool) {
        let now = self.now();
        let time = if forward { now.saturating_add(by) } else { now.saturating_sub(by) };
        self.set_clock(time);
        self.play = None;
    }

    fn set_clock(&mut self, time: Nanos) {
        let log = self.history.log();
        let time = time.clamp(log.first_time(), log.time(log.len()).max(log.first_time()));
        self.follow = false;
        self.cursor = self.history.until(time);
        self.clock = time;
        self.timeline.reveal(time);
        self.refresh();
    }

    fn travel(&mut self, action: Action) {
        let step = self.timeline.length() / 20;
        match action {
            Action::NextEvent => self.seek(self.cursor + 1),
            Action::PreviousEvent => self.seek(self.cursor.saturating_sub(1).max(1)),
            Action::Forward => self.move_clock(step, true),
            Action::Back => self.move_clock(step, false),
            Action::Start => self.seek(1),
            Action::End => self.seek(usize::MAX),
            Action::NextFinding => self.seek_finding(true),
            Action::PreviousFinding => self.seek_finding(false),
            Action::Follow => {
                self.follow = !self.follow;
                self.play = None;
                if self.follow {
                    self.seek(usize::MAX);
                    self.follow = true;
                }
                self.tell(if self.follow { "following the newest event" } else { "standing still" });
            }
            Action::Play => self.toggle_play(),
            Action::Faster | Action::Slower => {
                let speed = self.play.unwrap_or(1024);
                let speed = if action == Action::Faster { speed * 2 } else { speed / 2 };
                self.play = Some(speed.clamp(*SPEEDS.start(), *SPEEDS.end()));
                self.follow = false;
            }
            _ => {}
        }
    }

    fn toggle_play(&mut self) {
        if self.play.take().is_some() {
            return;
        }
        if self.is_at_end() {
            // From the beginning of what the timeline shows: there is nothing to play after the end.
            let start = self.timeline.from;
            self.set_clock(start);
        }
        self.follow = false;
        self.play = Some(1024);
    }

    /// Time has gone on. True if something changed.
    pub fn tick(&mut self, elapsed: Nanos) -> bool {
        let Some(speed) = self.play else { return false };
        let by = u128::from(elapsed) * u128::from(speed) / 1024;
        let time = self.now().saturating_add(u64::try_from(by).unwrap_or(u64::MAX));
        let end = self.history.log().time(self.history.log().len());
        self.set_clock(time);
        if time >= end {
            self.play = None;
            self.cursor = self.history.log().len();
            self.refresh();
        }
        true
    }

    /// Goes to the moment at which the next finding was complete.
    fn seek_finding(&mut self, forward: bool) {
        let mut moments: Vec<(usize, String)> = self
            .found
            .iter()
            .filter_map(|finding| Some((moment(self, finding)?, finding.title.clone())))
            .collect();
        moments.sort();
        let next = if forward {
            moments.iter().find(|(at, _)| *at > self.cursor)
        } else {
            moments.iter().rev().find(|(at, _)| *at < self.cursor)
        };
        match next.cloned() {
            Some((at, title)) => {
                self.seek(at);
                self.tell(format!("here: {title}"));
            }
            None if moments.is_empty() => self.tell("nothing was found in this trace"),
            None => {
                self.tell(if forward { "no finding after this one" } else { "no finding before this one" });
            }
        }
    }

    fn jump(&mut self, action: Action) {
        let (device, task) = (self.selected_device(), self.selected_task());
        match action {
            Action::ToDevice => match device {
                Some(dev) => self.select_device(dev),
                None => self.tell("this is about no device"),
            },
            Action::ToWaits => {
                let from_finding = matches!(self.view, View::Overview | View::Findings);
                self.show(View::Waits);
                let rows = &self.scene.waits.rows;
                let of_task = |row: &crate::diagnose::WaitRow| {
                    task.is_some() && row.party.task.as_ref().map(|task| task.tid) == task
                };
                let of_device = |row: &crate::diagnose::WaitRow| {
                    device.is_some() && row.party.device.as_ref().map(|dev| dev.id) == device.map(|dev| dev.0)
                };
                // A finding is told from the device's side.
                let (by_device, by_task) = (rows.iter().position(of_device), rows.iter().position(of_task));
                let place = if from_finding { by_device.or(by_task) } else { by_task.or(by_device) };
                match place {
                    Some(place) => self.lists[View::Waits as usize].selected = place,
                    None => self.tell("nobody waits for it at this moment"),
                }
            }
            Action::ToTimeline => {
                self.show(View::Timeline);
                let wanted = |lane: &Lane| match lane {
                    Lane::Device(dev) => Some(*dev) == device,
                    Lane::Task(tid) => Some(*tid) == task,
                    Lane::Phases => false,
                };
                match self.scene.lanes.iter().position(wanted) {
                    Some(place) => self.lists[View::Timeline as usize].selected = place,
                    None => self.tell("it has no bar in this stretch of time"),
                }
            }
            _ => self.filter_events(device, task),
        }
    }

    /// Shows a device in the tree, whatever hid it.
    fn select_device(&mut self, dev: crate::event::ObjId) {
        let model = self.model();
        let above: Vec<_> = model.ancestors(dev).collect();
        self.devices.folded.retain(|folded| !above.contains(folded));
        self.view = View::Devices;
        self.refresh();
        if !self.scene.devices.iter().any(|row| row.dev == dev) {
            self.devices.filter.clear();
            self.refresh();
        }
        match self.scene.devices.iter().position(|row| row.dev == dev) {
            Some(place) => self.lists[View::Devices as usize].selected = place,
            None => self.tell("this device was never described"),
        }
    }

    fn filter_events(&mut self, device: Option<crate::event::ObjId>, task: Option<u32>) {
        let model = self.model();
        let name = device.and_then(|dev| model.device(dev)?.info.as_ref().map(|info| info.name.clone()));
        // A name with spaces would be several terms.
        let name = name.filter(|name| !name.contains(char::is_whitespace));
        let filter = match (name, task) {
            (Some(name), _) => format!("dev:{name}"),
            (None, Some(tid)) => format!("task:{tid}"),
            (None, None) => String::new(),
        };
        self.event_filter = filter;
        self.scene.events = None;
        self.show(View::Events);
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

    /// The mouse was used.
    pub fn mouse(&mut self, event: MouseEvent) -> Option<Effect> {
        let at = ratatui::layout::Position { x: event.column, y: event.row };
        match event.kind {
            MouseEventKind::ScrollDown | MouseEventKind::ScrollUp => {
                let down = event.kind == MouseEventKind::ScrollDown;
                match self.popups.last_mut() {
                    Some(popup) => scroll(popup, if down { Action::Down } else { Action::Up }),
                    None => self.step(if down { WHEEL } else { -WHEEL }),
                }
            }
            MouseEventKind::Down(MouseButton::Left) => {
                if let Some(view) = self.hits.tab(at) {
                    self.popups.clear();
                    self.show(view);
                } else if self.popups.pop().is_none() && self.hits.list.contains(at) {
                    let line = self.list().offset + usize::from(at.y - self.hits.list.y);
                    if line < self.lines() {
                        let again = self.list().selected == line;
                        let by = isize::try_from(line).unwrap_or(0)
                            - isize::try_from(self.list().selected).unwrap_or(0);
                        self.step(by);
                        if again {
                            return self.act(Action::Open);
                        }
                    }
                    self.click_time(at);
                }
            }
            _ => {}
        }
        None
    }

    /// A click among the bars moves the cursor there.
    fn click_time(&mut self, at: ratatui::layout::Position) {
        let bars = self.hits.bars;
        if self.view == View::Timeline && bars.contains(at) {
            let part = u128::from(at.x - bars.x) * u128::from(self.timeline.length())
                / u128::from(bars.width.max(1));
            self.set_clock(self.timeline.from + u64::try_from(part).unwrap_or(0));
        }
    }
}

/// After how many events a finding was complete.
fn moment(app: &App, finding: &Finding) -> Option<usize> {
    let log = app.history.log();
    let last = finding.evidence.iter().map(|&at| log.after(at)).max()?;
    // Evidence may be younger than the moment at which the cycle closed: a look at the tasks confirms it.
    Some(finding.closed_at.map_or(last, |time| app.history.until(time)))
}

fn scroll(popup: &mut Popup, action: Action) {
    const PAGE: usize = 10;
    let (Popup::Help { scroll } | Popup::Detail { scroll, .. }) = popup else { return };
    *scroll = match action {
        Action::Up => scroll.saturating_sub(1),
        Action::PageUp => scroll.saturating_sub(PAGE),
        Action::PageDown => *scroll + PAGE,
        _ => *scroll + 1,
    };
}

/// Lines of the same role.
pub(super) fn lines(role: Role, texts: impl IntoIterator<Item = String>) -> Vec<(Role, String)> {
    texts.into_iter().map(|text| (role, text)).collect()
}
