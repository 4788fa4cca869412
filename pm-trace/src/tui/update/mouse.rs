//! The mouse: tabs, lines, bars, the wheel.

use super::super::action::{Action, View};
use super::super::app::App;
use super::{Effect, scroll};
use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

/// Lines of one turn of the mouse wheel.
const WHEEL: isize = 3;

impl App {
    /// The mouse was used.
    pub fn mouse(&mut self, event: MouseEvent) -> Option<Effect> {
        let at = ratatui::layout::Position { x: event.column, y: event.row };
        match event.kind {
            MouseEventKind::ScrollDown | MouseEventKind::ScrollUp => {
                let down = event.kind == MouseEventKind::ScrollDown;
                match self.popups.last_mut() {
                    Some(popup) => scroll(popup, if down { Action::Down } else { Action::Up }),
                    None if self.view == View::Findings && !self.hits.list.contains(at) => {
                        self.read_on(if down { WHEEL } else { -WHEEL });
                    }
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
