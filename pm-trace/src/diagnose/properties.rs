//! Properties that hold for any events: nothing panics, memory is bounded, and a deadlock is reported
//! exactly when there is one.

use super::scenario::{Scenario, task};
use super::{Kind, findings_at_end};
use crate::event::*;
use crate::model::Model;
use crate::report::{Report, kmsg_lines, verdict};
use proptest::prelude::*;
use std::collections::{BTreeSet, VecDeque};

/// Raw material of an event; ids come from a small space so that they meet.
#[derive(Clone, Debug)]
struct Raw {
    kind: u8,
    time: u64,
    tid: u32,
    a: u32,
    b: u32,
    c: u32,
    flag: bool,
    text: String,
}

fn raw() -> impl Strategy<Value = Raw> {
    let time = prop_oneof![8 => 0..100_000_000_000u64, 1 => any::<u64>()];
    let text = prop_oneof![
        4 => prop::sample::select(vec!["dpm_resume", "dpm_suspend", "dpm_complete", "machine_suspend", "mutex_lock"]),
        1 => Just("\x1b[31m\u{202e}evil\n"),
    ];
    (0..38u8, time, 0..6u32, 0..8u32, 0..8u32, any::<u32>(), any::<bool>(), text).prop_map(
        |(kind, time, tid, a, b, c, flag, text)| Raw {
            kind,
            time,
            tid,
            a,
            b,
            c,
            flag,
            text: text.to_owned(),
        },
    )
}

fn step(number: u32) -> Step {
    Step::ALL[number as usize % Step::ALL.len()]
}

fn ata_op(number: u32) -> AtaOp {
    use AtaOp::*;
    [PortResume, PortSuspend, RequestPm, Eh, EhPortResume, EhRecover, Revalidate, Rescan, WaitEh]
        [number as usize % 9]
}

fn stack(raw: &Raw) -> Stack {
    (0..raw.c % 4).map(|n| Frame { symbol: SymId(raw.b + n), offset: raw.a }).collect()
}

fn body(raw: &Raw) -> Body {
    match raw.kind {
        0..18 => pm_or_wait(raw),
        _ => work_or_storage(raw),
    }
}

fn pm_or_wait(raw: &Raw) -> Body {
    let (a, b, flag) = (ObjId(raw.a), ObjId(raw.b), raw.flag);
    let some = flag.then_some(b);
    let power = Power(raw.c);
    match raw.kind {
        0 => Body::Symbol { id: SymId(raw.a), name: raw.text.clone(), module: String::new() },
        1 => Body::Lost { records: u64::MAX / 2 + u64::from(raw.c), hook: raw.text.clone() },
        2 => Body::Undecoded { records: u64::from(raw.c), reason: raw.text.clone() },
        3..6 => Body::Phase { action: raw.text.clone(), value: 0, start: flag },
        6 => Body::Device(DeviceInfo {
            dev: a,
            parent: some,
            name: raw.text.clone(),
            bus: raw.text.clone(),
            class: String::new(),
            driver: String::new(),
            power,
            lock: Some(ObjId(raw.b)),
            completion: Some(ObjId(raw.c % 8)),
            links_left: 0,
        }),
        7 => Body::Link { supplier: a, consumer: b, flags: raw.c, status: 0 },
        8 | 9 => Body::StepStart { dev: a, step: step(raw.c), is_async: flag, power },
        10 => Body::StepEnd { dev: a, power },
        11 => Body::CallbackStart { dev: a, event: 0, ops: raw.text.clone() },
        12 => Body::CallbackEnd { dev: a, error: -5 },
        13 => Body::DeviceWait { dev: a, target: some, why: DeviceWaitKind::Explicit },
        14 | 15 => Body::LockWait {
            lock: a,
            lock_kind: if flag { LockKind::Mutex } else { LockKind::RwsemRead },
            owner: Some(task(raw.b, &raw.text)),
            stack: stack(raw),
            shared: flag,
        },
        16 => Body::LockWaitEnd { lock: a, acquired: flag },
        _ => Body::CompletionWait { completion: a, timeout: flag.then_some(5), io: flag, stack: stack(raw) },
    }
}

fn work_or_storage(raw: &Raw) -> Body {
    let (a, b, flag) = (ObjId(raw.a), ObjId(raw.b), raw.flag);
    let (some, function, power) = (flag.then_some(b), Some(SymId(raw.b)), Power(raw.c));
    match raw.kind {
        18 => Body::Completed { completion: a, all: flag },
        19 | 20 => Body::QueueWait {
            queue: a,
            sdev: some,
            dev: Some(b),
            pm: raw.c.is_multiple_of(7),
            nowait: raw.c.is_multiple_of(11),
            bio: flag,
            pm_only: 1,
            freeze_depth: i32::from(raw.c.is_multiple_of(5)),
            power,
            stack: stack(raw),
        },
        21 => Body::FlushWork { work: a, function, stack: stack(raw) },
        22 => Body::AsyncWait { domain: some, all: flag, stack: stack(raw) },
        23 => Body::WorkQueued {
            work: a,
            function,
            workqueue: raw.text.clone(),
            wq_flags: raw.c,
            queue: some,
            max_active: Some(raw.c % 3),
            interrupt: [None, Some(false), Some(true)][raw.c as usize % 3],
        },
        24 => Body::WorkDelayed {
            work: a,
            function,
            delay: u64::from(raw.c % 3),
            interrupt: flag.then_some(false),
        },
        25 => Body::WorkStart { work: a, function },
        26 => Body::WorkEnd { work: a, function },
        27 => Body::AsyncRun { work: a, function, data: some, domain: some },
        28 | 29 => Body::Ata(AtaPort {
            what: ata_op(raw.c),
            port: a,
            dev: some,
            controller: None,
            print_id: raw.a,
            pflags: raw.c,
            scan_mutex: Some(b),
            rescan_work: Some(b),
            sdev: some,
            event: 0,
            is_async: flag,
            caller: None,
        }),
        30 | 31 => Body::Scsi(ScsiDevice {
            what: [ScsiOp::Rescan, ScsiOp::Quiesce, ScsiOp::Resume, ScsiOp::ResumeDevice][raw.c as usize % 4],
            sdev: a,
            dev: Some(b),
            queue: some,
            state: 0,
            power,
            pm_only: 1,
        }),
        32 => Body::ScsiCommand {
            stage: CommandStage::Execute,
            command: None,
            sdev: a,
            dev: some,
            opcode: 0,
            result: 0,
            timeout: Some(raw.time),
        },
        33 => Body::Blocked { since: raw.time, duration: u64::MAX },
        34 => Body::TaskSnapshot {
            state: 2,
            since: some.map(|_| raw.time),
            lock: some,
            owner: Some(task(raw.b, "x")),
            stack: stack(raw),
            shared: flag,
        },
        _ => runtime_or_look(raw),
    }
}

fn runtime_or_look(raw: &Raw) -> Body {
    let (dev, flags) = (ObjId(raw.a), raw.c);
    match raw.kind {
        36 => Body::RuntimePm {
            dev,
            resume: raw.flag,
            status: flags % 4,
            flags,
            power: Power(flags),
            stack: stack(raw),
        },
        37 => Body::RuntimePmEnd { dev, result: 0 },
        _ => Body::SnapshotEnd { began: raw.time, tasks: flags % 3 },
    }
}

proptest! {
    #[test]
    fn any_events_are_survived(raws in prop::collection::vec(raw(), 0..300)) {
        let mut model = Model::new();
        for (n, raw) in raws.iter().enumerate() {
            let who = task(raw.tid, &raw.text);
            model.apply(&Event { time: raw.time, cpu: 0, task: who, body: body(raw) });
            if n % 16 == 0 {
                let _ = super::findings(&model, raw.time);
            }
        }
        let found = findings_at_end(&model);
        prop_assert_eq!(&found, &findings_at_end(&model));
        for finding in &found {
            prop_assert!(verdict(finding).lines().all(|line| line.chars().count() <= 100));
            let lines = kmsg_lines(finding);
            prop_assert!(lines.len() <= 8 && lines.iter().all(|line| line.len() <= 200));
        }
        let report = Report::new(None, &model, found, Vec::new());
        for line in report.text().lines() {
            prop_assert!(line.chars().count() <= 100, "{}", line);
            prop_assert!(!line.chars().any(crate::text::is_unsafe), "{:?}", line);
        }
        prop_assert!(report.json().is_ok());
    }
}

/// What a task of a schedule does.
#[derive(Clone, Copy, Debug)]
enum Op {
    Lock(usize),
    Unlock(usize),
}

/// A machine with a few tasks and mutexes, which hands a mutex to its first waiter.
struct Machine {
    owner: Vec<Option<usize>>,
    queue: Vec<VecDeque<usize>>,
    blocked: Vec<Option<usize>>,
    trace: Scenario,
}

impl Machine {
    fn new(tasks: usize, locks: usize) -> Self {
        let mut trace = Scenario::new();
        trace.by(1, "sh").phase("dpm_resume", true);
        let queue = vec![VecDeque::new(); locks];
        Self { owner: vec![None; locks], queue, blocked: vec![None; tasks], trace }
    }

    fn who(task_number: usize) -> TaskRef {
        task(10 + u32::try_from(task_number).unwrap(), &format!("t{task_number}"))
    }

    fn id(lock: usize) -> u32 {
        100 + u32::try_from(lock).unwrap()
    }

    fn run(&mut self, task: usize, op: Op, time: i64) {
        let who = Self::who(task);
        self.trace.at(time).by(who.tid, &who.comm.as_str());
        match op {
            Op::Lock(lock) => match self.owner[lock] {
                None => self.owner[lock] = Some(task),
                Some(owner) => {
                    self.trace.lock_wait(Self::id(lock), Some(Self::who(owner)), Vec::new());
                    self.queue[lock].push_back(task);
                    self.blocked[task] = Some(lock);
                }
            },
            Op::Unlock(lock) if self.owner[lock] == Some(task) => {
                self.owner[lock] = self.queue[lock].pop_front();
                if let Some(next) = self.owner[lock] {
                    self.blocked[next] = None;
                    let who = Self::who(next);
                    self.trace.by(who.tid, &who.comm.as_str()).lock_end(Self::id(lock), true);
                }
            }
            Op::Unlock(_) => {}
        }
    }

    /// The sets of tasks that wait in a circle, found by walking from each task.
    fn deadlocks(&self) -> BTreeSet<BTreeSet<u32>> {
        let next = |task: usize| self.blocked[task].and_then(|lock| self.owner[lock]);
        let circle = |start: usize| {
            let mut members = BTreeSet::from([Self::who(start).tid]);
            let mut at = next(start)?;
            while at != start {
                if !members.insert(Self::who(at).tid) {
                    return None;
                }
                at = next(at)?;
            }
            Some(members)
        };
        (0..self.blocked.len()).filter_map(circle).collect()
    }
}

fn schedule() -> impl Strategy<Value = (usize, usize, Vec<(usize, Op)>)> {
    (2..6usize, 1..5usize).prop_flat_map(|(tasks, locks)| {
        let op = prop_oneof![3 => (0..locks).prop_map(Op::Lock), 1 => (0..locks).prop_map(Op::Unlock)];
        (Just(tasks), Just(locks), prop::collection::vec((0..tasks, op), 0..40))
    })
}

proptest! {
    #[test]
    fn deadlock_is_reported_exactly_when_there_is_one((tasks, locks, ops) in schedule()) {
        let mut machine = Machine::new(tasks, locks);
        for (time, &(task, op)) in ops.iter().enumerate() {
            if machine.blocked[task].is_none() {
                machine.run(task, op, i64::try_from(time).unwrap());
            }
        }
        let found = findings_at_end(&machine.trace.model());
        let reported: BTreeSet<BTreeSet<u32>> = found
            .iter()
            .filter(|finding| finding.kind == Kind::Deadlock)
            .map(|finding| finding.tasks.iter().map(|task| task.tid).collect())
            .collect();
        prop_assert_eq!(reported, machine.deadlocks());
    }
}

#[test]
fn tables_are_bounded() {
    let mut model = Model::new();
    let stack = Vec::new();
    for n in 0..200_000u32 {
        let body = match n % 4 {
            0 => Body::StepStart { dev: ObjId(n), step: Step::Resume, is_async: true, power: Power(0) },
            1 => Body::WorkQueued {
                work: ObjId(n),
                function: None,
                workqueue: "x".repeat(500),
                wq_flags: 0,
                queue: None,
                max_active: None,
                interrupt: Some(false),
            },
            2 => Body::LockWait {
                lock: ObjId(n),
                lock_kind: LockKind::Mutex,
                owner: None,
                stack: stack.clone(),
                shared: false,
            },
            _ => Body::Symbol { id: SymId(n), name: "y".repeat(500), module: String::new() },
        };
        model.apply(&Event { time: u64::from(n), cpu: 0, task: task(n, "t"), body });
    }
    assert!(model.refused() > 0);
    assert!(model.devices().count() <= 1 << 16);
    assert!(model.waiting().count() <= 1 << 16);
}

#[test]
fn very_long_cycle_is_survived() {
    let mut s = Scenario::new();
    s.by(1, "sh").phase("dpm_resume", true);
    let tasks = 8_000;
    for n in 0..tasks {
        s.by(10 + n, "t").lock_wait(n, Some(task(10 + (n + 1) % tasks, "t")), Vec::new());
    }
    let model = s.model();
    let found = findings_at_end(&model);
    assert_eq!(found[0].kind, Kind::Deadlock);
    assert_eq!(kmsg_lines(&found[0]).len(), 8);
    assert!(Report::new(None, &model, found, Vec::new()).text().len() > 8_000);
}

/// Works that queue each other must not remember each other without end.
#[test]
fn works_forget_who_queued_their_queuers() {
    let mut s = Scenario::new();
    for round in 0..200_000u32 {
        let (this, next) = (ObjId(round % 2), ObjId((round + 1) % 2));
        s.by(10 + round % 2, "kworker");
        s.push(Body::WorkStart { work: this, function: None });
        s.queues(next, None, false);
        s.push(Body::WorkEnd { work: this, function: None });
    }
    drop(s.model());
}
