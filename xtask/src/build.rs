//! Building pm-trace.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::progress::step;
use crate::setup::{self, Group};
use crate::{paths, process};

/// What a static binary is built for: its guests and hosts are x86-64.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// How to build.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// One file that runs on any Linux without libraries, as the lab's guests need it.
    #[arg(long = "static")]
    make_static: bool,
}

/// Builds an optimised pm-trace and tells where it is.
pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(&[Group::Build])?;
    let binary = if args.make_static {
        static_binary()?
    } else {
        step("building pm-trace", || process::run(&mut release()))?;
        paths::target().join("release/pm-trace")
    };
    println!("{}", binary.display());
    Ok(())
}

/// Builds the static binary and returns its path.
pub(crate) fn static_binary() -> Result<PathBuf> {
    let binary = paths::target().join(TARGET).join("release/pm-trace");
    step("building the static pm-trace", || {
        // With a --target, these flags are not for build scripts and procedural macros.
        process::run(release().args(["--target", TARGET]).env("RUSTFLAGS", "-C target-feature=+crt-static"))
    })?;
    ensure!(binary.is_file(), "cargo built no {}", binary.display());
    Ok(binary)
}

fn release() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(paths::root()).args(["build", "--release", "--package", "pm-trace"]);
    cargo
}
