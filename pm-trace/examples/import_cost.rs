//! Time and size of `pm-trace import` and `report` beside sleepgraph's, on the same log and on the same log with more
//! devices.
//!
//! `cargo run --release --example import_cost -- --pm-trace PM-TRACE... --sleepgraph SLEEPGRAPH.PY FTRACE DMESG [FACTOR...]`
//!
//! Times are those of the whole programs, start to end, by the clock and as CPU time (user and system), which says more
//! on a machine that has other things to do. Both make a page of HTML from the logs: pm-trace in one pass (`import
//! --report html`), which is what sleepgraph does; and with a trace on the way that stays (`import -o`, then `report`),
//! which are two programs. `--pm-trace` may be given several times, to compare versions.
//!
//! The machine is faster at one time than at another, so the tools take turns: a round has some runs of each. A ratio is
//! one of the medians of a round, and what is shown of it is the median, the lowest and the highest of the rounds; then the
//! ratio of the least that a run took. The first run of each is for warming up and does not count, unless it is long: then
//! it is the only one, and sleepgraph is not asked for still more devices.
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

/// How often the tools take turns.
const ROUNDS: usize = 24;
/// How often what takes less than this runs in each round; what takes longer runs once.
const SHORT: Duration = Duration::from_millis(100);
const RUNS: usize = 10;
/// What takes longer than this is done once in all.
const LONG: Duration = Duration::from_secs(5);

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let (mut tracers, mut sleepgraph, mut rest) = (Vec::new(), None, Vec::new());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--pm-trace" => tracers.extend(args.next().map(PathBuf::from)),
            "--sleepgraph" => sleepgraph = args.next().map(PathBuf::from),
            _ => rest.push(arg),
        }
    }
    let (false, [ftrace, dmesg, factors @ ..]) = (tracers.is_empty(), rest.as_slice()) else {
        bail!(
            "usage: import_cost --pm-trace PM-TRACE... [--sleepgraph SLEEPGRAPH.PY] FTRACE DMESG [FACTOR...]"
        );
    };
    let factors = factors.iter().map(|factor| factor.parse()).collect::<Result<Vec<u64>, _>>();
    let mut factors = factors.context("a FACTOR is a number")?;
    if factors.is_empty() {
        factors.push(1);
    }
    let log = text(Path::new(ftrace))?;
    let folder = tempfile::tempdir()?;
    let tracers = installed(&tracers, folder.path())?;
    for factor in factors {
        let grown = folder.path().join(format!("grown{factor}_mem_ftrace.txt"));
        let (lines, callbacks) = grow(&log, factor);
        println!("devices x {factor}: {callbacks} callbacks, log {} kB", kb(lines.len() as u64));
        fs::write(&grown, lines)?;
        let mut ways: Vec<Way> =
            tracers.iter().flat_map(|(name, tracer)| ours(name, tracer, &grown, dmesg.as_ref())).collect();
        ways.extend(sleepgraph.as_deref().map(|script| theirs(script, &grown, dmesg.as_ref())));
        measure(&mut ways)?;
        show(&ways)?;
        if ways.iter().any(|way| way.is_sleepgraph && way.runs == 0) {
            sleepgraph = None;
        }
    }
    Ok(())
}

/// A way from the logs to a page.
struct Way {
    name: String,
    is_sleepgraph: bool,
    /// Programs, one after the other.
    commands: Vec<Command>,
    /// What they leave behind; if it is not a page, they print that.
    file: Option<PathBuf>,
    /// How often it runs in each round.
    runs: usize,
    /// What the runs of each round took.
    rounds: Vec<Vec<Cost>>,
}

/// What a run of a program takes.
#[derive(Clone, Copy, Default)]
struct Cost {
    wall: Duration,
    cpu: Duration,
    /// Bytes that it printed.
    printed: u64,
}

/// Copies of the programs, and what these are called. An installed program was copied, or read from a disk, in large pieces.
/// What a linker has just written lies in memory page by page, each of which is a fault of its own: it takes a fifth longer.
fn installed(programs: &[PathBuf], folder: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let install = |(number, program): (usize, &PathBuf)| {
        let copy = folder.join(format!("pm-trace{number}"));
        fs::copy(program, &copy).with_context(|| format!("cannot copy {}", program.display()))?;
        Ok((program.display().to_string(), copy))
    };
    programs.iter().enumerate().map(install).collect()
}

/// The ways of pm-trace.
fn ours(name: &str, tracer: &Path, log: &Path, dmesg: &Path) -> [Way; 2] {
    let trace = log.with_extension("pmtrace");
    let import = || {
        let mut command = Command::new(tracer);
        command.arg("import").arg(log).arg(dmesg);
        command
    };
    let (mut page, mut keep, mut report) = (import(), import(), Command::new(tracer));
    page.args(["--report", "html"]);
    keep.args(["--force", "-o"]).arg(&trace);
    report.args(["report", "--format", "html"]).arg(&trace);
    [
        Way::new(format!("{name}, page"), vec![page], None),
        Way::new(format!("{name}, trace and page"), vec![keep, report], Some(trace)),
    ]
}

/// That of sleepgraph, which writes its page beside the log.
fn theirs(script: &Path, log: &Path, dmesg: &Path) -> Way {
    let mut command = Command::new("python3");
    command.arg(script).arg("-dmesg").arg(dmesg).arg("-ftrace").arg(log);
    let page = PathBuf::from(log.to_string_lossy().replace("_ftrace.txt", ".html"));
    Way { is_sleepgraph: true, ..Way::new("sleepgraph, page".to_owned(), vec![command], Some(page)) }
}

impl Way {
    fn new(name: String, commands: Vec<Command>, file: Option<PathBuf>) -> Self {
        Self { name, is_sleepgraph: false, commands, file, runs: 0, rounds: Vec::new() }
    }

    fn run(&mut self) -> anyhow::Result<Cost> {
        self.commands.iter_mut().try_fold(Cost::default(), |all, command| {
            let cost = run(command)?;
            let (wall, cpu) = (all.wall + cost.wall, all.cpu + cost.cpu);
            anyhow::Ok(Cost { wall, cpu, printed: cost.printed })
        })
    }

    /// The least CPU time of a run.
    fn least(&self) -> Duration {
        self.all(|cost| cost.cpu).into_iter().min().unwrap_or_default()
    }

    fn all(&self, of: fn(&Cost) -> Duration) -> Vec<Duration> {
        self.rounds.iter().flatten().map(of).collect()
    }
}

/// Lets all take turns.
fn measure(ways: &mut [Way]) -> anyhow::Result<()> {
    for way in &mut *ways {
        let first = way.run()?;
        if first.wall > LONG {
            way.rounds.push(vec![first]);
        } else {
            way.runs = if first.wall < SHORT { RUNS } else { 1 };
        }
    }
    for _ in 0..ROUNDS {
        for way in ways.iter_mut().filter(|way| way.runs > 0) {
            let round = (0..way.runs).map(|_| way.run()).collect::<anyhow::Result<_>>()?;
            way.rounds.push(round);
        }
    }
    Ok(())
}

fn show(ways: &[Way]) -> anyhow::Result<()> {
    println!(
        "   runs  seconds  CPU: median   least  page kB  file kB  sleepgraph's CPU to this: median (range), least"
    );
    let sleepgraph = ways.iter().find(|way| way.is_sleepgraph);
    for way in ways {
        let (wall, cpu) = (way.all(|cost| cost.wall), way.all(|cost| cost.cpu));
        let least = way.least();
        let printed = way.rounds.iter().flatten().next().map_or(0, |cost| cost.printed);
        let file = way.file.as_deref().map(fs::metadata).transpose().context("no file was written")?;
        let file = file.map_or(0, |file| file.len());
        let (page, file) = if way.is_sleepgraph { (file, 0) } else { (printed, file) };
        let ratio =
            sleepgraph.filter(|_| !way.is_sleepgraph).map_or_else(String::new, |other| ratio(other, way));
        println!(
            "{:>7}  {:>7.4}  {:>11.4}  {:>6.4}  {:>7}  {:>7}  {ratio:>47}  {}",
            cpu.len(),
            median(wall).as_secs_f64(),
            median(cpu).as_secs_f64(),
            least.as_secs_f64(),
            kb(page),
            kb(file),
            way.name,
        );
    }
    Ok(())
}

/// How many times one takes the CPU time of the other, round by round; of what was done once, beside all rounds.
fn ratio(one: &Way, other: &Way) -> String {
    let cpu = |round: &Vec<Cost>| median(round.iter().map(|cost| cost.cpu).collect()).as_secs_f64();
    let rounds = one.rounds.iter().cycle().zip(&other.rounds);
    let mut all: Vec<f64> = rounds.map(|(one, other)| cpu(one) / cpu(other)).collect();
    all.sort_by(f64::total_cmp);
    let least = one.least().as_secs_f64() / other.least().as_secs_f64();
    match all.as_slice() {
        [] => String::new(),
        [lowest, .., highest] => {
            format!("{:.0} ({lowest:.0} to {highest:.0}), {least:.0}", all[all.len() / 2])
        }
        [only] => format!("{only:.0}"),
    }
}

/// The one in the middle; zero if there is none.
fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

fn kb(bytes: u64) -> u64 {
    bytes.div_ceil(1000)
}

/// From start to end of a program. What it prints goes to a file, as sleepgraph's page does.
fn run(command: &mut Command) -> anyhow::Result<Cost> {
    let page = tempfile::tempfile()?;
    command.stdin(Stdio::null()).stdout(page.try_clone()?);
    let (start, cpu) = (Instant::now(), children()?);
    let output = command.output()?;
    let cost = Cost { wall: start.elapsed(), cpu: children()? - cpu, printed: page.metadata()?.len() };
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
