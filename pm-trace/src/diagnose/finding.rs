//! Findings: what was found, as data. The shape is part of the JSON report and described in
//! `docs/findings.md`.

use crate::event::Nanos;
use crate::model::At;
use schemars::JsonSchema;
use serde::Serialize;

/// What is wrong, or worth knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Waits that form a cycle: nobody in it can ever go on.
    Deadlock,
    /// The transition does not get on, and the chain of waits ends in something that may still happen.
    Stall,
    /// A race that was won this time: nothing orders what must not overlap.
    Hazard,
    /// A race that the kernel itself noticed and avoided.
    Guarded,
    /// A callback failed: a device may not work, or the suspend was aborted.
    Failure,
    /// Events were lost or unreadable: what is said may be incomplete.
    Loss,
}

impl Kind {
    /// It is a fault of the machine: lost events and races that the kernel avoided are none. What the exit code
    /// goes by.
    pub const fn is_fault(self) -> bool {
        match self {
            Self::Deadlock | Self::Stall | Self::Hazard | Self::Failure => true,
            Self::Guarded | Self::Loss => false,
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing to do.
    Info,
    /// Look at it.
    Warning,
    /// The system does not come back.
    Error,
}

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// It fits what was seen, and so does something else.
    Possible,
    /// It follows from what was seen, but something that would disprove it could have been missed.
    Likely,
    /// Every step rests on a fact that cannot end by itself.
    Proved,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeviceRef {
    /// Its id in the trace.
    pub id: u32,
    /// `dev_name()`; several devices may share it.
    pub name: String,
    /// Its bus, class and driver; empty if it has none.
    pub bus: String,
    /// Its class.
    pub class: String,
    /// Its driver.
    pub driver: String,
    /// The ATA port above it, like `ata2`.
    pub port: Option<String>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TaskName {
    /// Thread id.
    pub tid: u32,
    /// Its name.
    pub comm: String,
}

/// What kind of thing stands at an end of a link of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartyKind {
    /// A thread.
    Task,
    /// A step of a device: its resume, its late suspend, ...
    DeviceStep,
    /// A mutex, rwsem or semaphore.
    Lock,
    /// A request queue.
    Queue,
    /// A work.
    Work,
    /// A completion that is no device's PM completion.
    Completion,
    /// Asynchronous calls.
    AsyncCalls,
    /// Runtime resume or suspend of a device.
    RuntimePm,
    /// A delay: `msleep()` and its like.
    Delay,
    /// Error handling of an ATA port or a SCSI host.
    ErrorHandling,
    /// A device at work: a command that was sent.
    Hardware,
    /// Something that no event names.
    Unknown,
}

/// An end of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Party {
    /// What it is.
    pub kind: PartyKind,
    /// What people call it.
    pub label: String,
    /// The task, if it is one.
    pub task: Option<TaskName>,
    /// The device it belongs to.
    pub device: Option<DeviceRef>,
}

/// What connects the two ends of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// The first cannot go on before the second gives way.
    WaitsFor,
    /// The first is in the hands of the second.
    HeldBy,
    /// Nothing but the second ends the first.
    EndsOnlyWhen,
    /// The first was set going by the second.
    QueuedBy,
    /// The second carries the first out.
    PerformedBy,
    /// The first comes after the second on a workqueue that runs one work at a time.
    QueuedBehind,
}

impl Relation {
    /// The words for it.
    pub const fn words(self) -> &'static str {
        match self {
            Relation::WaitsFor => "waits for",
            Relation::HeldBy => "held by",
            Relation::EndsOnlyWhen => "ends only when",
            Relation::QueuedBy => "queued by",
            Relation::PerformedBy => "performed by",
            Relation::QueuedBehind => "queued behind",
        }
    }
}

/// A link of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Link {
    /// Who cannot go on.
    pub waiter: Party,
    /// What connects it to `object`.
    pub relation: Relation,
    /// Because of what.
    pub object: Party,
    /// Since when, in nanoseconds of `CLOCK_BOOTTIME`.
    pub since: Option<Nanos>,
    /// What is known about it, in short sentences.
    pub notes: Vec<String>,
    /// Why it is not beyond doubt; `None` if it is.
    pub doubt: Option<String>,
    /// The events that say so.
    pub evidence: Vec<At>,
    /// Kernel stack of the wait, innermost function first.
    pub stack: Vec<String>,
    /// It is part of the cycle.
    pub in_cycle: bool,
    /// It leads back to where the chain began.
    pub closes: bool,
}

impl DeviceRef {
    /// What tells most about what it is: its driver, or else its bus, or else its class; empty if it has none.
    pub fn sort(&self) -> &str {
        let sorts = [&self.driver, &self.bus, &self.class];
        sorts.into_iter().find(|text| !text.is_empty()).map_or("", String::as_str)
    }

    /// Its name and what tells it from others of that name: `1:0:0:0 (sr, on ata2)`.
    pub fn full_name(&self) -> String {
        let sort = Some(self.sort()).filter(|sort| !sort.is_empty()).map(str::to_owned);
        let port = self.port.as_ref().filter(|port| **port != self.name).map(|port| format!("on {port}"));
        let parts: Vec<String> = sort.into_iter().chain(port).collect();
        if parts.is_empty() { self.name.clone() } else { format!("{} ({})", self.name, parts.join(", ")) }
    }
}

/// How a device stands to another, the one behind [`Ordering::then`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// It is a descendant of the other: the PM core resumes the other before it.
    Descendant,
    /// It is an ancestor of the other: the PM core resumes it before the other.
    Ancestor,
    /// The other is its supplier by a device link: the PM core resumes the other before it.
    Supplier,
    /// The other is its consumer by a device link: the PM core resumes it before the other.
    Consumer,
    /// The other waited explicitly for it (`device_pm_wait_for_dev`).
    ExplicitWait,
    /// They are the same device.
    Same,
    /// Nothing known.
    Nothing,
}

/// A device link: the PM core resumes the supplier before the consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeviceLink {
    /// The device that is resumed first.
    pub supplier: DeviceRef,
    /// The device that is resumed after it.
    pub consumer: DeviceRef,
    /// `DL_FLAG_STATELESS`: whoever made it removes it.
    pub stateless: bool,
    /// `DL_FLAG_MANAGED`: the driver core looks after it.
    pub managed: bool,
    /// `DL_FLAG_PM_RUNTIME`: runtime PM keeps the order too.
    pub pm_runtime: bool,
    /// Neither device has its driver: system sleep does not wait for it.
    pub dormant: bool,
    /// All `DL_FLAG_*` of it.
    pub flags: u32,
}

/// Whether something makes `then` come after `first`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ordering {
    /// What would have to come first.
    pub first: String,
    /// What would have to come after it.
    pub then: String,
    /// How the device behind `first` stands to the device behind `then`: the first of `relations`.
    pub relation: Order,
    /// All that connects the two: what would guarantee the order first; never empty.
    pub relations: Vec<Order>,
    /// The device link between them.
    pub link: Option<DeviceLink>,
    /// Something guarantees that order.
    pub guaranteed: bool,
    /// The same in sentences.
    pub text: String,
}

/// What waits behind the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Behind {
    /// The phase that is under way: `dpm_resume`, ...
    pub phase: Option<String>,
    /// The task that drives the transition.
    pub task: Option<TaskName>,
    /// What that task waits for; empty if it is itself part of the finding.
    pub task_waits_in: String,
    /// How many other tasks wait, directly or not, for the root; the driving task is not counted.
    pub waiting_tasks: u32,
    /// Devices whose step of this phase has not ended.
    pub devices_not_done: u32,
    /// All devices of this transition.
    pub devices: u32,
    /// User space is frozen until the transition ends.
    pub user_space_frozen: bool,
}

/// A problem of the kernel that is already known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KnownIssue {
    /// Short name.
    pub id: String,
    /// What it is.
    pub title: String,
    /// Where it is discussed.
    pub url: String,
    /// Upstream commits that mend it, oldest first.
    pub fixed_by: Vec<String>,
    /// Why it happens and what helps, in sentences.
    pub explanation: String,
}

/// Something found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// Stable for the same finding as long as it lasts: a hash of its kind and members, in hexadecimal.
    pub id: String,
    /// What.
    pub kind: Kind,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// In which transition, counted from 1; 0 for the whole trace.
    pub cycle: u32,
    /// In one line.
    pub title: String,
    /// Devices concerned, the one in the title first.
    pub devices: Vec<DeviceRef>,
    /// Tasks concerned.
    pub tasks: Vec<TaskName>,
    /// Who waits for whom.
    pub chain: Vec<Link>,
    /// Whether anything made the order safe.
    pub ordering: Option<Ordering>,
    /// What waits behind it.
    pub behind: Option<Behind>,
    /// When it began: the cycle closed, the root of the stall began. Nanoseconds of `CLOCK_BOOTTIME`.
    pub closed_at: Option<Nanos>,
    /// How long it has lasted, in nanoseconds, when the trace ends or now.
    pub lasted: Option<Nanos>,
    /// Times in sentences count from here, in nanoseconds of `CLOCK_BOOTTIME`.
    pub base: Nanos,
    /// What happened at `base`.
    pub base_name: String,
    /// A snapshot of the blocked tasks confirmed it, at this time.
    pub confirmed_at: Option<Nanos>,
    /// What happens, in sentences.
    pub explanation: String,
    /// What to do.
    pub advice: String,
    /// Known issue that it looks like.
    pub known_issue: Option<KnownIssue>,
    /// The events it rests on, oldest first.
    pub evidence: Vec<At>,
    /// A lockup that was over before the trace ended: when it was last there, in nanoseconds of
    /// `CLOCK_BOOTTIME`.
    pub ended: Option<Nanos>,
    /// Of a hazard: by how many nanoseconds the race was won; negative (how long the resume was held up) or 0 if
    /// the two overlapped.
    pub margin: Option<i64>,
}

impl Finding {
    /// Identity of the finding: the same for the same cycle however often it is found.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same, of something that was over before the trace ended.
    pub(crate) fn ended(mut self) -> Self {
        self.ended = self.closed_at.zip(self.lasted).map(|(at, lasted)| at.saturating_add(lasted));
        if self.kind == Kind::Stall {
            super::stall::over(&mut self);
        }
        self
    }
}
