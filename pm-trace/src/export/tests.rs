//! Every format on traces of real kernels, read back.

use super::perfetto::proto::{self, TracePacket, packet};
use super::table::{Cell, Column};
use super::timeline::{GROUPS, Group};
use super::*;
use crate::event::{Body, DeviceInfo, Event, ObjId, Power, TaskRef};
use crate::trace::{Session, Totals, Writer};
use prost::Message as _;
use std::collections::{BTreeMap, HashMap};
use std::fs;

/// Traces of both kernels, a deadlock, a healthy run, a race.
const TRACES: [&str; 5] = [
    "6.1-rescan-deadlock",
    "6.1-healthy",
    "6.1-pmlab-race",
    "6.12-rescan-guarded",
    "6.12-rescan-deadlock-disk",
];

fn recording(name: &str) -> Recording {
    let path = format!("{}/tests/data/traces/{name}.pmtrace", env!("CARGO_MANIFEST_DIR"));
    Recording::read(Path::new(&path)).unwrap()
}

fn written(recording: &Recording, format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(recording, format, &mut bytes).unwrap();
    bytes
}

/// What a viewer makes of the tracks: (track, category, name, start, arrows that start, arrows that end) of slices
/// and moments. Panics if slices are not nested, or times of a track go back.
#[derive(Debug)]
struct Shown {
    track: String,
    name: String,
    category: String,
    time: u64,
    starts: Vec<u64>,
    ends: Vec<u64>,
    /// Names of the slices around it, outermost first.
    within: Vec<String>,
}

fn shown(packets: &[TracePacket]) -> Vec<Shown> {
    let mut tracks: HashMap<u64, proto::TrackDescriptor> = HashMap::new();
    let mut open: HashMap<u64, (u64, Vec<String>)> = HashMap::new();
    let mut shown = Vec::new();
    for packet in packets {
        match packet.data.as_ref().unwrap() {
            packet::Data::TrackDescriptor(track) => {
                assert!(track.parent_uuid.is_none_or(|parent| tracks.contains_key(&parent)), "{track:?}");
                assert!(tracks.insert(track.uuid.unwrap(), track.clone()).is_none(), "{track:?}");
            }
            packet::Data::TrackEvent(event) => {
                let track = &tracks[&event.track_uuid.unwrap()];
                let (last, around) = open.entry(event.track_uuid.unwrap()).or_default();
                let time = packet.timestamp.unwrap();
                assert!(time >= *last, "time goes back on {track:?}");
                *last = time;
                match event.kind.unwrap() {
                    proto::SLICE_END => {
                        assert!(around.pop().is_some(), "an end without a begin on {track:?}");
                    }
                    proto::COUNTER => assert!(track.counter.is_some() && event.counter_value.is_some()),
                    kind => {
                        let name = event.name.clone().unwrap();
                        shown.push(Shown {
                            track: track.name.clone().unwrap(),
                            name: name.clone(),
                            category: event.categories[0].clone(),
                            time,
                            starts: event.flow_ids.clone(),
                            ends: event.terminating_flow_ids.clone(),
                            within: around.clone(),
                        });
                        if kind == proto::SLICE_BEGIN {
                            around.push(name);
                        }
                    }
                }
            }
            packet::Data::ClockSnapshot(clocks) => assert_eq!(clocks.clocks.len(), 3),
            packet::Data::SystemInfo(system) => assert!(system.utsname.is_some()),
        }
    }
    shown
}

/// Each arrow starts at one place and ends at one other, not earlier, and after it in the file.
fn assert_arrows(shown: &[Shown]) -> usize {
    let mut started: BTreeMap<u64, &Shown> = BTreeMap::new();
    let mut ended = 0;
    for place in shown {
        for arrow in &place.ends {
            let start =
                started.get(arrow).unwrap_or_else(|| panic!("{arrow} ends before it starts: {place:?}"));
            assert!(start.time <= place.time && start.track != place.track, "{start:?} -> {place:?}");
            ended += 1;
        }
        for &arrow in &place.starts {
            assert!(started.insert(arrow, place).is_none(), "two arrows have the number {arrow}");
        }
    }
    assert_eq!(started.len(), ended);
    ended
}

#[test]
fn perfetto_reads_back() {
    for name in TRACES {
        let recording = recording(name);
        let trace = proto::Trace::decode(written(&recording, Format::Perfetto).as_slice()).unwrap();
        let times: Vec<u64> =
            trace.packet.iter().filter(|p| is_event(p)).filter_map(|p| p.timestamp).collect();
        assert!(times.is_sorted(), "{name}");
        let shown = shown(&trace.packet);
        assert!(assert_arrows(&shown) > 10, "{name}");
        let of = |category: &str| shown.iter().filter(|place| place.category == category).count();
        assert_eq!(of("finding"), recording.findings.len(), "{name}");
        assert_eq!(of("cycle"), recording.cycles.len(), "{name}");
        assert_eq!(of("step"), recording.phases.len(), "{name}");
        // A wait stands with its task, and with the device whose step the task carries out.
        let with_device = recording.waits.iter().filter(|wait| wait.device.is_some()).count();
        assert_eq!(of("wait"), recording.waits.len() + with_device, "{name}");
        // Those of dpm_prepare and dpm_complete belong to no step.
        let in_steps = |place: &&Shown| place.category == "callback" && !place.within.is_empty();
        assert!(shown.iter().filter(in_steps).count() > 20, "{name}");
    }
}

fn is_event(packet: &TracePacket) -> bool {
    matches!(packet.data, Some(packet::Data::TrackEvent(_)))
}

/// The deadlock of the documentation: its waits, who is at the other end of them, and who queued the rescan.
#[test]
fn arrows_tell_the_deadlock() {
    let recording = recording("6.1-rescan-deadlock");
    let trace = proto::Trace::decode(written(&recording, Format::Perfetto).as_slice()).unwrap();
    let shown = shown(&trace.packet);
    let to = |from: &Shown| {
        let arrow = from.starts.first()?;
        shown.iter().find(|place| place.ends.contains(arrow)).map(|place| place.track.as_str())
    };
    let lock = |place: &&Shown| place.category == "wait" && place.name == "waits for device lock of 1:0:0:0";
    let tracks: Vec<(&str, Option<&str>)> =
        shown.iter().filter(lock).map(|from| (from.track.as_str(), to(from))).collect();
    assert!(tracks.contains(&("kworker/u4:1[25]", Some("kworker/0:1[17]"))), "{tracks:?}");
    let step = shown.iter().filter(lock).find(|place| place.track.starts_with("1:0:0:0")).unwrap();
    assert_eq!(step.within, ["resume"]);
    let queue = shown.iter().find(|place| place.name == "waits for request queue of 1:0:0:0").unwrap();
    assert_eq!((queue.track.as_str(), to(queue)), ("kworker/0:1[17]", Some("kworker/u4:1[25]")));
    assert_eq!(queue.within, ["ata_scsi_dev_rescan"]);
    let rescan = |place: &&Shown| place.category == "work" && place.name == "ata_scsi_dev_rescan";
    let worker = shown.iter().rfind(rescan).unwrap();
    let queuer = shown.iter().find(|place| place.starts.contains(&worker.ends[0])).unwrap();
    assert_eq!(
        (queuer.track.as_str(), queuer.name.as_str()),
        ("scsi_eh_1[112]", "queues ata_scsi_dev_rescan")
    );
}

#[test]
fn chrome_reads_back() {
    for name in TRACES {
        let recording = recording(name);
        let json: serde_json::Value = serde_json::from_slice(&written(&recording, Format::Chrome)).unwrap();
        let (mut depth, mut arrows, mut named) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut last = 0.0;
        for event in json["traceEvents"].as_array().unwrap() {
            let place = (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap());
            let depth: &mut i32 = depth.entry(place).or_default();
            let kind = event["ph"].as_str().unwrap();
            if kind != "M" {
                let time = event["ts"].as_f64().unwrap();
                assert!(time >= last, "{event}");
                last = time;
            }
            match kind {
                "M" => {
                    named.insert(place, event["args"].clone());
                }
                "B" => *depth += 1,
                "E" => *depth -= 1,
                "s" | "f" => {
                    arrows.entry(event["id"].as_u64().unwrap()).or_insert_with(String::new).push_str(kind);
                }
                "X" => assert_eq!(event["dur"], 0),
                "i" => assert_eq!(event["s"], "g"),
                "C" => assert!(event["args"]["records"].is_u64()),
                other => panic!("{other}"),
            }
            assert!(*depth >= 0, "{event}");
            assert!(kind == "C" || named.contains_key(&place), "{event}");
            assert!(kind == "E" || event["name"].is_string(), "{event}");
        }
        assert!(arrows.len() > 10 && arrows.values().all(|ends| ends == "sf"), "{name}");
    }
}

#[test]
fn json_lines_are_whole() {
    for name in TRACES {
        let recording = recording(name);
        let text = String::from_utf8(written(&recording, Format::Jsonl)).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let count = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
        assert_eq!(lines[0]["type"], "trace");
        assert_eq!(lines[0]["schema"], jsonl::VERSION);
        assert_eq!(lines.last().unwrap()["events"], count("event"), "{name}");
        assert_eq!(count("wait"), recording.waits.len());
        assert_eq!(count("device_phase"), recording.phases.len());
        assert_eq!(count("finding"), recording.findings.len());
        assert_eq!(count("cycle"), recording.cycles.len());
        let step = lines.iter().find(|line| line["body"]["kind"] == "step_start").unwrap();
        assert!(step["body"]["step"].is_string() && step["device"].is_string(), "{step}");
    }
}

/// Reads the Parquet of each table back and compares it with the cells; the CSV has as many lines.
struct Compare<'a>(&'a Recording);

impl Visit for Compare<'_> {
    type Error = ();

    fn table<T: Table>(&mut self) -> Result<(), ()> {
        use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
        use ::parquet::record::Field;
        let mut bytes = Vec::new();
        parquet::write::<T>(self.0, &mut bytes).unwrap();
        let reader = SerializedFileReader::new(::prost::bytes::Bytes::from(bytes)).unwrap();
        let keys = reader.metadata().file_metadata().key_value_metadata().unwrap();
        assert!(keys.iter().any(|kv| kv.key == "pm_trace.tables" && kv.value.as_deref() == Some("1")));
        let rows: Vec<T::Row> = T::rows(self.0).collect();
        let mut read = 0;
        for (row, found) in rows.iter().zip(reader.get_row_iter(None).unwrap()) {
            let found = found.unwrap();
            let cell = |column: &Column<T::Row>| column.cell(row);
            for (column, (name, field)) in T::COLUMNS.iter().zip(found.get_column_iter()) {
                assert_eq!(column.name, name);
                assert!(!(column.required && cell(column) == Cell::None), "{} {name}", T::NAME);
                match (cell(column), field) {
                    (Cell::None, Field::Null) => {}
                    (Cell::Text(text), Field::Str(found)) => assert_eq!(text, *found),
                    (Cell::Int(number), Field::Long(found)) => assert_eq!(number, *found),
                    (Cell::Flag(flag), Field::Bool(found)) => assert_eq!(flag, *found),
                    (Cell::Time(time), Field::TimestampMicros(found)) => assert_eq!(time, *found),
                    (cell, field) => panic!("{} {name}: {cell:?} became {field:?}", T::NAME),
                }
            }
            read += 1;
        }
        assert_eq!(read, rows.len());
        let mut text = Vec::new();
        csv::write::<T>(self.0, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.lines().count(), rows.len() + 1, "{}", T::NAME);
        Ok(())
    }
}

#[test]
fn tables_read_back() {
    for name in TRACES {
        tables::each(&mut Compare(&recording(name))).unwrap();
    }
}

/// The tables tell the same as the reports: slowest step, times, findings.
#[test]
fn tables_agree_with_the_summary() {
    for name in TRACES {
        let recording = recording(name);
        for cycle in &recording.cycles {
            let of_cycle = recording.phases.iter().filter(|phase| phase.cycle == cycle.summary.number);
            let slowest =
                of_cycle.filter(|phase| phase.took.is_some()).filter_map(|phase| phase.callback).max();
            assert_eq!(slowest, cycle.summary.slowest.first().map(|step| step.callback), "{name}");
        }
        let path = format!("{}/tests/data/traces/{name}.pmtrace", env!("CARGO_MANIFEST_DIR"));
        let rows = crate::runs::rows(Path::new(&path)).unwrap().cycles;
        assert_eq!(rows.len(), recording.cycles.len());
        for (row, cycle) in rows.iter().zip(&recording.cycles) {
            assert_eq!((row.times, row.number), (cycle.times, cycle.summary.number));
        }
    }
}

/// A device may be called anything: no format hands it on so that it acts.
#[test]
fn names_do_not_act() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("=cmd\x1b.pmtrace");
    let evil = format!("=HYPERLINK(\"x\")\x1b]0;owned\x07\u{202e}</script>\r\n{}", "x".repeat(1_000));
    let session = Session { product: evil.clone(), ..Session::default() };
    let mut writer = Writer::create(&path, &session, Overwrite::Refuse).unwrap();
    let info = DeviceInfo {
        dev: ObjId(1),
        parent: Some(ObjId(1)),
        name: evil.clone(),
        bus: evil.clone(),
        class: evil.clone(),
        driver: evil.clone(),
        power: Power(0),
        lock: None,
        completion: None,
        links_left: 0,
    };
    let step = Body::StepStart {
        dev: ObjId(1),
        step: crate::event::Step::Suspend,
        is_async: false,
        power: Power(0),
    };
    let phase = Body::Phase { action: "dpm_suspend".to_owned(), value: 2, start: true };
    let lost = Body::Lost { records: 1, hook: evil };
    for (time, body) in [(1, phase), (2, Body::Device(info)), (3, step), (4, lost)] {
        writer.append(&Event { time, cpu: 0, task: TaskRef::default(), body }).unwrap();
    }
    writer.finish(Totals::default()).unwrap();
    let recording = Recording::read(&path).unwrap();
    let folder = dir.path().join("csv");
    let mut texts = vec![written(&recording, Format::Chrome), written(&recording, Format::Jsonl)];
    for file in write_to(&recording, Format::Csv, &folder, Overwrite::Refuse).unwrap() {
        texts.push(fs::read(file).unwrap());
    }
    for text in texts {
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.chars().find(|&c| c != '\n' && text::is_unsafe(c)), None);
    }
    let phases = fs::read_to_string(folder.join("device_phases.csv")).unwrap();
    assert!(phases.contains(",\"'=HYPERLINK(\"\"x\"\")"), "{phases}");
    let trace = proto::Trace::decode(written(&recording, Format::Perfetto).as_slice()).unwrap();
    for place in shown(&trace.packet) {
        let long = place.name.chars().chain(place.track.chars());
        assert!(!long.clone().any(text::is_unsafe) && long.count() < 1000, "{place:?}");
    }
}

/// An empty trace has tables with columns and no rows, and a timeline with nothing on it.
#[test]
fn nothing_is_exported_as_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.pmtrace");
    Writer::create(&path, &Session::default(), Overwrite::Refuse).unwrap().finish(Totals::default()).unwrap();
    let recording = Recording::read(&path).unwrap();
    tables::each(&mut Compare(&recording)).unwrap();
    for format in [Format::Perfetto, Format::Chrome, Format::Jsonl] {
        assert!(!written(&recording, format).is_empty(), "{format:?}");
    }
}

#[test]
fn groups_stand_in_their_order() {
    for (place, (group, _)) in GROUPS.iter().enumerate() {
        assert_eq!(*group as usize, place);
    }
    assert_eq!(GROUPS[0].0, Group::System);
}

/// Compares a file of the documentation with what it should be; `PM_TRACE_BLESS=1` writes it.
fn assert_current(name: &str, wanted: &str) {
    let path = format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("PM_TRACE_BLESS").is_some() {
        fs::write(&path, wanted).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == wanted, "docs/{name} is out of date: run the test with PM_TRACE_BLESS=1");
}

#[test]
fn schemas_are_current() {
    assert_current("jsonl.schema.json", &line_schema().unwrap());
    assert_current("tables.schema.json", &table_schema().unwrap());
}

/// The columns in docs/export.md are those of the tables.
#[test]
fn documented_columns_are_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/export.md");
    let mut text = fs::read_to_string(path).unwrap();
    for table in tables::described() {
        let (begin, end) = (format!("<!-- columns of {} -->\n", table.name), "<!-- end of columns -->");
        let at = text.find(&begin).unwrap_or_else(|| panic!("docs/export.md lacks {begin}")) + begin.len();
        let until = at + text[at..].find(end).expect("an end of columns");
        let row = |column: &ColumnInfo| {
            let may = if column.nullable { "" } else { ", always" };
            format!("| `{}` | {}{may} | {} |\n", column.name, column.kind, column.meaning)
        };
        let rows: String = table.columns.iter().map(row).collect();
        let heading = format!("\nA row is {}.\n\n| column | type | meaning |\n|---|---|---|\n", table.row);
        text.replace_range(at..until, &format!("{heading}{rows}\n"));
    }
    assert_current("export.md", &text);
}
