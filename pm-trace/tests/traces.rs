//! Reports on traces of real kernels (`tests/data/traces`).

mod common;

use common::{pm_trace, stderr, stdout};
use serde_json::Value;
use std::path::PathBuf;

fn trace(name: &str) -> PathBuf {
    let path = format!("{}/tests/data/traces/{name}.pmtrace", env!("CARGO_MANIFEST_DIR"));
    path.into()
}

/// The text report and, from the JSON one, the findings; both with this exit code.
fn report(name: &str, code: i32) -> (String, Value) {
    let text = pm_trace().arg("report").arg(trace(name)).assert().code(code);
    assert_eq!(stderr(&text), "");
    let text = stdout(&text);
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    let json = pm_trace().arg("report").arg(trace(name)).args(["--format", "json"]).assert().code(code);
    let mut report: Value = serde_json::from_str(&stdout(&json)).expect("JSON");
    assert_eq!(report["loss"]["lost"], 0);
    assert_eq!(report["loss"]["undecoded"], 0);
    (text, report["findings"].take())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What every deadlock of a rescan with the resume of its device must say.
fn assert_rescan_deadlock(findings: &Value, device: &str, driver: &str, port: &str) {
    let [finding] = list(findings) else { panic!("{findings}") };
    assert_eq!((&finding["kind"], &finding["confidence"]), (&"deadlock".into(), &"proved".into()));
    let first = &finding["devices"][0];
    assert_eq!(
        (&first["name"], &first["driver"], &first["port"]),
        (&device.into(), &driver.into(), &port.into())
    );
    let chain = list(&finding["chain"]);
    let relations: Vec<&str> = chain.iter().filter_map(|link| link["relation"].as_str()).collect();
    let expected = ["performed_by", "waits_for", "held_by", "queued_by", "waits_for", "ends_only_when"];
    assert_eq!(relations, expected);
    assert_eq!(chain[1]["object"]["label"], format!("device lock of {device}"));
    assert_eq!(chain[2]["notes"][0], format!("in scsi_rescan_device({device})"));
    assert!(words(&chain[3]["notes"][0]).starts_with("ata_scsi_dev_rescan, queued by scsi_eh_"));
    assert_eq!(chain[4]["object"]["label"], format!("request queue of {device}"));
    let stack = list(&chain[4]["stack"]);
    assert!(stack.iter().any(|frame| words(frame).starts_with("scsi_rescan_device+")), "{stack:?}");
    let notes = chain[4]["notes"].to_string();
    assert!(notes.contains("power.is_suspended=1 read at the start of its resume"), "{notes}");
    let ordering = &finding["ordering"];
    assert_eq!(ordering["relations"], serde_json::json!(["supplier", "descendant"]));
    assert_eq!(ordering["guaranteed"], false);
    assert_eq!(ordering["link"]["supplier"]["name"], port);
    assert_eq!(ordering["link"]["stateless"], true);
    assert_eq!(finding["known_issue"]["id"], "kernel bug 217530");
    assert_eq!(finding["behind"]["devices_not_done"], 1);
}

#[test]
fn deadlock_of_the_cdrom() {
    for kernel in ["6.1", "6.12"] {
        let (text, findings) = report(&format!("{kernel}-rescan-deadlock"), 3);
        assert_rescan_deadlock(&findings, "1:0:0:0", "sr", "ata2");
        insta::assert_snapshot!(format!("deadlock_{kernel}"), text);
    }
}

#[test]
fn deadlock_of_the_disk_on_6_12() {
    let (text, findings) = report("6.12-rescan-deadlock-disk", 3);
    assert_rescan_deadlock(&findings, "0:0:0:0", "sd", "ata1");
    insta::assert_snapshot!(text);
}

#[test]
fn guarded_rescan_on_6_12() {
    let (text, findings) = report("6.12-rescan-guarded", 0);
    assert_eq!(findings.as_array().unwrap().len(), 1);
    assert_eq!((&findings[0]["kind"], &findings[0]["severity"]), (&"guarded".into(), &"info".into()));
    insta::assert_snapshot!(text);
}

#[test]
fn healthy_suspends() {
    for kernel in ["6.1", "6.12"] {
        let (text, findings) = report(&format!("{kernel}-healthy"), 0);
        assert_eq!(findings, serde_json::json!([]));
        insta::assert_snapshot!(format!("healthy_{kernel}"), text);
    }
}

#[test]
fn the_readme_shows_a_real_verdict() {
    let readme = include_str!("../../README.md");
    let shown = readme.split("```\n").find(|block| block.starts_with("LOCKUP")).unwrap();
    let (text, _) = report("6.1-rescan-deadlock", 3);
    assert!(text.starts_with(shown), "README.md shows another verdict than pm-trace tells:\n{text}");
}

/// A reset may end a trace anywhere: what was whole until then is reported, and the cycle of waits is found
/// as soon as the events that form it are in.
#[test]
fn a_deadlock_is_found_in_what_is_left_of_its_trace() {
    use pm_trace::model::Model;
    let mut whole = pm_trace::trace::Trace::open(&trace("6.1-rescan-deadlock")).unwrap();
    let events: Vec<_> = whole.by_ref().collect();
    let mut model = Model::new();
    let mut found_after = None;
    for (count, event) in events.iter().enumerate() {
        model.apply(event);
        let found = pm_trace::diagnose::findings_at_end(&model);
        if found_after.is_none() && !found.is_empty() {
            found_after = Some(count);
        }
        assert_eq!(found_after.is_some(), !found.is_empty(), "at event {count}");
    }
    let closed = pm_trace::diagnose::findings_at_end(&model)[0].closed_at.unwrap();
    assert_eq!(events[found_after.unwrap()].time, closed);
}

/// Lockups that the lab let go after 4 s, and a race that was won: told all the same when all is over.
#[test]
fn what_pmlab_built_is_told_when_it_is_over() {
    for (name, kind, device, says) in [
        ("abba", "deadlock", "pmlab-a", "nothing orders the callbacks of"),
        ("runtime-pm", "deadlock", "pmlab-a", "pm_runtime_get_sync()"),
        ("async", "stall", "pmlab-a", "asynchronous calls of domain"),
        ("race", "hazard", "pmlab-b", "nothing orders work uses_b after the resume of pmlab-b"),
    ] {
        let (text, findings) = report(&format!("6.1-pmlab-{name}"), 3);
        let [finding] = list(&findings) else { panic!("{name}: {findings}") };
        assert_eq!(
            (&finding["kind"], &finding["devices"][0]["name"]),
            (&kind.into(), &device.into()),
            "{name}"
        );
        let words: Vec<&str> = text.split_whitespace().collect();
        assert!(words.join(" ").contains(says), "{name}: {text}");
        let mut command = pm_trace();
        command.arg("report").arg(trace(&format!("6.1-pmlab-{name}"))).args(["--explain", "1"]);
        let explained = stdout(&command.assert().code(3));
        assert!(explained.contains(" on CPU "), "{name}: {explained}");
        assert!(kind == "hazard" || explained.contains("pmlab_resume+0x"), "{name}: {explained}");
    }
}
