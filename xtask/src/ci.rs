//! `cargo xtask ci`: what a change must pass.

use std::process::Command;

use anyhow::Result;

use crate::progress::{section, step};
use crate::setup::bpf::Toolchain;
use crate::setup::{self, Group};
use crate::{Verdict, build, paths, process, test};

/// What to leave out.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The tests, guests included: what is left takes a minute or two.
    #[arg(long)]
    no_test: bool,
}

/// One check: what it is, and its command.
struct Step {
    name: &'static str,
    command: Command,
}

/// Runs all checks, also after one has failed, and sums up.
pub(crate) fn run(args: &Args) -> Result<Verdict> {
    setup::ensure(&[Group::Build, Group::Ci])?;
    let mut failed = Vec::new();
    for Step { name, mut command } in steps()? {
        section(name);
        if !step(process::line(&command), || process::succeeds(&mut command))? {
            failed.push(name);
        }
    }
    if !args.no_test && test::run(&test::Args::default())? == Verdict::Failed {
        failed.push("tests");
    }
    if failed.is_empty() {
        println!("all checks passed");
    } else {
        println!("failed: {}", failed.join(", "));
    }
    Ok(Verdict::from_ok(failed.is_empty()))
}

fn steps() -> Result<Vec<Step>> {
    let mut doc = cargo(&["doc", "--no-deps", "--document-private-items"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    let mut steps = vec![
        Step { name: "format", command: cargo(&["fmt", "--all", "--check"]) },
        Step {
            name: "lints of user space",
            command: cargo(&["clippy", "--all-targets", "--", "-D", "warnings"]),
        },
        Step { name: "lints of the eBPF programs", command: ebpf_lints()? },
        Step { name: "documentation", command: doc },
        Step {
            name: "licences, sources, bans",
            command: cargo(&["deny", "check", "licenses", "sources", "bans"]),
        },
    ];
    // The list of advisories is fetched with git, which not every network allows.
    if process::quiet(&mut cargo(&["deny", "fetch", "db"])) {
        let command = cargo(&["deny", "check", "advisories"]);
        steps.push(Step { name: "advisories", command });
    } else {
        println!("advisories: skipped, their database cannot be reached from here");
    }
    Ok(steps)
}

fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(paths::root()).args(arguments);
    cargo
}

/// Clippy over the eBPF programs: for the BPF target if the toolchain that builds them has clippy.
///
/// Debian's toolchain has none. Then the toolchain of user space lints them as code of this machine,
/// which is the same code but for the target; building pm-trace compiles it for BPF anyway.
fn ebpf_lints() -> Result<Command> {
    let toolchain = Toolchain::find()?.name;
    let mut command;
    let mut flags = vec!["-Dwarnings"];
    if process::quiet(Command::new("rustup").args(["run", &toolchain, "clippy-driver", "-V"])) {
        command = Command::new("rustup");
        command.args(["run", &toolchain, "cargo", "clippy", "--package", "pm-trace-ebpf"]);
        command
            .args(["--target", "bpfel-unknown-none", "-Z", "build-std=core"])
            .env_remove("RUSTUP_TOOLCHAIN");
    } else {
        println!("toolchain {toolchain} has no clippy: linting the eBPF programs for this machine's target");
        command = cargo(&["clippy", "--package", "pm-trace-ebpf", "--target", build::TARGET]);
        // Like the BPF target, which cannot unwind.
        flags.push("-Cpanic=abort");
    }
    command.arg("--target-dir").arg(paths::target().join("ebpf-lints"));
    // aya's macros hand programs their context by value.
    command.args(["--", "-Aclippy::needless_pass_by_value"]);
    command
        .current_dir(paths::root())
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    Ok(command)
}
