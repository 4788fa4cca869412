//! Set-up, build, lab and checks of pm-trace: `cargo xtask COMMAND`.
//!
//! `demo` and `test` install what they need themselves, so each of them is the only command
//! that a fresh machine needs.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod browser;
mod build;
mod ci;
mod demo;
mod exports;
mod lab;
mod paths;
mod pictures;
mod process;
mod progress;
mod setup;
mod test;

/// Set-up, build, lab and checks of pm-trace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find what this machine lacks and install it (as root on Debian), or print how to.
    Setup(setup::Args),
    /// Build pm-trace, its eBPF programs included.
    Build(build::Args),
    /// Boot real kernels in QEMU, suspend them and run pm-trace inside.
    #[command(subcommand)]
    Lab(lab::Command),
    /// Lock a guest up on resume and watch pm-trace name the deadlock.
    Demo,
    /// Draw the pictures and key tables of the documentation anew, with the program itself.
    Pictures,
    /// Open HTML reports in a headless Chromium: drawn, searched, printed, no request, no error.
    Browser,
    /// Everything: unit and integration tests, then all scenarios on all lab kernels.
    Test(test::Args),
    /// What a change must pass: format, lints, docs, licences, then `test`.
    Ci(ci::Args),
}

/// Whether what was asked for came out as it should.
///
/// An `Err` is something that could not be done at all; a check that was done and failed is
/// [`Verdict::Failed`], already reported by whoever made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Everything passed.
    Passed,
    /// Something failed, and its output says what.
    Failed,
}

impl Verdict {
    /// [`Verdict::Passed`] if `ok`.
    pub(crate) fn from_ok(ok: bool) -> Self {
        if ok { Self::Passed } else { Self::Failed }
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(Verdict::Passed) => ExitCode::SUCCESS,
        Ok(Verdict::Failed) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<Verdict> {
    match command {
        Command::Setup(args) => setup::run(&args),
        Command::Build(args) => build::run(&args).map(|()| Verdict::Passed),
        Command::Lab(command) => lab::run(&command),
        Command::Demo => demo::run(),
        Command::Pictures => pictures::run(),
        Command::Browser => browser::run(),
        Command::Test(args) => test::run(&args),
        Command::Ci(args) => ci::run(&args),
    }
}
