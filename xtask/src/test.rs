//! `cargo xtask test`: everything that can be tested, with one line at the end.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::progress::{section, step};
use crate::setup::{self, Group};
use crate::{Verdict, browser, build, exports, lab, paths, process};

/// How often a lab run is tried before it counts as failed.
const ATTEMPTS: u32 = 2;

/// What to test.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Leave the lab out: only what needs no guest.
    #[arg(long)]
    no_lab: bool,
    /// Repeat every lab run, also those that passed and since which nothing has changed that goes into them.
    #[arg(long)]
    fresh: bool,
    /// Only the exports, read by databases and others.
    #[arg(long, conflicts_with = "no_lab")]
    exports: bool,
}

/// How many passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: usize,
    failed: usize,
}

impl Tally {
    fn one(ok: bool) -> Self {
        Self { passed: usize::from(ok), failed: usize::from(!ok) }
    }

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Runs every test and prints the sum.
pub(crate) fn run(args: &Args) -> Result<Verdict> {
    if args.exports {
        setup::ensure(&[Group::Build, Group::Exports])?;
        return Ok(Verdict::from_ok(exports()?.failed == 0));
    }
    let lab = (!args.no_lab).then_some(Group::Lab);
    let groups = [Group::Build, Group::Exports, Group::Browser].into_iter().chain(lab);
    setup::ensure(&groups.collect::<Vec<_>>())?;
    let mut tally = Tally::default();
    section("unit and integration tests");
    tally.add(counted(Command::new("cargo").current_dir(paths::root()).args(["test", "--no-fail-fast"]))?);
    section("exports, read by the programs they are for");
    tally.add(exports()?);
    section("the HTML report in a browser");
    for (_, ok) in browser::checks()? {
        tally.add(Tally::one(ok));
    }
    section("loading every eBPF program into this machine's kernel");
    tally.add(verify()?);
    if !args.no_lab {
        let results = lab::run_scenarios(&lab::RunArgs {
            reuse: !args.fresh,
            attempts: ATTEMPTS,
            ..lab::RunArgs::once("test", "all", false)
        })?;
        for result in &results {
            tally.add(Tally::one(result.passed()));
        }
    }
    println!("\n{} passed, {} failed", tally.passed, tally.failed);
    Ok(Verdict::from_ok(tally.failed == 0))
}

/// Runs tests with their output on the terminal, and counts them.
fn counted(command: &mut Command) -> Result<Tally> {
    let program = process::line(command);
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{program}`"))?;
    let mut tally = Tally::default();
    for line in BufReader::new(child.stdout.take().expect("stdout is piped")).lines() {
        let line = line?;
        println!("{line}");
        tally.add(parse(&line));
    }
    if !child.wait()?.success() && tally.failed == 0 {
        // It did not even build, or a test took the whole program down.
        tally.failed = 1;
    }
    Ok(tally)
}

/// Has databases and others read what pm-trace exports.
fn exports() -> Result<Tally> {
    counted(&mut exports::command()?)
}

/// The numbers in `test result: ok. 3 passed; 0 failed; ...`.
fn parse(line: &str) -> Tally {
    let Some((_, counts)) = line.split_once("test result: ").and_then(|(_, rest)| rest.split_once(". "))
    else {
        return Tally::default();
    };
    let number = |word: &str| {
        let part = counts.split(';').find(|part| part.contains(word))?;
        part.split_whitespace().next()?.parse().ok()
    };
    Tally { passed: number("passed").unwrap_or(0), failed: number("failed").unwrap_or(0) }
}

/// Has the kernel's verifier check all programs; needs root, so it may be left out.
fn verify() -> Result<Tally> {
    if !process::is_root() {
        println!("skipped: loading eBPF programs needs root");
        return Ok(Tally::default());
    }
    let binary = build::static_binary()?;
    let ok = step("pm-trace probes --verify", || {
        process::succeeds(Command::new(binary).args(["probes", "--verify"]))
    })?;
    Ok(Tally::one(ok))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_cargo_test_are_read() {
        let line = "test result: FAILED. 12 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert_eq!(parse(line), Tally { passed: 12, failed: 1 });
        assert_eq!(parse("running 4 tests"), Tally::default());
    }
}
