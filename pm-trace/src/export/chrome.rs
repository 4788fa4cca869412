//! JSON of Chrome's trace viewer (the "JSON Object Format" of the Trace Event Format), which Perfetto's viewer and
//! others read, too.
//!
//! Groups are its processes and tracks its threads. Moments are complete events without a duration, since its arrows
//! need slices at both ends.

use super::recording::Recording;
use super::timeline::{Detail, GROUPS, Group, Mark, Timeline, What};
use crate::event::Nanos;
use crate::text::{Form, Terminal};
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// Writes the trace.
///
/// # Errors
/// `out` cannot be written.
pub(super) fn write(recording: &Recording, out: &mut dyn Write) -> io::Result<()> {
    let timeline = Timeline::new(recording);
    let mut terminal = Terminal::new(out, Form::Json);
    let kernel = recording.session.as_ref().map(|session| session.kernel.release.as_str());
    let other = json!({
        "tool": concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
        "trace": recording.id,
        "file": recording.file,
        "kernel": kernel,
        "clock": "CLOCK_BOOTTIME",
    });
    terminal.show(&format!("{{\"displayTimeUnit\":\"ns\",\"otherData\":{other},\"traceEvents\":["))?;
    let mut before = "\n";
    let mut put = |value: Value| {
        terminal.show(&format!("{before}{value}"))?;
        before = ",\n";
        io::Result::Ok(())
    };
    for (group, name) in GROUPS {
        put(named("process_name", pid(group), None, &json!({ "name": name })))?;
        put(named("process_sort_index", pid(group), None, &json!({ "sort_index": pid(group) })))?;
    }
    for (number, track) in timeline.tracks.iter().enumerate().filter(|(_, track)| !track.counts) {
        let (pid, tid) = (pid(track.group), number + 1);
        put(named("thread_name", pid, Some(tid), &json!({ "name": track.name })))?;
        put(named("thread_sort_index", pid, Some(tid), &json!({ "sort_index": tid })))?;
    }
    for mark in &timeline.marks {
        for value in events(&timeline, mark) {
            put(value)?;
        }
    }
    terminal.show("\n]}\n")
}

/// A number that no process has.
fn pid(group: Group) -> u32 {
    group as u32 + 1
}

fn named(what: &str, pid: u32, tid: Option<usize>, args: &Value) -> Value {
    json!({ "ph": "M", "name": what, "pid": pid, "tid": tid.unwrap_or(0), "args": args })
}

/// The mark and its arrows.
fn events(timeline: &Timeline, mark: &Mark) -> Vec<Value> {
    let track = &timeline.tracks[mark.track];
    let at = |ph: &str| json!({ "ph": ph, "ts": micros(mark.time), "pid": pid(track.group), "tid": mark.track + 1 });
    let mut value = match mark.what {
        What::Begin => at("B"),
        What::End => return vec![at("E")],
        What::Moment => with(at("X"), "dur", json!(0)),
        What::Instant => with(at("i"), "s", json!("g")),
        What::Count(count) => {
            let value = with(at("C"), "name", json!(track.name));
            return vec![with(value, "args", json!({ "records": count }))];
        }
    };
    value = with(with(value, "name", json!(mark.name)), "cat", json!(mark.category));
    if !mark.details.is_empty() {
        let details = mark.details.iter().map(|(name, detail)| ((*name).to_owned(), detail.into()));
        value = with(value, "args", Value::Object(details.collect::<Map<_, _>>()));
    }
    let arrow = |ph: &str, id: u64| {
        with(with(with(at(ph), "id", json!(id)), "name", json!("arrow")), "cat", json!("arrow"))
    };
    let starts = mark.starts.iter().map(|&id| arrow("s", id));
    let ends = mark.ends.iter().map(|&id| with(arrow("f", id), "bp", json!("e")));
    std::iter::once(value).chain(starts).chain(ends).collect()
}

fn with(mut value: Value, name: &str, field: Value) -> Value {
    value[name] = field;
    value
}

/// Nanoseconds as the microseconds of the format. Below 104 days since boot a float holds every nanosecond.
fn micros(time: Nanos) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "exact below 2^53 ns, and close enough beyond")]
    let nanos = time as f64;
    nanos / 1e3
}

impl From<&Detail> for Value {
    fn from(detail: &Detail) -> Self {
        match detail {
            Detail::Text(text) => json!(text),
            Detail::Int(number) => json!(number),
            Detail::Flag(flag) => json!(flag),
        }
    }
}
