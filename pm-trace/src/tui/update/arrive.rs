//! What a recording brings while the view is open.

use super::super::action::View;
use super::super::app::{App, List};
use crate::diagnose::{Finding, Severity};
use crate::event::Event;

/// Most memory for events of cycles gone by, in bytes.
const MEMORY: usize = 512 << 20;

impl App {
    /// Takes in all that one drain brought, then derives once what is shown. A transition that is complete with it is
    /// shown whole, at the worst of what was found. False if there is nothing to draw.
    pub fn drained(&mut self, events: impl IntoIterator<Item = Event>, told: bool) -> bool {
        let before = self.history.log().len();
        for event in events {
            self.history.push(&event);
        }
        if self.history.log().len() == before && !told {
            return false;
        }
        if self.history.log().memory() > MEMORY {
            self.history.forget();
            self.shown = 0;
        }
        let last = self.history.head().transition().filter(|last| last.is_complete());
        match last.map(|last| last.number).filter(|&number| number > self.shown) {
            Some(number) => {
                self.shown = number;
                self.arrived();
            }
            None => self.grown(),
        }
        true
    }

    /// A transition has ended in watch mode: shows all of it, and the worst of what was found.
    fn arrived(&mut self) {
        self.follow = true;
        self.play = None;
        self.popups.clear();
        self.grown();
        self.timeline.show(&self.history, self.cursor);
        let worst = self.worst().filter(|worst| worst.severity > Severity::Info).map(Finding::id);
        let place = worst.and_then(|id| self.scene.findings.iter().position(|found| found.id() == id));
        self.lists[View::Findings as usize] = List { selected: place.unwrap_or_default(), ..List::default() };
        self.scroll = 0;
        self.view = if place.is_some() { View::Findings } else { View::Overview };
        self.refresh();
    }
}
