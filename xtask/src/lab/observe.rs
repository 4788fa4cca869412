//! What is known of a run so far: a fold over the console's lines.

use std::collections::BTreeMap;
use std::time::Duration;

use super::console::{self, Line, Marker};

/// The guest's init says so when the devices are there and the script is about to start.
const READY: &str = "ready";

/// The guest asks which of its boots this is.
const ASKS: &str = "asks";

/// The first line of a kernel.
const BOOT: &str = "[    0.000000] Linux version ";

/// The kernel crashes because it was told to.
const CRASH: &str = "sysrq: Trigger a crash";

/// What the console has told.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// When the guest was ready for its script, last.
    pub(crate) ready_at: Option<Duration>,
    /// How often the guest's kernel has started.
    pub(crate) boots: u32,
    /// The guest waits for the number of its boot.
    pub(crate) asks: bool,
    /// When the script ended, and its exit code.
    pub(crate) result: Option<(Duration, i32)>,
    /// Seconds that pm-trace took to be armed, first time.
    pub(crate) armed_s: Option<f64>,
    /// When the first verdict stood on the console.
    pub(crate) verdict_at: Option<Duration>,
    /// Seconds from the closing of the cycle to each verdict's printing.
    pub(crate) verdicts_s: Vec<f64>,
    /// How long nothing had moved each time the watchdog in the kernel said so, in seconds.
    pub(crate) stalls_s: Vec<f64>,
    /// Since when the guest has been in suspend-to-idle.
    pub(crate) idle_since: Option<Duration>,
    /// Values that the guest reported.
    pub(crate) facts: BTreeMap<String, String>,
    /// What the commands of the script said, by their names in it.
    pub(crate) said: BTreeMap<String, String>,
    /// All keys that the scenario asks for were pressed.
    pub(crate) typed: bool,
    /// The kernel has been asked for the stacks of blocked tasks: they are no complaints.
    pub(crate) asked: bool,
    /// The kernel's complaints.
    pub(crate) trouble: Vec<String>,
    /// All lines.
    pub(crate) console: String,
    /// The beginning of a program's line that the kernel tore apart.
    pub(crate) torn: String,
}

impl Observed {
    /// Takes a line in.
    pub(crate) fn apply(&mut self, line: &Line) {
        if let Some((begun, kernel)) = console::torn(&line.text) {
            self.torn.push_str(begun);
            self.take(&Line { at: line.at, text: kernel.to_owned() });
        } else if self.torn.is_empty() || line.text.starts_with('[') {
            self.take(line);
        } else {
            let text = std::mem::take(&mut self.torn) + &line.text;
            self.take(&Line { at: line.at, text });
        }
    }

    fn take(&mut self, line: &Line) {
        self.console.push_str(&line.text);
        self.console.push('\n');
        self.asked |= line.text.contains(CRASH);
        if line.text.contains(BOOT) {
            self.boots += 1;
            self.asked = false;
            self.idle_since = None;
        }
        match console::parse(&line.text) {
            Some(Marker::Stage(name)) => self.stage(&name, line.at),
            Some(Marker::Fact(name, value)) => {
                self.facts.insert(name, value);
            }
            Some(Marker::Result(exit)) => self.result = Some((line.at, exit)),
            Some(Marker::Armed(seconds)) => self.armed_s = self.armed_s.or(Some(seconds)),
            Some(Marker::Verdict(seconds)) => self.verdict(line.at, seconds),
            Some(Marker::Stall(seconds)) => self.stalls_s.push(seconds),
            Some(Marker::StallTold) => self.verdict_at = self.verdict_at.or(Some(line.at)),
            Some(Marker::EntersIdle) => self.idle_since = Some(line.at),
            Some(Marker::Resumed) => self.idle_since = None,
            Some(Marker::Said(name, line)) => {
                let said = self.said.entry(name).or_default();
                said.push_str(&line);
                said.push('\n');
            }
            Some(Marker::Trouble(text)) if !self.asked => self.trouble.push(text),
            Some(Marker::Trouble(_)) | None => {}
        }
    }

    fn stage(&mut self, name: &str, at: Duration) {
        match name {
            READY => self.ready_at = Some(at),
            ASKS => self.asks = true,
            _ => {}
        }
    }

    /// pm-trace prints the same line to its terminal and to the kernel log: count it once.
    fn verdict(&mut self, at: Duration, seconds: f64) {
        self.verdict_at = self.verdict_at.or(Some(at));
        if self.verdicts_s.last() != Some(&seconds) {
            self.verdicts_s.push(seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(lines: &[&str]) -> Observed {
        let mut observed = Observed::default();
        for (second, text) in lines.iter().enumerate() {
            observed.apply(&Line { at: Duration::from_secs(second as u64), text: (*text).to_owned() });
        }
        observed
    }

    /// As seen on 6.1: the kernel log took the port while pm-trace was writing to it.
    #[test]
    fn a_line_that_the_kernel_tore_apart_is_put_together() {
        let seen = observe(&[
            "pm-trace: verdict 0.4[   14.737877] pm-trace: known: kernel bug 217530",
            "[   14.737990] pm-trace: behind it: dpm_resume",
            "39 s after the cycle closed",
        ]);
        assert_eq!(seen.verdicts_s, [0.439]);
        assert_eq!(seen.verdict_at, Some(Duration::from_secs(2)));
        assert!(
            seen.console.starts_with("[   14.737877] pm-trace: known: kernel bug 217530\n"),
            "{}",
            seen.console
        );
    }

    #[test]
    fn a_run_is_followed_to_its_end() {
        let seen = observe(&[
            "[ 1] @lab stage boot",
            "[ 2] @lab stage ready",
            "pm-trace: armed in 0.5 s",
            "PM: suspend entry (s2idle)",
            "PM: suspend exit",
            "[ 3] @lab said help Usage:",
            "[ 3] @lab said help pm-trace COMMAND",
            "[ 3] @lab fact tainted 0",
            "[ 4] @lab result exit=3",
        ]);
        assert_eq!(seen.ready_at, Some(Duration::from_secs(1)));
        assert_eq!(seen.armed_s, Some(0.5));
        assert_eq!(seen.idle_since, None);
        assert_eq!(seen.said["help"], "Usage:\npm-trace COMMAND\n");
        assert_eq!(seen.facts["tainted"], "0");
        assert_eq!(seen.result, Some((Duration::from_secs(8), 3)));
    }

    #[test]
    fn a_verdict_on_two_channels_counts_once() {
        let line = "pm-trace: verdict 0.2 s after the cycle closed";
        let seen =
            observe(&[line, &format!("[ 9.0] {line}"), "pm-trace: verdict 0.3 s after the cycle closed"]);
        assert_eq!(seen.verdicts_s, [0.2, 0.3]);
        assert_eq!(seen.verdict_at, Some(Duration::ZERO));
    }
}
