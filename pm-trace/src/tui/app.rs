//! What the interface knows: the trace, the moment that is looked at, what is selected. No drawing, no
//! terminal, no clock.

use super::action::View;
use super::keys::Keymap;
use super::lanes::{self, Critical, TimelineView};
use super::scene::Scene;
use super::theme::{Glyphs, Role, Theme};
use crate::diagnose::Finding;
use crate::event::{Nanos, ObjId};
use crate::history::{DeviceView, History, Lane};
use crate::model::Model;

/// Where events come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file.
    Replay {
        /// Its name.
        name: String,
        /// How much of it has been read, in percent; `None` once all of it has.
        reading: Option<u8>,
    },
    /// This machine, by whoever suspends it.
    Watch(Watching),
    /// This machine, awake while everything else is frozen.
    Live {
        /// Time now, in nanoseconds of `CLOCK_BOOTTIME`.
        now: Nanos,
    },
}

/// What is told while waiting for a suspend.
#[derive(Clone, Debug, Default)]
pub struct Watching {
    /// Hooks that are attached.
    pub hooks: usize,
    /// Hooks that this kernel has no place for.
    pub skipped: usize,
    /// How long arming took, in nanoseconds.
    pub took: Nanos,
    /// The trace file.
    pub trace: String,
    /// Seconds after which the alarm wakes a suspend that is started here.
    pub wake: u32,
    /// Whether all records of the last cycle arrived.
    pub arrived: String,
}

/// A list on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// The selected line.
    pub selected: usize,
    /// The first line shown.
    pub offset: usize,
    /// Lines shown when it was drawn last.
    pub height: usize,
}

impl List {
    /// Moves the selection, within so many lines.
    pub fn step(&mut self, by: isize, lines: usize) {
        self.selected = self.selected.saturating_add_signed(by).min(lines.saturating_sub(1));
    }

    /// Makes the selection visible in a window of so many lines: in the middle, if it was far away.
    pub fn fit(&mut self, lines: usize, height: usize) {
        self.height = height.max(1);
        self.selected = self.selected.min(lines.saturating_sub(1));
        let far = self.selected + self.height < self.offset || self.selected >= self.offset + 2 * self.height;
        if far {
            self.offset = self.selected.saturating_sub(self.height / 2);
        }
        let most = lines.saturating_sub(self.height);
        let least = (self.selected + 1).saturating_sub(self.height);
        self.offset = self.offset.clamp(least.min(self.selected), self.selected).min(most);
    }
}

/// Something in front of the view.
#[derive(Clone, Debug, PartialEq)]
pub enum Popup {
    /// All keys.
    Help {
        /// First line shown.
        scroll: usize,
    },
    /// Lines about what was opened.
    Detail {
        /// What it is about.
        title: String,
        /// The lines.
        lines: Vec<(Role, String)>,
        /// First line shown.
        scroll: usize,
    },
    /// A filter is being typed.
    Filter {
        /// What was typed.
        text: String,
        /// What is wrong with it.
        wrong: Option<String>,
    },
    /// Whether the machine may be suspended.
    Suspend,
}

/// What is told in the footer until the next key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// The words; empty if there is nothing to tell.
    pub text: String,
    /// Something failed.
    pub bad: bool,
}

/// The interface's state.
#[derive(Debug)]
pub struct App {
    /// The trace.
    pub history: History,
    /// Where it comes from.
    pub source: Source,
    /// The view in front.
    pub view: View,
    /// How many events have happened at the moment that is looked at.
    pub cursor: usize,
    /// The cursor stays at the newest event.
    pub follow: bool,
    /// How fast time goes on by itself, in 1/1024 of its real speed; `None` while it stands still.
    pub play: Option<u64>,
    /// Time of the cursor, where it is between events.
    pub clock: Nanos,
    /// What stands in front of the view, the last one in front.
    pub popups: Vec<Popup>,
    /// Lists by view.
    pub lists: [List; 6],
    /// How the tree is shown.
    pub devices: DeviceView,
    /// How the timeline is shown.
    pub timeline: TimelineView,
    /// Filter of events, as typed.
    pub event_filter: String,
    /// Keys.
    pub keymap: Keymap,
    /// Colours.
    pub theme: Theme,
    /// Characters.
    pub glyphs: Glyphs,
    /// First line shown of the selected finding.
    pub scroll: usize,
    /// Told in the footer.
    pub message: Message,
    /// Derived from the above.
    pub scene: Scene,
    /// What was found in the whole trace.
    pub found: Vec<Finding>,
    /// The critical paths of the phases that ended, in the order of time.
    pub critical: Vec<Critical>,
    /// While suspends are waited for, the number of the last transition that was shown whole.
    pub shown: u32,
    /// Where lists and tabs were drawn last, for the mouse.
    pub hits: super::draw::Hits,
}

impl Source {
    /// A file that has been read.
    pub fn file(name: impl Into<String>) -> Self {
        Self::Replay { name: name.into(), reading: None }
    }
}

impl App {
    /// Looks at the end of a trace, at what is worst in it.
    pub fn new(history: History, source: Source) -> Self {
        let mut app = Self {
            cursor: history.log().len(),
            history,
            source,
            view: View::Overview,
            follow: true,
            play: None,
            clock: 0,
            popups: Vec::new(),
            lists: Default::default(),
            devices: DeviceView::default(),
            timeline: TimelineView::default(),
            event_filter: String::new(),
            keymap: Keymap::default(),
            theme: Theme::Dark,
            glyphs: Glyphs::Lines,
            scroll: 0,
            message: Message::default(),
            scene: Scene::default(),
            found: Vec::new(),
            critical: Vec::new(),
            shown: 0,
            hits: Default::default(),
        };
        app.grown();
        app.timeline.fit(&app.history, app.cursor);
        app
    }

    /// New events have come.
    pub fn grown(&mut self) {
        let now = match self.source {
            Source::Live { now } => Some(now),
            // What waits now may have been over a moment later.
            Source::Replay { reading: Some(_), .. } => Some(self.history.head().now()),
            _ => None,
        };
        self.found = self.history.findings(now);
        self.critical = lanes::critical(self.history.head());
        if self.follow {
            self.cursor = self.history.log().len();
            self.timeline.refit(&self.history, self.cursor);
        }
        self.scene.events = None;
        self.refresh();
    }

    /// The model at the moment that is looked at.
    pub fn model(&self) -> &Model {
        self.history.look(self.cursor)
    }

    /// Whether the newest moment is looked at.
    pub fn is_at_end(&self) -> bool {
        self.cursor >= self.history.log().len()
    }

    /// The time that is looked at, in nanoseconds of `CLOCK_BOOTTIME`.
    pub fn now(&self) -> Nanos {
        let last = self
            .cursor
            .checked_sub(1)
            .map_or(self.history.log().first_time(), |n| self.history.log().time(n));
        match self.source {
            Source::Live { now } if self.is_at_end() => now.max(last),
            _ => self.clock.max(last),
        }
    }

    /// Times count from here: the base of the transition that the cursor is in.
    pub fn base(&self) -> Nanos {
        let model = self.model();
        let whole = self.history.head().transitions();
        let number = model.transition().map(|transition| transition.number);
        // The whole transition knows better where its resume began.
        let same = whole.iter().find(|transition| Some(transition.number) == number);
        same.or(whole.first()).map_or(self.history.log().first_time(), crate::model::Transition::base)
    }

    /// How many lines the view's list has.
    pub fn lines(&self) -> usize {
        match self.view {
            View::Overview => 0,
            View::Devices => self.scene.devices.len(),
            View::Waits => self.scene.waits.rows.len(),
            View::Timeline => self.scene.lanes.len(),
            View::Findings => self.scene.findings.len(),
            View::Events => self.scene.events.as_ref().map_or(self.history.log().len(), Vec::len),
        }
    }

    /// The list of the view in front.
    pub fn list(&self) -> List {
        self.lists[self.view as usize]
    }

    /// The selected finding, in the overview the worst.
    pub fn finding(&self) -> Option<&Finding> {
        match self.view {
            View::Findings => self.scene.findings.get(self.list().selected),
            _ => self.worst(),
        }
    }

    /// The device that what is selected is about.
    pub fn selected_device(&self) -> Option<ObjId> {
        let selected = self.list().selected;
        match self.view {
            View::Devices => self.scene.devices.get(selected).map(|row| row.dev),
            View::Waits => {
                let device = self.scene.waits.rows.get(selected)?.party.device.as_ref()?;
                Some(ObjId(device.id))
            }
            View::Timeline => match self.scene.lanes.get(selected)? {
                Lane::Device(dev) => Some(*dev),
                _ => None,
            },
            View::Overview | View::Findings => self.finding()?.devices.first().map(|device| ObjId(device.id)),
            View::Events => self.history.log().entry(self.selected_event()?)?.device(),
        }
    }

    /// The task that what is selected is about.
    pub fn selected_task(&self) -> Option<u32> {
        let selected = self.list().selected;
        match self.view {
            View::Waits => self.scene.waits.rows.get(selected)?.party.task.as_ref().map(|task| task.tid),
            View::Timeline => match self.scene.lanes.get(selected)? {
                Lane::Task(tid) => Some(*tid),
                _ => None,
            },
            View::Events => self.history.log().entry(self.selected_event()?).map(|entry| entry.tid),
            View::Overview | View::Findings => self.finding()?.tasks.first().map(|task| task.tid),
            View::Devices => None,
        }
    }

    /// Number of the selected event.
    pub fn selected_event(&self) -> Option<usize> {
        let selected = self.lists[View::Events as usize].selected;
        match &self.scene.events {
            Some(picked) => picked.get(selected).map(|&number| number as usize),
            None => (selected < self.history.log().len()).then_some(selected),
        }
    }

    /// Whether pm-trace waits for a suspend.
    pub fn is_watching(&self) -> bool {
        matches!(self.source, Source::Watch(_))
    }

    /// Tells something in the footer.
    pub fn tell(&mut self, text: impl Into<String>) {
        self.message = Message { text: text.into(), bad: false };
    }

    /// Tells what went wrong.
    pub fn complain(&mut self, text: impl Into<String>) {
        self.message = Message { text: text.into(), bad: true };
    }
}
