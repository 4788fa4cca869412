//! Small hand-written traces for tests.

use crate::event::{
    AtaOp, AtaPort, Body, Comm, CommandStage, DeviceInfo, DeviceWaitKind, Event, Frame, LockKind, Nanos,
    ObjId, Power, ScsiDevice, ScsiOp, Stack, Step, SymId, TaskRef,
};
use crate::model::Model;
use pm_trace_common::pm::power::{ASYNC, SUSPENDED};
use std::collections::BTreeMap;

/// Boot time of the moment that [`Scenario::at`] counts from.
pub(crate) const BASE: Nanos = 100_000_000_000;

/// A trace under construction: [`Scenario::at`] and [`Scenario::by`] say when and who for what follows.
#[derive(Clone, Default)]
pub(crate) struct Scenario {
    pub(crate) events: Vec<Event>,
    time: Nanos,
    task: TaskRef,
    symbols: BTreeMap<String, SymId>,
}

pub(crate) fn task(tid: u32, comm: &str) -> TaskRef {
    TaskRef { tid, comm: Comm::new(comm) }
}

impl Scenario {
    pub(crate) fn new() -> Self {
        Self { time: BASE, ..Self::default() }
    }

    /// What follows happens so many milliseconds from the base.
    pub(crate) fn at(&mut self, millis: i64) -> &mut Self {
        self.time = BASE.checked_add_signed(millis * 1_000_000).unwrap();
        self
    }

    /// What follows is done by this task.
    pub(crate) fn by(&mut self, tid: u32, comm: &str) -> &mut Self {
        self.task = task(tid, comm);
        self
    }

    pub(crate) fn push(&mut self, body: Body) -> &mut Self {
        self.events.push(Event { time: self.time, cpu: 0, task: self.task, body });
        self
    }

    pub(crate) fn symbol(&mut self, name: &str) -> SymId {
        if let Some(&id) = self.symbols.get(name) {
            return id;
        }
        let id = SymId(u32::try_from(self.symbols.len()).unwrap());
        self.symbols.insert(name.to_owned(), id);
        self.push(Body::Symbol { id, name: name.to_owned(), module: String::new() });
        id
    }

    /// A stack of these functions, innermost first.
    pub(crate) fn stack(&mut self, names: &[&str]) -> Stack {
        names.iter().map(|name| Frame { symbol: self.symbol(name), offset: 0x10 }).collect()
    }

    pub(crate) fn phase(&mut self, action: &str, start: bool) -> &mut Self {
        self.push(Body::Phase { action: action.to_owned(), value: 0, start })
    }

    /// A device whose lock and PM completion have the ids that follow its own.
    pub(crate) fn device(&mut self, dev: u32, parent: Option<u32>, name: &str, driver: &str) -> &mut Self {
        self.push(Body::Device(DeviceInfo {
            dev: ObjId(dev),
            parent: parent.map(ObjId),
            name: name.to_owned(),
            bus: if driver.is_empty() { String::new() } else { "scsi".to_owned() },
            class: String::new(),
            driver: driver.to_owned(),
            power: Power(ASYNC),
            lock: Some(ObjId(dev + 1)),
            completion: Some(ObjId(dev + 2)),
            links_left: 0,
        }))
    }

    pub(crate) fn start(&mut self, dev: u32, step: Step, is_async: bool) -> &mut Self {
        let bits = if step == Step::Suspend { ASYNC } else { ASYNC | SUSPENDED };
        self.push(Body::StepStart { dev: ObjId(dev), step, is_async, power: Power(bits) })
    }

    pub(crate) fn end(&mut self, dev: u32, suspended: bool) -> &mut Self {
        let bits = if suspended { ASYNC | SUSPENDED } else { ASYNC };
        self.push(Body::StepEnd { dev: ObjId(dev), power: Power(bits) })
    }

    pub(crate) fn callback(&mut self, dev: u32, ops: &str) -> &mut Self {
        self.push(Body::CallbackStart { dev: ObjId(dev), event: 16, ops: ops.to_owned() })
    }

    pub(crate) fn callback_end(&mut self, dev: u32) -> &mut Self {
        self.push(Body::CallbackEnd { dev: ObjId(dev), error: 0 })
    }

    /// The task, or an interrupt of it, queues a work on a workqueue of no limits.
    pub(crate) fn queues(&mut self, work: ObjId, function: Option<SymId>, interrupt: bool) -> &mut Self {
        let (workqueue, interrupt) = ("events".to_owned(), Some(interrupt));
        let (wq_flags, queue, max_active) = (0, None, None);
        self.push(Body::WorkQueued { work, function, workqueue, wq_flags, queue, max_active, interrupt })
    }

    /// The task asks for a work to be queued after so many jiffies.
    pub(crate) fn delays(&mut self, work: ObjId, function: Option<SymId>, delay: u64) -> &mut Self {
        self.push(Body::WorkDelayed { work, function, delay, interrupt: Some(false) })
    }

    pub(crate) fn lock_wait(&mut self, lock: u32, owner: Option<TaskRef>, stack: Stack) -> &mut Self {
        self.push(Body::LockWait {
            lock: ObjId(lock),
            lock_kind: LockKind::Mutex,
            owner,
            stack,
            shared: false,
        })
    }

    pub(crate) fn lock_end(&mut self, lock: u32, acquired: bool) -> &mut Self {
        self.push(Body::LockWaitEnd { lock: ObjId(lock), acquired })
    }

    pub(crate) fn waits_for_device(&mut self, dev: u32, target: u32) -> &mut Self {
        let stack = self.stack(&["wait_for_completion", "dpm_wait_for_superior", "__device_resume"]);
        self.push(Body::DeviceWait { dev: ObjId(dev), target: None, why: DeviceWaitKind::Superior });
        self.push(Body::CompletionWait { completion: ObjId(target + 2), timeout: None, io: false, stack })
    }

    pub(crate) fn link(&mut self, supplier: u32, consumer: u32, flags: u32, status: u32) -> &mut Self {
        self.push(Body::Link { supplier: ObjId(supplier), consumer: ObjId(consumer), flags, status })
    }

    pub(crate) fn snapshot(&mut self, lock: Option<u32>, owner: Option<TaskRef>, stack: Stack) -> &mut Self {
        self.push(Body::TaskSnapshot {
            state: 2,
            since: None,
            lock: lock.map(ObjId),
            owner,
            stack,
            shared: false,
        })
    }

    pub(crate) fn ata(&mut self, what: AtaOp) -> &mut Self {
        self.push(Body::Ata(AtaPort {
            what,
            port: PORT,
            dev: Some(ObjId(ATA2)),
            controller: Some(ObjId(1)),
            print_id: 2,
            pflags: 0,
            scan_mutex: Some(ObjId(901)),
            rescan_work: Some(RESCAN_WORK),
            sdev: None,
            event: 0,
            is_async: true,
            caller: None,
        }))
    }

    pub(crate) fn scsi(&mut self, what: ScsiOp, pm_only: i32, bits: u32) -> &mut Self {
        self.push(Body::Scsi(ScsiDevice {
            what,
            sdev: SDEV,
            dev: Some(ObjId(CDROM)),
            queue: Some(QUEUE),
            state: 4,
            power: Power(bits),
            pm_only,
        }))
    }

    /// The model of the trace.
    pub(crate) fn model(&self) -> Model {
        let mut model = Model::new();
        for event in &self.events {
            model.apply(event);
        }
        model
    }
}

/// `DL_FLAG_*`
pub(crate) const STATELESS: u32 = 1;
pub(crate) const PM_RUNTIME: u32 = 4;
const RPM_ACTIVE: u32 = 8;
pub(crate) const MANAGED: u32 = 64;
/// `DL_STATE_NONE`, `DL_STATE_DORMANT`, `DL_STATE_ACTIVE`
pub(crate) const NO_STATE: u32 = u32::MAX;
pub(crate) const DORMANT: u32 = 0;
pub(crate) const ACTIVE: u32 = 3;

pub(crate) const ATA2: u32 = 10;
pub(crate) const CDROM: u32 = 40;
pub(crate) const SLOW: u32 = 50;
pub(crate) const PORT: ObjId = ObjId(900);
pub(crate) const SDEV: ObjId = ObjId(910);
pub(crate) const QUEUE: ObjId = ObjId(911);
pub(crate) const RESCAN_WORK: ObjId = ObjId(902);

/// Everything up to the moment at which the CD-ROM's resume begins to wait for its slow supplier, and error
/// handling of its port is about to queue the rescan. Without `pm_async` one task does it all.
pub(crate) fn resume_of_port(pm_async: bool) -> Scenario {
    let mut s = Scenario::new();
    s.at(-2000).by(138, "rtcwake").phase("suspend_enter", true).phase("suspend_enter", false);
    s.at(-1950).phase("dpm_prepare", true).phase("dpm_prepare", false).phase("dpm_suspend", true);
    s.device(ATA2, Some(1), "ata2", "").device(30, Some(ATA2), "target1:0:0", "");
    s.device(CDROM, Some(30), "1:0:0:0", "sr").device(SLOW, None, "slowdev.0", "");
    s.at(-1900).link(SLOW, CDROM, STATELESS, NO_STATE);
    // As libata makes it (ata_scsi_slave_alloc(), ata_scsi_sdev_init() since 6.14).
    s.link(ATA2, CDROM, STATELESS | PM_RUNTIME | RPM_ACTIVE, NO_STATE);
    for dev in [CDROM, SLOW, 30, ATA2] {
        s.at(-1900).start(dev, Step::Suspend, pm_async);
        if dev == CDROM {
            s.scsi(ScsiOp::Quiesce, 0, ASYNC);
        }
        s.at(-1890).end(dev, true);
    }
    s.at(-1800).phase("dpm_suspend", false).phase("machine_suspend", true);
    s.at(-100).phase("machine_suspend", false).at(0).phase("dpm_resume", true);
    port_resumes(&mut s, pm_async);
    s.at(20).by(98, "scsi_eh_1").ata(AtaOp::Eh).ata(AtaOp::EhRecover);
    s
}

fn port_resumes(s: &mut Scenario, pm_async: bool) {
    let run = |s: &mut Scenario, tid: u32, dev: u32| {
        if pm_async {
            let function = Some(s.symbol("async_run_entry_fn"));
            s.by(tid, &format!("kworker/u8:{}", tid % 10));
            s.push(Body::WorkStart { work: ObjId(1000 + dev), function });
            let resume = Some(s.symbol("async_resume"));
            s.push(Body::AsyncRun {
                work: ObjId(1000 + dev),
                function: resume,
                data: Some(ObjId(dev)),
                domain: None,
            });
        }
        s.start(dev, Step::Resume, pm_async);
    };
    let done = |s: &mut Scenario, dev: u32| {
        if pm_async {
            s.push(Body::WorkEnd { work: ObjId(1000 + dev), function: None });
        }
    };
    run(s, 165, ATA2);
    s.at(5).callback(ATA2, "driver ").ata(AtaOp::PortResume).ata(AtaOp::RequestPm);
    s.at(10).callback_end(ATA2).end(ATA2, false);
    done(s, ATA2);
    run(s, 167, 30);
    s.at(11).end(30, false);
    done(s, 30);
    if pm_async {
        run(s, 168, SLOW);
        s.callback(SLOW, "bus ");
        run(s, 164, CDROM);
        s.at(12).waits_for_device(CDROM, SLOW);
        let stack = s.stack(&["async_synchronize_cookie_domain", "dpm_resume", "dpm_resume_end"]);
        s.at(13).by(138, "rtcwake").push(Body::AsyncWait { domain: None, all: true, stack });
    } else {
        run(s, 138, SLOW);
        s.callback(SLOW, "bus ");
    }
}

/// Error handling queues the rescan, which a worker begins.
pub(crate) fn rescan_begins(s: &mut Scenario) {
    let function = Some(s.symbol("ata_scsi_dev_rescan"));
    s.at(310).by(98, "scsi_eh_1").ata(AtaOp::Revalidate);
    s.at(320).delays(RESCAN_WORK, function, 0).queues(RESCAN_WORK, function, false);
    // Setting the transfer mode revalidates once more.
    s.ata(AtaOp::Revalidate);
    s.at(321).by(46, "kworker/1:1").push(Body::WorkStart { work: RESCAN_WORK, function });
    s.ata(AtaOp::Rescan);
}

/// Stack of the rescan that waits for the queue.
pub(crate) fn rescan_stack(s: &mut Scenario) -> Stack {
    s.stack(&[
        "blk_queue_enter",
        "blk_mq_alloc_request",
        "__scsi_execute",
        "scsi_vpd_inquiry",
        "scsi_attach_vpd",
        "scsi_rescan_device",
        "ata_scsi_dev_rescan",
        "process_one_work",
    ])
}

/// The rescan enters the device's PM-only queue, with the device lock held.
pub(crate) fn rescan_blocks(s: &mut Scenario) {
    s.at(322).scsi(ScsiOp::Rescan, 1, ASYNC);
    s.push(Body::ScsiCommand {
        stage: CommandStage::Execute,
        command: None,
        sdev: SDEV,
        dev: Some(ObjId(CDROM)),
        opcode: 0x12,
        result: 0,
        timeout: None,
    });
    let stack = rescan_stack(s);
    s.at(323).push(Body::QueueWait {
        queue: QUEUE,
        sdev: Some(SDEV),
        dev: Some(ObjId(CDROM)),
        pm: false,
        nowait: false,
        bio: false,
        pm_only: 1,
        freeze_depth: 0,
        power: Power(ASYNC),
        stack,
    });
}

/// Stack of the resume that waits for the device lock.
pub(crate) fn resume_stack(s: &mut Scenario) -> Stack {
    s.stack(&["__mutex_lock.constprop.0", "__device_resume", "async_resume"])
}

/// Task that carries out the CD-ROM's resume.
pub(crate) fn resumer(pm_async: bool) -> TaskRef {
    if pm_async { task(164, "kworker/u8:4") } else { task(138, "rtcwake") }
}

/// The whole deadlock: the slow supplier is resumed at +3.08 s, the CD-ROM's resume wants its device lock.
pub(crate) fn rescan_deadlock(pm_async: bool) -> Scenario {
    let mut s = resume_of_port(pm_async);
    rescan_begins(&mut s);
    rescan_blocks(&mut s);
    let who = resumer(pm_async);
    let slow = if pm_async { task(168, "kworker/u8:8") } else { who };
    s.at(3080).by(slow.tid, &slow.comm.as_str()).callback_end(SLOW).end(SLOW, false);
    if pm_async {
        s.push(Body::WorkEnd { work: ObjId(1000 + SLOW), function: None });
    }
    s.by(who.tid, &who.comm.as_str());
    if !pm_async {
        s.start(CDROM, Step::Resume, false);
    }
    let stack = resume_stack(&mut s);
    s.at(3081).lock_wait(CDROM + 1, Some(task(46, "kworker/1:1")), stack);
    s
}

/// A look at all blocked tasks of the deadlock.
pub(crate) fn look(s: &mut Scenario, millis: i64, pm_async: bool) {
    let began = BASE + u64::try_from(millis).unwrap() * 1_000_000;
    let mut stack = s.stack(&["__schedule", "schedule"]);
    let mut rescan = rescan_stack(s);
    rescan[0].offset = 0x80;
    stack.extend(rescan);
    s.at(millis).by(46, "kworker/1:1").snapshot(None, None, stack);
    let mut stack = s.stack(&["__schedule", "schedule", "schedule_preempt_disabled"]);
    stack.extend(resume_stack(s));
    let who = resumer(pm_async);
    s.by(who.tid, &who.comm.as_str()).snapshot(Some(CDROM + 1), Some(task(46, "kworker/1:1")), stack);
    let mut tasks = 2;
    if pm_async {
        let stack = s.stack(&["__schedule", "schedule", "async_synchronize_cookie_domain", "dpm_resume"]);
        s.by(138, "rtcwake").snapshot(None, None, stack);
        tasks = 3;
    }
    s.at(millis + 5).by(500, "pm-trace").push(Body::SnapshotEnd { began, tasks });
}
