//! Scenarios that show many shapes in one boot: the n-th cycle of their trace is that of the n-th shape.
//!
//! The guest finds the shapes' names in `/lab/shapes`. What was found in each is compared with what the scenario
//! expects, kept in `shapes.json`, and told in `docs/shapes.md`, which `cargo xtask lab table` writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::checks::{Check, holds};

/// A shape, and what must be found in its cycle: nothing, or one finding.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShapeRule {
    /// As the module `pmlab` calls it; behind a colon, its delay in milliseconds.
    pub(crate) name: String,
    /// What happens in it, for people.
    pub(crate) what: String,
    /// The finding's kind; without it, nothing may be found.
    pub(crate) kind: Option<String>,
    /// The finding's confidence.
    pub(crate) confidence: Option<String>,
    /// Names of the finding's devices, in any order: a cycle has no first.
    #[serde(default)]
    pub(crate) devices: Vec<String>,
    /// Texts that its chain must show in this order, each link as `waiter relation object notes`.
    #[serde(default)]
    pub(crate) chain: Vec<String>,
    /// A text of what is said about the order of its devices.
    pub(crate) ordering: Option<String>,
    /// A text of its advice.
    pub(crate) advice: Option<String>,
    /// What is expected instead on the kernels of these names.
    #[serde(default)]
    pub(crate) on: BTreeMap<String, Other>,
}

/// What a kernel shows of a shape, where that is something else.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Other {
    /// Why it differs.
    #[expect(dead_code, reason = "it is there for whoever reads the scenario; none may do without")]
    because: String,
    /// As in [`ShapeRule`].
    kind: Option<String>,
    /// As in [`ShapeRule`].
    #[serde(default)]
    devices: Vec<String>,
    /// As in [`ShapeRule`].
    #[serde(default)]
    chain: Vec<String>,
    /// As in [`ShapeRule`].
    ordering: Option<String>,
}

/// What was found in a shape's cycle.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Seen {
    /// The shape's name, with its delay if it has one.
    pub(crate) shape: String,
    /// One line for each finding, without what differs from run to run.
    pub(crate) found: Vec<String>,
}

/// Two cycles that differ in how long one device's callback takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shortened {
    /// The device.
    pub(crate) device: String,
    /// The cycle with the longer callback, and the one with the shorter.
    pub(crate) cycles: [u64; 2],
    /// By how much it is shorter, in milliseconds.
    pub(crate) by_ms: u64,
}

/// The list that the guest reads.
pub(crate) fn list(rules: &[ShapeRule]) -> String {
    rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>().join(" ") + "\n"
}

impl ShapeRule {
    /// What it means on a kernel.
    fn on(&self, kernel: &str) -> Self {
        let Some(other) = self.on.get(kernel).cloned() else { return self.clone() };
        Self {
            kind: other.kind,
            confidence: None,
            devices: other.devices,
            chain: other.chain,
            ordering: other.ordering,
            advice: None,
            ..self.clone()
        }
    }
}

/// Compares every shape with the findings of its cycle; `findings` are those of the whole trace.
pub(crate) fn checks(rules: &[ShapeRule], kernel: &str, findings: &[&Value]) -> Vec<Check> {
    let cycles = rules.iter().zip(1..).map(|(rule, cycle)| (rule, of_cycle(findings, cycle)));
    cycles.map(|(rule, found)| check(&rule.on(kernel), &found)).collect()
}

/// What was found in every shape.
pub(crate) fn seen(rules: &[ShapeRule], findings: &[&Value]) -> Vec<Seen> {
    let cycles = rules.iter().zip(1..).map(|(rule, cycle)| (rule, of_cycle(findings, cycle)));
    let seen = |(rule, found): (&ShapeRule, Vec<&Value>)| Seen {
        shape: rule.name.clone(),
        found: found.into_iter().map(told).collect(),
    };
    cycles.map(seen).collect()
}

/// Findings of a cycle that are more than a note.
fn of_cycle<'a>(findings: &[&'a Value], cycle: u64) -> Vec<&'a Value> {
    let of_it = |finding: &&&Value| {
        finding["cycle"].as_u64() == Some(cycle) && finding["severity"].as_str() != Some("info")
    };
    findings.iter().filter(of_it).copied().collect()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

fn elements<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value[member].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A finding in one line, the same in every run.
fn told(finding: &Value) -> String {
    let confidence = match text(finding, "confidence") {
        "proved" => ", proved",
        _ => "",
    };
    // A cycle has no first device.
    let what = match text(finding, "kind") {
        "deadlock" => names(finding).join(", "),
        _ => steady(text(finding, "title")),
    };
    let line = format!("{}{confidence}: {what}", text(finding, "kind"));
    match text(&finding["ordering"], "relation") {
        "" => line,
        relation => format!("{line}; order: {relation}"),
    }
}

/// Names of the finding's devices, sorted.
fn names(finding: &Value) -> Vec<&str> {
    let mut names: Vec<&str> =
        elements(finding, "devices").iter().map(|device| text(device, "name")).collect();
    names.sort_unstable();
    names
}

/// A text without its durations, ids of tasks and numbers of locks.
fn steady(title: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in title.split_whitespace() {
        let bare = word.trim_end_matches([',', ':', ';']);
        let unit = words.last().is_some_and(|last| last == "N") && matches!(bare, "s" | "ms" | "us");
        let number =
            bare.parse::<f64>().is_ok() || bare.strip_prefix('#').is_some_and(|id| id.parse::<u64>().is_ok());
        words.push(match (number || unit, word.split_once('[')) {
            (true, _) if unit => word.to_owned(),
            (true, _) => word.replace(bare, "N"),
            (false, Some((name, id))) if id.starts_with(|c: char| c.is_ascii_digit()) => name.to_owned(),
            (false, _) => word.to_owned(),
        });
    }
    words.join(" ")
}

fn check(rule: &ShapeRule, found: &[&Value]) -> Check {
    let name = format!("shape {}", rule.name);
    let titles = || found.iter().map(|finding| told(finding)).collect::<Vec<_>>().join("; ");
    let Some(kind) = &rule.kind else {
        let seen = if found.is_empty() { "nothing".to_owned() } else { titles() };
        return Check { name, expected: "nothing found".into(), seen, ok: found.is_empty() };
    };
    let expected = format!("one finding, {kind} of {}", rule.devices.join(", "));
    let [finding] = found else {
        let seen = if found.is_empty() { "nothing".to_owned() } else { titles() };
        return Check { name, expected, seen, ok: false };
    };
    let wrong = differences(rule, kind, finding);
    let seen =
        if wrong.is_empty() { told(finding) } else { format!("{}: {}", told(finding), wrong.join("; ")) };
    Check { name, expected, seen, ok: wrong.is_empty() }
}

/// In what the finding differs from the rule.
fn differences(rule: &ShapeRule, kind: &str, finding: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, wanted: &str, seen: &str, same: bool| {
        if !same {
            wrong.push(format!("{what} is {seen:?} and not {wanted:?}"));
        }
    };
    compare("kind", kind, text(finding, "kind"), text(finding, "kind") == kind);
    if let Some(wanted) = &rule.confidence {
        let seen = text(finding, "confidence");
        compare("confidence", wanted, seen, seen == wanted);
    }
    let (seen, mut wanted) = (names(finding), rule.devices.clone());
    wanted.sort_unstable();
    compare("devices", &wanted.join(", "), &seen.join(", "), seen == wanted);
    let chain = chain(finding);
    if !rule.chain.is_empty() {
        compare("chain", &rule.chain.join(" * "), &chain, holds(&chain, &rule.chain.join("*")));
    }
    if let Some(wanted) = &rule.ordering {
        let seen = text(&finding["ordering"], "text");
        compare("ordering", wanted, seen, holds(seen, wanted));
    }
    if let Some(wanted) = &rule.advice {
        let seen = text(finding, "advice");
        compare("advice", wanted, seen, holds(seen, wanted));
    }
    wrong
}

fn chain(finding: &Value) -> String {
    let link = |link: &Value| {
        let notes: Vec<&str> = elements(link, "notes").iter().filter_map(Value::as_str).collect();
        let relation = text(link, "relation").replace('_', " ");
        let (waiter, object) = (text(&link["waiter"], "label"), text(&link["object"], "label"));
        format!("{waiter} {relation} {object} {}", notes.join(" "))
    };
    elements(finding, "chain").iter().map(link).collect::<Vec<_>>().join(" / ")
}

/// How much shorter the resume became, and how much shorter the report of the slower cycle says it can become.
///
/// Times of a lab guest are noisy: only what is off by more than half and 200 ms is wrong.
pub(crate) fn shortened(rule: &Shortened, report: &Value) -> Check {
    let [slow, fast] = rule.cycles.map(|number| resume_of(report, number));
    let gain = slow.and_then(|path| {
        let mut parts = elements(path, "parts").iter();
        parts.find(|part| text(&part["device"], "name") == rule.device)?["gain"].as_u64()
    });
    let took = |path: Option<&Value>| path.and_then(|path| path["took"].as_u64()).map(millis);
    let by = i64::try_from(rule.by_ms).unwrap_or(i64::MAX);
    let name = format!("callback of {} shortened by {by} ms", rule.device);
    let (Some(gain), Some(slow), Some(fast)) = (gain, took(slow), took(fast)) else {
        let expected = "the device on the critical path of the resume".to_owned();
        return Check { name, expected, seen: "not there".into(), ok: false };
    };
    let (predicted, measured) = (millis(gain).min(by), slow - fast);
    Check {
        name,
        expected: format!(
            "the resume takes {predicted} ms less (its critical path: {} ms at most)",
            millis(gain)
        ),
        seen: format!("{measured} ms less ({slow} ms, then {fast} ms)"),
        ok: (measured - predicted).abs() <= predicted / 2 + 200,
    }
}

/// The critical path of the resume of a cycle.
fn resume_of(report: &Value, number: u64) -> Option<&Value> {
    let cycle = elements(report, "cycles").iter().find(|cycle| cycle["number"].as_u64() == Some(number))?;
    elements(cycle, "critical").iter().find(|path| text(path, "step") == "resume")
}

fn millis(nanos: u64) -> i64 {
    i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX)
}

/// The head of the page's table.
const HEAD: &str = "| shape | what happens | kernels | found |\n|---|---|---|---|\n";

/// The page before its table.
const INTRODUCTION: &str = "# What is found in the shapes of pmlab

The module `pmlab` builds each of these in the resume of its own devices, on real kernels in the lab. This page is written by
`cargo xtask lab table` from the last runs of the scenarios `pmlab-*`; each run compares what it found with this page.
Durations, tasks and numbers of locks are left out; what stands behind
a colon is a delay in milliseconds. Shapes whose name ends in `-clean` do the same work in a correct
order.

";

/// `shapes.json` of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Run {
    /// The kernel's name in the lab's list.
    pub(crate) kernel: String,
    /// What was found, shape by shape.
    pub(crate) shapes: Vec<Seen>,
}

impl Run {
    /// Writes it where [`Run::read`] looks for it.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        let file = dir.join("shapes.json");
        fs::write(&file, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// What a run left in its directory, if it did.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>> {
        let file = dir.join("shapes.json");
        if !file.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).map(Some).with_context(|| format!("in {}", file.display()))
    }
}

/// The page from what runs left: a line for each shape and each answer to it.
pub(crate) fn page(rules: &[ShapeRule], runs: &[Run]) -> String {
    let mut page = format!("{INTRODUCTION}{HEAD}");
    for rule in rules {
        let mut answers: Vec<(String, Vec<&str>)> = Vec::new();
        for run in runs {
            for seen in run.shapes.iter().filter(|seen| seen.shape == rule.name) {
                let answer = seen.answer();
                match answers.iter_mut().find(|(known, _)| *known == answer) {
                    Some((_, kernels)) => kernels.push(&run.kernel),
                    None => answers.push((answer, vec![&run.kernel])),
                }
            }
        }
        for (answer, kernels) in answers {
            page += &format!("| `{}` | {} | {} | {answer} |\n", rule.name, rule.what, kernels.join(", "));
        }
    }
    page
}

impl Seen {
    fn answer(&self) -> String {
        if self.found.is_empty() { "nothing".to_owned() } else { self.found.join("; ") }
    }
}

/// Whether the page tells of each shape what this run found, or nothing yet of this kernel.
pub(crate) fn told_by(page: &str, run: &Run) -> Check {
    let wrong: Vec<String> = run
        .shapes
        .iter()
        .filter(|seen| told_of(page, &seen.shape, &run.kernel).is_some_and(|answer| answer != seen.answer()))
        .map(|seen| format!("{}: {}", seen.shape, seen.answer()))
        .collect();
    Check {
        name: "docs/shapes.md is current".into(),
        expected: "what was found (`cargo xtask lab table` writes it)".into(),
        seen: if wrong.is_empty() { "it is".into() } else { wrong.join("; ") },
        ok: wrong.is_empty(),
    }
}

/// What the page says is found in a shape on a kernel.
fn told_of<'a>(page: &'a str, shape: &str, kernel: &str) -> Option<&'a str> {
    page.lines().find_map(|line| {
        let cells: Vec<&str> = line.split(" | ").collect();
        let [name, _, kernels, answer] = cells[..] else { return None };
        let is_it = name.strip_prefix("| `")?.strip_suffix('`')? == shape;
        (is_it && kernels.split(", ").any(|name| name == kernel)).then(|| answer.trim_end_matches(" |"))
    })
}

#[cfg(test)]
#[path = "shapes_tests.rs"]
mod tests;
