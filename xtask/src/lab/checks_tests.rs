use serde_json::json;

use super::*;

fn expect(toml: &str) -> Expect {
    toml::from_str(toml).unwrap()
}

fn report(json: Value) -> Report {
    Report { trace: "trace.pmtrace".into(), content: Ok(("LOCKUP  resume stuck".into(), json)) }
}

fn deadlock() -> Value {
    json!({ "findings": [{
        "kind": "deadlock", "severity": "error", "confidence": "proved", "title": "resume of 1:0:0:0",
        "devices": ["1:0:0:0"], "chain": ["scsi_rescan_device"],
    }], "loss": { "total": 0 }, "probes": [{ "hits": 3 }, { "hits": 0 }] })
}

fn failed(checks: &[Check]) -> Vec<&str> {
    checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect()
}

fn run(toml: &str, ending: Ending, seen: &Observed, json: Value) -> Vec<Check> {
    evaluate(&expect(toml), true, ending, seen, &[report(json)])
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
    let unreadable = Report { trace: "trace.pmtrace".into(), content: Err("cut off".into()) };
    let checks = evaluate(&expect, true, Ending::Stuck, &Observed::default(), &[unreadable]);
    assert_eq!(failed(&checks), ["trace.pmtrace can be read"]);
    let checks = evaluate(&expect, false, Ending::Stuck, &Observed::default(), &[]);
    assert!(failed(&checks).is_empty());
}
