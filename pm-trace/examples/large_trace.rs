//! Writes a made-up trace: one suspend and resume of many devices, with waits, long callbacks and hostile names.
//!
//! `cargo run -p pm-trace --example large_trace -- FILE [DEVICES]`
//!
//! 10,000 devices, which is what it writes unless told otherwise, make 174,000 events.

mod made;

use made::{ASYNC, Feed, SUSPENDED, completion, device, worker};
use pm_trace::event::{Body, DeviceWaitKind, Step};
use pm_trace::trace::Session;
use std::path::Path;

/// Steps that are under way at the same time.
const BATCH: usize = 64;
/// What devices of a hostile file may be called.
const NAMES: [&str; 3] = [
    "</script><script>document.title = 'owned'</script>",
    "<img src=x onerror=\"document.title = 'owned'\">",
    "\u{1b}[2J\u{202e}backwards\u{9b}&amp;",
];

/// One step of all devices, so many of them at a time. On the way up some wait for the first of them.
fn step_of_all(feed: &mut Feed, step: Step, order: &[u32]) -> anyhow::Result<()> {
    let resumes = step == Step::Resume;
    let before = if step == Step::Suspend { ASYNC } else { SUSPENDED };
    let after = if resumes { ASYNC } else { SUSPENDED };
    for batch in order.chunks(BATCH) {
        for &n in batch {
            let (dev, tid) = (device(n), worker(n));
            feed.push(tid, Body::StepStart { dev, step, is_async: true, power: before })?;
            if resumes && n != batch[0] && n.is_multiple_of(5) {
                let target = completion(batch[0]);
                feed.push(tid, Body::DeviceWait { dev, target: None, why: DeviceWaitKind::Superior })?;
                let wait =
                    Body::CompletionWait { completion: target, timeout: None, io: false, stack: vec![] };
                feed.push(tid, wait)?;
            }
        }
        for &n in batch {
            let (dev, tid) = (device(n), worker(n));
            feed.push(tid, Body::CallbackStart { dev, event: 16, ops: "bus".to_owned() })?;
            // Few devices take most of the time.
            feed.time += match n {
                _ if n.is_multiple_of(997) => 40_000_000,
                _ if n == batch[0] => 1_000_000,
                _ => u64::from(n % 13) * 900,
            };
            feed.push(tid, Body::CallbackEnd { dev, error: 0 })?;
            feed.push(tid, Body::StepEnd { dev, power: after })?;
        }
    }
    Ok(())
}
fn name(n: u32) -> String {
    let named = NAMES.get(n as usize - 1).map(|&name| name.to_owned());
    named.unwrap_or_else(|| format!("0000:{:02x}:{:02x}.{}", n >> 11, n >> 3 & 0xff, n & 7))
}

/// Writes it to a file.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, devices: u32) -> anyhow::Result<()> {
    let session = Session { product: NAMES[0].to_owned(), ..Session::default() };
    let mut feed = Feed::new(path, &session, 1_500)?;
    for n in 1..=devices {
        feed.push(1, Body::Device(made::info(n, name(n))))?;
    }
    let up: Vec<u32> = (1..=devices).collect();
    let down: Vec<u32> = up.iter().rev().copied().collect();
    feed.phase("suspend_enter", 3, true)?;
    for (action, step, order) in [
        ("dpm_suspend", Step::Suspend, &down),
        ("dpm_suspend_late", Step::SuspendLate, &down),
        ("dpm_resume_early", Step::ResumeEarly, &up),
        ("dpm_resume", Step::Resume, &up),
    ] {
        feed.phase(action, 2, true)?;
        step_of_all(&mut feed, step, order)?;
        feed.phase(action, 2, false)?;
    }
    for action in ["dpm_complete", "thaw_processes"] {
        feed.phase(action, 16, true)?;
        feed.phase(action, 16, false)?;
    }
    feed.phase("suspend_enter", 3, false)?;
    Ok(feed.finish()?)
}

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args_os().skip(1);
    let path = args.next().ok_or_else(|| anyhow::anyhow!("which file is to be written?"))?;
    let devices = args.next().and_then(|count| count.to_str()?.parse().ok()).unwrap_or(10_000);
    write(Path::new(&path), devices)
}
