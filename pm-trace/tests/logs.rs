//! Protects `pm-trace recover` with what real kernels left behind: logs taken from guests of the lab, as they were
//! after a reset or on the console. `tests/data/logs/README` says where each is from.

use pm_trace::diagnose::{Confidence, Finding, Kind, Relation};
use pm_trace::recover::{self, Search};
use std::fs;
use std::path::Path;

/// The text of a recorded log.
macro_rules! log {
    ($name:literal) => {
        include_str!(concat!("data/logs/", $name))
    };
}

/// What `recover` makes of a machine on which this file survived, and nothing else.
fn recovered(place: &str, content: &str) -> recover::Recovered {
    let root = tempfile::tempdir().expect("a directory");
    let file = root.path().join(place);
    fs::create_dir_all(file.parent().expect("it is in the root")).expect("a directory");
    fs::write(file, content).expect("a file");
    let root: &Path = root.path();
    recover::gather(&Search { root: root.to_owned(), paths: Vec::new(), journal: false })
}

/// Waiter, lock, holder and queue of the lab's deadlock.
fn assert_deadlock(finding: &Finding, confidence: Confidence) {
    assert_eq!((finding.kind, finding.confidence), (Kind::Deadlock, confidence), "{finding:#?}");
    let links: Vec<_> =
        finding.chain.iter().map(|link| (link.relation, link.object.label.as_str())).collect();
    assert!(links.contains(&(Relation::WaitsFor, "device lock of 1:0:0:0")), "{links:?}");
    assert!(links.contains(&(Relation::WaitsFor, "request queue of 1:0:0:0")), "{links:?}");
    assert!(
        links.iter().any(|(relation, label)| *relation == Relation::HeldBy && label.starts_with("kworker/")),
        "{links:?}"
    );
    assert_eq!(finding.known_issue.as_ref().map(|issue| issue.id.as_str()), Some("kernel bug 217530"));
}

/// With `tp_printk` and a trace instance that takes the event, every line is there twice, among others' lines.
#[test]
fn a_console_with_every_line_twice_tells_of_one_deadlock() {
    let found = pm_trace::watchdog::findings_in(log!("6.12-console.txt"));
    let [finding] = &found[..] else { panic!("{found:#?}") };
    assert_deadlock(finding, Confidence::Likely);
}

/// Told three times while it lasts, then that it is over; the device that waits comes before the one that is slow.
#[test]
fn a_callback_of_25_s_is_one_stall_that_ended() {
    let found = pm_trace::watchdog::findings_in(log!("6.12-slow-console.txt"));
    let [finding] = &found[..] else { panic!("{found:#?}") };
    assert_eq!(finding.kind, Kind::Stall, "{finding:#?}");
    assert!(finding.title.starts_with("resume of slow_supplier"), "{}", finding.title);
    assert!(finding.title.ends_with("was slow and ended after 26.4 s"), "{}", finding.title);
    assert_eq!(finding.devices[0].name, "slow_supplier");
    assert!(finding.explanation.contains("inside the callback of slow_supplier"), "{}", finding.explanation);
}

/// The buffer's own form, with its heading and the stall told twice.
#[test]
fn a_trace_instance_that_outlived_a_reset_tells_of_the_deadlock() {
    let place = "sys/kernel/tracing/instances/pmtrace/trace";
    let recovered = recovered(place, log!("6.12-instance.txt"));
    let [told] = &recovered.told[..] else { panic!("{recovered:#?}") };
    assert_deadlock(&told.finding, Confidence::Likely);
    assert!(told.from.len() == 1 && told.from[0].ends_with(place), "{:?}", told.from);
    let source = recovered.sources.iter().find(|source| source.holds_evidence).unwrap();
    assert_eq!(source.kind, "trace instance");
}

/// What live mode wrote to the kernel log before `--on-stall panic`, between the kernel's own lines and the panic's.
#[test]
fn a_panic_kept_by_ramoops_tells_what_live_mode_said() {
    let place = "sys/fs/pstore/dmesg-ramoops-0";
    let recovered = recovered(place, log!("6.1-ramoops.txt"));
    let [told] = &recovered.told[..] else { panic!("{recovered:#?}") };
    assert_deadlock(&told.finding, Confidence::Proved);
    assert!(told.from.len() == 1 && told.from[0].ends_with(place), "{:?}", told.from);
}
