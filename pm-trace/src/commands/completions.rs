//! `pm-trace completions`

use super::Outcome;
use crate::cli::{Cli, CompletionsArgs};
use anyhow::Context as _;
use clap::CommandFactory;
use std::io::Write as _;

/// Prints completions for a shell.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<Outcome> {
    // Generated into memory first: the generator panics where a pipe is closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pm-trace", &mut script);
    std::io::stdout().write_all(&script).context("cannot write the completions")?;
    Ok(Outcome::Fine)
}
