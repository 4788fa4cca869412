//! What a run leaves behind, for programs (`result.json`) and for people (the table).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::checks::Check;
use super::scenario::Ending;

/// How a run came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Every check is as expected.
    Passed,
    /// At least one is not.
    Failed,
    /// A wall-clock limit ended a run that should have ended by itself.
    TimedOut,
}

impl Outcome {
    /// `late`: a limit was reached that should not have been.
    pub(crate) fn from_checks(checks: &[Check], late: bool) -> Self {
        match (late, checks.iter().all(|check| check.ok)) {
            (true, _) => Self::TimedOut,
            (false, true) => Self::Passed,
            (false, false) => Self::Failed,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED OUT",
        }
    }
}

/// Which kernel it was.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct KernelId {
    /// Its name in the lab's list.
    pub(crate) name: String,
    /// `uname -r`.
    pub(crate) release: String,
    /// Version of its package.
    pub(crate) version: String,
}

/// Wall-clock seconds.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Durations {
    /// From QEMU's start to the guest being ready for its script.
    pub(crate) boot_s: Option<f64>,
    /// From there to the script's end, or to the first verdict.
    pub(crate) scenario_s: Option<f64>,
    /// All of it.
    pub(crate) total_s: f64,
}

/// One run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct RunResult {
    /// What was run.
    pub(crate) scenario: String,
    /// On what.
    pub(crate) kernel: KernelId,
    /// How it came out.
    pub(crate) outcome: Outcome,
    /// How the guest's script ended.
    pub(crate) ending: Ending,
    /// How long it took.
    pub(crate) durations: Durations,
    /// Seconds from pm-trace's start to everything attached.
    pub(crate) armed_s: Option<f64>,
    /// Seconds from the closing of a cycle to its verdict on the console.
    pub(crate) verdict_latencies_s: Vec<f64>,
    /// Exit code of the guest's script, if it ended.
    pub(crate) exit: Option<i32>,
    /// What the guest reported.
    pub(crate) facts: BTreeMap<String, String>,
    /// What was expected and seen.
    pub(crate) checks: Vec<Check>,
    /// Which try this was, from 1.
    #[serde(skip)]
    pub(crate) attempts: u32,
    /// It is that of an earlier run, since which nothing has changed.
    #[serde(skip)]
    pub(crate) reused: bool,
}

impl RunResult {
    /// Whether all is as expected.
    pub(crate) fn passed(&self) -> bool {
        self.outcome == Outcome::Passed
    }

    /// Adds checks made after the run's end.
    pub(crate) fn add(&mut self, checks: Vec<Check>) {
        if self.outcome == Outcome::Passed && checks.iter().any(|check| !check.ok) {
            self.outcome = Outcome::Failed;
        }
        self.checks.extend(checks);
    }

    /// Writes it as JSON.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// What [`RunResult::write`] wrote; `None` if there is no such thing.
    pub(crate) fn read(file: &Path) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(file).ok()?).ok()
    }

    /// The outcome in a word.
    fn word(&self) -> String {
        match (self.reused, self.attempts) {
            (true, _) => "unchanged".to_owned(),
            (false, 0 | 1) => self.outcome.word().to_owned(),
            (false, attempts) => format!("{}, try {attempts}", self.outcome.word()),
        }
    }

    /// One line as soon as it is known, and what failed.
    pub(crate) fn summary(&self) -> String {
        let checks =
            self.checks.iter().filter(|check| !check.ok).map(|check| {
                format!("\n    {}: expected {}, seen {}", check.name, check.expected, check.seen)
            });
        let seconds = self.durations.total_s;
        let head = format!("{} {} on {} ({seconds:.1} s)", self.word(), self.scenario, self.kernel.release);
        std::iter::once(head).chain(checks).collect()
    }
}

/// All runs, one a line.
pub(crate) fn table(results: &[RunResult]) -> String {
    let seconds = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    let head =
        ["result", "scenario", "kernel", "checks", "boot s", "run s", "total s", "armed s", "verdict s"];
    let mut rows = vec![head.map(str::to_owned)];
    for result in results {
        let good = result.checks.iter().filter(|check| check.ok).count();
        rows.push([
            result.word(),
            result.scenario.clone(),
            result.kernel.release.clone(),
            format!("{good}/{}", result.checks.len()),
            seconds(result.durations.boot_s),
            seconds(result.durations.scenario_s),
            seconds(Some(result.durations.total_s)),
            seconds(result.armed_s),
            seconds(result.verdict_latencies_s.first().copied()),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &[String; 9]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ok: bool) -> Check {
        Check { name: "a check".into(), expected: "yes".into(), seen: "no".into(), ok }
    }

    fn result(outcome: Outcome) -> RunResult {
        RunResult {
            scenario: "healthy".into(),
            kernel: KernelId {
                name: "6.1".into(),
                release: "6.1.0-1-amd64".into(),
                version: "6.1.1-1".into(),
            },
            outcome,
            ending: Ending::Resumed,
            durations: Durations { boot_s: Some(4.0), scenario_s: None, total_s: 9.0 },
            armed_s: Some(0.4),
            verdict_latencies_s: vec![],
            exit: Some(0),
            facts: BTreeMap::new(),
            checks: vec![check(true), check(outcome == Outcome::Passed)],
            attempts: 1,
            reused: false,
        }
    }

    #[test]
    fn a_limit_reached_is_not_a_mere_failure() {
        assert_eq!(Outcome::from_checks(&[check(true)], false), Outcome::Passed);
        assert_eq!(Outcome::from_checks(&[check(false)], false), Outcome::Failed);
        assert_eq!(Outcome::from_checks(&[check(true)], true), Outcome::TimedOut);
    }

    #[test]
    fn failures_say_what_was_expected() {
        assert_eq!(
            result(Outcome::Failed).summary(),
            "FAILED healthy on 6.1.0-1-amd64 (9.0 s)\n    a check: expected yes, seen no"
        );
    }

    #[test]
    fn the_table_has_a_line_per_run() {
        let text = table(&[result(Outcome::Passed), result(Outcome::TimedOut)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("passed     healthy   6.1.0-1-amd64  2/2     4.00    -"), "{text}");
        assert!(lines[2].starts_with("TIMED OUT  healthy"), "{text}");
    }
}
