//! The guest's console: kept with the host's time, and read for what it says about the run.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// Lines that the lab itself writes to the guest's kernel log begin so.
const PREFIX: &str = "@lab ";

/// Lines of pm-trace's watchdog in the kernel hold this (`pm-trace-common/src/watchdog.rs`).
const WATCHDOG: &str = "pm-trace-wd1 ";

/// What no healthy guest's kernel says.
const TROUBLE: &[&str] = &[
    "WARNING: CPU:",
    "BUG: ",
    "Oops: ",
    "Kernel panic",
    "general protection fault",
    "soft lockup",
    "self-detected stall",
    "detected stalls on CPUs",
    "Call Trace:",
    "blocked for more than",
];

/// What no program of the lab's guests says: a panic of Rust's.
const PANIC: &str = "' panicked at ";

/// Something that a console line tells the lab.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Marker {
    /// The guest reached a stage of its start.
    Stage(String),
    /// The guest reports a value.
    Fact(String, String),
    /// A command of the guest's script, by its name in it, said a line.
    Said(String, String),
    /// The guest's script ended with this exit code.
    Result(i32),
    /// The kernel enters suspend-to-idle, from which the lab must wake it.
    EntersIdle,
    /// The kernel is out of a suspend.
    Resumed,
    /// pm-trace has attached everything, so many seconds after its start.
    Armed(f64),
    /// pm-trace printed a verdict, so many seconds after the cycle had closed.
    Verdict(f64),
    /// pm-trace's watchdog in the kernel says that nothing has moved for so many seconds.
    Stall(f64),
    /// The watchdog has said all it knows.
    StallTold,
    /// The kernel complains, or a program panicked.
    Trouble(String),
}

/// What `line` tells, if anything.
pub(crate) fn parse(line: &str) -> Option<Marker> {
    if line.contains(PANIC) {
        return Some(Marker::Trouble(line.trim().to_owned()));
    }
    if let Some((_, text)) = line.split_once(PREFIX) {
        return parse_own(text);
    }
    if let Some((_, text)) = line.split_once(WATCHDOG) {
        return parse_watchdog(text);
    }
    if let Some((_, text)) = line.split_once("pm-trace: ") {
        if let Some(seconds) = seconds_after(text, "armed in ") {
            return Some(Marker::Armed(seconds));
        }
        if text.contains("after the cycle closed") {
            return seconds_after(text, "verdict ").map(Marker::Verdict);
        }
        return None;
    }
    if line.contains("PM: suspend entry (s2idle)") {
        return Some(Marker::EntersIdle);
    }
    if line.contains("PM: suspend exit") {
        return Some(Marker::Resumed);
    }
    let troubled = TROUBLE.iter().any(|text| line.contains(text));
    troubled.then(|| Marker::Trouble(line.trim().to_owned()))
}

/// What a program had written of a line when the kernel's log, which goes to the same port, got in between; and the
/// kernel's line. What the program goes on to write stands in the line after it.
pub(crate) fn torn(line: &str) -> Option<(&str, &str)> {
    let stamped = |place: usize| {
        let (time, _) = line[place + 1..].split_once("] ")?;
        let (seconds, micros) = time.trim_start().split_once('.')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (digits(seconds) && micros.len() == 6 && digits(micros)).then_some(place)
    };
    let place = line.match_indices('[').find_map(|(place, _)| stamped(place))?;
    (place > 0).then(|| line.split_at(place))
}

/// What follows the tag in a line of the watchdog's: `1.0 stall ... quiet=10.122 ...`.
fn parse_watchdog(text: &str) -> Option<Marker> {
    match text.split_whitespace().nth(1)? {
        "stall" => {
            let (_, rest) = text.split_once(" quiet=")?;
            rest.split_whitespace().next()?.parse().ok().map(Marker::Stall)
        }
        "end" => Some(Marker::StallTold),
        _ => None,
    }
}

fn parse_own(text: &str) -> Option<Marker> {
    let mut words = text.trim().splitn(3, ' ');
    match (words.next()?, words.next()?, words.next()) {
        ("stage", name, None) => Some(Marker::Stage(name.to_owned())),
        ("fact", name, value) => Some(Marker::Fact(name.to_owned(), value.unwrap_or_default().to_owned())),
        ("said", name, line) => Some(Marker::Said(name.to_owned(), line.unwrap_or_default().to_owned())),
        ("result", code, None) => code.strip_prefix("exit=")?.parse().ok().map(Marker::Result),
        _ => None,
    }
}

/// The number of seconds that follows `key`.
fn seconds_after(text: &str, key: &str) -> Option<f64> {
    let (_, rest) = text.split_once(key)?;
    rest.split_whitespace().next()?.trim_end_matches(['s', ',', '.']).parse().ok()
}

/// A line of the console.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Since QEMU's start.
    pub(crate) at: Duration,
    /// Without line end.
    pub(crate) text: String,
}

/// Reads the console in a thread of its own: into `log` and, byte for byte, beside it with the ending `raw`, to the receiver, to the terminal if `echo`.
///
/// The receiver's channel closes when QEMU has ended.
pub(crate) fn follow(
    console: impl Read + Send + 'static,
    log: &Path,
    start: Instant,
    echo: bool,
) -> Result<Receiver<Line>> {
    let mut lines_log = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    // For what draws on the console instead of writing lines.
    let raw = log.with_extension("raw");
    let mut raw = File::create(&raw).with_context(|| format!("cannot create {}", raw.display()))?;
    let (send, lines) = channel();
    thread::spawn(move || {
        let mut console = BufReader::new(console);
        let mut bytes = Vec::new();
        while console.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            let _ = raw.write_all(&bytes);
            let text = printable(&String::from_utf8_lossy(&bytes));
            let at = start.elapsed();
            bytes.clear();
            // A full disk loses the log, not the run.
            let _ = writeln!(lines_log, "[{:9.3}] {text}", at.as_secs_f64());
            if echo {
                eprintln!("  | {text}");
            }
            if send.send(Line { at, text }).is_err() {
                break;
            }
        }
    });
    Ok(lines)
}

/// The line without its end and without characters that could drive a terminal.
fn printable(line: &str) -> String {
    line.trim_end().chars().filter(|c| !c.is_control() || *c == '\t').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_recognised_wherever_the_kernel_puts_them() {
        let cases = [
            ("[    4.123456] @lab stage ready", Some(Marker::Stage("ready".into()))),
            ("half a line[    4.1] @lab result exit=3", Some(Marker::Result(3))),
            ("@lab fact tainted 12288", Some(Marker::Fact("tainted".into(), "12288".into()))),
            ("@lab fact empty", Some(Marker::Fact("empty".into(), String::new()))),
            (
                "@lab said no-root error: it needs root",
                Some(Marker::Said("no-root".into(), "error: it needs root".into())),
            ),
            ("@lab said no-root", Some(Marker::Said("no-root".into(), String::new()))),
            ("@lab result exit=x", None),
            ("@lab", None),
            ("pm-trace: armed in 0.412 s", Some(Marker::Armed(0.412))),
            ("[ 9.1] pm-trace: armed in 0.4s, 71 programs", Some(Marker::Armed(0.4))),
            ("pm-trace: verdict 0.207 s after the cycle closed", Some(Marker::Verdict(0.207))),
            ("pm-trace: verdict follows", None),
            (
                "bpf_trace_printk: pm-trace-wd1 1.0 stall episode=1 times=1 now=9.100 quiet=5.25 phase=\"x\"",
                Some(Marker::Stall(5.25)),
            ),
            ("pm-trace-wd1 1.5 end episode=1 code=SLQ back=1", Some(Marker::StallTold)),
            ("pm-trace-wd1 1.1 step kind=resume", None),
            ("[ 9.1] PM: suspend entry (s2idle)", Some(Marker::EntersIdle)),
            ("[ 9.1] PM: suspend entry (deep)", None),
            ("[ 9.1] PM: suspend exit", Some(Marker::Resumed)),
            ("~ # ", None),
        ];
        for (line, expected) in cases {
            assert_eq!(parse(line), expected, "{line}");
        }
    }

    #[test]
    fn kernel_complaints_are_trouble() {
        let line = "[ 1.0] WARNING: CPU: 1 PID: 1 at kernel/power/process.c:230 thaw_processes+0x1/0x2";
        assert_eq!(parse(line), Some(Marker::Trouble(line.into())));
        assert_eq!(parse("[ 1.0] sd 0:0:0:0: [sda] Synchronizing SCSI cache"), None);
        let line = "@lab said probes thread 'main' panicked at src/main.rs:1:1:";
        assert_eq!(parse(line), Some(Marker::Trouble(line.into())));
    }

    #[test]
    fn terminal_controls_are_dropped() {
        assert_eq!(printable("\u{1b}[2Jred\talert\r\n"), "[2Jred\talert");
    }
}
