//! The lab: real distribution kernels in QEMU that suspend, resume and, as asked, lock up.
//!
//! `docs/lab.md` tells how to use it. The data is in `lab/`: the list of kernels, the scenarios,
//! the patches that put bugs back, the guest's scripts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};

use crate::progress::section;
use crate::{Verdict, build, paths, setup};

mod batch;
mod checks;
mod console;
mod counters;
mod cpio;
mod initramfs;
mod kernels;
mod moddep;
mod modules;
mod observe;
mod python;
mod qemu;
mod qmp;
mod result;
mod run;
mod scenario;
mod screen;
mod shapes;
mod systemd;
mod tree;
mod typist;
mod unchanged;
mod vmlinux;

use batch::Job;
pub(crate) use kernels::{candidate, forget};
pub(crate) use result::RunResult;
use run::Setting;
use scenario::Scenario;
use tree::Tree;

/// `cargo xtask lab ...`
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run scenarios and check what comes of them.
    Run(RunArgs),
    /// Boot a scenario's guest and use its shell.
    Shell(ShellArgs),
    /// Show the scenarios and the kernels.
    List,
    /// Write docs/shapes.md from what the last runs found in the shapes of pmlab.
    Table,
}

/// What to run, and how.
#[derive(Args)]
pub(crate) struct RunArgs {
    /// A scenario, `all`, or `test`: what `cargo xtask test` runs.
    pub(crate) scenario: String,
    /// A kernel of lab/kernels.toml, or `all`.
    #[arg(long, default_value = "all")]
    pub(crate) kernel: String,
    /// Keep the guest's images.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Run each so often.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) repeat: usize,
    /// Set a variable of the guest's script, such as LAB_CYCLES=200.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) settings: Vec<String>,
    /// Let the guest's script take so many seconds.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) limit: Option<u64>,
    /// Run so many guests side by side; without it, one for each CPU of this machine.
    #[arg(long, value_name = "N", conflicts_with = "verbose")]
    pub(crate) jobs: Option<usize>,
    /// Show the guest's console, and run one guest at a time.
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// Do not repeat a run that passed if nothing has changed since that goes into it.
    #[arg(long)]
    pub(crate) reuse: bool,
    /// Try a run that fails again, so often in all; the table says how many tries a run took.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) attempts: u32,
    /// Use this static pm-trace instead of building one.
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: Option<PathBuf>,
}

impl RunArgs {
    /// One run of a scenario on a kernel, or of all on all.
    pub(crate) fn once(scenario: &str, kernel: &str, verbose: bool) -> Self {
        let (scenario, kernel) = (scenario.to_owned(), kernel.to_owned());
        Self {
            scenario,
            kernel,
            keep: false,
            repeat: 1,
            settings: Vec::new(),
            limit: None,
            jobs: None,
            verbose,
            reuse: false,
            attempts: 1,
            binary: None,
        }
    }
}

/// Which guest to enter.
#[derive(Args)]
pub(crate) struct ShellArgs {
    /// The scenario whose guest to boot.
    scenario: String,
    /// A kernel of lab/kernels.toml.
    #[arg(long, default_value = "6.1")]
    kernel: String,
}

/// Carries out a subcommand.
pub(crate) fn run(command: &Command) -> Result<Verdict> {
    match command {
        Command::Run(args) => {
            setup::ensure(&[setup::Group::Build, setup::Group::Lab])?;
            let results = run_scenarios(args)?;
            Ok(Verdict::from_ok(results.iter().all(RunResult::passed)))
        }
        Command::Shell(args) => shell(args).map(|()| Verdict::Passed),
        Command::List => list().map(|()| Verdict::Passed),
        Command::Table => table().map(|()| Verdict::Passed),
    }
}

/// Runs what `args` select and prints the table of results.
pub(crate) fn run_scenarios(args: &RunArgs) -> Result<Vec<RunResult>> {
    ensure!(args.repeat > 0, "--repeat needs a number above 0");
    let mut scenarios = scenario::select(&args.scenario)?;
    for scenario in &mut scenarios {
        // What the kernel does not know on its command line becomes the environment of its first program.
        scenario.cmdline.extend(args.settings.iter().cloned());
        scenario.limits.scenario_s = args.limit.unwrap_or(scenario.limits.scenario_s);
    }
    let trees = trees(&args.kernel)?;
    let tracer = match &args.binary {
        Some(file) => {
            Some(file.canonicalize().with_context(|| format!("no pm-trace at {}", file.display()))?)
        }
        None => tracer(&scenarios)?,
    };
    let mut jobs = Vec::new();
    for (index, tree) in trees.iter().enumerate() {
        for scenario in &scenarios {
            if args.scenario == scenario::TEST && !tree.resolved.kernel.is_tested_with(scenario, index == 0) {
                continue;
            }
            for round in 1..=args.repeat {
                let round = (args.repeat > 1).then_some(round);
                let setting = Setting {
                    tree,
                    tracer: tracer.as_deref(),
                    out: result_dir(tree, scenario, round),
                    echo: args.verbose,
                    keep: args.keep,
                    reuse: args.reuse,
                };
                jobs.push(Job { setting, scenario, attempts: args.attempts });
            }
        }
    }
    let side_by_side = if args.verbose { 1 } else { args.jobs.unwrap_or_else(batch::guests_that_fit) };
    section(&format!("{} lab runs, {side_by_side} at a time", jobs.len()));
    let results = batch::run(&jobs, side_by_side)?;
    println!("\n{}", result::table(&results));
    println!("consoles, traces and reports: {}", paths::target().join("lab").display());
    Ok(results)
}

/// Where the results of a run are: `target/lab/KERNEL/SCENARIO`, below that a number if repeated.
fn result_dir(tree: &Tree, scenario: &Scenario, round: Option<usize>) -> PathBuf {
    let dir = scenario_dir(&tree.resolved.kernel.name, &scenario.name);
    round.map_or_else(|| dir.clone(), |round| dir.join(round.to_string()))
}

/// Where the results of a scenario are on the kernel of this name.
pub(crate) fn scenario_dir(kernel: &str, scenario: &str) -> PathBuf {
    paths::target().join("lab").join(kernel).join(scenario)
}

/// The selected kernels, fetched and with the lab's modules built.
fn trees(selection: &str) -> Result<Vec<Tree>> {
    let mut trees = Vec::new();
    for kernel in kernels::select(selection)? {
        let tree = Tree::locate(kernel.resolve()?)?;
        tree.prepare()?;
        modules::prepare(&tree)?;
        trees.push(tree);
    }
    Ok(trees)
}

/// The static pm-trace, if a scenario needs one.
fn tracer(scenarios: &[Scenario]) -> Result<Option<PathBuf>> {
    if scenarios.iter().any(|scenario| scenario.tracer) { build::static_binary().map(Some) } else { Ok(None) }
}

/// Whether all kernels of the list are in the cache with their modules built.
pub(crate) fn is_prepared() -> bool {
    kernels::select("all").is_ok_and(|all| {
        all.iter().all(|kernel| {
            let tree = kernel.resolve().and_then(Tree::locate);
            tree.is_ok_and(|tree| tree.is_ready() && modules::is_ready(&tree))
        })
    })
}

/// Fetches all kernels of the list and builds their modules.
pub(crate) fn prepare() -> Result<()> {
    trees("all").map(drop)
}

fn shell(args: &ShellArgs) -> Result<()> {
    let several = [scenario::ALL, scenario::TEST].contains(&args.scenario.as_str());
    ensure!(!several && args.kernel != "all", "a shell needs one scenario and one kernel");
    setup::ensure(&[setup::Group::Build, setup::Group::Lab])?;
    let scenarios = scenario::select(&args.scenario)?;
    let tracer = tracer(&scenarios)?;
    for tree in trees(&args.kernel)? {
        let out = scenario_dir(&args.kernel, "shell");
        let setting =
            Setting { tree: &tree, tracer: tracer.as_deref(), out, echo: true, keep: false, reuse: false };
        setting.shell(&scenarios[0])?;
    }
    Ok(())
}

fn table() -> Result<()> {
    let scenarios = scenario::select(scenario::ALL)?;
    let mut runs = Vec::new();
    for kernel in kernels::select("all")? {
        for scenario in &scenarios {
            runs.extend(shapes::Run::read(&scenario_dir(&kernel.name, &scenario.name))?);
        }
    }
    ensure!(
        !runs.is_empty(),
        "no run of a scenario with shapes: `cargo xtask lab run pmlab-deadlocks` is one"
    );
    let rules: Vec<_> = scenarios.into_iter().flat_map(|scenario| scenario.expect.shape).collect();
    let file = paths::shapes();
    fs::write(&file, shapes::page(&rules, &runs))
        .with_context(|| format!("cannot write {}", file.display()))?;
    println!("{}", file.display());
    Ok(())
}

fn list() -> Result<()> {
    println!("scenarios:");
    for scenario in scenario::select(scenario::ALL)? {
        println!("  {:<22} {}", scenario.name, scenario.summary);
    }
    println!("kernels:");
    for kernel in kernels::select("all")? {
        let state = match kernel.resolve().and_then(Tree::locate) {
            Ok(tree) => {
                let cached = if tree.is_ready() { "in the cache" } else { "not fetched yet" };
                format!("{} ({}), {cached}", tree.release(), tree.resolved.version)
            }
            Err(error) => format!("{error:#}"),
        };
        println!("  {:<22} {state}", kernel.name);
    }
    println!("results: {}", Path::new("target/lab/KERNEL/SCENARIO").display());
    Ok(())
}
