//! Time and size of `pm-trace import` and `report` beside sleepgraph's, on the same log and on the same log with more
//! devices.
//!
//! `cargo run --release --example import_cost -- --pm-trace PM-TRACE --sleepgraph SLEEPGRAPH.PY FTRACE DMESG [FACTOR...]`
//!
//! Times are those of the whole programs, start to end, by the clock and as CPU time (user and system), which says more
//! on a machine that has other things to do. Of pm-trace it is the median of 11 runs, import and report together.
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

/// How often pm-trace is measured; the median counts.
const RUNS: usize = 11;

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
        "factor  callbacks  log kB  trace kB  json kB  pm-trace s  cpu s   sleepgraph s  cpu s    html kB  times  cpu times"
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
    /// Import and report.
    tracer: Cost,
    trace: u64,
    json: u64,
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
    let mut import = Command::new(setting.tracer);
    import.arg("import").arg(setting.log).arg(setting.dmesg).args(["--force", "-o"]).arg(&trace);
    let mut report = Command::new(setting.tracer);
    report.args(["report", "--format", "json"]).arg(&trace);
    let (import, report) = (median(&mut import)?, median(&mut report)?);
    let sleepgraph = match setting.sleepgraph {
        Some(script) => {
            let mut command = Command::new("python3");
            // It writes its page beside the log.
            command.arg(script).arg("-dmesg").arg(setting.dmesg).arg("-ftrace").arg(setting.log);
            let cost = run(&mut command)?;
            let name = setting.log.to_string_lossy().replace("_ftrace.txt", ".html");
            Some((cost, fs::metadata(name).context("sleepgraph wrote no page")?.len()))
        }
        None => None,
    };
    let tracer =
        Cost { wall: import.wall + report.wall, cpu: import.cpu + report.cpu, printed: report.printed };
    Ok(Figures { tracer, trace: fs::metadata(&trace)?.len(), json: report.printed, sleepgraph })
}

impl Figures {
    fn show(&self, factor: u64, callbacks: u64, log: &Path) -> anyhow::Result<()> {
        let kb = |bytes: u64| bytes.div_ceil(1000);
        let seconds = |time: Duration| time.as_secs_f64();
        let ours = self.tracer;
        let beside = self.sleepgraph.map_or_else(String::new, |(theirs, size)| {
            format!(
                "{:>12.3}  {:>7.3}  {:>7}  {:>5.0}  {:>9.0}",
                seconds(theirs.wall),
                seconds(theirs.cpu),
                kb(size),
                seconds(theirs.wall) / seconds(ours.wall),
                seconds(theirs.cpu) / seconds(ours.cpu),
            )
        });
        println!(
            "{factor:>6}  {callbacks:>9}  {:>6}  {:>8}  {:>7}  {:>10.4}  {:.4}  {beside}",
            kb(fs::metadata(log)?.len()),
            kb(self.trace),
            kb(self.json),
            seconds(ours.wall),
            seconds(ours.cpu),
        );
        Ok(())
    }
}

/// The medians of so many runs.
fn median(command: &mut Command) -> anyhow::Result<Cost> {
    let all = (0..RUNS).map(|_| run(command)).collect::<Result<Vec<_>, _>>()?;
    let middle = |of: fn(&Cost) -> Duration| {
        let mut all: Vec<Duration> = all.iter().map(of).collect();
        all.sort_unstable();
        all[RUNS / 2]
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
