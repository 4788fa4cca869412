//! `cargo xtask demo`: pm-trace's main job, on a machine that really locks up.

use std::fs;

use anyhow::{Context as _, Result};

use crate::progress::section;
use crate::setup::{self, Group};
use crate::{Verdict, lab};

const SCENARIO: &str = "rescan-deadlock";
const KERNEL: &str = "6.1";

/// Locks a guest up on resume, with its console on the screen, and shows the report.
pub(crate) fn run() -> Result<Verdict> {
    setup::ensure(&[Group::Build, Group::Lab])?;
    section(&format!("a guest with kernel {KERNEL} suspends, and its resume locks up; its console:"));
    let results = lab::run_scenarios(&lab::RunArgs::once(SCENARIO, KERNEL, true))?;
    let dir = lab::scenario_dir(KERNEL, SCENARIO);
    let report = dir.join("report.txt");
    let text = fs::read_to_string(&report).with_context(|| {
        format!("no report came of it; what the guest said is in {}", dir.join("console.log").display())
    })?;
    section("the report, made from the trace that left the guest while it was stuck:");
    println!("\n{text}\ntrace: {}", dir.join("trace.pmtrace").display());
    Ok(Verdict::from_ok(results.iter().all(lab::RunResult::passed)))
}
