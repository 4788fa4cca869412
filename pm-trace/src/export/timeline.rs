//! A trace as tracks with slices, arrows, moments and counters: what trace viewers draw, whatever their format.
//!
//! Slices of a track are properly nested. Bars that overlap without one being inside the other (error handling and a
//! step of the same port, say) go to rows of their own.

mod arrows;
mod rows;

use super::recording::Recording;
use super::word;
use crate::diagnose::{Finding, Outcome, device_name};
use crate::event::{Body, Nanos};
use crate::history::{Lane, Span, SpanKind, Subject};
use crate::text;
use arrows::Arrows;
use rows::Bar;
use std::collections::HashMap;

/// Most bytes of a name.
const NAME: usize = 200;
/// Most bytes of a detail.
const DETAIL: usize = 8_000;

/// What tracks stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Group {
    /// The transition as a whole.
    System,
    /// Devices.
    Devices,
    /// Tasks.
    Tasks,
}

/// Every group with its name, in the order of [`Group`].
pub(super) const GROUPS: [(Group, &str); 3] =
    [(Group::System, "Suspend and resume"), (Group::Devices, "Devices"), (Group::Tasks, "Tasks")];

/// A line of the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Track {
    /// Where it stands.
    pub group: Group,
    /// What it is called.
    pub name: String,
    /// It shows a number.
    pub counts: bool,
}

/// Something at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// When, in nanoseconds of `CLOCK_BOOTTIME`.
    pub time: Nanos,
    /// Number of its track.
    pub track: usize,
    /// What.
    pub what: What,
    /// What it is called.
    pub name: String,
    /// What sort of thing it is.
    pub category: &'static str,
    /// What is known about it.
    pub details: Vec<(&'static str, Detail)>,
    /// Arrows that start here.
    pub starts: Vec<u64>,
    /// Arrows that end here.
    pub ends: Vec<u64>,
}

/// What a [`Mark`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A slice begins.
    Begin,
    /// The innermost slice of the track ends.
    End,
    /// Something without a duration, on its track.
    Moment,
    /// Something that concerns all tracks.
    Instant,
    /// The number of the track has this value from now on.
    Count(i64),
}

/// A detail of a [`Mark`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Text, safe to show.
    Text(String),
    /// A whole number.
    Int(i64),
    /// True or false.
    Flag(bool),
}

impl Detail {
    fn text(value: &str) -> Self {
        Self::Text(safe(value, DETAIL))
    }
}

impl Mark {
    fn new(time: Nanos, track: usize, what: What, name: &str, category: &'static str) -> Self {
        let name = safe(name, NAME);
        Self { time, track, what, name, category, details: Vec::new(), starts: Vec::new(), ends: Vec::new() }
    }
}

/// Names come from the kernel or a file.
fn safe(value: &str, longest: usize) -> String {
    text::line(text::cut(value, longest)).into_owned()
}

/// The picture: its tracks, and what is on them in the order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Timeline {
    /// The tracks.
    pub tracks: Vec<Track>,
    /// The marks. Those of one track are in the order in which its slices begin and end.
    pub marks: Vec<Mark>,
}

impl Timeline {
    /// Draws a trace.
    pub(super) fn new(recording: &Recording) -> Self {
        let mut drawing = Drawing { recording, timeline: Self::default(), lanes: HashMap::new() };
        drawing.cycles();
        drawing.findings();
        drawing.loss();
        let mut arrows = Arrows::new(recording);
        for &lane in recording.history.spans().lanes() {
            drawing.lane(lane, &mut arrows);
        }
        drawing.moments(arrows);
        // An arrow's end comes after its start, also where both are at the same time; the sort keeps the rest in order.
        let order = |mark: &Mark| (mark.time, mark.what == What::Moment && !mark.ends.is_empty());
        drawing.timeline.marks.sort_by_key(order);
        drawing.timeline
    }
}

struct Drawing<'a> {
    recording: &'a Recording,
    timeline: Timeline,
    /// The first track of each lane.
    lanes: HashMap<Lane, usize>,
}

impl Drawing<'_> {
    fn track(&mut self, group: Group, name: &str, counts: bool) -> usize {
        self.timeline.tracks.push(Track { group, name: safe(name, NAME), counts });
        self.timeline.tracks.len() - 1
    }

    /// One slice for each suspend and resume.
    fn cycles(&mut self) {
        let bars = self.recording.cycles.iter().map(|cycle| {
            let summary = &cycle.summary;
            let is_over = !matches!(summary.outcome, Outcome::Suspending | Outcome::Resuming);
            let nanos = |time: Option<Nanos>| time.and_then(|time| i64::try_from(time).ok());
            let times = [("suspend_ns", cycle.times.suspend), ("resume_ns", cycle.times.resume)];
            let times = times.into_iter().filter_map(|(name, time)| Some((name, Detail::Int(nanos(time)?))));
            let outcome = ("outcome", Detail::Text(word(&summary.outcome)));
            Bar {
                start: summary.started,
                end: is_over.then(|| summary.started.saturating_add(summary.took)),
                rank: 0,
                name: format!("cycle {}", summary.number),
                category: "cycle",
                details: std::iter::once(outcome).chain(times).collect(),
                ..Bar::default()
            }
        });
        let bars = bars.collect();
        self.bars(Group::System, "cycles", bars);
    }

    fn findings(&mut self) {
        let first = self.recording.history.log().first_time();
        let track = self.track(Group::System, "findings", false);
        for finding in &self.recording.findings {
            let base = Some(finding.base).filter(|&base| base > 0);
            let time = finding.closed_at.or(base).unwrap_or(first);
            let mut mark = Mark::new(time, track, What::Instant, &finding.title, "finding");
            mark.details = told(finding);
            self.timeline.marks.push(mark);
        }
    }

    /// How many records are missing, from the beginning of the trace on.
    fn loss(&mut self) {
        let log = self.recording.history.log();
        let first = log.first_time();
        let tracks = [
            self.track(Group::System, "records lost", true),
            self.track(Group::System, "records that cannot be decoded", true),
        ];
        let mut sums = [0_u64; 2];
        let mut count = |time: Nanos, which: usize, more: u64| {
            sums[which] = sums[which].saturating_add(more);
            let value = i64::try_from(sums[which]).unwrap_or(i64::MAX);
            self.timeline.marks.push(Mark::new(time, tracks[which], What::Count(value), "", "loss"));
        };
        count(first, 0, 0);
        count(first, 1, 0);
        let about_itself = log.entries().iter().enumerate().filter(|(_, e)| e.subject == Subject::Trace);
        for event in about_itself.filter_map(|(number, _)| log.event(number)) {
            match event.body {
                Body::Lost { records, .. } => count(event.time, 0, records),
                Body::Undecoded { records, .. } => count(event.time, 1, records),
                _ => {}
            }
        }
    }

    fn lane(&mut self, lane: Lane, arrows: &mut Arrows<'_>) {
        let spans = self.recording.history.spans();
        let (group, name) = self.name(lane);
        let bar = |span: &Span| {
            let mut bar = Bar {
                start: span.start,
                end: span.end,
                rank: rank(span.kind),
                name: spans.label(span).to_owned(),
                category: category(span.kind),
                ..Bar::default()
            };
            arrows.add(lane, span, &mut bar);
            bar
        };
        let bars = spans.of(lane).map(bar).collect();
        let track = self.bars(group, &name, bars);
        self.lanes.insert(lane, track);
    }

    fn name(&self, lane: Lane) -> (Group, String) {
        match lane {
            Lane::Phases => (Group::System, "phases".to_owned()),
            Lane::Device(dev) => (Group::Devices, device_name(self.recording.history.head(), dev)),
            Lane::Task(tid) => (Group::Tasks, self.recording.history.spans().task(tid).to_string()),
        }
    }

    /// Draws bars on as many tracks as they need; returns the first.
    fn bars(&mut self, group: Group, name: &str, bars: Vec<Bar>) -> usize {
        let first = self.timeline.tracks.len();
        let mut rows = rows::rows(bars);
        if rows.is_empty() {
            rows.push(Vec::new());
        }
        for (place, row) in rows.into_iter().enumerate() {
            let name = if place == 0 { name.to_owned() } else { format!("{name} ({})", place + 1) };
            let track = self.track(group, &name, false);
            rows::draw(row, track, &mut self.timeline.marks);
        }
        first
    }

    /// What the arrows between slices start or end at where no slice begins.
    fn moments(&mut self, arrows: Arrows<'_>) {
        for moment in arrows.moments {
            let track = match self.lanes.get(&moment.lane) {
                Some(&track) => track,
                None => {
                    let (group, mut name) = self.name(moment.lane);
                    if let Some(task) = moment.task {
                        name = task.to_string();
                    }
                    let track = self.track(group, &name, false);
                    self.lanes.insert(moment.lane, track);
                    track
                }
            };
            let mut mark = Mark::new(moment.time, track, What::Moment, &moment.name, "arrow");
            (mark.starts, mark.ends) = (moment.starts, moment.ends);
            self.timeline.marks.push(mark);
        }
    }
}

/// What a finding tells besides its title.
fn told(finding: &Finding) -> Vec<(&'static str, Detail)> {
    let mut details = vec![
        ("kind", Detail::Text(word(&finding.kind))),
        ("severity", Detail::Text(word(&finding.severity))),
        ("confidence", Detail::Text(word(&finding.confidence))),
        ("cycle", Detail::Int(i64::from(finding.cycle))),
        ("explanation", Detail::text(&finding.explanation)),
    ];
    if let Some(ordering) = &finding.ordering {
        details.push(("ordering", Detail::text(&ordering.text)));
    }
    if let Some(known) = &finding.known_issue {
        details.push(("known_issue", Detail::text(&known.title)));
    }
    details.push(("advice", Detail::text(&finding.advice)));
    details
}

/// What goes around what, if both begin and end at the same time.
fn rank(kind: SpanKind) -> u8 {
    match kind {
        SpanKind::Phase | SpanKind::Work => 0,
        SpanKind::ErrorHandling => 1,
        SpanKind::Step(_) => 2,
        SpanKind::Callback => 3,
        SpanKind::Wait => 4,
    }
}

fn category(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Phase => "phase",
        SpanKind::Work => "work",
        SpanKind::Step(_) => "step",
        SpanKind::Callback => "callback",
        SpanKind::ErrorHandling => "error_handling",
        SpanKind::Wait => "wait",
    }
}
