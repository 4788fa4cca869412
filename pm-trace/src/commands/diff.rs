//! `pm-trace diff`

use super::{Outcome, show};
use crate::cli::{DiffArgs, PlainFormat};
use crate::runs::{Diff, Side, files};
use crate::text::{self, Form};
use anyhow::{Context as _, bail};
use std::path::PathBuf;

/// Compares two traces, or two folders of traces.
///
/// # Errors
/// A trace cannot be read, or standard output cannot be written.
pub(super) fn run(args: &DiffArgs) -> anyhow::Result<Outcome> {
    let side = |path: &PathBuf| {
        let files = files(std::slice::from_ref(path)).context("cannot look for traces in a folder")?;
        if files.is_empty() {
            bail!("{} has no trace (*.pmtrace) in it: nothing to compare", text::path(path));
        }
        Ok(Side::read(&files)?)
    };
    let diff = Diff::new(&side(&args.before)?, &side(&args.after)?, args.threshold);
    match args.format {
        PlainFormat::Text => show(&diff.text(text::columns()), Form::Plain)?,
        PlainFormat::Json => show(&diff.json()?, Form::Json)?,
    }
    Ok(if diff.is_worse() { Outcome::Found } else { Outcome::Fine })
}
