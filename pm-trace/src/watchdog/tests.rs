//! Protects what `pm-trace recover` rests on: the lines that the programs print can be read back, whatever
//! stands around them and whatever is missing.

use super::*;
use crate::diagnose::{Confidence, Kind, Relation};
use pm_trace_common::watchdog::{FORMATS, MAX_VALUES, TAG};
use proptest::prelude::*;

/// What the programs print of the lab's deadlock, as the console shows it.
const DEADLOCK: &str = r#"
[   21.530001] bpf_trace_printk: pm-trace-wd1 1.0 stall episode=1 times=1 now=21.530 quiet=10.122 phase="dpm_resume" driver=138"rtcwake" open=1
[   21.530101] bpf_trace_printk: pm-trace-wd1 1.1 step kind=resume dev=3fa2"1:0:0:0" bus="scsi" drv="sr" task=25"kworker/u4:1" since=11.408 callback=0
[   21.530201] bpf_trace_printk: pm-trace-wd1 1.2 path dev=3fa2"1:0:0:0" up="target1:0:0" up="host1" up="ata2" up="0000:00:1f.2" up="pci0000:00"
[   21.530301] bpf_trace_printk: pm-trace-wd1 1.3 wait task=25"kworker/u4:1" on=mutex of=3fa2"1:0:0:0" owner=17"kworker/0:1" since=11.408 work="async_resume"
[   21.530401] bpf_trace_printk: pm-trace-wd1 1.4 wait task=17"kworker/0:1" on=queue of=3fa2"1:0:0:0" pm_only=1 frozen=0 suspended=1 since=8.621 work="ata_scsi_dev_rescan [libata]"
[   21.530501] bpf_trace_printk: pm-trace-wd1 1.5 end episode=1 code=SLQ back=1
"#;

/// A resume callback that takes its time, and ends.
const SLOW: &str = r#"
pm-trace-wd1 1.0 stall episode=1 times=1 now=30.000 quiet=10.000 phase="dpm_resume" driver=138"sh" open=2
pm-trace-wd1 1.1 step kind=resume dev=00a1"slow" bus="platform" drv="slow_supplier" task=25"kworker/u4:1" since=20.000 callback=1
pm-trace-wd1 1.2 path dev=00a1"slow" up="platform" up="(null)" up="(null)" up="(null)" up="(null)"
pm-trace-wd1 1.3 task task=25"kworker/u4:1" blocked=1 since=20.001 work="async_resume"
pm-trace-wd1 1.4 end episode=1 code=ST back=0
"#;

#[test]
fn a_deadlock_is_rebuilt_with_its_device_lock_and_holder() {
    let findings = findings_in(DEADLOCK);
    let [finding] = &findings[..] else { panic!("{findings:#?}") };
    assert_eq!((finding.kind, finding.confidence), (Kind::Deadlock, Confidence::Likely));
    assert_eq!(finding.title, "resume of 1:0:0:0 (sr, on ata2) deadlocked");
    let links: Vec<_> =
        finding.chain.iter().map(|link| (link.relation, link.object.label.as_str())).collect();
    assert_eq!(
        links,
        [
            (Relation::PerformedBy, "kworker/u4:1[25]"),
            (Relation::WaitsFor, "device lock of 1:0:0:0"),
            (Relation::HeldBy, "kworker/0:1[17]"),
            (Relation::WaitsFor, "request queue of 1:0:0:0"),
            (Relation::EndsOnlyWhen, "resume of 1:0:0:0 (sr, on ata2)"),
        ]
    );
    assert!(finding.chain.iter().all(|link| link.in_cycle) && finding.chain[4].closes);
    assert_eq!(finding.chain[1].since, Some(11_408_000_000));
    assert_eq!(finding.known_issue.as_ref().map(|issue| issue.id.as_str()), Some("kernel bug 217530"));
    let behind = finding.behind.as_ref().unwrap();
    assert_eq!((behind.phase.as_deref(), behind.devices_not_done), (Some("dpm_resume"), 1));
    assert_eq!(finding.devices[0].port.as_deref(), Some("ata2"));
}

#[test]
fn the_verdict_of_a_rebuilt_deadlock_reads_like_any_other() {
    insta::assert_snapshot!(crate::report::verdict(&findings_in(DEADLOCK)[0]));
}

#[test]
fn a_callback_that_ends_is_slow_and_no_deadlock() {
    let while_it_lasts = &findings_in(SLOW)[0];
    assert_eq!(while_it_lasts.kind, Kind::Stall);
    assert!(while_it_lasts.explanation.contains("inside the callback of slow (slow_supplier)"));
    let over = format!("{SLOW}pm-trace-wd1 2.0 over episode=1 now=45.400 lasted=25.000\n");
    let [finding] = &findings_in(&over)[..] else { panic!() };
    assert_eq!(finding.kind, Kind::Stall);
    assert_eq!(finding.title, "resume of slow (slow_supplier) was slow and ended after 25.0 s");
    insta::assert_snapshot!(crate::report::verdict(finding));
}

#[test]
fn a_circle_that_opened_was_no_deadlock() {
    let over = format!("{DEADLOCK}pm-trace-wd1 2.0 over episode=1 now=45.400 lasted=25.000\n");
    assert_eq!(findings_in(&over)[0].kind, Kind::Stall);
}

#[test]
fn a_stall_told_twice_is_one_finding_and_so_is_one_in_two_places() {
    let again = DEADLOCK.replace("wd1 1.", "wd1 2.").replace("times=1", "times=2");
    assert_eq!(findings_in(&format!("{DEADLOCK}{again}")).len(), 1);
    assert_eq!(findings_in(&format!("{DEADLOCK}{DEADLOCK}")).len(), 1);
}

#[test]
fn what_is_left_of_a_report_is_told_with_doubt() {
    let lines: Vec<&str> = DEADLOCK.trim().lines().collect();
    // The last line is missing: no circle is known.
    let finding = &findings_in(&lines[..5].join("\n"))[0];
    assert_eq!((finding.kind, finding.confidence), (Kind::Stall, Confidence::Possible));
    assert!(finding.explanation.contains("missing"));
    // One in the middle is.
    let finding = &findings_in(&[&lines[..2], &lines[3..]].concat().join("\n"))[0];
    assert_eq!((finding.kind, finding.confidence), (Kind::Deadlock, Confidence::Possible));
}

#[test]
fn lines_of_others_and_of_other_versions_are_not_read() {
    assert_eq!(parse_line("pm-trace: LOCKUP resume stuck"), None);
    assert_eq!(parse_line("pm-trace-wd2 1.0 over episode=1 now=1.000 lasted=1.000"), None);
    assert_eq!(parse_line("pm-trace-wd1 1.0 over episode=1 now=1.000 last"), None);
    assert!(findings_in("").is_empty());
}

#[test]
fn names_with_quotes_spaces_and_escapes_stay_names() {
    let line = parse_line("pm-trace-wd1 1.3 task task=7\"a\"b=\x1b[2J\" blocked=0 since=0.000 work=\"0x0\"");
    let Some(Line { body: Body::Task { task, blocked, since, work }, .. }) = line else { panic!("{line:?}") };
    assert_eq!((task.tid, task.comm.as_str()), (7, "a\"b=\u{fffd}[2J"));
    assert_eq!((blocked, since, work.as_str()), (false, None, ""));
}

/// Fills a format as the kernel would.
fn filled(format: &str) -> (String, usize) {
    let mut text = String::new();
    let (mut rest, mut values) = (format.trim_end_matches('\0'), 0);
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        values += 1;
        let specs = [
            ("03llu", "042"),
            ("llu", "12"),
            ("04x", "00ff"),
            ("ps", "func [module]"),
            ("u", "3"),
            ("d", "1"),
        ];
        rest = match specs.iter().find(|(spec, _)| after.starts_with(spec)) {
            Some((spec, value)) => {
                text.push_str(value);
                &after[spec.len()..]
            }
            None if before.ends_with("on=") => {
                text.push_str("mutex");
                &after[1..]
            }
            None => {
                text.push_str("name");
                &after[1..]
            }
        };
    }
    text.push_str(rest);
    (text, values)
}

#[test]
fn every_format_of_the_programs_is_read_and_within_the_helpers_limits() {
    for format in FORMATS {
        let (text, values) = filled(format);
        assert!(values <= MAX_VALUES, "{format} takes {values} values");
        assert!(
            format.starts_with(TAG) && format.ends_with('\0') && !format[..format.len() - 1].contains('\0')
        );
        let line = parse_line(&text);
        assert!(line.is_some_and(|line| line.report == 3 && line.number == 3), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(pm-trace-wd1 [0-9]{1,3}\\.[0-9]{1,12} (stall|step|wait|end|over|path|task) [ -~]{0,80}\n){0,9}") {
        findings_in(&text);
    }

    #[test]
    fn no_cut_or_changed_report_makes_it_panic(at in 0..DEADLOCK.len(), with in any::<char>(), len in 0..DEADLOCK.len()) {
        let mut text = DEADLOCK.to_owned();
        if text.is_char_boundary(at) { text.insert(at, with); }
        findings_in(crate::text::cut(&text, len));
    }
}
