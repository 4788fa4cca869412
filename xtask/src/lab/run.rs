//! One run of one scenario on one kernel, bounded by wall-clock limits.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::checks::{self, Check, Report};
use super::counters;
use super::initramfs::Contents;
use super::modules;
use super::observe::Observed;
use super::qemu::{Guest, Machine, disk};
use super::result::{Durations, KernelId, Outcome, RunResult};
use super::scenario::{AfterReset, Ending, Limits, Scenario};
use super::screen;
use super::shapes;
use super::tree::Tree;
use super::typist::{Desk as _, Typist};
use super::unchanged::Inputs;
use crate::{paths, process};

/// Where the guest's trace ports lead, in their order: `ttyS1`, `ttyS2`.
const TRACES: &[&str] = &["trace.pmtrace", "trace-2.pmtrace"];

/// What the second of them is called where it is an archive, and the folder it is unpacked into.
const ARCHIVE: &str = "files.tar";
const FILES: &str = "files";

/// How often the watch looks at what it must do besides reading.
const TICK: Duration = Duration::from_millis(200);

/// How long the guest stays in suspend-to-idle before the lab presses a key, and between keys.
const IDLE: Duration = Duration::from_secs(2);

/// How long a stuck guest may take to let the rest of its traces out, and the time after which nothing more comes.
const DRAIN: Duration = Duration::from_secs(40);
const DRAINED: Duration = Duration::from_secs(2);

/// How long the kernel may take to print its blocked tasks.
const SYSRQ: Duration = Duration::from_secs(3);

/// What a run needs besides its scenario.
pub(crate) struct Setting<'a> {
    /// The guest's kernel.
    pub(crate) tree: &'a Tree,
    /// The static pm-trace, for the guest and for the reports.
    pub(crate) tracer: Option<&'a Path>,
    /// Where the results go.
    pub(crate) out: PathBuf,
    /// Show the guest's console.
    pub(crate) echo: bool,
    /// Leave the guest's images for looking at.
    pub(crate) keep: bool,
    /// Take the last run's result if it passed and nothing has changed since.
    pub(crate) reuse: bool,
}

impl Setting<'_> {
    /// The guest's images, in a directory whose path is short enough for sockets.
    fn machine_files(&self, scenario: &Scenario) -> Result<(PathBuf, PathBuf)> {
        let work = tempfile::Builder::new()
            .prefix("pm-trace-lab-")
            .tempdir()
            .context("cannot create a directory for the guest's images")?
            .keep();
        let built = modules::prepare(self.tree)?;
        let initrd = work.join("initrd");
        let tracer = self.tracer.filter(|_| scenario.tracer);
        Contents { tree: self.tree, modules: &built, scenario, tracer }.write(&initrd)?;
        Ok((work, initrd))
    }

    /// Boots the scenario's guest with a shell instead of its script.
    pub(crate) fn shell(&self, scenario: &Scenario) -> Result<()> {
        fs::create_dir_all(&self.out)?;
        let (work, initrd) = self.machine_files(scenario)?;
        let mut cmdline = scenario.cmdline.clone();
        cmdline.push("lab.shell".to_owned());
        let traces = self.trace_files(scenario);
        let stream = self.stream(scenario);
        let machine = Machine {
            cmdline: &cmdline,
            ..self.machine(scenario, &initrd, &work, &traces, stream.as_deref())
        };
        let ended = machine.interactive();
        process::remove_tree(&work)?;
        ended
    }

    /// Runs the scenario and leaves everything about it in [`Setting::out`].
    pub(crate) fn run(&self, scenario: &Scenario) -> Result<RunResult> {
        let (work, initrd) = self.machine_files(scenario)?;
        let inputs = Inputs::of(self.tree, scenario, &initrd)?;
        if self.reuse
            && let Some(mut result) = inputs.passed(&self.out)
        {
            process::remove_tree(&work)?;
            result.reused = true;
            return Ok(result);
        }
        process::remove_tree(&self.out)?;
        fs::create_dir_all(&self.out).with_context(|| format!("cannot create {}", self.out.display()))?;
        let traces = self.trace_files(scenario);
        let stream = self.stream(scenario);
        let machine = self.machine(scenario, &initrd, &work, &traces, stream.as_deref());
        let mut guest = machine.boot(&self.out.join("console.log"), self.echo)?;
        guest.typist = Typist::new(&scenario.typed, &self.out);
        let mut seen = Observed::default();
        let mut ending = watch(&mut guest, scenario, &traces, &mut seen)?;
        let mut second = None;
        if let Some(after) = &scenario.after_reset
            && !matches!(ending, Ending::BootFailed | Ending::Died)
        {
            let first_exit = seen.result.take();
            let (came, checks) = second_boot(&mut guest, scenario, after, ending, &mut seen)?;
            second = Some(checks);
            if !came {
                ending = Ending::BootFailed;
            }
            seen.result = first_exit;
        }
        let total = guest.start.elapsed();
        guest.quit();
        if scenario.trace_on_disk {
            let tar = Command::new("tar").arg("-xf").arg(disk(&work)).arg("-C").arg(&self.out).output()?;
            if !tar.status.success() {
                eprintln!(
                    "    no archive on the guest's disk: {}",
                    String::from_utf8_lossy(&tar.stderr).trim()
                );
            }
        }
        if self.keep {
            eprintln!("    guest's images kept in {}", work.display());
        } else {
            process::remove_tree(&work)?;
        }
        let mut result = self.conclude(scenario, ending, &seen, total)?;
        result.add(second.unwrap_or_default());
        result.write(&self.out.join("result.json"))?;
        inputs.note(&self.out)?;
        Ok(result)
    }

    fn machine<'a>(
        &'a self,
        scenario: &'a Scenario,
        initrd: &'a Path,
        work: &'a Path,
        traces: &'a [PathBuf],
        stream: Option<&'a Path>,
    ) -> Machine<'a> {
        Machine {
            tree: self.tree,
            initrd,
            work,
            traces,
            cmdline: &scenario.cmdline,
            disk: scenario.disk,
            stream,
            restarts: scenario.after_reset.is_some(),
            counted: scenario.counted,
        }
    }

    /// Where the bytes go that the guest sends over its network, if it has one.
    fn stream(&self, scenario: &Scenario) -> Option<PathBuf> {
        scenario.network.then(|| self.out.join("stream.txt"))
    }

    fn trace_files(&self, scenario: &Scenario) -> Vec<PathBuf> {
        let names = TRACES.iter().enumerate();
        names
            .map(|(port, name)| self.out.join(if scenario.archive && port == 1 { ARCHIVE } else { name }))
            .collect()
    }

    fn conclude(
        &self,
        scenario: &Scenario,
        ending: Ending,
        seen: &Observed,
        total: Duration,
    ) -> Result<RunResult> {
        let reports = self.reports(scenario)?;
        let stream = self.stream(scenario).and_then(|file| fs::read(file).ok());
        let stream = stream.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let mut checks =
            checks::evaluate(&scenario.expect, scenario.tracer, ending, seen, &reports, stream.as_deref());
        checks.extend(screen::checks(&scenario.expect.screen, &self.out));
        checks.extend(self.shapes(scenario, &reports)?);
        let late = match ending {
            Ending::BootFailed => true,
            Ending::Stuck => scenario.expect.ending != Ending::Stuck,
            Ending::Resumed | Ending::Died | Ending::Restarted => false,
        };
        let outcome = Outcome::from_checks(&checks, late);
        let resolved = &self.tree.resolved;
        let end = seen.result.map(|(at, _)| at).or(seen.verdict_at);
        Ok(RunResult {
            scenario: scenario.name.clone(),
            kernel: KernelId {
                name: resolved.kernel.name.clone(),
                release: resolved.release.clone(),
                version: resolved.version.clone(),
            },
            outcome,
            ending,
            durations: Durations {
                boot_s: seen.ready_at.map(|at| at.as_secs_f64()),
                scenario_s: seen
                    .ready_at
                    .zip(end)
                    .map(|(ready, end)| end.saturating_sub(ready).as_secs_f64()),
                total_s: total.as_secs_f64(),
            },
            armed_s: seen.armed_s,
            verdict_latencies_s: seen.verdicts_s.clone(),
            exit: seen.result.map(|(_, exit)| exit),
            facts: seen.facts.clone(),
            checks,
            attempts: 1,
            reused: false,
        })
    }

    /// Compares each shape with what is expected, keeps what was found, and looks whether the documents tell the same.
    fn shapes(&self, scenario: &Scenario, reports: &[Report]) -> Result<Vec<Check>> {
        let rules = &scenario.expect.shape;
        let Some(Ok((_, json))) = reports.first().map(|report| &report.content) else {
            return Ok(Vec::new());
        };
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let findings: Vec<_> = json["findings"].as_array().into_iter().flatten().collect();
        let kernel = self.tree.resolved.kernel.name.clone();
        let mut checks = shapes::checks(rules, &kernel, &findings);
        let run = shapes::Run { kernel, shapes: shapes::seen(rules, &findings) };
        run.write(&self.out)?;
        let page = fs::read_to_string(paths::shapes()).unwrap_or_default();
        checks.push(shapes::told_by(&page, &run));
        Ok(checks)
    }

    /// Has pm-trace report every trace that left the guest; empty ones are removed.
    fn reports(&self, scenario: &Scenario) -> Result<Vec<Report>> {
        let mut reports = Vec::new();
        for file in self.trace_files(scenario) {
            if fs::metadata(&file).map_or(0, |metadata| metadata.len()) == 0 {
                let _ = fs::remove_file(&file);
                continue;
            }
            if file.ends_with(ARCHIVE) {
                let into = self.out.join(FILES);
                fs::create_dir_all(&into)?;
                let mut tar = Command::new("tar");
                // What a guest that died left out is missing, the rest is there.
                process::output(tar.arg("-xf").arg(&file).arg("-C").arg(into).arg("--ignore-zeros"))?;
                continue;
            }
            let Some(tracer) = self.tracer else { continue };
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let content = report(tracer, &file).map_err(|error| format!("{error:#}"));
            if let Ok((text, json)) = &content {
                let stem = name.trim_end_matches(".pmtrace").replacen("trace", "report", 1);
                fs::write(self.out.join(format!("{stem}.txt")), text)?;
                fs::write(self.out.join(format!("{stem}.json")), serde_json::to_string_pretty(json)?)?;
            }
            let cycles = fs::read(&file).map_err(anyhow::Error::from);
            let cycles = cycles.and_then(|bytes| counters::cycles(&bytes));
            let cycles = cycles.map_err(|error| format!("{error:#}"));
            reports.push(Report { trace: name, content, cycles });
        }
        Ok(reports)
    }
}

/// The reports of one trace, for people and for programs.
fn report(tracer: &Path, trace: &Path) -> Result<(String, serde_json::Value)> {
    let run = |format: &str| -> Result<String> {
        let output = Command::new(tracer)
            .arg("report")
            .arg(trace)
            .args(["--format", format])
            .output()
            .with_context(|| format!("cannot start {}", tracer.display()))?;
        // 3: something was found, which is what most scenarios are about.
        if !matches!(output.status.code(), Some(0 | 3)) {
            let said = String::from_utf8_lossy(&output.stderr);
            anyhow::bail!("pm-trace report --format {format}: {}: {}", output.status, said.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let json = run("json")?;
    Ok((run("text")?, serde_json::from_str(&json).context("the JSON report is no JSON")?))
}

/// Why a wait ended.
#[derive(PartialEq, Eq)]
enum Wait {
    Done,
    TimedOut,
    GuestEnded,
}

/// Follows the guest from its boot to its end, whichever it is.
fn watch(guest: &mut Guest, scenario: &Scenario, traces: &[PathBuf], seen: &mut Observed) -> Result<Ending> {
    let limits = &scenario.limits;
    match boot(guest, limits, seen)? {
        Wait::Done => {}
        Wait::TimedOut => return Ok(Ending::BootFailed),
        Wait::GuestEnded => return Ok(Ending::Died),
    }
    // A guest that should resume may print verdicts on its way: only its result ends the run then.
    let stuck_expected = scenario.expect.ending == Ending::Stuck;
    let boots = seen.boots;
    let ended = wait(guest, seen, Duration::from_secs(limits.scenario_s), |seen| {
        let told = seen.verdict_at.is_some() || seen.typed;
        seen.result.is_some() || (stuck_expected && told) || seen.boots > boots
    })?;
    if seen.boots > boots {
        return Ok(Ending::Restarted);
    }
    if ended == Wait::GuestEnded {
        return Ok(Ending::Died);
    }
    if ended == Wait::Done && seen.result.is_none() {
        // A verdict is out, or looked at. Is the guest really stuck? And let the rest of the trace leave it, which takes
        // an RT kernel long.
        wait(guest, seen, Duration::from_secs(limits.hold_s), |seen| seen.result.is_some())?;
        drain(guest, seen, traces)?;
    }
    if seen.result.is_some() {
        return Ok(Ending::Resumed);
    }
    // The kernel's own word on what is blocked, independent of pm-trace.
    seen.asked = true;
    guest.sysrq(b'w')?;
    wait(guest, seen, SYSRQ, |_| false)?;
    Ok(Ending::Stuck)
}

/// Waits until nothing more comes from the guest's trace ports.
fn drain(guest: &mut Guest, seen: &mut Observed, traces: &[PathBuf]) -> Result<()> {
    let size =
        || traces.iter().filter_map(|file| fs::metadata(file).ok()).map(|file| file.len()).sum::<u64>();
    let start = Instant::now();
    let mut last = 0;
    while last != size() && start.elapsed() < DRAIN {
        last = size();
        wait(guest, seen, DRAINED, |seen| seen.result.is_some())?;
    }
    Ok(())
}

/// Waits until the guest is ready for its script.
fn boot(guest: &mut Guest, limits: &Limits, seen: &mut Observed) -> Result<Wait> {
    seen.ready_at = None;
    let limit = Duration::from_secs(limits.boot_s);
    let waited = wait(guest, seen, limit, |seen| seen.asks || seen.ready_at.is_some())?;
    if waited != Wait::Done || seen.ready_at.is_some() {
        return Ok(waited);
    }
    seen.asks = false;
    guest.answer(&seen.boots.to_string())?;
    wait(guest, seen, limit, |seen| seen.ready_at.is_some())
}

/// The boot after a hard reset, which the lab does unless the guest has `ended` by restarting itself: whether
/// it came about, and the checks of its script.
fn second_boot(
    guest: &mut Guest,
    scenario: &Scenario,
    after: &AfterReset,
    ended: Ending,
    seen: &mut Observed,
) -> Result<(bool, Vec<Check>)> {
    let ready = seen.ready_at;
    if ended != Ending::Restarted {
        guest.reset()?;
    }
    if boot(guest, &scenario.limits, seen)? != Wait::Done {
        return Ok((false, Vec::new()));
    }
    let limit = Duration::from_secs(scenario.limits.scenario_s);
    wait(guest, seen, limit, |seen| seen.result.is_some())?;
    // Durations are those of the first boot.
    seen.ready_at = ready;
    let exit = seen.result.map_or_else(|| "none".to_owned(), |(_, exit)| exit.to_string());
    let name = "exit code of the script after the reset";
    Ok((true, vec![checks::equal(name, &after.exit.to_string(), &exit)]))
}

/// Reads the console until `done`, pressing a key whenever the guest idles in a suspend.
fn wait(
    guest: &mut Guest,
    seen: &mut Observed,
    limit: Duration,
    done: impl Fn(&Observed) -> bool,
) -> Result<Wait> {
    let deadline = Instant::now() + limit;
    let mut last_key = Duration::ZERO;
    loop {
        if done(seen) {
            return Ok(Wait::Done);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Wait::TimedOut);
        }
        match guest.lines.recv_timeout(left.min(TICK)) {
            Ok(line) => seen.apply(&line),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(Wait::GuestEnded),
        }
        let now = guest.start.elapsed();
        if seen.idle_since.is_some_and(|since| now > since + IDLE) && now > last_key + IDLE {
            last_key = now;
            // Any key wakes it.
            guest.press("ret")?;
        }
        guest.type_keys(&seen.console)?;
        seen.typed = guest.typist.is_done;
    }
}
