//! Telling people what is being done and how long it took.

use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

/// How often a step that says nothing itself shows that it is still at work.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How many steps are at work, one within the other: only the innermost shows signs of life.
static DEPTH: AtomicUsize = AtomicUsize::new(0);

/// Runs `work`: one line when it starts, one when it is done, a sign of life in between.
pub(crate) fn step<T>(what: impl Display, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let what = what.to_string();
    eprintln!("==> {what}");
    let start = Instant::now();
    let depth = DEPTH.fetch_add(1, Ordering::Relaxed) + 1;
    let (done, wait) = channel::<()>();
    let result = thread::scope(|scope| {
        scope.spawn(|| {
            let wait = wait;
            while wait.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
                if DEPTH.load(Ordering::Relaxed) > depth {
                    continue;
                }
                eprintln!("    still {what} ({:.0} s)", start.elapsed().as_secs_f64());
            }
        });
        let result = work();
        drop(done);
        result
    });
    DEPTH.fetch_sub(1, Ordering::Relaxed);
    let end = if result.is_ok() { "done" } else { "failed" };
    eprintln!("    {end}: {what} ({:.1} s)", start.elapsed().as_secs_f64());
    result
}

/// A headline between the parts of a long command.
pub(crate) fn section(title: &str) {
    eprintln!("\n### {title}");
}
