//! What people and programs read.

use super::{Report, in_a_line, kmsg_lines, verdict, verdict_in};
use crate::diagnose::scenario::{BASE, Scenario, look, rescan_deadlock, resume_of_port};
use crate::diagnose::{findings, findings_at_end};
use crate::trace::Session;

fn session() -> Session {
    let mut session = Session { tool: "0.1.0".to_owned(), ..Session::default() };
    session.kernel.release = "6.1.0-56-amd64".to_owned();
    session
}

fn report(scenario: &Scenario) -> Report {
    let model = scenario.model();
    let found = findings_at_end(&model);
    Report::new(Some(&session()), &model, found, Vec::new())
}

fn deadlock() -> Scenario {
    let mut s = rescan_deadlock(true);
    look(&mut s, 4000, true);
    look(&mut s, 21_480, true);
    s
}

fn assert_fits(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
        assert!(!line.chars().any(crate::text::is_unsafe), "{line:?}");
    }
}

#[test]
fn deadlock_as_text() {
    let text = report(&deadlock()).text();
    assert_fits(&text);
    insta::assert_snapshot!(text);
}

#[test]
fn deadlock_on_a_small_console() {
    let report = report(&deadlock());
    for columns in [60, 80] {
        let (text, said) = (report.text_in(columns), verdict_in(&report.findings[0], columns));
        for line in text.lines().chain(said.lines()) {
            assert!(line.chars().count() <= columns, "{line}");
        }
    }
    insta::assert_snapshot!(report.text_in(80));
}

#[test]
fn deadlock_without_async_as_text() {
    let text = report(&rescan_deadlock(false)).text();
    assert_fits(&text);
    insta::assert_snapshot!(text);
}

#[test]
fn stall_as_text() {
    let mut s = resume_of_port(true);
    s.at(15_000).by(9, "other").push(crate::event::Body::ScsiEhWakeup { host_no: 1 });
    let text = report(&s).text();
    assert_fits(&text);
    insta::assert_snapshot!(text);
}

/// In a list nothing stands below that would say what is stuck, and a title told twice is told once too often.
#[test]
fn a_line_has_the_title_once() {
    let mut s = resume_of_port(true);
    s.at(15_000).by(9, "other").push(crate::event::Body::ScsiEhWakeup { host_no: 1 });
    for scenario in [deadlock(), s] {
        for finding in findings_at_end(&scenario.model()) {
            let line = in_a_line(&finding);
            assert_eq!(line.matches(&finding.title).count(), 1, "{line}");
            let first = kmsg_lines(&finding).swap_remove(0);
            assert_eq!(first.matches(&finding.title).count(), 1, "{first}");
        }
    }
}

#[test]
fn verdict_and_kernel_log_lines() {
    let model = deadlock().model();
    let found = findings(&model, BASE + 21_500_000_000);
    let lines = kmsg_lines(&found[0]);
    assert!(lines.len() <= 8);
    for line in &lines {
        assert!(line.starts_with("pm-trace: ") && line.len() <= 200, "{line}");
    }
    assert_fits(&verdict(&found[0]));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn names_do_not_reach_the_terminal_raw() {
    let mut s = rescan_deadlock(true);
    let long = "x".repeat(300);
    s.device(40, Some(30), &format!("\x1b[2J\u{202e}{long}"), "s\nr");
    let report = report(&s);
    assert_fits(&report.text());
    for line in kmsg_lines(&report.findings[0]) {
        assert!(line.len() <= 200 && !line.chars().any(crate::text::is_unsafe), "{line:?}");
    }
    assert!(!report.json().unwrap().contains('\x1b'));
}

#[test]
fn schema_is_current() {
    let schema = super::schema().unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/report.schema.json");
    if std::env::var_os("PM_TRACE_BLESS").is_some() {
        std::fs::write(path, &schema).unwrap();
    }
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert!(stored == schema, "docs/report.schema.json is out of date: run the test with PM_TRACE_BLESS=1");
}

#[test]
fn json_has_every_field_of_the_schema() {
    let json: serde_json::Value = serde_json::from_str(&report(&deadlock()).json().unwrap()).unwrap();
    for field in ["schema", "tool", "session", "cycles", "findings", "loss", "probes"] {
        assert!(json.get(field).is_some(), "{field}");
    }
    assert_eq!(json["findings"][0]["kind"], "deadlock");
    assert_eq!(json["findings"][0]["confidence"], "proved");
}

/// What is pasted into a mail: read as it is, and by programs that render it.
#[test]
fn deadlock_as_markdown() {
    let text = report(&deadlock()).markdown();
    assert_fits(&text);
    for line in text.lines() {
        assert!(line.chars().count() <= 76, "{line}");
    }
    insta::assert_snapshot!(text);
}

/// A device or task may be called anything.
#[test]
fn names_are_no_markup() {
    let mut s = Scenario::new();
    s.phase("dpm_resume", true);
    let mut report = report(&s);
    let mut session = session();
    session.product = "<b>*x* _y_ [a](b) `c` # d \x1b[2J".to_owned();
    report.session = Some((&session).into());
    let text = report.markdown();
    let shown = r"\<b>\*x\* \_y\_ [a\](b) \`c\` \# d";
    assert!(text.contains(shown), "{text}");
    assert!(!text.contains('\x1b'));
    // What cannot be markup stays as it was typed, what would be at the beginning of a line does not.
    report.session.as_mut().unwrap().command =
        ["pm-trace", "--wake", "5", "--", "-", ">x", "~~y~~"].map(str::to_owned).into();
    let text = report.markdown();
    assert!(text.contains(r"pm-trace --wake 5 \-- \- \>x \~~y\~~"), "{text}");
}
