//! The lines of an ftrace log: what `trace` of tracefs, `trace-cmd report` and sleepgraph write.
//!
//! ```text
//!     kworker/u4:3-173     [001] .....    12.345678: device_pm_callback_start: sd 0:0:0:0, parent: ...   tracefs
//!     kworker/u4:3-173     [001]    12.345678: device_pm_callback_start: sd 0:0:0:0, parent: ...         trace-cmd
//!    12.345678 |   1)  kworker/u4:3-173  |               |  /* device_pm_callback_start: sd ... */       function_graph
//! ```
//!
//! A task's name may hold anything but a line break, so a line is read from the first place on that looks like what
//! follows the name.

use super::grammar;
use super::lines::split_once;
use crate::event::{Comm, Nanos, TaskRef};

/// Most bytes looked at for the end of a CPU's number, and of the time behind it.
const LONGEST_CPU: usize = 12;
const LONGEST_TIME: usize = 80;

/// An event in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// When, by the clock of the log.
    pub(super) time: Nanos,
    /// The log has a number without a unit in its place.
    pub(super) is_bare: bool,
    /// On which CPU.
    pub(super) cpu: u16,
    /// In which task.
    pub(super) task: TaskRef,
    /// Name of the event.
    pub(super) name: &'a str,
    /// What the kernel printed about it.
    pub(super) text: &'a str,
}

/// A line that is no event but says something about the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remark {
    /// So many events were overwritten, or dropped; 0 if the log does not say how many.
    Lost(u64),
}

/// What a log lost since the last event that is read; 0 events lost are an unknown number.
#[derive(Debug, Default)]
pub(super) struct Lost(Option<u64>);

impl Lost {
    /// Looks at a line that is no event.
    pub(super) fn line(&mut self, line: &str) {
        if let Some(Remark::Lost(count)) = remark(line) {
            self.0 = Some(self.0.unwrap_or(0).saturating_add(count));
        }
    }

    /// What was lost before the event that comes now.
    pub(super) fn take(&mut self) -> Option<u64> {
        self.0.take()
    }
}

/// Reads a line; `None` if it is no event of these formats.
pub(super) fn record(line: &str) -> Option<Record<'_>> {
    if line.starts_with('#') {
        return None;
    }
    in_columns(line).or_else(|| in_graph(line))
}

/// Reads a line that is no event.
fn remark(line: &str) -> Option<Remark> {
    if let Some(rest) = line.strip_prefix("# entries-in-buffer/entries-written: ") {
        let (kept, written) = rest.split_whitespace().next()?.split_once('/')?;
        let lost = written.parse::<u64>().ok()?.checked_sub(kept.parse().ok()?)?;
        return (lost > 0).then_some(Remark::Lost(lost));
    }
    let rest = line.trim_start().strip_prefix("CPU:")?;
    let (_, said) = rest.trim_end().strip_suffix(']')?.split_once('[')?;
    match said.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["LOST", count, "EVENTS"] | [count, "EVENTS", "DROPPED"] => Some(Remark::Lost(count.parse().ok()?)),
        ["LOST", "EVENTS"] | ["EVENTS", "DROPPED"] => Some(Remark::Lost(0)),
        _ => None,
    }
}

/// `TASK-PID (TGID) [CPU] FLAGS TIME: NAME: TEXT`, where TGID and FLAGS may be missing.
fn in_columns(line: &str) -> Option<Record<'_>> {
    memchr::memchr_iter(b'[', line.as_bytes()).find_map(|at| {
        let task = task(without_tgid(line[..at].trim_ascii_end()))?;
        let rest = &line[at + 1..];
        let end = rest.bytes().take(LONGEST_CPU).position(|byte| byte == b']')?;
        let (cpu, rest) = (number(&rest[..end])?, &rest[end + 1..]);
        let end = memchr::memchr(b':', &rest.as_bytes()[..rest.len().min(LONGEST_TIME)])?;
        let (time, is_bare) = time(without_flags(&rest[..end])?)?;
        let (name, text) = named(&rest[end + 1..])?;
        Some(Record { time, is_bare, cpu, task, name, text })
    })
}

/// `TIME | CPU) TASK-PID | DURATION | /* NAME: TEXT */`: an event between the calls of the function_graph tracer.
fn in_graph(line: &str) -> Option<Record<'_>> {
    let (time, rest) = split_once(line, "|")?;
    let time = seconds(time.trim())?;
    let (cpu, rest) = rest.split_once(')')?;
    let (head, event) = rest.split_once("/* ")?;
    let (name, text) = named(event.trim_end().strip_suffix("*/")?)?;
    let task = task(head.trim_end_matches([' ', '|']).trim_end())?;
    Some(Record { time, is_bare: false, cpu: number(cpu.trim())?, task, name, text: text.trim_end() })
}

/// A time, and whether it is a bare number. trace-cmd prints nanoseconds like that for some clocks, and everybody does
/// for clocks that count something else.
fn time(text: &str) -> Option<(Nanos, bool)> {
    match seconds(text) {
        Some(time) => Some((time, false)),
        None => Some((digits(text.as_bytes())?, true)),
    }
}

/// `TASK-PID`, the name perhaps after blanks.
fn task(text: &str) -> Option<TaskRef> {
    // It is a few bytes away.
    let end = text.bytes().rposition(|byte| byte == b'-')?;
    // What stands before the name on such a line are blanks, or a name of `<...>` where it was forgotten.
    Some(TaskRef {
        tid: u32::try_from(digits(&text.as_bytes()[end + 1..])?).ok()?,
        comm: Comm::new(text[..end].trim_ascii_start()),
    })
}

/// Without `(  173)` or `(-----)` at the end.
fn without_tgid(text: &str) -> &str {
    let Some(rest) = text.strip_suffix(')') else { return text };
    match rest.rfind('(') {
        Some(open) if rest[open + 1..].bytes().all(|b| b == b' ' || b == b'-' || b.is_ascii_digit()) => {
            rest[..open].trim_end()
        }
        _ => text,
    }
}

/// The last word of a text that has another one before it, or none.
fn without_flags(text: &str) -> Option<&str> {
    let is_blank = |byte: u8| byte.is_ascii_whitespace();
    let Some(blank) = text.bytes().rposition(is_blank) else { return Some(text) };
    let others = text[..blank].trim_ascii();
    (!others.bytes().any(is_blank)).then(|| &text[blank + 1..])
}

/// `NAME: TEXT`
fn named(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_ascii_start();
    let end = memchr::memchr(b':', text.as_bytes())?;
    let (name, rest) = (&text[..end], &text[end + 1..]);
    // Most are known, which is seen sooner.
    let is_name = || name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && end > 0;
    (grammar::place(name).is_some() || is_name()).then(|| (name, rest.trim_ascii()))
}

fn number(text: &str) -> Option<u16> {
    u16::try_from(digits(text.trim_ascii().as_bytes())?).ok()
}

/// A number of decimal digits and nothing else.
fn digits(text: &[u8]) -> Option<u64> {
    /// So many are never too many.
    const FEW: usize = 19;
    if (1..=FEW).contains(&text.len()) {
        let (mut number, mut all) = (0_u64, true);
        for byte in text {
            let digit = byte.wrapping_sub(b'0');
            all &= digit < 10;
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        }
        return all.then_some(number);
    }
    let add = |number: u64, byte: &u8| {
        let digit = byte.wrapping_sub(b'0');
        number.checked_mul(10)?.checked_add(u64::from(digit)).filter(|_| digit < 10)
    };
    text.iter().try_fold(0, add).filter(|_| !text.is_empty())
}

/// Nanoseconds of the last of so many digits of a fraction.
const SCALES: [u64; 10] =
    [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];

/// Seconds with a fraction of up to nine digits, as nanoseconds.
pub(super) fn seconds(text: &str) -> Option<Nanos> {
    let dot = text.bytes().position(|byte| byte == b'.')?;
    let (whole, fraction) = (digits(&text.as_bytes()[..dot])?, digits(&text.as_bytes()[dot + 1..])?);
    let scale = SCALES.get(text.len() - dot - 1)?;
    whole.checked_mul(1_000_000_000)?.checked_add(fraction * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(text: &'static str) -> Record<'static> {
        let task = TaskRef { tid: 173, comm: Comm::new("kworker/u4:3") };
        Record { time: 12_345_678_000, is_bare: false, cpu: 1, task, name: "suspend_resume", text }
    }

    #[test]
    fn every_format_is_read() {
        for line in [
            "    kworker/u4:3-173     [001] d..2.    12.345678: suspend_resume: dpm_resume[16] begin",
            "    kworker/u4:3-173     [001] .....    12.345678000: suspend_resume: dpm_resume[16] begin",
            "    kworker/u4:3-173   (    173) [001] .....    12.345678: suspend_resume: dpm_resume[16] begin",
            "    kworker/u4:3-173   (-----) [001] .....    12.345678: suspend_resume: dpm_resume[16] begin",
            "kworker/u4:3-173   [001]    12.345678: suspend_resume:       dpm_resume[16] begin",
            "kworker/u4:3-173\t[001]\td..2.\t12.345678:\tsuspend_resume:\tdpm_resume[16] begin",
            "    12.345678 |   1)  kworker/u4:3-173   |               |  /* suspend_resume: dpm_resume[16] begin */",
        ] {
            assert_eq!(record(line), Some(expected("dpm_resume[16] begin")), "{line}");
        }
    }

    #[test]
    fn a_bare_number_is_read_as_nanoseconds_and_marked() {
        let line = "kworker/u4:3-173   [001]12345678000: suspend_resume:       dpm_resume[16] begin";
        assert_eq!(record(line), Some(Record { is_bare: true, ..expected("dpm_resume[16] begin") }));
    }

    #[test]
    fn a_task_may_be_called_anything() {
        for name in ["a b-1", "[001]", "x-1 [0]", "-", "", "12.5:"] {
            let line = format!("  {name}-173 [001] .... 12.345678: suspend_resume: x");
            let read = record(&line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((read.task.tid, read.task.comm), (173, Comm::new(name)), "{line}");
        }
    }

    #[test]
    fn other_lines_are_no_events() {
        for line in [
            "",
            "#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION",
            "cpus=2",
            " => dpm_resume",
            "  sh-173 [001] .... +12.5: suspend_resume: no time",
            "  sh-173 [001] .... .... 12.345678: suspend_resume: what should that be",
            "  sh-173 [001] .... 12.345678 : suspend_resume: a time without its colon",
            "  sh-173 [001] .... 12.345678: suspend-resume: no name",
            "  sh-173 [001] .... 12.345678: mutex_lock <-device_lock",
            "[   12.345678] PM: suspend entry (deep)",
            "   12.345678 |   1)  sh-173  |               |  dpm_resume() {",
        ] {
            assert_eq!(record(line), None, "{line}");
        }
    }

    #[test]
    fn what_the_log_lost_is_read() {
        let lost = |line| remark(line).map(|Remark::Lost(count)| count);
        assert_eq!(lost("# entries-in-buffer/entries-written: 1800/2000   #P:2"), Some(200));
        assert_eq!(lost("# entries-in-buffer/entries-written: 1800/1800   #P:2"), None);
        assert_eq!(lost("CPU:1 [LOST 123 EVENTS]"), Some(123));
        assert_eq!(lost("CPU:0 [7 EVENTS DROPPED]"), Some(7));
        assert_eq!(lost("CPU:0 [EVENTS DROPPED]"), Some(0));
        assert_eq!(lost("# tracer: nop"), None);
    }

    #[test]
    fn times_are_exact() {
        assert_eq!(seconds("0.000001"), Some(1_000));
        assert_eq!(seconds("18446744073.709551615"), Some(u64::MAX));
        assert_eq!(seconds("18446744073.709551616"), None);
        assert_eq!(seconds("1.0000000001"), None);
        assert_eq!(seconds("+1.5"), None);
    }
}
