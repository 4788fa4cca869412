//! `cargo xtask pictures`: what the documentation shows of the interactive view, drawn by the view itself.

use std::process::Command;

use anyhow::Result;

use crate::Verdict;
use crate::progress::step;
use crate::{paths, process};

/// Tests that compare the documentation with the program, and write it where they are asked to.
const TESTS: [&str; 2] = ["pictures_are_what_the_view_draws", "docs_list_the_keys_of_the_table"];

/// Draws them anew.
pub(crate) fn run() -> Result<Verdict> {
    let ok = step("docs/pictures and docs/tui.md", || {
        let mut cargo = Command::new("cargo");
        cargo.args(["test", "--package", "pm-trace", "--lib", "--"]).args(TESTS);
        process::succeeds(cargo.env("PM_TRACE_BLESS", "1").current_dir(paths::root()))
    })?;
    Ok(Verdict::from_ok(ok))
}
