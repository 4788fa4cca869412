//! Everything that can happen.

use super::ids::{Nanos, ObjId, Power, Stack, SymId, TaskRef};
use super::objects::{AtaPort, CommandStage, DeviceInfo, DeviceWaitKind, LockKind, ScsiDevice};
use super::step::{step_cbor, step_name};
use minicbor::{Decode, Encode};
use pm_trace_common::pm::Step;
use schemars::JsonSchema;
use serde::Serialize;

/// What happened.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// Gives a kernel function its name. Comes before the first event that uses the id.
    #[n(1)]
    Symbol {
        /// Id used from now on.
        #[n(0)]
        id: SymId,
        /// Name in kallsyms; a hexadecimal placeholder never appears, unknown functions have no frame.
        #[n(1)]
        name: String,
        /// Module, empty for the kernel image.
        #[n(2)]
        module: String,
    },
    /// Records were lost before this point because the ring buffer was full.
    #[n(2)]
    Lost {
        /// How many since the last such event.
        #[n(0)]
        records: u64,
        /// Program whose records they were.
        #[n(1)]
        hook: String,
    },
    /// Records arrived that could not be decoded.
    #[n(3)]
    Undecoded {
        /// How many since the last such event.
        #[n(0)]
        records: u64,
        /// What was wrong with the first of them.
        #[n(1)]
        reason: String,
    },
    /// The event's task is a thread of the program that records. Comes before the first event of that task.
    #[n(4)]
    Tracer,
    /// A phase of the transition starts or ends.
    #[n(10)]
    Phase {
        /// `dpm_resume`, `CPU_OFF`, ...
        #[n(0)]
        action: String,
        /// Its argument: a PM event, a sleep state, a CPU.
        #[n(1)]
        value: i32,
        /// Start or end.
        #[n(2)]
        start: bool,
    },
    /// A device is described.
    #[n(11)]
    Device(#[n(0)] DeviceInfo),
    /// A device link is described.
    #[n(12)]
    Link {
        /// Resumed first.
        #[n(0)]
        supplier: ObjId,
        /// Waits for the supplier.
        #[n(1)]
        consumer: ObjId,
        /// `DL_FLAG_*`
        #[n(2)]
        flags: u32,
        /// `enum device_link_state`
        #[n(3)]
        status: u32,
    },
    /// The PM core starts a step of a device.
    #[n(13)]
    StepStart {
        /// The device.
        #[n(0)]
        dev: ObjId,
        /// The step, a number of [`Step`].
        #[n(1)]
        #[cbor(with = "step_cbor")]
        #[serde(serialize_with = "step_name")]
        #[schemars(with = "String")]
        step: Step,
        /// The step runs asynchronously.
        #[n(2)]
        is_async: bool,
        /// PM state as the step found it.
        #[n(3)]
        power: Power,
    },
    /// The PM core ended the step of a device.
    #[n(14)]
    StepEnd {
        /// The device.
        #[n(0)]
        dev: ObjId,
        /// PM state as the step left it.
        #[n(1)]
        power: Power,
    },
    /// A PM callback starts.
    #[n(15)]
    CallbackStart {
        /// The device.
        #[n(0)]
        dev: ObjId,
        /// `PM_EVENT_*`
        #[n(1)]
        event: i32,
        /// Whose callback: `bus`, `noirq driver`, ...
        #[n(2)]
        ops: String,
    },
    /// A PM callback returned.
    #[n(16)]
    CallbackEnd {
        /// The device.
        #[n(0)]
        dev: ObjId,
        /// What it returned.
        #[n(1)]
        error: i32,
    },
    /// A device is about to wait for others.
    #[n(17)]
    DeviceWait {
        /// The device.
        #[n(0)]
        dev: ObjId,
        /// For whom; `None` unless the wait is explicit.
        #[n(1)]
        target: Option<ObjId>,
        /// Why.
        #[n(2)]
        why: DeviceWaitKind,
    },
    /// The task asks runtime PM to resume or suspend a device that is not there yet.
    #[n(18)]
    RuntimePm {
        /// The device.
        #[n(0)]
        dev: ObjId,
        /// It is to be resumed, not suspended.
        #[n(1)]
        resume: bool,
        /// `enum rpm_status` as it was found.
        #[n(2)]
        status: u32,
        /// `RPM_*` flags of the call.
        #[n(3)]
        flags: u32,
        /// PM state as it was found.
        #[n(4)]
        power: Power,
        /// Who asks.
        #[n(5)]
        stack: Stack,
    },
    /// Runtime PM answered the task.
    #[n(19)]
    RuntimePmEnd {
        /// The device.
        #[n(0)]
        dev: ObjId,
        /// What it returned: 0, 1 (already there), or a negative errno.
        #[n(1)]
        result: i32,
    },
    /// The task starts to sleep for a lock.
    #[n(20)]
    LockWait {
        /// The lock.
        #[n(0)]
        lock: ObjId,
        /// What it is.
        #[n(1)]
        lock_kind: LockKind,
        /// Who holds it, as the lock says.
        #[n(2)]
        owner: Option<TaskRef>,
        /// Where it is wanted.
        #[n(3)]
        stack: Stack,
        /// Readers hold it, and the owner is only the one of them that took it last.
        #[n(4)]
        #[cbor(default)]
        shared: bool,
    },
    /// The task stopped waiting for a lock.
    #[n(21)]
    LockWaitEnd {
        /// The lock.
        #[n(0)]
        lock: ObjId,
        /// It has the lock now.
        #[n(1)]
        acquired: bool,
    },
    /// The task waits for a completion.
    #[n(30)]
    CompletionWait {
        /// The completion.
        #[n(0)]
        completion: ObjId,
        /// Jiffies after which the wait ends by itself; `None` if it never does.
        #[n(1)]
        timeout: Option<u64>,
        /// The wait counts as I/O wait.
        #[n(2)]
        io: bool,
        /// Where it waits.
        #[n(3)]
        stack: Stack,
    },
    /// A completion that a task waits for was completed.
    #[n(31)]
    Completed {
        /// The completion.
        #[n(0)]
        completion: ObjId,
        /// By `complete_all`.
        #[n(1)]
        all: bool,
    },
    /// The task enters a request queue that admits only power-management requests, or none.
    #[n(32)]
    QueueWait {
        /// The queue.
        #[n(0)]
        queue: ObjId,
        /// The SCSI device it belongs to, if any.
        #[n(1)]
        sdev: Option<ObjId>,
        /// That device's `struct device`.
        #[n(2)]
        dev: Option<ObjId>,
        /// It is a power-management request (`BLK_MQ_REQ_PM`), which a PM-only queue admits.
        #[n(3)]
        pm: bool,
        /// It fails instead of waiting.
        #[n(4)]
        nowait: bool,
        /// It is a bio.
        #[n(5)]
        bio: bool,
        /// `q->pm_only`
        #[n(6)]
        pm_only: i32,
        /// `q->mq_freeze_depth`
        #[n(7)]
        freeze_depth: i32,
        /// PM state of the SCSI device.
        #[n(8)]
        power: Power,
        /// Where it waits.
        #[n(9)]
        stack: Stack,
    },
    /// The task waits for a work to finish.
    #[n(33)]
    FlushWork {
        /// The work.
        #[n(0)]
        work: ObjId,
        /// Its function.
        #[n(1)]
        function: Option<SymId>,
        /// Where it waits.
        #[n(2)]
        stack: Stack,
    },
    /// The task waits for asynchronous calls.
    #[n(34)]
    AsyncWait {
        /// Of which domain; `None` for all.
        #[n(0)]
        domain: Option<ObjId>,
        /// It waits for every call, not only for older ones.
        #[n(1)]
        all: bool,
        /// Where it waits.
        #[n(2)]
        stack: Stack,
    },
    /// The task queued a work.
    #[n(40)]
    WorkQueued {
        /// The work.
        #[n(0)]
        work: ObjId,
        /// Its function.
        #[n(1)]
        function: Option<SymId>,
        /// Name of the workqueue, empty if unknown.
        #[n(2)]
        workqueue: String,
        /// `WQ_*` flags of the workqueue.
        #[n(3)]
        wq_flags: u32,
        /// The workqueue, if it is known.
        #[n(4)]
        queue: Option<ObjId>,
        /// How many works of the workqueue may run at a time (`max_active`), if it was read.
        #[n(5)]
        max_active: Option<u32>,
        /// Not the task did it, but an interrupt that interrupted the task; `None` if that is unknown.
        #[n(6)]
        interrupt: Option<bool>,
    },
    /// The task asked for a work to be queued after a delay.
    #[n(41)]
    WorkDelayed {
        /// The work.
        #[n(0)]
        work: ObjId,
        /// Its function.
        #[n(1)]
        function: Option<SymId>,
        /// Jiffies.
        #[n(2)]
        delay: u64,
        /// Not the task did it, but an interrupt that interrupted the task; `None` if that is unknown.
        #[n(3)]
        interrupt: Option<bool>,
    },
    /// The task, a worker, starts a work.
    #[n(42)]
    WorkStart {
        /// The work.
        #[n(0)]
        work: ObjId,
        /// Its function.
        #[n(1)]
        function: Option<SymId>,
    },
    /// The worker finished a work.
    #[n(43)]
    WorkEnd {
        /// The work.
        #[n(0)]
        work: ObjId,
        /// Its function.
        #[n(1)]
        function: Option<SymId>,
    },
    /// The worker runs an asynchronous call.
    #[n(44)]
    AsyncRun {
        /// The work of the call.
        #[n(0)]
        work: ObjId,
        /// The function called.
        #[n(1)]
        function: Option<SymId>,
        /// Its argument: the device, for the PM core's calls.
        #[n(2)]
        data: Option<ObjId>,
        /// The async domain it belongs to.
        #[n(3)]
        domain: Option<ObjId>,
    },
    /// libata.
    #[n(50)]
    Ata(#[n(0)] AtaPort),
    /// The thread that ran error handling of an ATA port sleeps again.
    #[n(51)]
    AtaEhEnd {
        /// The port.
        #[n(0)]
        port: ObjId,
    },
    /// Error handling of an ATA port resets a link.
    #[n(52)]
    AtaReset {
        /// The port.
        #[n(0)]
        port: ObjId,
        /// It is a hard reset (COMRESET), not a soft one.
        #[n(1)]
        hard: bool,
        /// What it returned, at its end; `None` at its start.
        #[n(2)]
        result: Option<i32>,
    },
    /// SCSI, a device.
    #[n(60)]
    Scsi(#[n(0)] ScsiDevice),
    /// SCSI, a command.
    #[n(61)]
    ScsiCommand {
        /// Where it is.
        #[n(0)]
        stage: CommandStage,
        /// The command; `None` while it is only asked for.
        #[n(1)]
        command: Option<ObjId>,
        /// The device.
        #[n(2)]
        sdev: ObjId,
        /// Its `struct device`.
        #[n(3)]
        dev: Option<ObjId>,
        /// Operation code.
        #[n(4)]
        opcode: u8,
        /// Result, when it is done.
        #[n(5)]
        result: i32,
        /// After how many nanoseconds it times out, when it is sent; `None` if that is unknown.
        #[n(6)]
        timeout: Option<Nanos>,
    },
    /// A SCSI host's error handler was woken.
    #[n(62)]
    ScsiEhWakeup {
        /// `shost->host_no`
        #[n(0)]
        host_no: u32,
    },
    /// The task ran again after it was blocked (state D) for long.
    #[n(70)]
    Blocked {
        /// Since when.
        #[n(0)]
        since: Nanos,
        /// For how long, in nanoseconds.
        #[n(1)]
        duration: Nanos,
    },
    /// A look at the event's task, which is blocked (state D) now.
    #[n(71)]
    TaskSnapshot {
        /// `task->__state`
        #[n(0)]
        state: u32,
        /// Since when, if it was seen to leave the CPU.
        #[n(1)]
        since: Option<Nanos>,
        /// Lock it was seen to wait for.
        #[n(2)]
        lock: Option<ObjId>,
        /// Owner of that lock now.
        #[n(3)]
        owner: Option<TaskRef>,
        /// Where it sleeps.
        #[n(4)]
        stack: Stack,
        /// Readers hold that lock, and the owner is only the one of them that took it last.
        #[n(5)]
        #[cbor(default)]
        shared: bool,
    },
    /// A look at all blocked tasks is complete: tasks that it did not show are not blocked.
    #[n(72)]
    SnapshotEnd {
        /// When it began.
        #[n(0)]
        began: Nanos,
        /// How many blocked tasks it showed.
        #[n(1)]
        tasks: u32,
    },
    /// A wakeup source is activated or deactivated.
    #[n(80)]
    WakeupSource {
        /// Its name: that of its device, mostly.
        #[n(0)]
        name: String,
        /// Activated, not deactivated.
        #[n(1)]
        active: bool,
    },
}
