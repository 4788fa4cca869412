use serde_json::json;

use super::super::counters::Counts;
use super::*;

fn expect(toml: &str) -> Expect {
    toml::from_str(toml).unwrap()
}

fn report(json: Value) -> Report {
    let content = Ok(("LOCKUP  resume stuck".into(), json));
    Report { trace: "trace.pmtrace".into(), content, cycles: Ok(Vec::new()) }
}

fn deadlock() -> Value {
    json!({ "findings": [{
        "kind": "deadlock", "severity": "error", "confidence": "proved", "title": "resume of 1:0:0:0",
        "devices": ["1:0:0:0"], "chain": [{ "relation": "held_by", "notes": ["in scsi_rescan_device"], "closes": true }],
    }], "loss": { "total": 0 }, "probes": [{ "hits": 3 }, { "hits": 0 }] })
}

fn failed(checks: &[Check]) -> Vec<&str> {
    checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect()
}

fn run(toml: &str, ending: Ending, seen: &Observed, json: Value) -> Vec<Check> {
    evaluate(&expect(toml), true, ending, seen, &[report(json)], None)
}

#[test]
fn a_lockup_as_expected_passes() {
    let seen = Observed {
        console: "task:kworker state:D\nscsi_rescan_device\n".into(),
        verdicts_s: vec![0.2],
        armed_s: Some(0.4),
        ..Observed::default()
    };
    let checks = run(
        r#"
        ending = "stuck"
        armed_within_s = 1.0
        verdict_within_s = 2.0
        console = ["scsi_rescan_device"]
        report = ["LOCKUP"]
        finding = [{ name = "deadlock", where = { kind = "deadlock", devices = "1:0:0:0" },
                     contains = ["scsi_rescan_device"], max = 1 }]
        value = [{ name = "no loss", pointer = "/loss/total", equals = 0 }]
        "#,
        Ending::Stuck,
        &seen,
        deadlock(),
    );
    assert_eq!(failed(&checks), [""; 0], "{checks:#?}");
}

#[test]
fn what_is_too_late_or_never_fails() {
    let toml = "ending = 'stuck'\nverdict_within_s = 2.0";
    for verdicts_s in [vec![], vec![0.2, 2.5]] {
        let seen = Observed { verdicts_s, ..Observed::default() };
        assert_eq!(failed(&run(toml, Ending::Stuck, &seen, deadlock())), ["verdict after the cycle closed"]);
    }
}

#[test]
fn severities_are_limited() {
    let toml = "ending = 'resumed'\nmax_severity = 'info'";
    let checks = run(toml, Ending::Resumed, &Observed::default(), deadlock());
    assert_eq!(failed(&checks), ["no finding too severe"]);
    for severity in ["info", "warning", "unheard of"] {
        let json = json!({ "findings": [{ "severity": severity }] });
        let checks = run(toml, Ending::Resumed, &Observed::default(), json);
        assert_eq!(failed(&checks).is_empty(), severity == "info", "{severity}");
    }
}

#[test]
fn findings_that_must_not_be() {
    let toml = "ending = 'resumed'\nfinding = [{ name = 'no deadlock', where = { kind = 'deadlock' }, min = 0, max = 0 }]";
    assert_eq!(failed(&run(toml, Ending::Resumed, &Observed::default(), deadlock())), ["no deadlock"]);
    assert!(failed(&run(toml, Ending::Resumed, &Observed::default(), json!({ "findings": [] }))).is_empty());
}

#[test]
fn a_pointer_looks_into_every_element() {
    let toml =
        "ending = 'resumed'\nvalue = [{ name = 'probes fire', pointer = '/probes/*/hits', at_least = 1 }]";
    let checks = run(toml, Ending::Resumed, &Observed::default(), deadlock());
    assert_eq!(checks.last().unwrap().seen, "1 of 2 not, first 0");
    let checks = run(toml, Ending::Resumed, &Observed::default(), json!({}));
    assert_eq!(checks.last().unwrap().seen, "not in the report");
    assert!(!checks.last().unwrap().ok);
}

#[test]
fn two_members_can_be_compared() {
    let toml = r#"
        ending = "resumed"
        value = [{ name = "all resumed", pointer = "/cycles/*", same = ["resumed", "suspended"] }]
        "#;
    for (json, good) in [
        (json!({ "cycles": [{ "resumed": 3, "suspended": 3 }] }), true),
        (json!({ "cycles": [{ "resumed": 3, "suspended": 3 }, { "resumed": 2, "suspended": 3 }] }), false),
        (json!({ "cycles": [{}] }), false),
    ] {
        let checks = run(toml, Ending::Resumed, &Observed::default(), json);
        assert_eq!(failed(&checks).is_empty(), good);
    }
}

#[test]
fn complaints_and_taints_fail() {
    let mut seen = Observed { trouble: vec!["WARNING: CPU: 0".into()], ..Observed::default() };
    seen.facts.insert("tainted".into(), "512".into());
    let checks = run("ending = 'resumed'", Ending::Resumed, &seen, deadlock());
    assert_eq!(failed(&checks), ["the kernel does not complain", "taint of the kernel"]);
    seen.facts.insert("tainted".into(), "12288".into());
    seen.trouble.clear();
    assert!(failed(&run("ending = 'resumed'", Ending::Resumed, &seen, deadlock())).is_empty());
}

#[test]
fn an_unreadable_trace_fails_and_a_control_needs_none() {
    let expect = expect("ending = 'stuck'");
    let unreadable =
        Report { trace: "trace.pmtrace".into(), content: Err("cut off".into()), cycles: Ok(vec![]) };
    let checks = evaluate(&expect, true, Ending::Stuck, &Observed::default(), &[unreadable], None);
    assert_eq!(failed(&checks), ["trace.pmtrace can be read"]);
    let checks = evaluate(&expect, false, Ending::Stuck, &Observed::default(), &[], None);
    assert!(failed(&checks).is_empty());
}

#[test]
fn links_of_a_chain_are_looked_at_one_by_one() {
    let count = |link: &str| {
        let toml = format!("ending = 'stuck'\nfinding = [{{ name = 'link', link = {{ {link} }} }}]");
        failed(&run(&toml, Ending::Stuck, &Observed::default(), deadlock())).len()
    };
    assert_eq!(count("relation = 'held_by', notes = 'scsi_rescan_device', closes = 'true'"), 0);
    assert_eq!(count("relation = 'queued_by', notes = 'scsi_rescan_device'"), 1);
    assert_eq!(count("stack = 'scsi_rescan_device'"), 1);
}

#[test]
fn texts_are_found_however_they_are_wrapped() {
    let text = "  held by  kworker/1:1[46]\n           <- queued by scsi_eh_1[98]\n           at +0.32 s";
    for wanted in ["held by kworker", "queued by scsi_eh_1[*] at +", "held*queued*s", ""] {
        assert!(holds(text, wanted), "{wanted}");
    }
    for wanted in ["held  by", "queued*held", "scsi_eh_1[*] at -", "s*s*s*s*s*s"] {
        assert!(!holds(text, wanted), "{wanted}");
    }
}

#[test]
fn commands_are_judged_by_exit_code_and_words() {
    let toml =
        "ending = 'resumed'\ncommand = [{ name = 'no-root', exit = 1, says = ['needs root', 'try sudo'] }]";
    let mut seen = Observed::default();
    assert_eq!(failed(&run(toml, Ending::Resumed, &seen, deadlock())).len(), 3);
    seen.facts.insert("exit.no-root".into(), "1".into());
    seen.said.insert("no-root".into(), "error: it needs\n  root; try sudo\n".into());
    assert_eq!(failed(&run(toml, Ending::Resumed, &seen, deadlock())), [""; 0]);
}

#[test]
fn what_is_left_behind_fails() {
    let mut seen = Observed::default();
    for (name, value, failures) in [("wakealarm", "", 0), ("pm_test", "none", 0), ("frozen", "sh[7]", 1)] {
        seen.facts.insert(name.into(), value.into());
        let checks = run("ending = 'resumed'", Ending::Resumed, &seen, deadlock());
        assert_eq!(failed(&checks).len(), failures, "{name}");
    }
}

#[test]
fn every_hook_must_fire_and_every_record_arrive() {
    let counts = |hits, received| Counts { hits, sent: hits, received, ..Counts::default() };
    let cycle =
        |rows: &[(&str, Counts)]| rows.iter().map(|(hook, counts)| ((*hook).to_owned(), *counts)).collect();
    let probes = json!({ "findings": [], "probes": [
        { "hook": "phase", "place": "tracepoint suspend_resume" }, { "hook": "timeout", "place": "tracepoint timeout" },
        { "hook": "rescan", "place": null },
    ] });
    let rule: HookRule = toml::from_str("silent = { timeout = 'nothing times out' }").unwrap();
    let with = |cycles| hooks(&rule, &Report { cycles: Ok(cycles), ..report(probes.clone()) });
    let checks = with(vec![cycle(&[("phase", counts(3, 2))]), cycle(&[("phase", counts(3, 3))])]);
    assert_eq!(
        failed(&checks),
        ["trace.pmtrace: hooks without a place", "trace.pmtrace: every record of cycle 1 arrived"]
    );
    let checks = with(vec![cycle(&[("phase", counts(0, 0)), ("timeout", counts(1, 1))])]);
    assert_eq!(checks.last().unwrap().seen, "phase (and need not: none)");
    assert!(!with(vec![]).last().unwrap().ok);
}

#[test]
fn a_report_must_fit_a_terminal() {
    assert!(width("trace", "short\nlines\n").ok);
    assert!(!width("trace", &"x".repeat(101)).ok);
}
