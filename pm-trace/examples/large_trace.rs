//! Writes a made-up trace: one suspend and resume of many devices, with waits, long callbacks and hostile names.
//!
//! `cargo run -p pm-trace --example large_trace -- FILE [DEVICES]`
//!
//! 10,000 devices, which is what it writes unless told otherwise, make 174,000 events.

use pm_trace::event::{Body, Comm, DeviceInfo, DeviceWaitKind, Event, ObjId, Power, Step, TaskRef};
use pm_trace::trace::{Overwrite, Session, Totals, Writer};
use std::path::Path;

/// Workers that run the steps.
const WORKERS: u32 = 64;
/// `power.async_suspend`, and `is_suspended` with it.
const ASYNC: Power = Power(1 << 4);
const SUSPENDED: Power = Power(1 << 4 | 1 << 1);
/// What devices of a hostile file may be called.
const NAMES: [&str; 3] = [
    "</script><script>document.title = 'owned'</script>",
    "<img src=x onerror=\"document.title = 'owned'\">",
    "\u{1b}[2J\u{202e}backwards\u{9b}&amp;",
];

/// Writes events, a little apart.
struct Feed {
    writer: Writer,
    time: u64,
}

impl Feed {
    fn push(&mut self, tid: u32, body: Body) -> anyhow::Result<()> {
        self.time += 1_500;
        let comm = if tid == 1 { "rtcwake".to_owned() } else { format!("kworker/u8:{tid}") };
        let task = TaskRef { tid, comm: Comm::new(&comm) };
        Ok(self.writer.append(&Event { time: self.time, cpu: 0, task, body })?)
    }

    fn phase(&mut self, action: &str, value: i32, start: bool) -> anyhow::Result<()> {
        self.push(1, Body::Phase { action: action.to_owned(), value, start })
    }

    /// One step of all devices, so many of them at a time. On the way up some wait for the first of them.
    fn step(&mut self, step: Step, order: &[u32]) -> anyhow::Result<()> {
        let resumes = step == Step::Resume;
        let before = if step == Step::Suspend { ASYNC } else { SUSPENDED };
        let after = if resumes { ASYNC } else { SUSPENDED };
        for batch in order.chunks(WORKERS as usize) {
            for &n in batch {
                let (dev, tid) = (device(n), worker(n));
                self.push(tid, Body::StepStart { dev, step, is_async: true, power: before })?;
                if resumes && n != batch[0] && n.is_multiple_of(5) {
                    let target = ObjId(device(batch[0]).0 + 2);
                    self.push(tid, Body::DeviceWait { dev, target: None, why: DeviceWaitKind::Superior })?;
                    let wait =
                        Body::CompletionWait { completion: target, timeout: None, io: false, stack: vec![] };
                    self.push(tid, wait)?;
                }
            }
            for &n in batch {
                let (dev, tid) = (device(n), worker(n));
                self.push(tid, Body::CallbackStart { dev, event: 16, ops: "bus".to_owned() })?;
                // Few devices take most of the time.
                self.time += match n {
                    _ if n.is_multiple_of(997) => 40_000_000,
                    _ if n == batch[0] => 1_000_000,
                    _ => u64::from(n % 13) * 900,
                };
                self.push(tid, Body::CallbackEnd { dev, error: 0 })?;
                self.push(tid, Body::StepEnd { dev, power: after })?;
            }
        }
        Ok(())
    }
}

/// A device, its lock and its completion have numbers in a row.
fn device(n: u32) -> ObjId {
    ObjId(n * 4)
}

fn parent(n: u32) -> u32 {
    n / 8
}

fn worker(n: u32) -> u32 {
    100 + n % WORKERS
}

fn info(n: u32) -> DeviceInfo {
    let dev = device(n);
    let named = NAMES.get(n as usize - 1).map(|&name| name.to_owned());
    DeviceInfo {
        dev,
        parent: (n > 1 && parent(n) > 0).then(|| device(parent(n))),
        name: named.unwrap_or_else(|| format!("0000:{:02x}:{:02x}.{}", n >> 11, n >> 3 & 0xff, n & 7)),
        bus: "pci".to_owned(),
        class: String::new(),
        driver: format!("driver-{}", n % 50),
        power: ASYNC,
        lock: Some(ObjId(dev.0 + 1)),
        completion: Some(ObjId(dev.0 + 2)),
        links_left: 0,
    }
}

/// Writes it to a file.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, devices: u32) -> anyhow::Result<()> {
    let session = Session { product: NAMES[0].to_owned(), ..Session::default() };
    let writer = Writer::create(path, &session, Overwrite::Replace)?;
    let mut feed = Feed { writer, time: 1_000_000_000 };
    for n in 1..=devices {
        feed.push(1, Body::Device(info(n)))?;
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
        feed.step(step, order)?;
        feed.phase(action, 2, false)?;
    }
    for action in ["dpm_complete", "thaw_processes"] {
        feed.phase(action, 16, true)?;
        feed.phase(action, 16, false)?;
    }
    feed.phase("suspend_enter", 3, false)?;
    feed.writer.finish(Totals::default())?;
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args_os().skip(1);
    let path = args.next().ok_or_else(|| anyhow::anyhow!("which file is to be written?"))?;
    let devices = args.next().and_then(|count| count.to_str()?.parse().ok()).unwrap_or(10_000);
    write(Path::new(&path), devices)
}
