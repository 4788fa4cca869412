//! Moving in time: by events, by the clock, from finding to finding, playing.

use super::super::action::Action;
use super::super::app::App;
use crate::diagnose::Finding;
use crate::event::Nanos;

/// Fastest and slowest play, in 1/1024 of the real speed.
const SPEEDS: std::ops::RangeInclusive<u64> = 1..=1024 * 64;

impl App {
    /// Looks at the moment after so many events.
    pub fn seek(&mut self, events: usize) {
        self.cursor = events.min(self.history.log().len());
        self.follow = false;
        self.play = None;
        self.clock = 0;
        self.timeline.reveal(self.now());
        self.refresh();
    }

    pub(super) fn move_clock(&mut self, by: Nanos, forward: bool) {
        let now = self.now();
        let time = if forward { now.saturating_add(by) } else { now.saturating_sub(by) };
        self.set_clock(time);
        self.play = None;
    }

    pub(super) fn set_clock(&mut self, time: Nanos) {
        let log = self.history.log();
        let time = time.clamp(log.first_time(), log.time(log.len()).max(log.first_time()));
        self.follow = false;
        self.cursor = self.history.until(time);
        self.clock = time;
        self.timeline.reveal(time);
        self.refresh();
    }

    pub(super) fn travel(&mut self, action: Action) {
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

    /// Whether there is a finding to go to, later or earlier.
    pub fn has_finding(&self, forward: bool) -> bool {
        self.nearest_finding(forward).is_some()
    }

    /// The next moment, or the last before this one, at which a finding was complete; and its title.
    fn nearest_finding(&self, forward: bool) -> Option<(usize, &str)> {
        let moments = self.found.iter().filter_map(|finding| Some((moment(self, finding)?, &*finding.title)));
        if forward {
            moments.filter(|(at, _)| *at > self.cursor).min()
        } else {
            moments.filter(|(at, _)| *at < self.cursor).max()
        }
    }

    fn seek_finding(&mut self, forward: bool) {
        match self.nearest_finding(forward).map(|(at, title)| (at, title.to_owned())) {
            Some((at, title)) => {
                self.seek(at);
                self.tell(format!("here: {title}"));
            }
            None if self.found.is_empty() => self.tell("nothing was found in this trace"),
            None => {
                self.tell(if forward { "no finding after this one" } else { "no finding before this one" });
            }
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
