//! Time and size of `pm-trace import` and `report` beside sleepgraph's, on the same log and on the same log with more
//! devices.
//!
//! `cargo run --release --example import_cost -- --pm-trace PM-TRACE --sleepgraph SLEEPGRAPH.PY FTRACE DMESG [FACTOR...]`
//!
//! Times are those of the whole programs, start to end, by the clock and as CPU time (user and system), which says more
//! on a machine that has other things to do. They are medians: of 11 runs of pm-trace, of 3 of sleepgraph unless it takes
//! long. Both make a page of HTML from the logs: pm-trace in one pass (`import --report html`), which is what sleepgraph
//! does; and with a trace on the way that stays (`import -o`, then `report`), which are two programs.
//!
//! A log grows by FACTOR like this: its time is stretched so, and each callback, which then has so much more room, is
//! followed by as many copies of itself for devices of other names, each as long as the original.

use anyhow::{Context as _, bail};
use nix::sys::resource::{UsageWho, getrusage};
use std::collections::HashMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often pm-trace is measured, and sleepgraph.
const RUNS: usize = 11;
const OTHER_RUNS: usize = 3;
/// What takes longer than this is not done again.
const LONG: Duration = Duration::from_secs(10);

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let (mut tracer, mut sleepgraph, mut rest) = (None, None, Vec::new());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--pm-trace" => tracer = args.next().map(PathBuf::from),
            "--sleepgraph" => sleepgraph = args.next().map(PathBuf::from),
            _ => rest.push(arg),
        }
    }
    let (Some(tracer), [ftrace, dmesg, factors @ ..]) = (tracer, rest.as_slice()) else {
        bail!("usage: import_cost --pm-trace PM-TRACE [--sleepgraph SLEEPGRAPH.PY] FTRACE DMESG [FACTOR...]");
    };
    let factors = factors.iter().map(|factor| factor.parse()).collect::<Result<Vec<u64>, _>>();
    let mut factors = factors.context("a FACTOR is a number")?;
    if factors.is_empty() {
        factors.push(1);
    }
    let log = text(Path::new(ftrace))?;
    let folder = tempfile::tempdir()?;
    println!(
        "                                               page               trace and page     sleepgraph's page           CPU ratio"
    );
    println!(
        "factor  callbacks  log kB  trace kB  page kB   seconds  CPU       seconds  CPU       seconds  CPU      kB      page  both"
    );
    for factor in factors {
        let grown = folder.path().join(format!("grown{factor}_mem_ftrace.txt"));
        let (lines, callbacks) = grow(&log, factor);
        fs::write(&grown, lines)?;
        measure(&Setting {
            tracer: &tracer,
            sleepgraph: sleepgraph.as_deref(),
            log: &grown,
            dmesg: dmesg.as_ref(),
        })?
        .show(factor, callbacks, &grown)?;
    }
    Ok(())
}

struct Setting<'a> {
    tracer: &'a Path,
    sleepgraph: Option<&'a Path>,
    log: &'a Path,
    dmesg: &'a Path,
}

struct Figures {
    /// From the logs to a page.
    page: Cost,
    /// The same by way of a trace.
    both: Cost,
    trace: u64,
    /// And the size of its page.
    sleepgraph: Option<(Cost, u64)>,
}

/// What a run of a program takes.
#[derive(Clone, Copy)]
struct Cost {
    wall: Duration,
    cpu: Duration,
    /// Bytes that it printed.
    printed: u64,
}

fn measure(setting: &Setting<'_>) -> anyhow::Result<Figures> {
    let trace = setting.log.with_extension("pmtrace");
    let import = || {
        let mut command = Command::new(setting.tracer);
        command.arg("import").arg(setting.log).arg(setting.dmesg);
        command
    };
    let page = median(import().args(["--report", "html"]), RUNS)?;
    let import = median(import().args(["--force", "-o"]).arg(&trace), RUNS)?;
    let mut report = Command::new(setting.tracer);
    let report = median(report.args(["report", "--format", "html"]).arg(&trace), RUNS)?;
    let both =
        Cost { wall: import.wall + report.wall, cpu: import.cpu + report.cpu, printed: report.printed };
    let sleepgraph = match setting.sleepgraph {
        Some(script) => {
            let mut command = Command::new("python3");
            // It writes its page beside the log.
            command.arg(script).arg("-dmesg").arg(setting.dmesg).arg("-ftrace").arg(setting.log);
            let cost = median(&mut command, OTHER_RUNS)?;
            let name = setting.log.to_string_lossy().replace("_ftrace.txt", ".html");
            Some((cost, fs::metadata(name).context("sleepgraph wrote no page")?.len()))
        }
        None => None,
    };
    Ok(Figures { page, both, trace: fs::metadata(&trace)?.len(), sleepgraph })
}

impl Figures {
    fn show(&self, factor: u64, callbacks: u64, log: &Path) -> anyhow::Result<()> {
        let kb = |bytes: u64| bytes.div_ceil(1000);
        let times = |cost: &Cost| format!("{:>8.4}  {:.4}", cost.wall.as_secs_f64(), cost.cpu.as_secs_f64());
        let beside = self.sleepgraph.map_or_else(String::new, |(theirs, size)| {
            let ratio = |ours: &Cost| theirs.cpu.as_secs_f64() / ours.cpu.as_secs_f64();
            format!(
                "  {}  {:>6}  {:>6.0}  {:>4.0}",
                times(&theirs),
                kb(size),
                ratio(&self.page),
                ratio(&self.both)
            )
        });
        println!(
            "{factor:>6}  {callbacks:>9}  {:>6}  {:>8}  {:>7}  {}  {}{beside}",
            kb(fs::metadata(log)?.len()),
            kb(self.trace),
            kb(self.page.printed),
            times(&self.page),
            times(&self.both),
        );
        Ok(())
    }
}

/// The medians of so many runs, or of fewer that take long.
fn median(command: &mut Command, runs: usize) -> anyhow::Result<Cost> {
    let mut all = Vec::new();
    while all.len() < runs {
        all.push(run(command)?);
        if all.last().is_some_and(|cost: &Cost| cost.wall > LONG) {
            break;
        }
    }
    let middle = |of: fn(&Cost) -> Duration| {
        let mut all: Vec<Duration> = all.iter().map(of).collect();
        all.sort_unstable();
        all[all.len() / 2]
    };
    Ok(Cost { wall: middle(|cost| cost.wall), cpu: middle(|cost| cost.cpu), printed: all[0].printed })
}

/// From start to end of a program.
fn run(command: &mut Command) -> anyhow::Result<Cost> {
    let (start, cpu) = (Instant::now(), children()?);
    let output = command.stdin(Stdio::null()).output()?;
    let cost = Cost { wall: start.elapsed(), cpu: children()? - cpu, printed: output.stdout.len() as u64 };
    if !output.status.success() {
        bail!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(cost)
}

/// CPU time of all programs that were started and have ended.
fn children() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = |time: nix::sys::time::TimeVal| {
        Duration::from_secs(time.tv_sec().unsigned_abs())
            + Duration::from_micros(time.tv_usec().unsigned_abs())
    };
    Ok(time(usage.user_time()) + time(usage.system_time()))
}

/// A log, uncompressed if it is compressed.
fn text(path: &Path) -> anyhow::Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text)?;
        return Ok(text);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A line of the log in three parts: before its time, its time in microseconds, after it.
fn parts(line: &str) -> Option<(&str, u64, &str)> {
    let at = line.find("] ")? + 2;
    let colon = at + line[at..].find(": ")?;
    let begin = line[..colon].rfind(' ')? + 1;
    let (seconds, micros) = line[begin..colon].split_once('.')?;
    let time = seconds.parse::<u64>().ok()? * 1_000_000 + micros.parse::<u64>().ok()?;
    Some((&line[..begin], time, &line[colon..]))
}

/// The log with so many times the devices, and how many callbacks it has then.
fn grow(log: &str, factor: u64) -> (String, u64) {
    let (mut head, mut lines) = (String::new(), Vec::new());
    let first =
        log.lines().filter(|line| !line.starts_with('#')).find_map(parts).map_or(0, |(_, time, _)| time);
    let stretched = |time: u64| first + (time - first) * factor;
    let mut open: HashMap<String, (u64, String)> = HashMap::new();
    let mut callbacks = 0;
    for line in log.lines() {
        let Some((before, time, after)) = parts(line).filter(|_| !line.starts_with('#')) else {
            head.push_str(line);
            head.push('\n');
            continue;
        };
        let task = before.split('[').next().unwrap_or_default().trim().to_owned();
        if after.starts_with(": device_pm_callback_start:") {
            open.insert(task, (time, line.to_owned()));
        } else if after.starts_with(": device_pm_callback_end:")
            && let Some((began, start)) = open.remove(&task)
            && let Some((start_before, _, start_after)) = parts(&start)
        {
            let took = time - began;
            for copy in 0..factor {
                let at = stretched(began) + copy * took;
                lines.push((at, start_before.to_owned(), renamed(start_after, copy)));
                lines.push((at + took, before.to_owned(), renamed(after, copy)));
                callbacks += 1;
            }
        } else {
            lines.push((stretched(time), before.to_owned(), after.to_owned()));
        }
    }
    lines.sort_by_key(|(time, ..)| *time);
    for (time, before, after) in lines {
        head.push_str(&format!("{before}{}.{:06}{after}\n", time / 1_000_000, time % 1_000_000));
    }
    (head, callbacks)
}

/// `: device_pm_callback_...: DRIVER NAME, parent: ...` with another name; the first copy keeps its own.
fn renamed(text: &str, copy: u64) -> String {
    match text.split_once(", ") {
        Some((name, rest)) if copy > 0 => format!("{name}-{copy}, {rest}"),
        _ => text.to_owned(),
    }
}
