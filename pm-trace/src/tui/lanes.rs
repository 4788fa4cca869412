//! The timeline: which lanes, which stretch of time.

use crate::diagnose::{self, Finding};
use crate::event::{Nanos, ObjId};
use crate::history::{History, Lane, marked};
use crate::model::Model;
use std::collections::HashSet;

/// Shortest stretch that is shown, in nanoseconds.
const SHORTEST: Nanos = 10_000;
/// A part of a critical path is long if it takes this part of what is shown.
const LONG: Nanos = 200;

/// A device's part of the critical path of a phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Critical {
    /// The device.
    pub dev: ObjId,
    /// The step of the phase, in words.
    pub step: String,
    /// When its own work began.
    pub start: Nanos,
    /// When it ended.
    pub end: Nanos,
    /// By how many nanoseconds the phase would be shorter without it, if that was worked out.
    pub gain: Option<Nanos>,
}

/// The critical paths of every phase that ended, in the order of time.
pub fn critical(model: &Model) -> Vec<Critical> {
    let mut parts: Vec<Critical> = diagnose::cycles(model)
        .into_iter()
        .flat_map(|cycle| cycle.critical)
        .flat_map(|path| path.parts.into_iter().map(move |part| (path.step.clone(), part)))
        .map(|(step, part)| Critical {
            dev: ObjId(part.device.id),
            step,
            start: part.start,
            end: part.start.saturating_add(part.own),
            gain: part.gain,
        })
        .collect();
    parts.sort_by_key(|part| part.start);
    parts
}

/// How the timeline is shown.
#[derive(Clone, Debug, Default)]
pub struct TimelineView {
    /// Start of what is shown.
    pub from: Nanos,
    /// End of what is shown.
    pub to: Nanos,
    /// What a lane's name must contain.
    pub filter: String,
    /// How much [`TimelineView::fit`] shows.
    fit: Fit,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fit {
    #[default]
    None,
    Half,
    Cycle,
    All,
}

impl TimelineView {
    /// Shows the suspend or the resume that the cursor is in, whatever was shown before.
    pub fn show(&mut self, history: &History, cursor: usize) {
        self.fit = Fit::None;
        self.fit(history, cursor);
    }

    /// Shows the suspend or the resume that the cursor is in; once more: the whole transition; once more: all.
    pub fn fit(&mut self, history: &History, cursor: usize) {
        self.fit = match self.fit {
            Fit::None | Fit::All => Fit::Half,
            Fit::Half => Fit::Cycle,
            Fit::Cycle => Fit::All,
        };
        self.refit(history, cursor);
    }

    /// Shows as much as before of what has grown meanwhile, unless somebody zoomed.
    pub fn refit(&mut self, history: &History, cursor: usize) {
        if self.fit == Fit::None {
            return;
        }
        let log = history.log();
        let now = log.time(cursor.saturating_sub(1));
        let whole = (log.first_time(), log.time(log.len()));
        let (mut from, mut to) = whole;
        let transitions = history.head().transitions();
        let place = transitions.partition_point(|transition| transition.started.time <= now);
        if let Some(transition) = place.checked_sub(1).and_then(|place| transitions.get(place))
            && self.fit != Fit::All
        {
            let next = transitions.get(place).map(|next| next.started.time);
            (from, to) =
                (transition.started.time, transition.ended.map(|at| at.time).or(next).unwrap_or(whole.1));
            let resume = transition.base();
            if self.fit == Fit::Half && resume > from {
                (from, to) = if now >= resume { (resume, to) } else { (from, resume) };
            }
        }
        let margin = (to.saturating_sub(from) / 50).max(1_000);
        self.from = from.saturating_sub(margin);
        self.to = to.saturating_add(margin).max(self.from + SHORTEST);
    }

    /// Shows less or more around `center`.
    pub fn zoom(&mut self, center: Nanos, closer: bool) {
        let center = center.clamp(self.from, self.to);
        let scale = |part: Nanos| if closer { part / 2 } else { part.saturating_mul(2) };
        let (left, right) = (scale(center - self.from), scale(self.to - center));
        if left + right >= SHORTEST {
            self.from = center.saturating_sub(left);
            self.to = center.saturating_add(right);
        }
        self.fit = Fit::None;
    }

    /// How long what is shown lasts.
    pub fn length(&self) -> Nanos {
        self.to.saturating_sub(self.from).max(1)
    }

    /// Moves what is shown so that `time` is in it.
    pub fn reveal(&mut self, time: Nanos) {
        let length = self.length();
        if time < self.from {
            self.from = time.saturating_sub(length / 4);
            self.to = self.from + length;
        } else if time > self.to {
            self.to = time.saturating_add(length / 4);
            self.from = self.to - length;
        }
    }

    /// The parts of critical paths in this stretch of time.
    pub fn inside<'a>(&self, critical: &'a [Critical]) -> impl Iterator<Item = &'a Critical> {
        let (from, to) = (self.from, self.to);
        critical.iter().filter(move |part| part.start <= to && part.end >= from)
    }

    /// The lanes with something in this stretch of time: the phases, then what findings are about, then the long
    /// parts of critical paths in the order of time, then the others in the order of their first bars. Threads of the
    /// program that recorded have none unless a finding is about them.
    pub fn lanes(&self, history: &History, findings: &[Finding], critical: &[Critical]) -> Vec<Lane> {
        let marked = marked(findings);
        let spans = history.spans();
        let needle = self.filter.trim().to_lowercase();
        let shown = |lane: &Lane| {
            let inside = spans
                .of(*lane)
                .take_while(|span| span.start <= self.to)
                .any(|span| span.end.is_none_or(|end| end >= self.from));
            let own = matches!(lane, Lane::Task(tid) if history.head().only_recorded(*tid));
            inside
                && (!own || marked.contains(lane))
                && (needle.is_empty()
                    || *lane == Lane::Phases
                    || history.lane_name(*lane).to_lowercase().contains(&needle))
        };
        let all: Vec<Lane> = spans.lanes().iter().copied().filter(shown).collect();
        let known: HashSet<Lane> = all.iter().copied().collect();
        let long = self.inside(critical).filter(|part| part.end - part.start >= self.length() / LONG);
        let mut path: Vec<Lane> = Vec::new();
        for lane in long.map(|part| Lane::Device(part.dev)) {
            if known.contains(&lane) && !marked.contains(&lane) && !path.contains(&lane) {
                path.push(lane);
            }
        }
        let rank = |lane: &Lane| match lane {
            Lane::Phases => 0,
            lane if marked.contains(lane) => 1,
            lane if path.contains(lane) => 2,
            Lane::Device(_) => 3,
            Lane::Task(_) => 4,
        };
        let mut lanes = all;
        // Stable: within a rank they stay in their order.
        lanes.sort_by_cached_key(|lane| (rank(lane), path.iter().position(|other| other == lane)));
        lanes
    }
}
