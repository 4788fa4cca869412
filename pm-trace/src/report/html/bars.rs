//! The timeline's data: lanes, bars, arrows and critical paths, as columns of numbers.
//!
//! A cycle of 10,000 devices has a hundred thousand bars. As objects they would be tens of megabytes; as columns, with
//! starts counted from the bar before, they are some bytes each, and a browser reads them at once.

use crate::diagnose::{Awaited, CycleSummary, PathPartSummary, PathSummary, PhaseSummary};
use crate::event::{Nanos, ObjId};
use crate::history::{History, Lane, Span, SpanKind, Spans, marked};
use crate::report::Report;
use crate::text;
use serde::Serialize;
use std::collections::BTreeMap;

/// Tables that are asked for each bar or lane.
type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
type HashSet<T> = std::collections::HashSet<T, foldhash::fast::RandomState>;

/// Most bars in a page; of more, the shortest are left out, since they are the least visible.
const MOST: usize = 400_000;
/// Most bytes of a name.
const NAME: usize = 200;

/// What the script draws. Times are nanoseconds from `origin`.
#[derive(Debug, Default, Serialize)]
pub(super) struct Data {
    /// The first event, in nanoseconds of `CLOCK_BOOTTIME`, as text: beyond what a script's numbers can hold.
    origin: String,
    /// The last event.
    end: Nanos,
    lanes: LaneColumns,
    bars: BarColumns,
    labels: Vec<String>,
    /// Waits and whom they wait for: (bar, lane).
    arrows: Vec<(u32, u32)>,
    paths: Vec<Path>,
    cycles: Vec<Cycle>,
    /// Bars that are left out, and how long the longest of them lasts.
    left: (u64, Nanos),
}

#[derive(Debug, Default, Serialize)]
struct LaneColumns {
    names: Vec<String>,
    /// 0 phases, 1 device, 2 task.
    kinds: Vec<u8>,
    /// The id of the device or the thread.
    ids: Vec<u32>,
    /// Bit 0: a finding is about it; bit 1: it is on a critical path.
    marks: Vec<u8>,
    /// How many bars it has.
    counts: Vec<u32>,
}

/// Bars, lane by lane in the order of their starts.
#[derive(Debug, Default, Serialize)]
struct BarColumns {
    kinds: Vec<u8>,
    /// From the start of the bar before, or from the origin for the first one of a lane.
    starts: Vec<Nanos>,
    /// How long it lasts; -1 if its end was not seen.
    lengths: Vec<i64>,
    labels: Vec<u32>,
}

/// A critical path: (lane, start, length, gain or -1) of each part.
#[derive(Debug, Serialize)]
struct Path {
    step: String,
    parts: Vec<(u32, Nanos, Nanos, i64)>,
}

#[derive(Debug, Serialize)]
struct Cycle {
    number: u32,
    from: Nanos,
    to: Nanos,
    /// Times count from here.
    base: Nanos,
    /// The phases that suspend devices, and those that resume them: from, to.
    down: Option<(Nanos, Nanos)>,
    up: Option<(Nanos, Nanos)>,
    /// Something was found in it.
    found: bool,
}

/// Everything that the timeline shows; `first` and `last` are the times of the first and the last event.
pub(super) fn data(
    history: &History,
    report: &Report,
    awaited: &BTreeMap<u32, Awaited>,
    (first, last): (Nanos, Nanos),
) -> Data {
    let marked = &marked(&report.findings);
    let origin = first;
    let end = last.max(history.head().now()).saturating_sub(origin);
    let on_path: HashSet<Lane> = critical_devices(report).map(|dev| Lane::Device(ObjId(dev))).collect();
    let order = order(history, marked, &on_path);
    let places: HashMap<Lane, u32> = order.iter().zip(0..).map(|(&lane, place)| (lane, place)).collect();
    let mut page = Filler {
        data: Data { origin: origin.to_string(), end, ..Data::default() },
        shortest: shortest(history, MOST),
        origin,
        places: vec![None; history.spans().labels().len()],
        waits: BTreeMap::new(),
    };
    let mut spans: Vec<&Span> = Vec::new();
    for &lane in &order {
        spans.clear();
        spans.extend(history.spans().of(lane));
        spans.sort_by_key(|span| (span.start, span.kind));
        let mark = u8::from(marked.contains(&lane)) | u8::from(on_path.contains(&lane)) << 1;
        page.lane(history, lane, &spans, mark);
    }
    page.data.arrows = page
        .waits
        .iter()
        .filter_map(|(event, (bar, from))| {
            let to = match awaited.get(event)? {
                Awaited::Device(dev) => Lane::Device(*dev),
                Awaited::Task(tid) => Lane::Task(*tid),
            };
            (to != *from).then(|| places.get(&to).map(|&to| (*bar, to))).flatten()
        })
        .collect();
    page.data.paths = paths(report, &places, origin);
    page.data.cycles = cycles(history, report, origin, end);
    page.data
}

/// Whether a part of a critical path is worth telling: it is, or costs, at least a hundredth of its phase.
pub(super) fn is_worth(path: &PathSummary, part: &PathPartSummary) -> bool {
    part.own.max(part.gain.unwrap_or_default()).saturating_mul(100) >= path.took
}

/// Devices on a critical path, those that are worth telling.
pub(super) fn critical_devices(report: &Report) -> impl Iterator<Item = u32> {
    let paths = report.cycles.iter().flat_map(|cycle| &cycle.critical);
    paths.flat_map(|path| path.parts.iter().filter(|part| is_worth(path, part))).map(|part| part.device.id)
}

/// The phases, what findings are about, critical paths, other devices, other tasks.
fn order(history: &History, marked: &HashSet<Lane>, on_path: &HashSet<Lane>) -> Vec<Lane> {
    let rank = |lane: &Lane| match lane {
        Lane::Phases => 0,
        _ if marked.contains(lane) => 1,
        _ if on_path.contains(lane) => 2,
        Lane::Device(_) => 3,
        Lane::Task(_) => 4,
    };
    let mut order = history.spans().lanes().to_vec();
    order.sort_by_cached_key(rank);
    order
}

/// Bars that last at least this long fit into a page.
fn shortest(history: &History, most: usize) -> Nanos {
    let spans = history.spans();
    if spans.count().0 <= most {
        return 0;
    }
    let all = spans.lanes().iter().flat_map(|&lane| spans.of(lane));
    let mut lengths: Vec<Nanos> = all.map(length).collect();
    let place = lengths.len() - most;
    *lengths.select_nth_unstable(place).1 + 1
}

/// How long a bar lasts; one without an end is as long as can be.
fn length(span: &Span) -> Nanos {
    span.end.map_or(Nanos::MAX - 1, |end| end.saturating_sub(span.start))
}

struct Filler {
    data: Data,
    shortest: Nanos,
    origin: Nanos,
    /// Where the labels of bars are in the page, by their number.
    places: Vec<Option<u32>>,
    /// By the event that began a wait: its bar, on the device's lane if it has one, and that lane.
    waits: BTreeMap<u32, (u32, Lane)>,
}

impl Filler {
    /// A lane with its bars in the order of their starts.
    fn lane(&mut self, history: &History, lane: Lane, spans: &[&Span], mark: u8) {
        let (mut before, mut count) = (self.origin, 0);
        for span in spans {
            if length(span) < self.shortest {
                self.data.left.0 += 1;
                self.data.left.1 = self.data.left.1.max(length(span));
                continue;
            }
            let bars = &mut self.data.bars;
            let number = u32::try_from(bars.kinds.len()).unwrap_or(u32::MAX);
            bars.kinds.push(kind(span.kind));
            bars.starts.push(span.start.saturating_sub(before));
            bars.lengths.push(span.end.map_or(-1, |end| signed(end.saturating_sub(span.start))));
            before = span.start.max(before);
            count += 1;
            let label = self.label(history.spans(), span);
            self.data.bars.labels.push(label);
            if span.kind == SpanKind::Wait
                && (matches!(lane, Lane::Device(_)) || !self.waits.contains_key(&span.event))
            {
                self.waits.insert(span.event, (number, lane));
            }
        }
        let mut name = history.lane_name(lane);
        name.truncate(name.floor_char_boundary(NAME));
        self.data.lanes.names.push(text::in_a_line(name));
        let (kind, id) = match lane {
            Lane::Phases => (0, 0),
            Lane::Device(dev) => (1, dev.0),
            Lane::Task(tid) => (2, tid),
        };
        self.data.lanes.kinds.push(kind);
        self.data.lanes.ids.push(id);
        self.data.lanes.marks.push(mark);
        self.data.lanes.counts.push(count);
    }

    /// The place of a bar's label in the page, which gets it with its first bar.
    fn label(&mut self, spans: &Spans, span: &Span) -> u32 {
        let labels = &mut self.data.labels;
        *self.places[span.label as usize].get_or_insert_with(|| {
            labels.push(text::line(text::cut(spans.label(span), NAME)).into_owned());
            u32::try_from(labels.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

/// Numbers of kinds, in the order in which they are drawn over each other.
fn kind(kind: SpanKind) -> u8 {
    match kind {
        SpanKind::Phase => 0,
        SpanKind::Work => 1,
        SpanKind::Step(_) => 2,
        SpanKind::Callback => 3,
        SpanKind::ErrorHandling => 4,
        SpanKind::Wait => 5,
    }
}

fn signed(nanos: Nanos) -> i64 {
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

fn paths(report: &Report, places: &HashMap<Lane, u32>, origin: Nanos) -> Vec<Path> {
    let all = report.cycles.iter().flat_map(|cycle| &cycle.critical);
    let path = |path: &PathSummary| Path {
        step: path.step.clone(),
        parts: path
            .parts
            .iter()
            .filter_map(|part| {
                let lane = places.get(&Lane::Device(ObjId(part.device.id)))?;
                let gain = part.gain.map_or(-1, signed);
                Some((*lane, part.start.saturating_sub(origin), part.own, gain))
            })
            .collect(),
    };
    all.map(path).collect()
}

fn cycles(history: &History, report: &Report, origin: Nanos, end: Nanos) -> Vec<Cycle> {
    let since = |time: Nanos| time.saturating_sub(origin);
    let cycle = |summary: &CycleSummary| {
        let to = since(summary.started.saturating_add(summary.took)).min(end);
        // From the first to the last of the phases whose names begin so.
        let phases = |name: &str, other: &str| {
            let of = |phase: &&PhaseSummary| phase.action.starts_with(name) || phase.action == other;
            let ends = summary.phases.iter().filter(of).map(|phase| {
                (since(phase.start), phase.took.map_or(to, |took| since(phase.start.saturating_add(took))))
            });
            ends.reduce(|all, phase| (all.0.min(phase.0), all.1.max(phase.1)))
        };
        Cycle {
            number: summary.number,
            from: since(summary.started),
            to,
            down: phases("dpm_suspend", "dpm_prepare"),
            up: phases("dpm_resume", "dpm_complete"),
            base: since(super::view::base(history.head(), summary)),
            found: report.findings.iter().any(|found| found.cycle == summary.number),
        }
    };
    report.cycles.iter().map(cycle).collect()
}
