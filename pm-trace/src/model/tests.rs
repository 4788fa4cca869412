//! How waits begin and end, and where transitions begin and end.

use crate::diagnose::scenario::{ATA2, CDROM, QUEUE, SDEV, Scenario, rescan_begins, resume_of_port, task};
use crate::event::{AtaOp, Body, ObjId, Power, ScsiOp, Stack, Step};
use crate::model::{Context, WaitOn};

fn completion_wait(s: &mut Scenario, completion: u32, stack: Stack) {
    s.push(Body::CompletionWait { completion: ObjId(completion), timeout: None, io: false, stack });
}

fn queue_wait(s: &mut Scenario, pm: bool, nowait: bool, freeze_depth: i32) {
    s.push(Body::QueueWait {
        queue: QUEUE,
        sdev: Some(SDEV),
        dev: Some(ObjId(CDROM)),
        pm,
        nowait,
        bio: false,
        pm_only: 1,
        freeze_depth,
        power: Power(0),
        stack: Vec::new(),
    });
}

fn waits(s: &Scenario, tid: u32) -> bool {
    s.model().task(tid).is_some_and(|task| task.wait.is_some())
}

#[test]
fn lock_wait_ends_with_its_own_event_and_the_task_owns_the_lock() {
    let mut s = Scenario::new();
    s.by(5, "a").lock_wait(7, Some(task(4, "owner")), Vec::new());
    s.by(6, "b").lock_wait(7, Some(task(4, "owner")), Vec::new());
    s.by(5, "a").lock_end(7, true);
    let model = s.model();
    assert!(model.task(5).unwrap().wait.is_none());
    let lock = model.lock(ObjId(7)).unwrap();
    assert_eq!((lock.owner.unwrap().task.tid, lock.waiters.as_slice()), (5, [6].as_slice()));
}

#[test]
fn what_an_interrupt_does_ends_no_wait() {
    let mut s = Scenario::new();
    s.by(5, "a");
    completion_wait(&mut s, 7, Vec::new());
    s.queues(ObjId(1), None, true);
    s.push(Body::Completed { completion: ObjId(8), all: true });
    s.push(Body::ScsiEhWakeup { host_no: 1 });
    assert!(waits(&s, 5));
    s.callback_end(3);
    assert!(!waits(&s, 5));
}

#[test]
fn complete_wakes_the_first_and_complete_all_everyone() {
    let mut s = Scenario::new();
    for tid in [5, 6, 8] {
        s.by(tid, "w");
        completion_wait(&mut s, 7, Vec::new());
    }
    s.by(9, "c").push(Body::Completed { completion: ObjId(7), all: false });
    assert_eq!(s.model().waiting().collect::<Vec<_>>(), [6, 8]);
    s.push(Body::Completed { completion: ObjId(7), all: true });
    assert_eq!(s.model().waiting().count(), 0);
}

#[test]
fn flush_is_told_as_such_although_it_waits_for_a_completion() {
    let mut s = Scenario::new();
    s.by(5, "a");
    let function = Some(s.symbol("some_work"));
    let stack = s.stack(&["wait_for_completion", "__flush_work", "cancel_work_sync"]);
    s.push(Body::FlushWork { work: ObjId(1), function, stack: Vec::new() });
    completion_wait(&mut s, 7, stack);
    let model = s.model();
    let wait = model.task(5).unwrap().wait.as_ref().unwrap();
    assert!(matches!(wait.on, WaitOn::Flush { completion: Some(ObjId(7)), .. }));
    s.by(6, "worker").push(Body::Completed { completion: ObjId(7), all: false });
    assert!(!waits(&s, 5));
}

#[test]
fn pm_only_queue_lets_pm_requests_through() {
    for (pm, nowait, freeze_depth, blocks) in
        [(false, false, 0, true), (true, false, 0, false), (false, true, 0, false), (true, false, 1, true)]
    {
        let mut s = Scenario::new();
        s.by(5, "a");
        queue_wait(&mut s, pm, nowait, freeze_depth);
        assert_eq!(waits(&s, 5), blocks, "pm {pm} nowait {nowait} freeze {freeze_depth}");
    }
}

#[test]
fn opened_queue_lets_its_visitors_in() {
    let mut s = Scenario::new();
    s.by(5, "a");
    queue_wait(&mut s, false, false, 0);
    s.by(6, "b").scsi(ScsiOp::Resume, 1, 0);
    assert!(!waits(&s, 5));
}

#[test]
fn end_of_a_step_ends_the_waits_for_it() {
    let mut s = Scenario::new();
    s.by(2, "p").device(ATA2, None, "parent", "").start(ATA2, Step::Resume, true);
    s.by(3, "c").start(30, Step::Resume, true).waits_for_device(30, ATA2);
    assert!(waits(&s, 3));
    s.by(2, "p").end(ATA2, false);
    assert!(!waits(&s, 3));
}

#[test]
fn rescan_ends_with_its_work() {
    let mut s = resume_of_port(true);
    rescan_begins(&mut s);
    s.scsi(ScsiOp::Rescan, 0, 0);
    let model = s.model();
    let contexts = &model.task(46).unwrap().contexts;
    assert!(matches!(contexts.last().unwrap().context, Context::ScsiRescan { .. }));
    let (_, _, origin) = model.task(46).unwrap().work().unwrap();
    assert_eq!(origin.unwrap().task.tid, 98);
    s.push(Body::WorkEnd { work: crate::diagnose::scenario::RESCAN_WORK, function: None });
    assert!(s.model().task(46).unwrap().contexts.is_empty());
}

#[test]
fn each_transition_starts_afresh() {
    let mut s = Scenario::new();
    for _ in 0..3 {
        s.by(1, "sh").phase("suspend_enter", true).phase("suspend_enter", false).phase("dpm_suspend", true);
        s.start(ATA2, Step::Suspend, false).end(ATA2, true).phase("dpm_suspend", false);
        s.phase("dpm_resume", true).start(ATA2, Step::Resume, false).ata(AtaOp::PortResume).end(ATA2, false);
        s.phase("dpm_resume", false).phase("dpm_complete", true).phase("dpm_complete", false);
        s.phase("thaw_processes", true).phase("thaw_processes", false);
        s.phase("CPU_ON", true);
    }
    let model = s.model();
    assert_eq!(model.transitions().len(), 3);
    for transition in model.transitions() {
        assert_eq!((transition.suspended, transition.resumed, transition.to_resume), (1, 1, 1));
        assert!(transition.is_complete());
    }
}
