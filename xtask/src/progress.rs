//! Telling people what is being done and how long it took.

use std::fmt::Display;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

/// How often a step that says nothing itself shows that it is still at work.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Runs `work`: one line when it starts, one when it is done, a sign of life in between.
pub(crate) fn step<T>(what: impl Display, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let what = what.to_string();
    eprintln!("==> {what}");
    let start = Instant::now();
    let (done, wait) = channel::<()>();
    let result = thread::scope(|scope| {
        scope.spawn(|| {
            let wait = wait;
            while wait.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
                eprintln!("    still {what} ({:.0} s)", start.elapsed().as_secs_f64());
            }
        });
        let result = work();
        drop(done);
        result
    });
    let end = if result.is_ok() { "done" } else { "failed" };
    eprintln!("    {end}: {what} ({:.1} s)", start.elapsed().as_secs_f64());
    result
}

/// A headline between the parts of a long command.
pub(crate) fn section(title: &str) {
    eprintln!("\n### {title}");
}
