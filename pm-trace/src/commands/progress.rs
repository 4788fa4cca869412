//! How far a run of many cycles is.

use super::say;
use crate::event::Nanos;
use crate::kernel::clock;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::time::Duration;

/// Times a second that the bar is drawn at most.
const RATE: u8 = 10;
const FORM: &str = "pm-trace: [{bar:30}] {pos} of {len} cycles{msg}";

/// A bar on a terminal; elsewhere lines alone. Nobody draws it but who calls: a thread that did could be frozen, or block, with
/// the terminal in its hands.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    began: Nanos,
    ended: u32,
    with_findings: u32,
    left: u32,
}

impl Progress {
    /// Of a run of so many cycles, some of which were done before. There is no bar for a single one, nor where something
    /// else has the terminal.
    pub(super) fn new(done: u32, total: u32, has_terminal: bool) -> Self {
        let can_draw =
            std::io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        let bar = (has_terminal && can_draw && total > 1).then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(RATE);
            let bar = ProgressBar::with_draw_target(Some(total.into()), target).with_position(done.into());
            let style = ProgressStyle::with_template(FORM).map(|style| style.progress_chars("=> "));
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let left = total.saturating_sub(done);
        Self { bar, began: clock::now().boottime, ended: 0, with_findings: 0, left }
    }

    /// Does something that writes lines to the terminal, or during which nothing may be written to it at all.
    pub(super) fn aside<T>(&self, act: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(act),
            None => act(),
        }
    }

    /// Says something.
    pub(super) fn say(&self, text: &str) {
        self.aside(|| say(text));
    }

    /// A cycle is over.
    pub(super) fn cycle_ended(&mut self, found: bool) {
        self.ended += 1;
        self.left = self.left.saturating_sub(1);
        self.with_findings += u32::from(found);
        if let Some(bar) = &self.bar {
            let gone = clock::now().boottime.saturating_sub(self.began);
            bar.set_message(message(self.ended, self.with_findings, self.left, gone));
            bar.inc(1);
            bar.tick();
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// What stands behind the bar. The time left counts sleep, which the clock of the library does not.
fn message(ended: u32, with_findings: u32, left: u32, gone: Nanos) -> String {
    let mut message = String::new();
    if with_findings > 0 {
        message = format!(", something found in {with_findings}");
    }
    if left > 0 && ended > 0 {
        let each = Duration::from_nanos(gone / u64::from(ended));
        let time = indicatif::HumanDuration(each.saturating_mul(left));
        message = format!("{message}, about {time} left");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_of_the_cycles_of_this_run() {
        assert_eq!(message(2, 0, 6, 20_000_000_000), ", about 60 seconds left");
        assert_eq!(message(10, 3, 90, 100_000_000_000), ", something found in 3, about 15 minutes left");
        assert_eq!(message(10, 1, 0, 1), ", something found in 1");
    }
}
