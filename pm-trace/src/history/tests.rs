//! Moving about in traces of real kernels.

use super::*;
use crate::diagnose;
use std::path::PathBuf;

fn trace(name: &str) -> History {
    let path = format!("{}/tests/data/traces/{name}.pmtrace", env!("CARGO_MANIFEST_DIR"));
    History::read(&PathBuf::from(path)).unwrap()
}

/// What makes two models the same as far as anybody can tell.
fn look(model: &Model) -> String {
    format!("{model:?}")
}

/// Whichever way one came to a moment, the model is the one that the events until then give.
#[test]
fn the_model_at_a_time_does_not_depend_on_the_way_there() {
    let mut history = trace("6.1-rescan-deadlock");
    history.stride = 500;
    let events: Vec<Event> = (0..history.log().len()).filter_map(|n| history.log().event(n)).collect();
    assert_eq!(events.len(), history.log().len());
    let mut small = History { stride: 500, ..History::default() };
    for event in &events {
        small.push(event);
    }
    assert!(small.copies.len() > 2);
    for events_until in [0, 1, 700, 499, 500, 501, 2, 1700, events.len(), 1200] {
        let mut model = Model::new();
        events.iter().take(events_until).for_each(|event| model.apply(event));
        assert_eq!(look(small.at(events_until)), look(&model), "after {events_until}");
    }
}

/// Events that are read in batches stand in the log as if they had come one by one.
#[test]
fn batches_are_the_events_one_after_the_other() {
    let read = trace("6.12-healthy");
    let mut pushed = History::default();
    for number in 0..read.log().len() {
        pushed.push(&read.log().event(number).unwrap());
    }
    assert!(read.log().len() > 4096, "more than one batch");
    for number in 0..read.log().len() {
        let told = |history: &History| {
            let (log, entry) = (history.log(), *history.log().entry(number).unwrap());
            let comm = log.comm(entry.comm).to_owned();
            (log.event(number), entry.time, entry.tid, comm, entry.device(), entry.subject)
        };
        assert_eq!(told(&read), told(&pushed), "{number}");
    }
    for time in [0, read.log().time(5000), read.log().time(5000) + 1, u64::MAX] {
        assert_eq!(read.until(time), pushed.until(time));
    }
}

/// Copies of the model are thinned out instead of piling up.
#[test]
fn copies_are_bounded() {
    let mut history = History { stride: 1, ..History::default() };
    let source = trace("6.1-healthy");
    for event in (0..1000).filter_map(|n| source.log().event(n)) {
        history.push(&event);
    }
    assert!(history.copies.len() <= COPIES, "{}", history.copies.len());
    let mut model = Model::new();
    (0..777).filter_map(|n| source.log().event(n)).for_each(|event| model.apply(&event));
    assert_eq!(look(history.at(777)), look(&model));
}

/// In a deadlock the bars of its members stay open; in a healthy trace every wait of a device's step ends.
#[test]
fn bars_of_stuck_tasks_do_not_end() {
    let history = trace("6.1-rescan-deadlock");
    let finding = &diagnose::findings_at_end(history.head())[0];
    for task in &finding.tasks {
        let mut waits = history.spans().of(Lane::Task(task.tid)).filter(|span| span.kind == SpanKind::Wait);
        assert!(waits.next_back().unwrap().end.is_none(), "{task:?}");
    }
    let healthy = trace("6.1-healthy");
    for lane in healthy.spans().lanes().iter().filter(|lane| matches!(lane, Lane::Device(_))) {
        assert!(healthy.spans().of(*lane).all(|span| span.end.is_some()), "{lane:?}");
    }
    assert_eq!(healthy.spans().count().1, 0);
}

fn picked(history: &History, expression: &str) -> Vec<Entry> {
    let base = history.head().transition().unwrap().base();
    let numbers = Filter::parse(expression).unwrap().events(history, base, 0);
    numbers.iter().map(|&n| *history.log().entry(n as usize).unwrap()).collect()
}

#[test]
fn expressions_pick_events() {
    let history = trace("6.1-rescan-deadlock");
    assert_eq!(picked(&history, "").len(), history.log().len());
    let locks = picked(&history, "subject:lock");
    assert!(!locks.is_empty() && locks.iter().all(|entry| entry.subject == Subject::Lock));
    let of_device = picked(&history, "lock dev:1:0:0:0");
    assert!(!of_device.is_empty() && of_device.len() <= locks.len());
    let eh = picked(&history, "task:scsi_eh_1");
    assert!(eh.iter().all(|entry| history.log().comm(entry.comm) == "scsi_eh_1") && !eh.is_empty());
    let (late, early) = (picked(&history, "time:+3..").len(), picked(&history, "time:..+3").len());
    assert!(late > 0 && early > 0 && late + early >= history.log().len());
    assert_eq!(picked(&history, "!subject:lock").len() + locks.len(), history.log().len());
}

#[test]
fn wrong_expressions_say_what_is_right() {
    let wrong = |text: &str| Filter::parse(text).unwrap_err().to_string();
    assert!(wrong("subject:dogs").contains("'dogs': take pm, lock"));
    assert!(wrong("tsak:x").contains("'tsak': take subject:, dev:"));
    assert!(wrong("time:now").contains("'now' is no time"));
    // A SCSI address is a word, not a kind of term.
    assert!(Filter::parse("1:0:0:0").is_ok());
}
