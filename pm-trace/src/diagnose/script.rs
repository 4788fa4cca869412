//! Scenarios written by hand (`pm-trace/tests/scenarios/*.txt`): events in, findings out.
//!
//! `tests/scenarios/README.md` describes the language. Times are milliseconds from the start of the resume.

mod verbs;

use super::finding::Finding;
use super::pattern::fits;
use super::{Analysis, Options};
use crate::event::*;
use pm_trace_common::pm::power;
use std::collections::BTreeMap;

/// Boot time of the moment that times count from.
const BASE: Nanos = 100_000_000_000;

/// A scenario under construction.
#[derive(Default)]
struct Script {
    events: Vec<Event>,
    names: BTreeMap<String, u32>,
    symbols: BTreeMap<String, SymId>,
    time: Nanos,
    task: TaskRef,
    kernel: String,
    expected: Vec<String>,
    at_end: bool,
}

/// The words of a line: plain ones, `key=value`, and the stack after `in`.
struct Words<'a> {
    plain: Vec<&'a str>,
    keys: BTreeMap<&'a str, &'a str>,
    stack: Vec<&'a str>,
}

impl<'a> Words<'a> {
    fn new(line: &'a str) -> Self {
        let (line, stack) = line.split_once(" in ").map_or((line, ""), |(line, stack)| (line, stack));
        let (keys, plain) = line.split_whitespace().partition::<Vec<_>, _>(|word| word.contains('='));
        let keys = keys.into_iter().filter_map(|word| word.split_once('=')).collect();
        Self { plain, keys, stack: stack.split('<').map(str::trim).filter(|name| !name.is_empty()).collect() }
    }

    fn at(&self, place: usize) -> &'a str {
        self.plain.get(place).copied().unwrap_or_default()
    }

    fn has(&self, word: &str) -> bool {
        self.plain.contains(&word)
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.keys.get(key).and_then(|value| value.parse().ok())
    }
}

/// `name[tid]`
fn task_named(text: &str) -> TaskRef {
    let (comm, tid) = text.trim_end_matches(']').split_once('[').expect("a task is name[tid]");
    TaskRef { tid: tid.parse().expect("a thread id"), comm: Comm::new(comm) }
}

fn step_named(name: &str) -> Step {
    let found = Step::ALL.iter().copied().find(|&step| step_label(step) == name);
    found.unwrap_or_else(|| panic!("no step is called {name}"))
}

impl Script {
    /// Ids leave room for a device's lock and completion.
    fn id(&mut self, name: &str) -> ObjId {
        if let Some((device, member)) =
            name.split_once('.').filter(|(_, m)| matches!(*m, "lock" | "completion"))
        {
            let offset = if member == "lock" { 1 } else { 2 };
            return ObjId(self.id(device).0 + offset);
        }
        let next = 1000 + 10 * u32::try_from(self.names.len()).expect("few names");
        ObjId(*self.names.entry(name.to_owned()).or_insert(next))
    }

    fn push(&mut self, body: Body) {
        self.events.push(Event { time: self.time, cpu: 0, task: self.task, body });
    }

    fn symbol(&mut self, name: &str) -> SymId {
        if let Some(&id) = self.symbols.get(name) {
            return id;
        }
        let id = SymId(u32::try_from(self.symbols.len()).expect("few symbols"));
        self.symbols.insert(name.to_owned(), id);
        self.push(Body::Symbol { id, name: name.to_owned(), module: String::new() });
        id
    }

    fn stack(&mut self, words: &Words<'_>) -> Stack {
        words.stack.iter().map(|name| Frame { symbol: self.symbol(name), offset: 0x10 }).collect()
    }

    fn key(&mut self, words: &Words<'_>, key: &str) -> Option<ObjId> {
        words.keys.get(key).map(|name| self.id(name))
    }

    fn function(&mut self, words: &Words<'_>) -> Option<SymId> {
        words.keys.get("fn").map(|name| self.symbol(name))
    }

    fn device(&mut self, words: &Words<'_>) {
        let dev = self.id(words.at(1));
        let text = |key| words.keys.get(key).copied().unwrap_or_default().to_owned();
        let mut bits = if words.has("sync") { 0 } else { power::ASYNC };
        bits |= if words.has("ignore_children") { power::IGNORE_CHILDREN } else { 0 };
        let parent = self.key(words, "parent");
        let body = Body::Device(DeviceInfo {
            dev,
            parent,
            name: words.keys.get("name").copied().unwrap_or(words.at(1)).to_owned(),
            bus: text("bus"),
            class: text("class"),
            driver: text("driver"),
            power: Power(bits),
            lock: Some(ObjId(dev.0 + 1)),
            completion: Some(ObjId(dev.0 + 2)),
            links_left: 0,
        });
        self.push(body);
    }

    fn link(&mut self, words: &Words<'_>) {
        let (supplier, consumer) = (self.id(words.at(1)), self.id(words.at(2)));
        let flags = [("stateless", 1), ("pm_runtime", 4), ("managed", 64)];
        let flags = flags.iter().filter(|(name, _)| words.has(name)).map(|(_, flag)| flag).sum();
        let status = if words.has("dormant") { 0 } else { 3 };
        self.push(Body::Link { supplier, consumer, flags, status });
    }

    fn parse(text: &str) -> Self {
        let mut script = Self { kernel: "6.1.0".to_owned(), ..Self::default() };
        let mut found = false;
        for line in text.lines() {
            let line = line.split(" # ").next().unwrap_or_default().trim_end();
            let words = Words::new(line);
            match words.at(0) {
                _ if line.starts_with('#') || line.is_empty() => {}
                _ if found => script.expected.push(line.trim().to_owned()),
                "found:" => found = true,
                "kernel" => script.kernel = words.at(1).to_owned(),
                "ends" => script.at_end = true,
                "device" => script.device(&words),
                "link" => script.link(&words),
                _ => script.event(line),
            }
        }
        assert!(found, "no line says 'found:'");
        script
    }

    fn findings(&self) -> Vec<Finding> {
        let mut analysis = Analysis::new(Options::LIVE);
        for event in &self.events {
            analysis.apply(event);
        }
        analysis.set_kernel(&self.kernel);
        analysis.findings_at_end()
    }
}

/// The events of a scenario.
pub(crate) fn events(text: &str) -> Vec<Event> {
    Script::parse(text).events
}

/// A finding as lines to compare with.
fn lines(finding: &Finding) -> Vec<String> {
    let word = |value: &dyn erased::Word| value.word();
    let mut lines = vec![format!(
        "{} {} {}: {}",
        word(&finding.kind),
        word(&finding.severity),
        word(&finding.confidence),
        finding.title
    )];
    for link in &finding.chain {
        let inside = link.notes.first().filter(|note| note.starts_with("in ")).cloned().unwrap_or_default();
        let line =
            format!("{} -> {} -> {} {inside}", link.waiter.label, link.relation.words(), link.object.label);
        lines.push(line.trim_end().to_owned());
        lines.extend(link.notes.iter().map(|note| format!("note: {note}")));
        lines.extend(link.doubt.iter().map(|doubt| format!("doubt: {doubt}")));
    }
    let devices: Vec<&str> = finding.devices.iter().map(|device| device.name.as_str()).collect();
    lines.push(format!("devices: {}", devices.join(" ")));
    lines.extend(finding.ordering.iter().map(|ordering| format!("ordering: {}", ordering.text)));
    lines.push(format!("what: {}", finding.explanation));
    lines.push(format!("advice: {}", finding.advice));
    lines.extend(finding.known_issue.iter().map(|issue| format!("known: {}", issue.id)));
    if finding.known_issue.is_none() {
        lines.push("known: nothing".to_owned());
    }
    lines
}

mod erased {
    //! The JSON word of an enum.

    pub(super) trait Word {
        fn word(&self) -> String;
    }

    impl<T: serde::Serialize> Word for T {
        fn word(&self) -> String {
            serde_json::to_string(self).unwrap_or_default().trim_matches('"').to_owned()
        }
    }
}

/// Compares what was found with what the scenario expects: every expected line in this order, and no finding
/// more than expected.
fn check(script: &Script) -> Result<(), String> {
    let found = script.findings();
    let all: Vec<Vec<String>> = found.iter().map(lines).collect();
    let heads = script.expected.iter().filter(|line| is_head(line)).count();
    let told = || all.iter().map(|lines| lines.join("\n    ")).collect::<Vec<_>>().join("\n  ");
    if heads != all.len() {
        return Err(format!("{heads} findings expected, but:\n  {}", told()));
    }
    let mut lines = all.iter().flatten();
    for expected in &script.expected {
        if expected == "nothing" {
            continue;
        }
        let absent = expected.strip_prefix("not ");
        if let Some(absent) = absent {
            if all.iter().flatten().any(|line| fits(absent, line)) {
                return Err(format!("unexpected: {absent}\n  {}", told()));
            }
        } else if !lines.any(|line| fits(expected, line)) {
            return Err(format!("not found: {expected}\n  {}", told()));
        }
    }
    Ok(())
}

fn is_head(line: &str) -> bool {
    ["deadlock ", "stall ", "hazard ", "guarded ", "loss ", "failure "]
        .iter()
        .any(|kind| line.starts_with(kind))
}

/// The scenario files: name and text.
pub(crate) fn files() -> Vec<(String, String)> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .expect("tests/scenarios")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).expect("a text file"))
    };
    files.iter().map(read).collect()
}

/// Each file is a shape or a known issue, or something that must not be taken for one.
#[test]
fn every_scenario_is_found_as_it_says() {
    let files = files();
    assert!(files.len() >= 2, "no scenarios");
    let wrong: Vec<String> = files
        .iter()
        .filter_map(|(name, text)| check(&Script::parse(text)).err().map(|error| format!("{name}: {error}")))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

/// The table of shapes in docs/findings.md names scenarios that exist, one that must match in each row.
#[test]
fn the_documented_shapes_have_their_scenarios() {
    let docs = include_str!("../../../docs/findings.md");
    let known: Vec<String> = files().into_iter().map(|(name, _)| name).collect();
    let (_, table) = docs.split_once("### Shapes of waits").expect("a table of shapes");
    let rows: Vec<&str> = table
        .lines()
        .take_while(|line| !line.starts_with("###"))
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .collect();
    assert!(rows.len() > 20, "{rows:?}");
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let [_, _, found, absent] = cells[..] else { panic!("{row}") };
        assert!(found.contains('`'), "{row}");
        for name in [found, absent].iter().flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
            assert!(known.iter().any(|file| file == name), "no scenario is called {name}");
        }
    }
}
