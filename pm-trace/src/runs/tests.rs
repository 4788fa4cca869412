//! Cycles side by side.

use super::{CycleRow, Diff, Found, Side, Summary, files, rows};
use crate::diagnose::{Explained, Kind, Outcome};
use crate::runs::Times;
use crate::trace::{Overwrite, Session, Totals, Writer};
use std::path::PathBuf;

pub(super) fn recorded(name: &str) -> PathBuf {
    format!("{}/tests/data/traces/{name}.pmtrace", env!("CARGO_MANIFEST_DIR")).into()
}

pub(super) fn cycle(kernel: &str, number: u32, resume: u64) -> CycleRow {
    CycleRow {
        file: format!("{kernel}.pmtrace"),
        number,
        kernel: kernel.to_owned(),
        sleep: "mem".to_owned(),
        outcome: Outcome::Resumed,
        times: Times { suspend: Some(100_000_000), resume: Some(resume) },
        slowest: None,
        found: Vec::new(),
        lost: 0,
    }
}

/// Figures of a real cycle, taken by hand from the phases of its report: `syscore_resume` ends 4143.65 ms after the
/// start, `dpm_complete` 4791.85 ms; `machine_suspend` begins at 237.48 ms. The sleep of 3.9 s is in neither.
#[test]
fn times_leave_out_the_sleep() {
    let rows = rows(&recorded("6.1-healthy")).unwrap().cycles;
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(row.times.suspend.map(|t| t / 1000), Some(237_482));
    assert_eq!(row.times.resume.map(|t| t / 1000), Some(648_192));
}

/// A resume that never ended has no time, and the one of the whole kernel does not count it as short.
#[test]
fn recordings_as_text_and_markdown() {
    let names = ["6.1-healthy", "6.1-rescan-deadlock", "6.12-healthy", "6.12-rescan-guarded"];
    let mut files: Vec<PathBuf> = names.iter().map(|name| recorded(name)).collect();
    files.push("/nonexistent.pmtrace".into());
    let summary = Summary::of(&files);
    assert!(!summary.is_clean());
    for line in summary.text(100).lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    insta::assert_snapshot!("text", summary.text(100));
    insta::assert_snapshot!("markdown", summary.markdown());
}

/// What stands out is told, and noise is not.
#[test]
fn outliers_and_slower_kernels_are_told() {
    let even = |kernel: &str, base: u64| {
        (0..20).map(|n| cycle(kernel, n, base + u64::from(n % 5) * 1_000_000)).collect::<Vec<_>>()
    };
    let mut cycles = even("6.1", 500_000_000);
    cycles.extend(even("6.12", 560_000_000));
    cycles[7].times.resume = Some(900_000_000);
    let summary = Summary::new(cycles, Vec::new());
    let outliers: Vec<u32> = summary.outliers.iter().map(|outlier| outlier.number).collect();
    assert_eq!(outliers, [7]);
    let changes: Vec<&str> = summary.changes.iter().map(|change| change.what.as_str()).collect();
    assert_eq!(changes, ["resume"]);
    let same = Summary::new([even("6.1", 500), even("6.12", 500)].concat(), Vec::new());
    assert!(same.changes.is_empty() && same.outliers.is_empty() && same.is_clean());
}

#[test]
fn a_folder_means_its_traces() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.pmtrace", "a.pmtrace", "c.txt"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let found = files(&[folder.path().to_owned(), "x".into()]).unwrap();
    let names: Vec<_> = found.iter().filter_map(|path| path.file_name()).collect();
    assert_eq!(names, ["a.pmtrace", "b.pmtrace", "x"]);
}

/// The same on both sides is no change, and a supplier that takes seconds is named.
#[test]
fn recordings_compared() {
    let side = |name: &str| Side::read(&[recorded(name)]).unwrap();
    let same = Diff::new(&side("6.12-healthy"), &side("6.12-healthy"), 0.0);
    assert!(!same.is_worse());
    assert!(same.slower.is_empty() && same.faster.is_empty() && same.moved.is_empty(), "{same:?}");
    let diff = Diff::new(&side("6.12-healthy"), &side("6.12-rescan-guarded"), 10.0);
    assert!(diff.is_worse());
    insta::assert_snapshot!(diff.text(100));
}

/// What hangs now did not before: that is worse whatever the times.
#[test]
fn what_is_found_now_is_worse() {
    let side = |name: &str| Side::read(&[recorded(name)]).unwrap();
    let diff = Diff::new(&side("6.1-healthy"), &side("6.1-rescan-deadlock"), 1e6);
    assert_eq!(diff.appeared.len(), 1, "{diff:?}");
    assert!(diff.is_worse());
    let back = Diff::new(&side("6.1-rescan-deadlock"), &side("6.1-healthy"), 1e6);
    assert_eq!((back.gone, back.appeared.len()), (diff.appeared, 0));
}

/// Times that are spread too widely to be told apart say what it would take; clear ones say nothing of chance, and neither
/// do those that hardly differ promise anything.
#[test]
fn what_may_be_chance_says_what_would_tell() {
    let side = |times: &[u64]| {
        let numbered = (1..).zip(times);
        Side::of_rows(numbered.map(|(number, time)| cycle("6.1.0", number, time * 1_000_000)).collect())
    };
    let before = [20, 23, 29, 32, 37, 38, 41, 42, 44, 53, 62, 74, 84, 106];
    let told = |after: &[u64]| {
        let text = Diff::new(&side(&before), &side(after), 10.0).text(100);
        let words: Vec<&str> = text.split_whitespace().skip_while(|word| *word != "resume").collect();
        words.join(" ")
    };
    let wide = told(&[25, 34, 36, 38, 40, 49, 58, 62, 66, 67, 69, 73, 77, 92]);
    let expected =
        "resume (mem): 41 ms -> 58 ms (+41 %; may be chance: p = 0.3231, about 96 cycles of each would tell)";
    assert!(wide.starts_with(expected), "{wide}");
    assert_eq!(told(&before.map(|time| time * 4)), "resume (mem): 41 ms -> 164 ms (+300 %)");
    assert_eq!(told(&before), "resume (mem): 41 ms -> 41 ms (+0 %, no more than chance)");
}

/// What a trace tells does not depend on who reads it: a stall that was over before the trace ended is in the report,
/// in the summary and in the comparison.
#[test]
fn a_stall_that_ended_is_told_by_all_that_read_the_trace() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("t.pmtrace");
    let text = include_str!("../../tests/scenarios/stall-that-ended.txt");
    let mut writer = Writer::create(&trace, &Session::default(), Overwrite::Refuse).unwrap();
    for event in crate::diagnose::script::events(text) {
        writer.append(&event).unwrap();
    }
    writer.finish(Totals::default()).unwrap();
    let told = Explained::read(&trace).unwrap().findings;
    assert!(told[0].kind == Kind::Stall && told[0].ended.is_some(), "{told:?}");
    let rows = rows(&trace).unwrap().cycles;
    assert_eq!(rows[0].found[0].title, told[0].title);
    let (before, after) = (Side::default(), Side::read(std::slice::from_ref(&trace)).unwrap());
    assert!(Diff::new(&before, &after, 10.0).appeared.iter().any(|seen| seen.title.contains(&told[0].title)));
}

/// The number of a task is another one after each boot; what else stands in brackets is part of a name.
#[test]
fn findings_of_two_boots_are_the_same() {
    use super::diff::without_task_ids;
    assert_eq!(without_task_ids("kworker/0:1[46] and dev[a] [7]"), "kworker/0:1 and dev[a] ");
    assert_eq!(without_task_ids("a[12"), "a[12");
    let side = |tid: u32| {
        let mut row = cycle("6.1", 1, 500);
        row.found.push(Found { kind: Kind::Stall, title: format!("pm-trace[{tid}] does not end") });
        Side::of_rows(vec![row.clone(), row])
    };
    let diff = Diff::new(&side(1), &side(2), 10.0);
    assert!(!diff.is_worse() && diff.gone.is_empty(), "{diff:?}");
    let diff = Diff::new(&Side::default(), &side(2), 10.0);
    assert_eq!((diff.appeared.len(), diff.appeared[0].cycles), (1, 2));
}

/// In watch mode nothing of a lockup reaches the file but that the cycle began. It counts, and it is not clean; a
/// suspend that was refused leaves as little, but its recording was closed.
#[test]
fn a_cycle_that_left_nothing_is_told() {
    use crate::trace::Checkpoint;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, close: bool| {
        let path = folder.path().join(name);
        let mut writer = Writer::create(&path, &Session::default(), Overwrite::Refuse).unwrap();
        let text = include_str!("../../tests/scenarios/stall-that-ended.txt");
        for event in crate::diagnose::script::events(text) {
            writer.append(&event).unwrap();
        }
        for begun in [1, 2] {
            writer.checkpoint(&Checkpoint { cycles: 1, begun, ..Checkpoint::default() }).unwrap();
        }
        if close {
            drop(writer.finish(Totals::default()).unwrap());
        } else {
            drop(writer);
        }
        path
    };
    let cut = Summary::of(&[write("cut", false)]);
    assert_eq!((cut.cycles.len(), cut.unrecorded.len(), cut.unrecorded[0].number), (1, 1, 2));
    assert!(!cut.is_clean());
    let text = cut.text(200);
    assert!(
        text.starts_with("2 cycles in 1 trace") && text.contains("cycle 2 of cut began and left nothing"),
        "{text}"
    );
    assert_eq!(Summary::of(&[write("closed", true)]).unrecorded, []);
}

/// A resume from RAM and one from a test level are not compared with each other, within a kernel or between two.
#[test]
fn kinds_of_sleep_are_told_apart() {
    let even = |kernel: &str, sleep: &str, resume: u64| {
        let row = |n| CycleRow { sleep: sleep.to_owned(), ..cycle(kernel, n, resume + u64::from(n)) };
        (0..10).map(row).collect::<Vec<_>>()
    };
    let before = [even("6.1", "test", 100_000_000), even("6.1", "mem", 900_000_000)].concat();
    let after = [even("6.12", "mem", 900_000_000), even("6.12", "test", 200_000_000)].concat();
    let summary = Summary::new([before.clone(), after.clone()].concat(), Vec::new());
    assert_eq!(summary.kernels.len(), 4);
    assert!(summary.outliers.is_empty(), "{:?}", summary.outliers);
    let changes: Vec<_> = summary.changes.iter().map(|c| (c.what.as_str(), c.sleep.as_str())).collect();
    assert_eq!(changes, [("resume", "test")]);
    let diff = Diff::new(&Side::of_rows(before), &Side::of_rows(after), 10.0);
    let whole: Vec<_> = diff.whole.iter().map(|w| (w.what.as_str(), w.percent() > 50.0)).collect();
    let expected = [
        ("suspend (mem)", false),
        ("resume (mem)", false),
        ("suspend (test)", false),
        ("resume (test)", true),
    ];
    assert_eq!(whole, expected);
}

/// What was entered is told by the kernel, not by the command line.
#[test]
fn the_kind_of_sleep_is_that_of_the_kernel() {
    let sleeps = |name: &str| {
        rows(&recorded(name)).unwrap().cycles.into_iter().map(|row| row.sleep).collect::<Vec<_>>()
    };
    assert_eq!(sleeps("6.1-healthy"), ["mem"]);
    assert!(sleeps("6.1-pmlab-abba").iter().all(|sleep| sleep == "test"), "it stops at the devices");
}
