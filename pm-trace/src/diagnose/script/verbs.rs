//! What the verbs of a scenario's lines mean.

use super::{BASE, Script, Words, step_named, task_named};
use crate::event::*;
use pm_trace_common::pm::power;

impl Script {
    /// `TIME TASK VERB ...`
    pub(super) fn event(&mut self, line: &str) {
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
            "sends" | "returns" | "times-out" => self.in_flight(&words),
            "wakeup+" | "wakeup-" => {
                let (name, active) = (words.at(1).to_owned(), words.at(0) == "wakeup+");
                self.push(Body::WakeupSource { name, active });
            }
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
                let interrupt = (!words.has("unknown")).then(|| words.has("interrupt"));
                if let Some(delay) = words.number("delay") {
                    return self.push(Body::WorkDelayed { work, function, delay, interrupt });
                }
                let workqueue = words.keys.get("on").copied().unwrap_or("events").to_owned();
                let queue = Some(self.id(&workqueue));
                let flags = [("unbound", 1 << 1), ("freezable", 1 << 2), ("ordered", 1 << 17)];
                let wq_flags = flags.iter().filter(|(name, _)| words.has(name)).map(|(_, flag)| flag).sum();
                let max_active = words.number("max_active");
                self.push(Body::WorkQueued {
                    work,
                    function,
                    workqueue,
                    wq_flags,
                    queue,
                    max_active,
                    interrupt,
                });
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
                self.push(Body::ScsiCommand {
                    stage,
                    command: None,
                    sdev,
                    dev,
                    opcode,
                    result: 0,
                    timeout: None,
                });
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

    /// A command on its way: `sends SDEV cmd=C opcode=N timeout=MS`.
    fn in_flight(&mut self, words: &Words<'_>) {
        let stage = match words.at(0) {
            "sends" => CommandStage::Dispatch,
            "returns" => CommandStage::Done,
            _ => CommandStage::Timeout,
        };
        let (sdev, dev) = (self.id(words.at(1)), self.key(words, "dev"));
        let command = Some(self.id(words.keys.get("cmd").copied().unwrap_or("cmd")));
        let opcode = words.number("opcode").unwrap_or(0x12);
        let timeout = words.number::<Nanos>("timeout").map(|millis| millis * 1_000_000);
        self.push(Body::ScsiCommand { stage, command, sdev, dev, opcode, result: 0, timeout });
    }

    fn ata(&mut self, words: &Words<'_>) {
        let port = self.id(words.at(2));
        match words.at(1) {
            "eh_end" => return self.push(Body::AtaEhEnd { port }),
            "reset" => return self.push(Body::AtaReset { port, hard: !words.has("soft"), result: None }),
            "reset_end" => {
                let result = Some(words.number("result").unwrap_or(0));
                return self.push(Body::AtaReset { port, hard: !words.has("soft"), result });
            }
            _ => {}
        }
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
}
