use super::*;
use serde_json::json;

fn rule(text: &str) -> ShapeRule {
    toml::from_str(text).unwrap()
}

fn finding() -> Value {
    json!({
        "kind": "deadlock", "severity": "error", "confidence": "proved", "cycle": 2,
        "title": "resume of a (x) waits for kworker/u4:3[124] for 4.20 s, mutex #987",
        "devices": [{ "name": "a" }, { "name": "b" }],
        "chain": [
            { "waiter": { "label": "resume of a (x)" }, "relation": "performed_by", "object": { "label": "kw[1]" }, "notes": [] },
            { "waiter": { "label": "kw[1]" }, "relation": "waits_for", "object": { "label": "mutex #987" }, "notes": ["why"] },
        ],
        "ordering": { "relation": "nothing", "text": "nothing orders a and b" },
        "advice": "Take the locks in one order",
    })
}

/// A shape is only right if everything that is expected of its finding is.
#[test]
fn each_member_of_a_rule_counts() {
    let base = "name = 'clean'\nwhat = ''\n";
    let good = "kind = 'deadlock'\nconfidence = 'proved'\ndevices = ['a', 'b']\nordering = 'nothing orders'\n\
                chain = ['resume of a (x) performed by', 'waits for mutex', 'why']\nadvice = 'one order'";
    let abba = rule(&format!("name = 'abba:300'\nwhat = ''\n{good}"));
    let found = finding();
    let checks = checks(&[rule(base), abba], "6.1", &[&found]);
    assert!(checks.iter().all(|check| check.ok), "{checks:?}");
    for wrong in [
        "kind = 'stall'\ndevices = ['a', 'b']",
        "kind = 'deadlock'\ndevices = ['a']",
        "kind = 'deadlock'\ndevices = ['a', 'b']\nconfidence = 'likely'",
        "kind = 'deadlock'\ndevices = ['a', 'b']\nchain = ['waits for mutex', 'performed by']",
        "kind = 'deadlock'\ndevices = ['a', 'b']\nordering = 'a device link'",
        "kind = 'deadlock'\ndevices = ['a', 'b']\nadvice = 'wait'",
    ] {
        let rules = [rule(base), rule(&format!("{base}{wrong}"))];
        assert!(!super::checks(&rules, "6.1", &[&found])[1].ok, "{wrong}");
    }
}

/// A clean shape with a finding, and a shape without one, are wrong.
#[test]
fn findings_count_in_their_own_cycle() {
    let found = finding();
    let clean = rule("name = 'clean'\nwhat = ''");
    let abba = rule("name = 'abba'\nwhat = ''\nkind = 'deadlock'\ndevices = ['a', 'b']");
    let checks = checks(&[abba, clean], "6.1", &[&found]);
    assert!(!checks[0].ok && !checks[1].ok, "{checks:?}");
    assert!(checks[0].seen == "nothing" && checks[1].seen.starts_with("deadlock, proved"), "{checks:?}");
}

/// Where a kernel is known to show something else, that is what counts there, and only there.
#[test]
fn a_kernel_may_show_something_else() {
    let found = json!({ "kind": "stall", "severity": "error", "cycle": 1, "devices": [{ "name": "a" }] });
    let rules = [rule(
        "name = 'rwsem'\nwhat = ''\nkind = 'deadlock'\ndevices = ['a', 'b']\n\
         [on.rt]\nbecause = 'readers leave no trace'\nkind = 'stall'\ndevices = ['a']",
    )];
    assert!(checks(&rules, "rt", &[&found])[0].ok);
    assert!(!checks(&rules, "6.1", &[&found])[0].ok);
}

/// What differs from run to run would make the page stale at once.
#[test]
fn a_finding_is_told_without_what_differs_between_runs() {
    assert_eq!(told(&finding()), "deadlock, proved: a, b; order: nothing");
    assert_eq!(
        steady("resume of a (x) waits for kworker/u4:3[124] for 4.20 s, mutex #987"),
        "resume of a (x) waits for kworker/u4:3 for N s, mutex N"
    );
}

#[test]
fn the_page_tells_what_was_found_and_is_checked() {
    let rules = [rule("name = 'abba:1'\nwhat = 'two locks'"), rule("name = 'clean'\nwhat = 'one lock'")];
    let run = |kernel: &str, found: &[&str]| Run {
        kernel: kernel.into(),
        shapes: vec![
            Seen { shape: "abba:1".into(), found: found.iter().map(|&text| text.into()).collect() },
            Seen { shape: "clean".into(), found: vec![] },
        ],
    };
    let runs = [run("6.1", &["deadlock"]), run("6.12", &["deadlock"]), run("6.1-rt", &[])];
    let page = page(&rules, &runs);
    assert!(page.ends_with(
        "| `abba:1` | two locks | 6.1, 6.12 | deadlock |\n| `abba:1` | two locks | 6.1-rt | nothing |\n\
         | `clean` | one lock | 6.1, 6.12, 6.1-rt | nothing |\n"
    ));
    assert!(runs.iter().all(|run| told_by(&page, run).ok));
    assert!(!told_by(&page, &run("6.12", &[])).ok);
    assert!(!told_by(&page, &run("6.1-rt", &["deadlock"])).ok);
    assert!(told_by(&page, &run("7.0", &["deadlock"])).ok, "nothing is told of this kernel yet");
}

#[test]
fn what_a_shorter_callback_gains_is_compared_with_the_critical_path() {
    let cycle = |number: u64, took: u64, gain: u64| {
        json!({ "number": number, "critical": [
            { "step": "suspend", "took": 1, "parts": [] },
            { "step": "resume", "took": took * 1_000_000, "parts": [
                { "device": { "name": "a" }, "gain": gain * 1_000_000 } ] } ] })
    };
    let rule = Shortened { device: "a".into(), cycles: [1, 2], by_ms: 800 };
    let report = |second: u64| json!({ "cycles": [cycle(1, 1100, 600), cycle(2, second, 0)] });
    assert!(shortened(&rule, &report(480)).ok);
    assert!(!shortened(&rule, &report(1100)).ok);
    assert!(shortened(&rule, &report(480)).expected.contains("600 ms less"));
    assert!(!shortened(&Shortened { device: "b".into(), ..rule }, &report(480)).ok);
}

/// The page has a line for every shape that is tested, and none that no scenario shows.
#[test]
fn the_page_is_about_the_shapes_of_the_scenarios() {
    let page = fs::read_to_string(crate::paths::shapes()).unwrap();
    let rules = |selection: &str| -> Vec<ShapeRule> {
        let scenarios = crate::lab::scenario::select(selection).unwrap();
        scenarios.into_iter().flat_map(|scenario| scenario.expect.shape).collect()
    };
    for rule in rules("test") {
        let start = format!("| `{}` | {} |", rule.name, rule.what);
        assert!(page.contains(&start), "no line {start}: `cargo xtask lab table` writes docs/shapes.md");
    }
    let all = rules("all");
    for shape in page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()) {
        assert!(all.iter().any(|rule| rule.name == shape), "{shape} is no shape of a scenario");
    }
}
