//! `pm-trace man`

use super::{Outcome, say};
use crate::cli::{Cli, ManArgs};
use crate::text;
use anyhow::Context as _;
use clap::CommandFactory;
use std::fs;
use std::io::Write as _;

/// Prints the manual page of the program, or writes those of all commands to a directory.
///
/// # Errors
/// Standard output or the directory cannot be written.
pub(super) fn run(args: &ManArgs) -> anyhow::Result<Outcome> {
    let command = Cli::command();
    let Some(directory) = &args.directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).context("cannot make the manual page")?;
        std::io::stdout().write_all(&page).context("cannot write the manual page")?;
        return Ok(Outcome::Fine);
    };
    let place = text::path(directory);
    fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(command, directory)).with_context(
        || format!("cannot write manual pages to {place}; name a directory you can write to"),
    )?;
    say(&format!("manual pages are in {place}\n"));
    Ok(Outcome::Fine)
}
