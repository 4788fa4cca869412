//! The command line.

use clap::Parser;
use pm_trace::{cli, commands};
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let started = Instant::now();
    commands::main(&cli::Cli::parse(), started)
}
