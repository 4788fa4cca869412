//! Events in, findings out.

use super::scenario::*;
use super::{Confidence, Finding, Kind, Order, Relation, Severity, findings, findings_at_end, waits};
use crate::event::{AtaOp, Body, CommandStage, ObjId, ScsiOp, Step};
use pm_trace_common::pm::power::ASYNC;

fn only(findings: Vec<Finding>) -> Finding {
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.into_iter().next().unwrap()
}

fn now(millis: u64) -> u64 {
    BASE + millis * 1_000_000
}

#[test]
fn rescan_deadlock_is_proved() {
    for pm_async in [true, false] {
        let model = rescan_deadlock(pm_async).model();
        let found = only(findings(&model, now(4000)));
        assert_eq!(found.kind, Kind::Deadlock);
        assert_eq!(found.severity, Severity::Error);
        assert_eq!(found.confidence, Confidence::Proved, "{found:#?}");
        assert_eq!(found.closed_at, Some(now(3081)));
        assert_eq!(found.devices[0].name, "1:0:0:0");
        assert_eq!(found.devices[0].driver, "sr");
        assert_eq!(found.devices[0].port.as_deref(), Some("ata2"));
        let relations: Vec<Relation> = found.chain.iter().map(|link| link.relation).collect();
        use Relation::*;
        assert_eq!(relations, [PerformedBy, WaitsFor, HeldBy, QueuedBy, WaitsFor, EndsOnlyWhen]);
        assert_eq!(found.chain[1].object.label, "device lock of 1:0:0:0");
        assert_eq!(found.chain[2].object.label, "kworker/1:1[46]");
        assert_eq!(found.chain[2].notes[0], "in scsi_rescan_device(1:0:0:0)");
        let origin = "ata_scsi_dev_rescan, queued by scsi_eh_1[98] after revalidating ata2 at +0.32 s";
        assert_eq!(found.chain[3].notes, [origin]);
        assert!(found.chain[4].notes.iter().any(|note| note.contains("power.is_suspended=1 read at")));
        assert!(found.chain[5].closes);
        let ordering = found.ordering.clone().unwrap();
        assert_eq!(ordering.relation, Order::Supplier);
        assert_eq!(ordering.relations, [Order::Supplier, Order::Descendant]);
        assert!(!ordering.guaranteed);
        assert_eq!(
            ordering.text,
            "ata2's resume returned at +0.01 s and left error handling running. 1:0:0:0 is a descendant of \
             ata2 and, by a device link (stateless, PM runtime), its consumer (resumed after it), no \
             device_pm_wait_for_dev(): nothing orders the rescan after the resume of 1:0:0:0."
        );
        let link = ordering.link.unwrap();
        assert_eq!((link.supplier.name.as_str(), link.consumer.name.as_str()), ("ata2", "1:0:0:0"));
        assert_eq!((link.stateless, link.managed, link.pm_runtime, link.dormant), (true, false, true, false));
        let behind = found.behind.clone().unwrap();
        assert_eq!((behind.devices_not_done, behind.devices), (1, 4));
        assert_eq!(behind.task_waits_in, if pm_async { "async_synchronize_full" } else { "" });
        assert!(behind.user_space_frozen);
        assert_eq!(found.known_issue.unwrap().id, "kernel bug 217530");
    }
}

/// The ordering of the deadlock after something more was seen.
fn ordering_after(change: impl Fn(&mut Scenario)) -> super::Ordering {
    let mut s = rescan_deadlock(true);
    change(&mut s);
    only(findings_at_end(&s.model())).ordering.unwrap()
}

#[test]
fn links_count_if_they_are_not_dormant() {
    let managed = ordering_after(|s| {
        s.link(ATA2, CDROM, MANAGED, ACTIVE);
    });
    assert!(managed.text.contains("by a device link (managed, not for runtime PM), its consumer"));
    let dormant = ordering_after(|s| {
        s.link(ATA2, CDROM, MANAGED | PM_RUNTIME, DORMANT);
    });
    assert_eq!(dormant.relations, [Order::Descendant]);
    let said = "a descendant of ata2 (resumed after it), a device link (managed, PM runtime) between them is \
                dormant and orders nothing, no device_pm_wait_for_dev(): nothing orders";
    assert!(dormant.text.contains(said), "{}", dormant.text);
    assert!(dormant.link.unwrap().dormant);
}

#[test]
fn what_guarantees_the_order_is_told_first() {
    let waited = ordering_after(|s| {
        let why = crate::event::DeviceWaitKind::Explicit;
        s.by(99, "x").push(Body::DeviceWait { dev: ObjId(ATA2), target: Some(ObjId(CDROM)), why });
    });
    assert_eq!(waited.relations, [Order::ExplicitWait, Order::Supplier, Order::Descendant]);
    assert!(waited.guaranteed);
    let said = "ata2 waited for it with device_pm_wait_for_dev(): the rescan that the port's resume sets going \
                comes after the resume of 1:0:0:0.";
    assert!(waited.text.ends_with(said), "{}", waited.text);
    let supplier = ordering_after(|s| {
        s.link(CDROM, ATA2, MANAGED, ACTIVE);
    });
    assert_eq!(supplier.relation, Order::Consumer);
    assert!(supplier.guaranteed && supplier.text.contains("a supplier of ata2 (resumed before it)"));
}

#[test]
fn snapshot_confirms_and_id_stays() {
    let mut s = rescan_deadlock(true);
    let before = only(findings_at_end(&s.model()));
    look(&mut s, 3200, true);
    let model = s.model();
    let after = only(findings(&model, model.now()));
    assert_eq!(after.confidence, Confidence::Proved, "{after:#?}");
    assert_eq!(after.confirmed_at, Some(now(3200)));
    assert_eq!(before.id(), after.id());
    assert!(after.chain[2].notes.iter().any(|note| note.starts_with("owner read from the lock again")));
}

#[test]
fn young_cycle_is_not_told_yet() {
    let model = rescan_deadlock(true).model();
    assert!(findings(&model, now(3100)).is_empty());
}

#[test]
fn snapshot_without_the_task_ends_its_wait() {
    let mut s = rescan_deadlock(true);
    s.at(4000).by(500, "pm-trace").push(Body::SnapshotEnd { began: now(4000), tasks: 0 });
    let model = s.model();
    assert_eq!(model.waiting().count(), 0);
    assert!(findings(&model, now(9000)).is_empty());
}

#[test]
fn incomplete_snapshot_lowers_confidence() {
    let mut s = rescan_deadlock(true);
    s.at(4000).by(500, "pm-trace").push(Body::SnapshotEnd { began: now(4000), tasks: 3 });
    assert_eq!(only(findings(&s.model(), now(9000))).confidence, Confidence::Likely);
}

#[test]
fn lost_events_lower_confidence() {
    let mut s = rescan_deadlock(true);
    s.at(3500).push(Body::Lost { records: 3, hook: "lock_end".to_owned() });
    let found = findings(&s.model(), now(4000));
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].confidence, Confidence::Likely);
    assert_eq!(found[1].kind, Kind::Loss);
    assert!(found[1].explanation.contains("lock_end: 3"));
}

#[test]
fn owner_that_ran_since_is_not_proved() {
    let mut s = resume_of_port(true);
    // The resume wants the lock first; the rescan blocks only after that.
    let stack = resume_stack(&mut s);
    rescan_begins(&mut s);
    s.at(322).scsi(ScsiOp::Rescan, 1, ASYNC);
    s.at(322).by(164, "kworker/u8:4").lock_wait(CDROM + 1, Some(task(46, "kworker/1:1")), stack);
    s.by(46, "kworker/1:1");
    rescan_blocks(&mut s);
    let found = only(findings(&s.model(), now(9000)));
    assert_eq!(found.confidence, Confidence::Likely);
    assert!(found.chain[2].doubt.is_some());
    // A look at the blocked tasks reads the owner anew.
    look(&mut s, 4000, true);
    let model = s.model();
    let found = only(findings(&model, model.now()));
    assert_eq!(found.confidence, Confidence::Proved, "{found:#?}");
}

#[test]
fn identity_may_come_late() {
    let s = rescan_deadlock(true);
    let (devices, others): (Vec<_>, Vec<_>) =
        s.events.iter().cloned().partition(|event| matches!(event.body, Body::Device(_)));
    let mut model = crate::model::Model::new();
    for event in others.iter().chain(&devices) {
        model.apply(event);
    }
    let found = only(findings_at_end(&model));
    assert_eq!(found.chain[1].object.label, "device lock of 1:0:0:0");
}

fn resumed(s: &mut Scenario, millis: i64) {
    s.at(millis).by(164, "kworker/u8:4").callback(CDROM, "bus ").scsi(ScsiOp::Resume, 1, ASYNC);
    s.at(millis + 1).callback_end(CDROM).end(CDROM, false);
    s.push(Body::WorkEnd { work: ObjId(1000 + CDROM), function: None });
    s.by(138, "rtcwake").phase("dpm_resume", false).phase("dpm_complete", true);
}

#[test]
fn guarded_rescan_is_told_as_handled() {
    let mut s = resume_of_port(true);
    rescan_begins(&mut s);
    let function = Some(s.symbol("ata_scsi_dev_rescan"));
    for round in 0..5 {
        s.at(330 + round * 10).by(46, "kworker/1:1");
        if round > 0 {
            // The timer queues it in the name of whom it interrupts.
            s.by(7, "bystander").queues(RESCAN_WORK, function, true);
            s.by(46, "kworker/1:1").push(Body::WorkStart { work: RESCAN_WORK, function }).ata(AtaOp::Rescan);
        }
        s.scsi(ScsiOp::ResumeDevice, 1, ASYNC);
        s.delays(RESCAN_WORK, function, 2).push(Body::WorkEnd { work: RESCAN_WORK, function });
    }
    assert!(findings_at_end(&s.model()).is_empty());
    s.at(3080).by(168, "kworker/u8:8").callback_end(SLOW).end(SLOW, false);
    resumed(&mut s, 3081);
    s.at(3085).by(46, "kworker/1:1").push(Body::WorkStart { work: RESCAN_WORK, function }).ata(AtaOp::Rescan);
    s.scsi(ScsiOp::Rescan, 0, ASYNC).push(Body::WorkEnd { work: RESCAN_WORK, function });
    s.at(3090).by(138, "rtcwake").phase("dpm_complete", false);
    s.phase("thaw_processes", true).phase("thaw_processes", false);
    let model = s.model();
    let found = only(findings_at_end(&model));
    assert_eq!((found.kind, found.severity), (Kind::Guarded, Severity::Info));
    assert!(found.title.contains("ata2 put itself off 5 times"), "{}", found.title);
    assert_eq!(found.tasks[0].comm, "scsi_eh_1");
    assert_eq!(super::cycles(&model)[0].outcome, super::Outcome::Resumed);
}

#[test]
fn clean_run_finds_nothing() {
    let mut s = resume_of_port(true);
    s.at(300).by(168, "kworker/u8:8").callback_end(SLOW).end(SLOW, false);
    s.push(Body::WorkEnd { work: ObjId(1000 + SLOW), function: None });
    resumed(&mut s, 301);
    for event_count in 0..s.events.len() {
        let mut model = crate::model::Model::new();
        s.events[..event_count].iter().for_each(|event| model.apply(event));
        assert!(findings_at_end(&model).is_empty());
    }
    s.at(310).phase("dpm_complete", false);
    assert!(findings_at_end(&s.model()).is_empty());
    let summary = &super::cycles(&s.model())[0];
    assert_eq!((summary.devices_resumed, summary.devices_to_resume), (4, 4));
    assert_eq!(summary.slowest[0].device.name, "slowdev.0");
}

#[test]
fn a_device_that_went_with_its_cpu_is_not_to_be_resumed() {
    let mut s = Scenario::new();
    s.by(1, "sh").phase("dpm_suspend", true).device(30, None, "machinecheck1", "");
    s.start(30, Step::Suspend, false).end(30, true);
    s.at(10).phase("dpm_suspend", false).phase("CPU_OFF", true).end(30, true).phase("CPU_OFF", false);
    s.at(20).phase("dpm_resume", true);
    let summary = &super::cycles(&s.model())[0];
    assert_eq!((summary.devices_suspended, summary.devices_to_resume), (1, 0));
}

#[test]
fn transition_that_succeeded_leaves_no_deadlock() {
    let mut s = rescan_deadlock(true);
    s.at(9000).by(138, "rtcwake").phase("dpm_complete", true).phase("dpm_complete", false);
    // Where its model has seen the rescan come first, the race itself is still worth a word.
    let found = findings_at_end(&s.model());
    assert!(found.iter().all(|finding| finding.kind == Kind::Hazard), "{found:#?}");
}

#[test]
fn slow_callback_is_the_root_of_a_stall() {
    let s = resume_of_port(true);
    assert!(findings(&s.model(), now(9000)).is_empty());
    let found = only(findings(&s.model(), now(15_000)));
    assert_eq!((found.kind, found.severity), (Kind::Stall, Severity::Warning));
    assert_eq!(found.devices[0].name, "slowdev.0");
    assert!(found.explanation.contains("kworker/u8:8[168] is in the bus callback of slowdev.0"));
    let behind = found.behind.unwrap();
    assert_eq!((behind.devices_not_done, behind.waiting_tasks), (2, 1));
}

#[test]
fn command_that_does_not_come_back_is_hardware() {
    let mut s = resume_of_port(true);
    let stack = s.stack(&["wait_for_completion_io_timeout", "blk_execute_rq", "scsi_execute_cmd"]);
    s.at(20).by(168, "kworker/u8:8");
    let dev = Some(ObjId(CDROM));
    let stage = CommandStage::Execute;
    s.push(Body::ScsiCommand {
        stage,
        command: None,
        sdev: SDEV,
        dev,
        opcode: 0x1b,
        result: 0,
        timeout: None,
    });
    s.push(Body::CompletionWait { completion: ObjId(77), timeout: None, io: true, stack });
    let found = only(findings(&s.model(), now(15_000)));
    assert_eq!(found.kind, Kind::Stall);
    let last = found.chain.last().unwrap();
    assert_eq!(last.object.label, "command sent to 1:0:0:0");
    assert!(last.notes[0].starts_with("opcode 0x1b"), "{:?}", last.notes);
}

#[test]
fn parent_that_waits_for_its_child_is_a_deadlock() {
    let mut s = Scenario::new();
    s.by(1, "sh").phase("dpm_suspend", true);
    s.device(ATA2, None, "parent", "").device(30, Some(ATA2), "child", "");
    for dev in [30, ATA2] {
        s.start(dev, Step::Suspend, false).end(dev, true);
    }
    s.at(10).phase("dpm_suspend", false).phase("dpm_resume", true);
    s.at(11).by(2, "kworker/u8:2").start(ATA2, Step::Resume, true).callback(ATA2, "driver ");
    s.at(12).by(3, "kworker/u8:3").start(30, Step::Resume, true).waits_for_device(30, ATA2);
    s.at(13).by(2, "kworker/u8:2");
    let why = crate::event::DeviceWaitKind::Explicit;
    s.push(Body::DeviceWait { dev: ObjId(ATA2), target: Some(ObjId(30)), why });
    s.push(Body::CompletionWait { completion: ObjId(32), timeout: None, io: false, stack: Vec::new() });
    let found = only(findings_at_end(&s.model()));
    assert_eq!((found.kind, found.confidence), (Kind::Deadlock, Confidence::Proved));
    assert_eq!(found.devices.len(), 2);
    assert_eq!(found.known_issue, None);
}

/// The view's own look for keys must not stand in the picture of the machine, but a lockup with it in it must.
#[test]
fn what_the_recorder_waits_for_is_told_only_if_others_wait_for_it() {
    let mut s = Scenario::new();
    for tid in [70, 71] {
        let function = Some(s.symbol("flush_to_ldisc"));
        s.by(tid, "view").push(Body::FlushWork { work: ObjId(900 + tid), function, stack: vec![] });
    }
    let tasks = |s: &Scenario| -> Vec<u32> {
        let waits = waits(&s.model());
        waits.rows.iter().filter_map(|row| Some(row.party.task.as_ref()?.tid)).collect()
    };
    assert_eq!(tasks(&s), [70, 71]);
    s.by(70, "view").push(Body::Tracer);
    assert_eq!(tasks(&s), [71]);
    // Who enters the suspend itself is a part of it, whatever else it does.
    s.by(71, "view").push(Body::Tracer);
    assert_eq!(tasks(&s), Vec::<u32>::new());
    let mut driver = s.clone();
    let function = Some(driver.symbol("flush_to_ldisc"));
    driver.by(71, "view").phase("suspend_enter", true).push(Body::FlushWork {
        work: ObjId(971),
        function,
        stack: vec![],
    });
    assert_eq!(tasks(&driver), [71]);
    // Somebody waits for a lock that it holds.
    s.by(72, "other").lock_wait(500, Some(task(70, "view")), vec![]);
    assert_eq!(tasks(&s), [72, 70]);
}
