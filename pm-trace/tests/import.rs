//! Imports of real logs (`tests/data/import`), compared with what sleepgraph says of the same logs.

mod common;

use common::{pm_trace, stderr, stdout};
use pm_trace::event::{Body, Event, ObjId};
use pm_trace::import::read;
use pm_trace::trace::Session;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn log(name: &str) -> PathBuf {
    format!("{}/tests/data/import/{name}", env!("CARGO_MANIFEST_DIR")).into()
}

fn events(names: &[&str]) -> (Session, Vec<Event>) {
    let logs: Vec<PathBuf> = names.iter().map(|name| log(name)).collect();
    let mut events = Vec::new();
    let session = read(&logs, &mut |event| {
        events.push(event.clone());
        Ok(())
    });
    (session.unwrap_or_else(|error| panic!("{error}")), events)
}

/// The name that sleepgraph gives the time of a phase.
fn sleepgraphs(phase: &str) -> Option<&'static str> {
    Some(match phase {
        "dpm_prepare" => "suspend_prepare",
        "dpm_suspend" => "suspend",
        "dpm_suspend_late" => "suspend_late",
        "dpm_suspend_noirq" => "suspend_noirq",
        "dpm_resume_noirq" => "resume_noirq",
        "dpm_resume_early" => "resume_early",
        "dpm_resume" => "resume",
        "dpm_complete" => "resume_complete",
        _ => return None,
    })
}

/// Phase, name and driver, and the lengths of the callbacks in microseconds, sorted.
type Times = BTreeMap<(String, String, String), Vec<u64>>;

/// What the events say: of each callback, and of each step.
fn imported(events: &[Event]) -> (Times, Times) {
    let (mut callbacks, mut steps) = (Times::new(), Times::new());
    let mut devices: BTreeMap<ObjId, (String, String)> = BTreeMap::new();
    let (mut callback, mut step): (BTreeMap<ObjId, u64>, BTreeMap<ObjId, u64>) = Default::default();
    let mut phase = "";
    for event in events {
        let note = |times: &mut Times, dev: &ObjId, began: Option<u64>| {
            let (name, driver) = devices[dev].clone();
            let took = event.time - began.expect("an end has a start");
            times.entry((phase.to_owned(), name, driver)).or_default().push(took / 1000);
        };
        match &event.body {
            Body::Phase { action, start: true, .. } => phase = sleepgraphs(action).unwrap_or(phase),
            Body::Device(info) => {
                devices.insert(info.dev, (info.name.clone(), info.driver.clone()));
            }
            Body::StepStart { dev, .. } => drop(step.insert(*dev, event.time)),
            Body::StepEnd { dev, .. } => note(&mut steps, dev, step.remove(dev)),
            Body::CallbackStart { dev, .. } => drop(callback.insert(*dev, event.time)),
            Body::CallbackEnd { dev, .. } => note(&mut callbacks, dev, callback.remove(dev)),
            _ => {}
        }
    }
    for times in callbacks.values_mut().chain(steps.values_mut()) {
        times.sort_unstable();
    }
    (callbacks, steps)
}

/// What sleepgraph's HTML says of the same log (`expected.py`).
fn expected(name: &str) -> Times {
    let text = std::fs::read_to_string(log(name)).expect("a recorded log");
    let mut times = Times::new();
    for line in text.lines() {
        let [phase, name, driver, ms] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let key = (phase.to_owned(), name.to_owned(), driver.to_owned());
        times.entry(key).or_default().push(ms.replace('.', "").parse().expect("milliseconds"));
    }
    for times in times.values_mut() {
        times.sort_unstable();
    }
    times
}

/// Both tools read the same log, so they have to come to the same times, to the microsecond.
#[test]
fn every_device_takes_as_long_as_sleepgraph_says() {
    for (name, count) in [("plain", 387), ("dev", 586)] {
        let (_, events) = events(&[&format!("{name}_ftrace.txt.gz"), &format!("{name}_dmesg.txt")]);
        let (mut callbacks, steps) = imported(&events);
        for (key, times) in &steps {
            assert_eq!(callbacks.get(key), Some(times), "{name}: a step of {key:?} is its callback");
        }
        let expected = expected(&format!("{name}.tsv"));
        assert_eq!(expected.values().map(Vec::len).sum::<usize>(), count);
        for (key, times) in &expected {
            assert_eq!(callbacks.remove(key).as_ref(), Some(times), "{name}: {key:?}");
            let is_step = !matches!(key.0.as_str(), "suspend_prepare" | "resume_complete");
            assert_eq!(steps.contains_key(key), is_step, "{name}: {key:?}");
        }
        // What sleepgraph leaves out of its picture.
        for ((phase, device, driver), times) in callbacks {
            let unseen = driver.is_empty() || times.iter().all(|&time| time == 0);
            assert!(
                unseen,
                "{name}: sleepgraph has no {phase} of {device} ({driver}), which took {times:?} us"
            );
        }
    }
}

/// The same cycle of another run, as tracefs and as trace-cmd write it: locks, works and switches are read too.
#[test]
fn logs_of_ftrace_have_waits_and_works() {
    for name in ["tracefs.txt.gz", "trace-cmd.txt.gz"] {
        let (session, events) = events(&[name]);
        let count = |is_it: fn(&Body) -> bool| events.iter().filter(|event| is_it(&event.body)).count();
        let waits = count(|body| matches!(body, Body::LockWait { .. }));
        assert_eq!(waits, count(|body| matches!(body, Body::LockWaitEnd { .. })), "{name}");
        assert!(waits > 0, "{name}");
        let starts = count(|body| matches!(body, Body::WorkStart { function: Some(_), .. }));
        assert!(starts > 50 && count(|body| matches!(body, Body::WorkQueued { .. })) > 50, "{name}");
        let steps = count(|body| matches!(body, Body::StepStart { .. }));
        assert_eq!(steps, count(|body| matches!(body, Body::StepEnd { .. })), "{name}");
        assert!(steps > 100, "{name}");
        let owners =
            events.iter().filter(|event| matches!(event.body, Body::LockWait { owner: Some(_), .. }));
        assert_eq!(owners.count(), 0, "a log does not say who holds a lock");
        let attached: Vec<&str> = session
            .probes
            .iter()
            .filter(|probe| probe.place.is_some())
            .map(|probe| probe.hook.as_str())
            .collect();
        for hook in ["phase", "lock_begin", "work_queue", "sched_switch"] {
            assert!(attached.contains(&hook), "{name}: {attached:?}");
        }
        assert!(
            !attached.contains(&"scsi_rescan") && !attached.contains(&"wait_superior"),
            "{name}: {attached:?}"
        );
    }
}

/// The whole way of a person who has logs: import, report, and what is missing said.
#[test]
fn a_report_says_what_the_log_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("log.pmtrace");
    let import =
        |log: PathBuf| pm_trace().arg("import").arg(log).arg("-o").arg(&trace).env("COLUMNS", "100").assert();
    let told = stdout(&import(log("plain_ftrace.txt.gz")).code(0));
    assert!(told.contains("imported  1 cycle and 1929 events from 1483 lines"), "{told}");
    let again = import(log("plain_ftrace.txt.gz")).code(1);
    assert!(stderr(&again).contains("exists already"), "{}", stderr(&again));

    let report = stdout(&pm_trace().arg("report").arg(&trace).env("COLUMNS", "100").assert().code(0));
    for part in [
        "OK  suspended and resumed once, nothing wrong found",
        "47 of 47 devices resumed",
        "imported   from sleepgraph's ftrace log",
        "note       the log has no waits for locks: deadlocks are not found",
        "without    wait_superior,",
    ] {
        assert!(report.contains(part), "{part:?} in\n{report}");
    }
    let json = stdout(&pm_trace().arg("report").arg(&trace).args(["--format", "json"]).assert().code(0));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["session"]["imported"]["from"][0], "sleepgraph's ftrace log");
    assert_eq!(json["session"]["kernel"], "6.1.0-56-amd64");
    pm_trace().arg("summary").arg(&trace).assert().code(0);
}

/// In one go: the report on standard output is the one of the trace, and what was read is told beside it. A trace is
/// written if a place is named for it.
#[test]
fn a_report_can_be_had_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("log.pmtrace");
    for format in ["html", "json", "markdown", "text"] {
        let import = |args: &[&str]| {
            let mut command = pm_trace();
            command.arg("import").arg(log("dev_ftrace.txt.gz")).args(["--report", format]).args(args);
            command.assert().code(0)
        };
        let alone = import(&[]);
        assert!(stderr(&alone).contains("imported  1 cycle"), "{}", stderr(&alone));
        assert!(!trace.exists());
        let with_trace = import(&["-o", trace.to_str().unwrap()]);
        let report = pm_trace().arg("report").arg(&trace).args(["--format", format]).assert().code(0);
        assert_eq!(stdout(&alone), stdout(&report), "{format}");
        assert_eq!(stdout(&with_trace), stdout(&report), "{format}");
        std::fs::remove_file(&trace).unwrap();
    }
    pm_trace().arg("import").arg(log("dev_ftrace.txt.gz")).assert().code(2);
}

/// A kernel log has no devices, but it has the cycle.
#[test]
fn a_kernel_log_alone_has_the_phases() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("log.pmtrace");
    pm_trace().arg("import").arg(log("plain_dmesg.txt")).arg("-o").arg(&trace).assert().code(0);
    let report = stdout(&pm_trace().arg("report").arg(&trace).env("COLUMNS", "100").assert().code(0));
    for part in ["OK  suspended and resumed once", "dpm_suspend 15 ms", "dpm_resume 61 ms", "only phases"] {
        assert!(report.contains(part), "{part:?} in\n{report}");
    }
}

/// Files that are no logs are refused, and nothing is left behind.
#[test]
fn other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("log.pmtrace");
    for (file, said) in [("expected.py", "holds no line of an ftrace log"), ("none.txt", "cannot read")] {
        let failed = pm_trace().arg("import").arg(log(file)).arg("-o").arg(&trace).assert().code(1);
        assert!(stderr(&failed).contains(said), "{}", stderr(&failed));
        assert!(!trace.exists());
    }
    let (plain, dev) = (log("plain_ftrace.txt.gz"), log("dev_ftrace.txt.gz"));
    let failed = pm_trace().arg("import").args([&dev, &plain]).arg("-o").arg(&trace).assert().code(1);
    assert!(stderr(&failed).contains("begins before the log before it ends"), "{}", stderr(&failed));
    assert!(!trace.exists());
    pm_trace().arg("import").args([&plain, &dev]).arg("-o").arg(&trace).assert().code(0);
}
