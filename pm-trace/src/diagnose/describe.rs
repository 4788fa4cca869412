//! What things are called.

use super::finding::{DeviceRef, Party, PartyKind, TaskName};
use super::graph::Node;
use super::places::{self, Place};
use crate::event::{LockKind, Nanos, ObjId, Stack, Step, TaskRef, step_label};
use crate::model::{At, Context, Entered, Model, QueuedBy, Task, WaitOn};

/// Longest stack shown.
const FRAMES: usize = 20;

/// Tells times relative to a base.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(pub(crate) Nanos);

impl Clock {
    /// `+0.32 s`
    pub(crate) fn tell(self, time: Nanos) -> String {
        let (sign, distance) = if time >= self.0 { ('+', time - self.0) } else { ('-', self.0 - time) };
        format!("{sign}{}.{:02} s", distance / 1_000_000_000, distance / 10_000_000 % 100)
    }

    /// `+0.32 s` of an event.
    pub(crate) fn at(self, at: At) -> String {
        self.tell(at.time)
    }
}

/// A duration as people read it: `0.4 ms`, `320 ms`, `3.08 s`, `18.4 s`.
pub fn seconds(nanos: Nanos) -> String {
    let (micros, millis) = (nanos / 1_000, nanos / 1_000_000);
    match millis {
        0..10 => format!("{millis}.{} ms", micros / 100 % 10),
        10..1_000 => format!("{millis} ms"),
        1_000..10_000 => format!("{}.{:02} s", millis / 1_000, millis / 10 % 100),
        _ => format!("{}.{} s", millis / 1_000, millis / 100 % 10),
    }
}

/// A time relative to a base: `+0.32 s`.
pub fn relative(base: Nanos, time: Nanos) -> String {
    Clock(base).tell(time)
}

/// What the model's objects are called.
#[derive(Clone, Copy)]
pub(crate) struct Namer<'a> {
    pub(crate) model: &'a Model,
    pub(crate) clock: Clock,
}

impl<'a> Namer<'a> {
    pub(crate) fn new(model: &'a Model) -> Self {
        let base = model.transition().map_or(0, crate::model::Transition::base);
        Self { model, clock: Clock(base) }
    }

    /// A task.
    pub(crate) fn task(&self, task: TaskRef) -> TaskName {
        TaskName { tid: task.tid, comm: task.comm.as_str() }
    }

    /// A device with all that tells it from others.
    pub(crate) fn device_ref(&self, dev: ObjId) -> DeviceRef {
        let info = self.model.device(dev).and_then(|device| device.info.as_ref());
        let port = self.model.port_above(dev).or_else(|| self.model.port_of_device(dev));
        let text =
            |get: fn(&crate::event::DeviceInfo) -> &String| info.map_or(String::new(), |i| get(i).clone());
        DeviceRef {
            id: dev.0,
            name: self.device(dev),
            bus: text(|info| &info.bus),
            class: text(|info| &info.class),
            driver: text(|info| &info.driver),
            port: port.and_then(|port| self.model.port(port)).map(crate::model::Port::name),
        }
    }

    /// A device by its name.
    pub(crate) fn device(&self, dev: ObjId) -> String {
        let info = self.model.device(dev).and_then(|device| device.info.as_ref());
        info.map(|info| info.name.clone())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| format!("device #{}", dev.0))
    }

    /// A device by its name and what tells it from others of that name: `1:0:0:0 (sr, on ata2)`.
    pub(crate) fn device_full(&self, dev: ObjId) -> String {
        self.device_ref(dev).full_name()
    }

    /// A port: `ata2`.
    pub(crate) fn port(&self, port: ObjId) -> String {
        self.model.port(port).map_or_else(|| format!("port #{}", port.0), crate::model::Port::name)
    }

    /// The SCSI device's `struct device`.
    pub(crate) fn sdev(&self, sdev: ObjId) -> String {
        let dev = self.model.sdev(sdev).and_then(|sdev| sdev.dev);
        dev.map_or_else(|| format!("SCSI device #{}", sdev.0), |dev| self.device(dev))
    }

    /// A lock by what it is embedded in.
    pub(crate) fn lock(&self, lock: ObjId) -> (String, Option<ObjId>) {
        if let Some(dev) = self.model.device_of_lock(lock) {
            return (format!("device lock of {}", self.device(dev)), Some(dev));
        }
        if let Some(port) = self.model.port_of_scan_mutex(lock) {
            let dev = self.model.port(port).and_then(|port| port.dev);
            return (format!("scsi_scan_mutex of {}", self.port(port)), dev);
        }
        let kind = self.model.lock(lock).and_then(|entry| {
            let wait = self.model.task(*entry.waiters.first()?)?.wait.as_ref()?;
            let WaitOn::Lock { kind, .. } = wait.on else { return None };
            Some(lock_words(kind))
        });
        (format!("{} #{}", kind.unwrap_or("lock"), lock.0), None)
    }

    /// A node of the wait-for graph.
    pub(crate) fn party(&self, node: Node) -> Party {
        let plain = |kind, label: String| Party { kind, label, task: None, device: None };
        let of = |kind, label: String, dev: Option<ObjId>| Party {
            device: dev.map(|dev| self.device_ref(dev)),
            ..plain(kind, label)
        };
        match node {
            Node::Task(tid) => {
                let who = self.model.task_ref(tid);
                let task = Some(self.task(who));
                Party { task, ..plain(PartyKind::Task, who.to_string()) }
            }
            Node::Step(dev, step) => {
                let label = format!("{} of {}", step_words(step), self.device_full(dev));
                of(PartyKind::DeviceStep, label, Some(dev))
            }
            Node::Lock(lock) => {
                let (label, dev) = self.lock(lock);
                of(PartyKind::Lock, label, dev)
            }
            Node::Queue(queue) => {
                let dev = self.model.queue(queue).and_then(|queue| queue.dev);
                let name =
                    dev.map_or_else(|| format!("#{}", queue.0), |dev| format!("of {}", self.device(dev)));
                of(PartyKind::Queue, format!("request queue {name}"), dev)
            }
            Node::Work(work) => {
                let function = self.model.work(work).and_then(|work| work.function);
                plain(PartyKind::Work, format!("work {}", self.function(function)))
            }
            Node::Runtime(dev) => {
                let run = self.model.runtime(dev);
                let what = if run.is_some_and(|run| !run.resume) { "suspend" } else { "resume" };
                of(PartyKind::RuntimePm, format!("runtime {what} of {}", self.device_full(dev)), Some(dev))
            }
            Node::Completion(completion) => plain(PartyKind::Completion, self.completion(completion)),
            Node::Async(None) => plain(PartyKind::AsyncCalls, "all asynchronous calls".to_owned()),
            Node::Async(Some(domain)) => {
                plain(PartyKind::AsyncCalls, format!("asynchronous calls of domain #{}", domain.0))
            }
            Node::AtaEh(port) => {
                let dev = self.model.port(port).and_then(|port| port.dev);
                of(PartyKind::ErrorHandling, format!("error handling of {}", self.port(port)), dev)
            }
            Node::Command(sdev) => {
                let dev = self.model.sdev(sdev).and_then(|sdev| sdev.dev);
                of(PartyKind::Hardware, format!("command sent to {}", self.sdev(sdev)), dev)
            }
            Node::Sleep(tid) => {
                let (kind, label) = self.sleep(tid);
                plain(kind, label)
            }
        }
    }

    /// A completion, by whoever waits for it: `a completion in usb_start_wait_urb`.
    fn completion(&self, completion: ObjId) -> String {
        let waiter = self.model.completion(completion).and_then(|entry| entry.waiters.first().copied());
        let wait = waiter.and_then(|tid| self.model.task(tid)?.wait.as_ref());
        let known = wait.and_then(|wait| self.known_place(&wait.stack));
        if let Some((place, function)) = known {
            return format!("{} ({function})", place.what);
        }
        match wait.and_then(|wait| self.place(&wait.stack)) {
            Some(place) => format!("a completion in {place}"),
            None => format!("completion #{}", completion.0),
        }
    }

    /// For what a task sleeps that waits for nothing an event names.
    fn sleep(&self, tid: u32) -> (PartyKind, String) {
        let Some(wait) = self.model.task(tid).and_then(|task| task.wait.as_ref()) else {
            return (PartyKind::Unknown, "something unknown".to_owned());
        };
        if let Some((place, function)) = self.known_place(&wait.stack) {
            let label = match self.caller(&wait.stack, &function) {
                Some(caller) => format!("{} ({function} in {caller})", place.what),
                None => format!("{} ({function})", place.what),
            };
            return (place.kind, label);
        }
        let place = self.place(&wait.stack);
        (
            PartyKind::Unknown,
            place.map_or_else(|| "something unknown".to_owned(), |at| format!("something in {at}")),
        )
    }

    /// The innermost function of the stack that waits for something well known.
    pub(crate) fn known_place(&self, stack: &Stack) -> Option<(&'static Place, String)> {
        stack.iter().find_map(|frame| {
            let name = crate::model::base_name(self.model.frame_name(frame));
            Some((places::named(name)?, name.to_owned()))
        })
    }

    /// The function that called this one.
    fn caller(&self, stack: &Stack, function: &str) -> Option<String> {
        let mut names = stack.iter().map(|frame| crate::model::base_name(self.model.frame_name(frame)));
        names.by_ref().find(|name| *name == function)?;
        names.find(|name| !name.is_empty()).map(str::to_owned)
    }

    /// The innermost function that is no part of going to sleep.
    pub(crate) fn place(&self, stack: &Stack) -> Option<String> {
        let names = stack.iter().map(|frame| crate::model::base_name(self.model.frame_name(frame)));
        names.filter(|name| !name.is_empty()).find(|name| !is_sleeping(name)).map(str::to_owned)
    }

    /// A function's name.
    pub(crate) fn function(&self, function: Option<crate::event::SymId>) -> String {
        let name = self.model.function_name(function);
        if name.is_empty() { "of an unknown function".to_owned() } else { name.to_owned() }
    }

    /// What a task is inside of.
    pub(crate) fn context(&self, context: &Context) -> String {
        match context {
            Context::Work { function, .. } => format!("work {}", self.function(*function)),
            Context::Async { function, .. } => format!("asynchronous call {}", self.function(*function)),
            Context::Step { dev, step } => format!("the {} of {}", step_words(*step), self.device(*dev)),
            Context::Callback { dev, ops } => format!("the {ops} callback of {}", self.device(*dev)),
            Context::Runtime { dev, resume: true } => format!("the runtime resume of {}", self.device(*dev)),
            Context::Runtime { dev, .. } => format!("the runtime suspend of {}", self.device(*dev)),
            Context::AtaEh { port } => format!("error handling of {}", self.port(*port)),
            Context::AtaRescan { port } => format!("ata_scsi_dev_rescan({})", self.port(*port)),
            Context::ScsiRescan { sdev, .. } => format!("scsi_rescan_device({})", self.sdev(*sdev)),
        }
    }

    /// The innermost context that its stack does not contradict.
    pub(crate) fn doing(&self, task: &Task) -> Option<String> {
        let wait = task.wait.as_ref();
        let fits = |entered: &&Entered| match &entered.context {
            Context::ScsiRescan { .. } => wait.is_none_or(|wait| {
                wait.stack.is_empty()
                    || wait.stack.iter().all(|frame| self.model.frame_name(frame).is_empty())
                    || self.model.stack_has(&wait.stack, "scsi_rescan_device")
            }),
            _ => true,
        };
        let entered = task.contexts.iter().rev().find(fits)?;
        Some(format!("in {}", self.context(&entered.context)))
    }

    /// Who set the task's work going: `ata_scsi_dev_rescan, queued by scsi_eh_1[98] ... at +0.32 s`.
    pub(crate) fn provenance(&self, task: &Task) -> Option<String> {
        let (work, function, origin) = task.work()?;
        let origin = origin?;
        let runs = crate::model::base_name(self.model.function_name(function));
        if runs == "async_run_entry_fn" {
            return None;
        }
        let subject = if runs.is_empty() { format!("work #{}", work.0) } else { runs.to_owned() };
        let after = self.queued_in(origin).map(|text| format!(" {text}")).unwrap_or_default();
        let by = if origin.interrupt == Some(true) { "an interrupt of " } else { "" };
        Some(format!("{subject}, queued by {by}{}{after} at {}", origin.task, self.clock.at(origin.at)))
    }

    /// What the one who queued a work was doing.
    pub(crate) fn queued_in(&self, origin: &QueuedBy) -> Option<String> {
        match origin.context.as_ref()? {
            Context::AtaEh { port } if origin.revalidated.is_some() => {
                Some(format!("after revalidating {}", self.port(*port)))
            }
            context => Some(format!("in {}", self.context(context))),
        }
    }

    /// Names of a stack's functions, innermost first, with offsets.
    pub(crate) fn stack(&self, stack: &Stack) -> Vec<String> {
        let named = stack.iter().take(FRAMES).map(|frame| {
            let symbol = self.model.symbol(frame.symbol);
            let name = symbol.map_or_else(|| format!("function #{}", frame.symbol.0), |s| s.name.clone());
            let module = symbol.map(|symbol| &symbol.module).filter(|module| !module.is_empty());
            let module = module.map(|module| format!(" [{module}]")).unwrap_or_default();
            format!("{name}+{:#x}{module}", frame.offset)
        });
        named.collect()
    }

    /// In which function the wait is, for a summary.
    pub(crate) fn waits_in(&self, on: &WaitOn, stack: &Stack) -> String {
        match on {
            WaitOn::Async { domain: None, .. } => "async_synchronize_full".to_owned(),
            WaitOn::Async { .. } => "async_synchronize_full_domain".to_owned(),
            _ => self.place(stack).unwrap_or_default(),
        }
    }
}

/// The step in words.
pub(crate) fn step_words(step: Step) -> &'static str {
    match step {
        Step::SuspendLate => "late suspend",
        Step::SuspendNoirq => "noirq suspend",
        Step::ResumeNoirq => "noirq resume",
        Step::ResumeEarly => "early resume",
        Step::Suspend | Step::Resume => step_label(step),
    }
}

/// What a lock is.
fn lock_words(kind: LockKind) -> &'static str {
    match kind {
        LockKind::Mutex => "mutex",
        LockKind::RwsemRead | LockKind::RwsemWrite => "rwsem",
        LockKind::RtMutex => "rt_mutex",
        LockKind::PercpuRwsem => "percpu rwsem",
        LockKind::Other => "lock",
    }
}

/// Functions that only say that a task sleeps, or how it takes a lock.
pub(crate) fn is_sleeping(name: &str) -> bool {
    const LOCKS: &[&str] =
        &["__mutex_lock", "mutex_lock", "__rt_mutex", "rt_mutex", "rwsem_down", "rwbase_", "down_"];
    if LOCKS.iter().any(|lock| name.starts_with(lock)) {
        return true;
    }
    const SLEEPING: &[&str] = &[
        "schedule",
        "__schedule",
        "schedule_timeout",
        "schedule_preempt_disabled",
        "io_schedule",
        "io_schedule_timeout",
        "schedule_hrtimeout_range",
        "schedule_hrtimeout_range_clock",
        "wait_for_common",
        "wait_for_completion",
        "wait_for_completion_timeout",
        "wait_for_completion_io",
        "wait_for_completion_io_timeout",
        "__wait_for_common",
        "context_switch",
    ];
    SLEEPING.contains(&name)
}
