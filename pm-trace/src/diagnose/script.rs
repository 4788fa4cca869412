//! Scenarios written by hand (`pm-trace/tests/scenarios/*.txt`): events in, findings out.
//!
//! `tests/scenarios/README.md` describes the language. Times are milliseconds from the start of the resume.

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

    /// `TIME TASK VERB ...`
    fn event(&mut self, line: &str) {
        let (time, rest) = line.split_once(' ').expect("a time");
        let millis: f64 = time.parse().unwrap_or_else(|_| panic!("no time: {line}"));
        let nanos = (millis * 1e6) as i64;
        self.time = BASE.checked_add_signed(nanos).expect("a time after boot");
        let (task, rest) = rest.trim_start().split_once(' ').expect("a task and what it does");
        self.task = task_named(task);
        let words = Words::new(rest.trim());
        match words.at(0) {
            "phase+" => self.push(Body::Phase { action: words.at(1).to_owned(), value: 0, start: true }),
            "phase-" => self.push(Body::Phase { action: words.at(1).to_owned(), value: 0, start: false }),
            "suspended" => self.suspended(&words),
            "begins" => {
                let (dev, work) = (self.id(words.at(1)), self.id(&format!("async-{}", words.at(1))));
                let (entry, resume) = (self.symbol("async_run_entry_fn"), self.symbol("async_resume"));
                let (domain, power) = (Some(self.id("dfl")), Power(power::ASYNC | power::SUSPENDED));
                self.push(Body::WorkStart { work, function: Some(entry) });
                self.push(Body::AsyncRun { work, function: Some(resume), data: Some(dev), domain });
                self.push(Body::StepStart { dev, step: Step::Resume, is_async: true, power });
            }
            "start" | "end" | "callback" | "return" | "announces" => self.step(&words),
            "waits" | "got" | "gave-up" | "completes" => self.wait(&words),
            "queues" | "runs" | "done" | "async" => self.work(&words),
            "rpm" | "rpm-end" => self.runtime(&words),
            "ata" | "scsi" | "command" | "enters" => self.storage(&words),
            "blocked" => {
                let (lock, owner) =
                    (self.key(&words, "lock"), words.keys.get("owner").map(|t| task_named(t)));
                let (stack, shared) = (self.stack(&words), words.has("readers"));
                self.push(Body::TaskSnapshot { state: 2, since: None, lock, owner, stack, shared });
            }
            "look" => {
                let tasks = words.at(1).parse().unwrap_or(0);
                self.push(Body::SnapshotEnd { began: self.time - 1_000_000, tasks });
            }
            // Time goes by.
            "tick" => {
                let completion = self.id("tick");
                self.push(Body::Completed { completion, all: true });
            }
            "lost" => {
                self.push(Body::Lost {
                    records: words.at(1).parse().unwrap_or(1),
                    hook: "resume".to_owned(),
                });
            }
            verb => panic!("no such verb: {verb}"),
        }
    }

    fn suspended(&mut self, words: &Words<'_>) {
        for name in &words.plain[1..] {
            let dev = self.id(name);
            let bits = Power(power::ASYNC);
            self.push(Body::StepStart { dev, step: Step::Suspend, is_async: true, power: bits });
            self.push(Body::StepEnd { dev, power: Power(power::ASYNC | power::SUSPENDED) });
        }
    }

    fn step(&mut self, words: &Words<'_>) {
        let name = words.at(if matches!(words.at(0), "start" | "announces") { 2 } else { 1 });
        let dev = self.id(name);
        match words.at(0) {
            "start" => {
                let step = step_named(words.at(1));
                let bits = if step == Step::Suspend { 0 } else { power::SUSPENDED };
                let is_async = !words.has("sync");
                let power = Power(bits | if is_async { power::ASYNC } else { 0 });
                self.push(Body::StepStart { dev, step, is_async, power });
            }
            "end" => {
                let bits = if words.has("suspended") { power::SUSPENDED } else { 0 };
                self.push(Body::StepEnd { dev, power: Power(power::ASYNC | bits) });
            }
            "callback" => {
                let ops = if words.at(2).is_empty() { "bus" } else { words.at(2) };
                self.push(Body::CallbackStart { dev, event: 16, ops: ops.to_owned() });
            }
            "return" => {
                let error = words.at(2).parse().unwrap_or(0);
                self.push(Body::CallbackEnd { dev, error });
            }
            _ => {
                let why = match words.at(1) {
                    "superior" => DeviceWaitKind::Superior,
                    "subordinate" => DeviceWaitKind::Subordinate,
                    _ => DeviceWaitKind::Explicit,
                };
                let target = (!words.at(3).is_empty()).then(|| self.id(words.at(3)));
                self.push(Body::DeviceWait { dev, target, why });
            }
        }
    }

    fn wait(&mut self, words: &Words<'_>) {
        let stack = self.stack(words);
        let object = self.id(words.at(if words.at(0) == "waits" { 2 } else { 1 }));
        let kind = match (words.at(0), words.at(1)) {
            ("got", _) => return self.push(Body::LockWaitEnd { lock: object, acquired: true }),
            ("gave-up", _) => return self.push(Body::LockWaitEnd { lock: object, acquired: false }),
            ("completes", _) => {
                return self.push(Body::Completed { completion: object, all: words.has("all") });
            }
            (_, "completion") => {
                let (timeout, io) = (words.number("timeout"), words.has("io"));
                return self.push(Body::CompletionWait { completion: object, timeout, io, stack });
            }
            (_, "work") => {
                let function = self.function(words);
                return self.push(Body::FlushWork { work: object, function, stack });
            }
            (_, "async") => {
                let domain = (!words.at(2).is_empty()).then_some(object);
                return self.push(Body::AsyncWait { domain, all: true, stack });
            }
            (_, "mutex") => LockKind::Mutex,
            (_, "read") => LockKind::RwsemRead,
            (_, "write") => LockKind::RwsemWrite,
            (_, "rt_mutex") => LockKind::RtMutex,
            (_, other) => panic!("nobody waits for {other}"),
        };
        let owner = words.keys.get("owner").map(|task| task_named(task));
        let shared = words.has("readers");
        self.push(Body::LockWait { lock: object, lock_kind: kind, owner, stack, shared });
    }

    fn work(&mut self, words: &Words<'_>) {
        let work = self.id(words.at(1));
        let function = self.function(words);
        match words.at(0) {
            "queues" => {
                if let Some(delay) = words.number("delay") {
                    return self.push(Body::WorkDelayed { work, function, delay });
                }
                let workqueue = words.keys.get("on").copied().unwrap_or("events").to_owned();
                let queue = Some(self.id(&workqueue));
                let flags = [("freezable", 1 << 2), ("ordered", 1 << 17)];
                let wq_flags = flags.iter().filter(|(name, _)| words.has(name)).map(|(_, flag)| flag).sum();
                self.push(Body::WorkQueued { work, function, workqueue, wq_flags, queue });
            }
            "runs" => self.push(Body::WorkStart { work, function }),
            "done" => self.push(Body::WorkEnd { work, function }),
            _ => {
                let (data, domain) = (self.key(words, "data"), self.key(words, "domain"));
                self.push(Body::AsyncRun { work, function, data, domain });
            }
        }
    }

    fn runtime(&mut self, words: &Words<'_>) {
        if words.at(0) == "rpm-end" {
            let (dev, result) = (self.id(words.at(1)), words.number("result").unwrap_or(0));
            return self.push(Body::RuntimePmEnd { dev, result });
        }
        let dev = self.id(words.at(2));
        let status = ["active", "resuming", "suspended", "suspending"];
        let found = words.keys.get("status").copied().unwrap_or("suspended");
        let status = status.iter().position(|name| *name == found).expect("a status of runtime PM");
        let bits = if words.has("is_suspended") { power::SUSPENDED } else { 0 };
        let body = Body::RuntimePm {
            dev,
            resume: words.at(1) == "resume",
            status: u32::try_from(status).expect("one of four"),
            flags: 4,
            power: Power(bits),
            stack: self.stack(words),
        };
        self.push(body);
    }

    fn storage(&mut self, words: &Words<'_>) {
        let (dev, power) = (self.key(words, "dev"), Power(power::ASYNC));
        let pm_only = words.number("pm_only").unwrap_or(0);
        match words.at(0) {
            "ata" => self.ata(words),
            "scsi" => {
                let what = match words.at(1) {
                    "rescan" => ScsiOp::Rescan,
                    "quiesce" => ScsiOp::Quiesce,
                    "resume" => ScsiOp::Resume,
                    "resume_device" => ScsiOp::ResumeDevice,
                    other => panic!("no such place of SCSI: {other}"),
                };
                let (sdev, queue) = (self.id(words.at(2)), Some(self.id(&format!("queue-{}", words.at(2)))));
                self.push(Body::Scsi(ScsiDevice { what, sdev, dev, queue, state: 4, power, pm_only }));
            }
            "command" => {
                let (sdev, stage) = (self.id(words.at(1)), CommandStage::Execute);
                let opcode = words.number("opcode").unwrap_or(0x12);
                self.push(Body::ScsiCommand { stage, command: None, sdev, dev, opcode, result: 0 });
            }
            _ => {
                let (sdev, queue) = (self.id(words.at(1)), self.id(&format!("queue-{}", words.at(1))));
                let body = Body::QueueWait {
                    queue,
                    sdev: Some(sdev),
                    dev,
                    pm: words.has("pm"),
                    nowait: false,
                    bio: words.has("bio"),
                    pm_only,
                    freeze_depth: words.number("frozen").unwrap_or(0),
                    power,
                    stack: self.stack(words),
                };
                self.push(body);
            }
        }
    }

    fn ata(&mut self, words: &Words<'_>) {
        let what = match words.at(1) {
            "port_resume" => AtaOp::PortResume,
            "port_suspend" => AtaOp::PortSuspend,
            "request_pm" => AtaOp::RequestPm,
            "eh" => AtaOp::Eh,
            "eh_recover" => AtaOp::EhRecover,
            "revalidate" => AtaOp::Revalidate,
            "rescan" => AtaOp::Rescan,
            "wait_eh" => AtaOp::WaitEh,
            other => panic!("no such place of libata: {other}"),
        };
        let port = self.id(words.at(2));
        let body = Body::Ata(AtaPort {
            what,
            port,
            dev: self.key(words, "dev"),
            controller: None,
            print_id: words.number("id").unwrap_or(2),
            pflags: words.number("pflags").unwrap_or(0),
            scan_mutex: Some(ObjId(port.0 + 1)),
            rescan_work: self.key(words, "work"),
            sdev: None,
            event: 0,
            is_async: true,
            caller: None,
        });
        self.push(body);
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
