//! Where the time of a cycle went, and why a suspend was given up: from scenarios to the report's words.

use super::Report;
use crate::diagnose::{Analysis, script};

fn report(text: &str) -> Report {
    let mut analysis = Analysis::default();
    for event in script::events(text) {
        analysis.apply(&event);
    }
    let findings = analysis.findings_at_end();
    Report::new(None, analysis.model(), findings, Vec::new())
}

const EH: &str = "
device p driver=ata
-1000 sh[1] phase+ dpm_suspend
-990 sh[1] suspended p
-980 sh[1] phase- dpm_suspend
0 sh[1] phase+ dpm_resume
1 eh[30] ata eh one id=1
2 eh[30] ata reset one
302 eh[30] ata reset_end one result=-5
303 eh[30] ata reset one soft
503 eh[30] ata reset_end one soft
600 eh[30] ata eh_end one
1 eh[31] ata eh two id=2
40 eh[31] ata revalidate two id=2
700 kw[5] start resume p
701 kw[5] end p
702 sh[1] phase- dpm_resume
703 sh[1] phase+ dpm_complete
704 sh[1] phase- dpm_complete
found:
nothing
";

/// The time of each port stands next to its resets; what was not seen to end is told as the least it can be.
#[test]
fn error_handling_is_told_by_port() {
    let report = report(EH);
    let [one, two] = &report.cycles[0].error_handling[..] else { panic!("{:?}", report.cycles) };
    assert_eq!((one.port.as_str(), one.took, one.ended), ("ata1", 599_000_000, true));
    assert_eq!((one.resets, one.resets_failed, one.resetting), (2, 1, 500_000_000));
    assert_eq!((two.port.as_str(), two.took, two.ended, two.resets), ("ata2", 39_000_000, false, 0));
    let text = report.text();
    assert!(text.contains("ata1 599 ms (2 resets 500 ms, 1 failed), ata2 at least 39 ms"), "{text}");
    assert!(report.markdown().contains("ATA EH: ata1 599 ms"));
}

const ABORTED: &str = "
device a driver=x
device b driver=y
-200 sh[1] phase+ freeze_processes
-190 sh[1] phase- freeze_processes
-150 irq[0] wakeup+ alarmtimer
-140 irq[0] wakeup- alarmtimer
-100 sh[1] phase+ dpm_suspend
-99 kw[11] start suspend a
-98 kw[11] end a suspended
-97 irq[0] wakeup+ 0000:00:14.0
-96 kw[12] start suspend b
-95 kw[12] end b
-94 sh[1] phase- dpm_suspend
0 sh[1] phase+ dpm_resume
1 kw[11] start resume a
2 kw[11] end a
3 irq[0] wakeup+ later
10 sh[1] phase- dpm_resume
11 sh[1] phase+ dpm_complete
12 sh[1] phase- dpm_complete
found:
nothing
";

/// Of several wakeup sources the last one before the suspend was given up counts, not one that came after.
#[test]
fn a_suspend_that_was_given_up_names_the_wakeup_source() {
    let report = report(ABORTED);
    let abort = report.cycles[0].abort.as_ref().unwrap();
    assert_eq!((abort.during.as_str(), abort.source.as_deref()), ("dpm_suspend", Some("0000:00:14.0")));
    assert_eq!(abort.failed, None);
    assert!(report.text().contains("in dpm_suspend: the wakeup source activated last is 0000:00:14.0"));
    let names: Vec<_> = report.cycles[0].wakeups.iter().map(|wakeup| wakeup.name.as_str()).collect();
    assert_eq!(names, ["alarmtimer", "0000:00:14.0", "later"]);
    assert!(report.cycles[0].wakeups[0].over.is_some() && report.cycles[0].wakeups[1].over.is_none());
}

/// A test level (`pm_test`) turns back too, and a machine that slept was woken by its source.
#[test]
fn a_suspend_that_went_through_was_not_given_up() {
    let tested = ABORTED.replace("-95 kw[12] end b\n", "-95 kw[12] end b suspended\n");
    assert_eq!(report(&tested).cycles[0].abort, None);
    let slept = ABORTED.replace(
        "0 sh[1] phase+ dpm_resume\n",
        "-50 sh[1] phase+ machine_suspend\n-40 sh[1] phase- machine_suspend\n0 sh[1] phase+ dpm_resume\n",
    );
    assert_eq!(report(&slept).cycles[0].abort, None);
}

const IN_LINE: &str = "
device a sync driver=x
device b driver=y
device c driver=z
-1000 sh[1] phase+ dpm_suspend
-990 sh[1] suspended a b c
-980 sh[1] phase- dpm_suspend
0 sh[1] phase+ dpm_resume
0 kw[11] start resume b
0 sh[1] start resume a sync
50 kw[11] end b
200 sh[1] end a
200 sh[1] start resume c sync
300 sh[1] end c
300 sh[1] phase- dpm_resume
301 sh[1] phase+ dpm_complete
302 sh[1] phase- dpm_complete
found:
nothing
";

/// a (200 ms) and c (100 ms) run one after the other in the same task: either beside the other one leaves 200 ms.
#[test]
fn what_does_not_run_asynchronously_is_told_with_what_that_costs() {
    let report = report(IN_LINE);
    let path = report.cycles[0].critical.iter().find(|path| path.step == "resume").unwrap();
    let gains: Vec<_> = path.in_line.iter().map(|part| (part.device.name.as_str(), part.gain)).collect();
    assert_eq!(gains, [("a", Some(100_000_000)), ("c", Some(100_000_000))]);
    assert!(report.text().contains("dpm_resume 100 ms less if a ran asynchronously"));
}
