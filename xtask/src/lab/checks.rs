//! Whether what was seen is what was expected.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::counters::Hooks;
use super::observe::Observed;
use super::scenario::{CommandRule, Ending, Expect, FindingRule, HookRule, Severity, ValueRule};
use super::shapes;

/// Taint flags of a kernel that loaded the lab's own modules: out of tree (O), unsigned (E).
const TAINT_OF_MODULES: u64 = 1 << 12 | 1 << 13;

/// Columns of the terminals that a text report must fit.
const COLUMNS: usize = 100;

/// What a guest that got as far as the end of its script tells of itself, and how it must be then: no alarm is set, no
/// test level chosen, no process frozen.
const LEFT: &[(&str, &str)] = &[("wakealarm", ""), ("pm_test", "none"), ("frozen", "")];

/// One expectation and what came of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Check {
    /// What is checked.
    pub(crate) name: String,
    /// What was expected.
    pub(crate) expected: String,
    /// What was seen.
    pub(crate) seen: String,
    /// Whether it is as expected.
    pub(crate) ok: bool,
}

/// A trace as pm-trace reports it.
pub(crate) struct Report {
    /// The file's name.
    pub(crate) trace: String,
    /// The report for people, and the one for programs; or why there is none.
    pub(crate) content: Result<(String, Value), String>,
    /// What each cycle's hooks counted, or why it cannot be read.
    pub(crate) cycles: Result<Vec<Hooks>, String>,
}

/// Compares a run with what its scenario expects of it.
pub(crate) fn evaluate(
    expect: &Expect,
    tracer: bool,
    ending: Ending,
    seen: &Observed,
    reports: &[Report],
    stream: Option<&str>,
) -> Vec<Check> {
    let mut checks = vec![equal("ending", expect.ending.word(), ending.word())];
    checks.extend(expect.stream.iter().map(|text| {
        let ok = holds(stream.unwrap_or_default(), text);
        check(format!("the network got {text:?}"), "got", if ok { "got" } else { "not got" }, ok)
    }));
    if let Some(exit) = expect.exit {
        let seen = seen.result.map_or_else(|| "none".to_owned(), |(_, exit)| exit.to_string());
        checks.push(equal("exit code of the guest's script", &exit.to_string(), &seen));
    }
    checks.extend(console(expect, seen));
    checks.extend(left(seen));
    checks.extend(expect.command.iter().flat_map(|rule| command(rule, seen)));
    if tracer {
        checks.push(watchdog(expect, seen));
        checks.extend(timing(expect, seen));
        checks.extend(traces(expect, reports));
    }
    checks
}

fn check(name: impl Into<String>, expected: impl Into<String>, seen: impl Into<String>, ok: bool) -> Check {
    Check { name: name.into(), expected: expected.into(), seen: seen.into(), ok }
}

/// Expects the text `expected`.
pub(crate) fn equal(name: &str, expected: &str, seen: &str) -> Check {
    check(name, expected, seen, expected == seen)
}

fn console(expect: &Expect, seen: &Observed) -> Vec<Check> {
    let mut checks = Vec::new();
    for text in &expect.console {
        let ok = seen.console.lines().any(|line| holds(line, text));
        checks.push(check(
            format!("console shows {text:?}"),
            "shown",
            if ok { "shown" } else { "not shown" },
            ok,
        ));
    }
    checks.push(complaints(expect, seen));
    if let Some(taint) = seen.facts.get("tainted") {
        let ok = taint.parse::<u64>().is_ok_and(|flags| flags & !TAINT_OF_MODULES == 0);
        checks.push(check("taint of the kernel", "of unsigned or out-of-tree modules at most", taint, ok));
    }
    for (name, value) in &expect.facts {
        let fact = seen.facts.get(name);
        checks.push(check(
            format!("fact {name}"),
            value,
            fact.map_or("not reported", String::as_str),
            fact == Some(value),
        ));
    }
    checks
}

/// What the kernel complained about. A stack belongs to the complaint before it.
fn complaints(expect: &Expect, seen: &Observed) -> Check {
    let told: Vec<&String> = seen.trouble.iter().filter(|line| !line.contains("Call Trace:")).collect();
    match &expect.complains {
        Some(text) => {
            let ok = !told.is_empty() && told.iter().all(|line| line.contains(text.as_str()));
            let other =
                told.iter().find(|line| !line.contains(text.as_str())).copied().or(told.first().copied());
            check("what the kernel complains about", text, other.map_or("nothing", String::as_str), ok)
        }
        None => check(
            "the kernel does not complain",
            "no warning, oops, panic or stall",
            seen.trouble.first().map_or("none", String::as_str),
            seen.trouble.is_empty(),
        ),
    }
}

/// Whether the script left the machine as it found it.
fn left(seen: &Observed) -> Vec<Check> {
    let told = LEFT.iter().filter_map(|(name, good)| Some((name, good, seen.facts.get(*name)?)));
    let name = |what: &str| format!("left behind: {what}");
    told.map(|(what, good, fact)| equal(&name(what), &format!("{good:?}"), &format!("{fact:?}"))).collect()
}

fn command(rule: &CommandRule, seen: &Observed) -> Vec<Check> {
    let name = &rule.name;
    let exit = seen.facts.get(&format!("exit.{name}")).map_or("it was not run", String::as_str);
    let mut checks = vec![equal(&format!("exit code of {name}"), &rule.exit.to_string(), exit)];
    let said = seen.said.get(name).map(|said| squeezed(said)).unwrap_or_default();
    for text in &rule.says {
        let ok = holds(&said, text);
        let seen = if ok { "said" } else { &said };
        checks.push(check(format!("{name} says {text:?}"), "said", seen, ok));
    }
    checks
}

/// Whether the watchdog in the kernel spoke, and in time, or was silent.
fn watchdog(expect: &Expect, seen: &Observed) -> Check {
    let first = seen.stalls_s.first();
    let told = first.map_or_else(|| "silent".to_owned(), |seconds| format!("{seconds:.3} s"));
    let name = "stall told by the watchdog in the kernel";
    match expect.stall_within_s {
        Some(limit) => {
            check(name, format!("within {limit} s"), told, first.is_some_and(|&seconds| seconds <= limit))
        }
        None => check(name, "silent", told, first.is_none()),
    }
}

fn timing(expect: &Expect, seen: &Observed) -> Vec<Check> {
    let within = |name: &str, limit: Option<f64>, value: Option<f64>| {
        let limit = limit?;
        let text = value.map_or_else(|| "never".to_owned(), |seconds| format!("{seconds:.3} s"));
        Some(check(name, format!("within {limit} s"), text, value.is_some_and(|seconds| seconds <= limit)))
    };
    let slowest = seen.verdicts_s.iter().copied().reduce(f64::max);
    [
        within("armed after the start", expect.armed_within_s, seen.armed_s),
        within("verdict after the cycle closed", expect.verdict_within_s, slowest),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn traces(expect: &Expect, reports: &[Report]) -> Vec<Check> {
    let mut checks =
        vec![check("a trace left the guest", "at least one", reports.len().to_string(), !reports.is_empty())];
    let mut texts = String::new();
    let mut documents = Vec::new();
    for report in reports {
        let name = format!("{} can be read", report.trace);
        match &report.content {
            Ok((text, json)) => {
                checks.push(check(name, "a report", "a report", true));
                checks.push(width(&report.trace, text));
                texts.push_str(text);
                documents.push((report.trace.as_str(), json));
            }
            Err(error) => checks.push(check(name, "a report", error, false)),
        }
    }
    for text in &expect.report {
        let ok = holds(&texts, text);
        checks.push(check(
            format!("report shows {text:?}"),
            "shown",
            if ok { "shown" } else { "not shown" },
            ok,
        ));
    }
    if let Some(rule) = &expect.hooks {
        checks.extend(reports.iter().flat_map(|report| hooks(rule, report)));
    }
    let findings: Vec<&Value> =
        documents.iter().filter_map(|(_, json)| json.get("findings")?.as_array()).flatten().collect();
    checks.extend(expect.max_severity.map(|limit| severity(limit, &findings)));
    checks.extend(expect.finding.iter().map(|rule| finding(rule, &findings)));
    checks.extend(expect.value.iter().map(|rule| value(rule, &documents)));
    if let Some((_, first)) = documents.first() {
        checks.extend(expect.shortened.iter().map(|rule| shapes::shortened(rule, first)));
    }
    checks
}

fn width(trace: &str, text: &str) -> Check {
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let name = format!("the report of {trace} fits a terminal");
    check(name, format!("{COLUMNS} columns at most"), widest.to_string(), widest <= COLUMNS)
}

fn hooks(rule: &HookRule, report: &Report) -> Vec<Check> {
    let trace = &report.trace;
    let probes = report.content.as_ref().ok().and_then(|(_, json)| json.get("probes")?.as_array());
    let Some(probes) = probes else { return Vec::new() };
    let name = |probe: &Value| probe.get("hook").and_then(Value::as_str).unwrap_or("?").to_owned();
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let placed = |probe: &&Value| probe.get("place").is_some_and(Value::is_string);
    let (placed, skipped): (Vec<&Value>, Vec<&Value>) = probes.iter().partition(placed);
    let skipped: Vec<String> = skipped.into_iter().map(name).collect();
    let mut checks =
        vec![check(format!("{trace}: hooks without a place"), "none", list(&skipped), skipped.is_empty())];
    let cycles = match &report.cycles {
        Ok(cycles) => cycles,
        Err(error) => {
            checks.push(check(format!("{trace}: counters of the hooks"), "readable", error, false));
            return checks;
        }
    };
    for (index, hooks) in cycles.iter().enumerate() {
        let sum = |of: fn(&super::counters::Counts) -> u64| hooks.values().map(of).sum::<u64>();
        let (sent, received) = (sum(|counts| counts.sent), sum(|counts| counts.received));
        let (lost, errors) = (sum(|counts| counts.lost), sum(|counts| counts.errors));
        let each = hooks.values().all(|counts| counts.sent == counts.received);
        checks.push(check(
            format!("{trace}: every record of cycle {} arrived", index + 1),
            "as many received as sent, hook by hook; none lost",
            format!("{received} of {sent} received, {lost} lost, {errors} failed"),
            each && sent > 0 && lost == 0 && errors == 0,
        ));
    }
    let last = cycles.last();
    let fired = |hook: &String| last.and_then(|hooks| hooks.get(hook)).is_some_and(|counts| counts.hits > 0);
    let quiet: Vec<String> = placed.into_iter().map(name).filter(|hook| !fired(hook)).collect();
    let (excused, quiet): (Vec<String>, Vec<String>) =
        quiet.into_iter().partition(|hook| rule.silent.contains_key(hook));
    checks.push(check(
        format!("{trace}: hooks that do not fire in the last of {} cycles", cycles.len()),
        "none but those that need not",
        format!("{} (and need not: {})", list(&quiet), list(&excused)),
        quiet.is_empty() && last.is_some(),
    ));
    checks
}

fn severity(limit: Severity, findings: &[&Value]) -> Check {
    // A severity that this program does not know counts as too high.
    let above = |finding: &&&Value| {
        let severity = finding.get("severity").cloned().unwrap_or_default();
        serde_json::from_value::<Severity>(severity).map_or(true, |severity| severity > limit)
    };
    let titles: Vec<String> = findings.iter().filter(above).map(|finding| title(finding)).collect();
    let seen = if titles.is_empty() { format!("none among {}", findings.len()) } else { titles.join("; ") };
    check("no finding too severe", format!("none above {limit:?}"), seen, titles.is_empty())
}

fn title(finding: &Value) -> String {
    let member = |name: &str| finding.get(name).and_then(Value::as_str).unwrap_or("?").to_owned();
    format!("{} {}: {}", member("severity"), member("kind"), member("title"))
}

fn finding(rule: &FindingRule, findings: &[&Value]) -> Check {
    let count = findings.iter().filter(|finding| matches(rule, finding)).count();
    let ok = count >= rule.min && rule.max.is_none_or(|max| count <= max);
    let expected = match rule.max {
        Some(max) if max == rule.min => format!("{max}"),
        Some(max) => format!("{} to {max}", rule.min),
        None => format!("{} or more", rule.min),
    };
    let mut seen = format!("{count} of {}", findings.len());
    if !ok {
        let titles: Vec<String> = findings.iter().map(|finding| title(finding)).collect();
        seen = format!("{seen} ({})", titles.join("; "));
    }
    check(&rule.name, format!("{expected} such finding"), seen, ok)
}

fn matches(rule: &FindingRule, finding: &Value) -> bool {
    let text = finding.to_string();
    let chain = finding.get("chain").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    contain(&rule.members, finding)
        && (rule.link.is_empty() || chain.iter().any(|link| contain(&rule.link, link)))
        && rule.contains.iter().all(|wanted| holds(&text, wanted))
}

/// Whether each of these members of an object contains its text.
fn contain(members: &BTreeMap<String, String>, object: &Value) -> bool {
    members.iter().all(|(name, wanted)| match object.get(name) {
        Some(Value::String(text)) => holds(text, wanted),
        Some(value) => holds(&value.to_string(), wanted),
        None => false,
    })
}

/// Whether the text contains the wanted one, in which `*` stands for anything and one space for any blanks.
pub(crate) fn holds(text: &str, wanted: &str) -> bool {
    let text = squeezed(text);
    let mut rest = text.as_str();
    wanted.split('*').all(|part| {
        let found = rest.split_once(part);
        rest = found.map_or(rest, |(_, behind)| behind);
        found.is_some()
    })
}

/// The words with one space in between: reports wrap their lines.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn value(rule: &ValueRule, documents: &[(&str, &Value)]) -> Check {
    let path: Vec<&str> = rule.pointer.split('/').skip(1).collect();
    let mut found = Vec::new();
    for (trace, document) in documents {
        if rule.trace.as_ref().is_none_or(|wanted| wanted == trace) {
            collect(document, &path, &mut found);
        }
    }
    let equal = |value: &&Value| rule.equals.as_ref().is_none_or(|wanted| wanted == *value);
    let enough = |value: &&Value| {
        let number = value.as_f64().or_else(|| value.as_array().map(|elements| elements.len() as f64));
        rule.at_least.is_none_or(|least| number.is_some_and(|number| number >= least))
    };
    let same = |value: &&Value| {
        rule.same
            .as_ref()
            .is_none_or(|[one, other]| value.get(one).is_some_and(|one| value.get(other) == Some(one)))
    };
    let good = |value: &&Value| equal(value) && enough(value) && same(value);
    let wrong: Vec<&Value> = found.iter().copied().filter(|value| !good(value)).collect();
    let mut expected = format!("{} ", rule.pointer);
    if let Some(wanted) = &rule.equals {
        expected.push_str(&format!("= {wanted}"));
    }
    if let Some(least) = rule.at_least {
        expected.push_str(&format!(">= {least}"));
    }
    if let Some([one, other]) = &rule.same {
        expected.push_str(&format!("with {one} = {other}"));
    }
    let seen = match (found.len(), wrong.first()) {
        (0, _) => "not in the report".to_owned(),
        (count, None) => format!("{count} as expected"),
        (count, Some(first)) => {
            let first: String = first.to_string().chars().take(120).collect();
            format!("{} of {count} not, first {first}", wrong.len())
        }
    };
    check(&rule.name, expected, seen, !found.is_empty() && wrong.is_empty())
}

/// The values that a pointer leads to; `*` goes into every element of an array or object.
fn collect<'a>(value: &'a Value, path: &[&str], found: &mut Vec<&'a Value>) {
    let Some((first, rest)) = path.split_first() else {
        found.push(value);
        return;
    };
    match value {
        Value::Array(elements) if *first == "*" => {
            elements.iter().for_each(|value| collect(value, rest, found));
        }
        Value::Object(members) if *first == "*" => {
            members.values().for_each(|value| collect(value, rest, found));
        }
        Value::Array(elements) => {
            if let Some(value) = first.parse().ok().and_then(|index: usize| elements.get(index)) {
                collect(value, rest, found);
            }
        }
        Value::Object(members) => {
            if let Some(value) = members.get(*first) {
                collect(value, rest, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
