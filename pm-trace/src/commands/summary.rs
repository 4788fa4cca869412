//! `pm-trace summary`

use super::{Outcome, show};
use crate::cli::{Format, SummaryArgs};
use crate::runs::{Summary, files};
use crate::text::{self, Form};
use anyhow::{Context as _, bail};

/// Puts the cycles of many traces side by side.
///
/// # Errors
/// No trace could be read, a folder cannot be listed, or standard output cannot be written.
pub(super) fn run(args: &SummaryArgs) -> anyhow::Result<Outcome> {
    let files = files(&args.files).context("cannot look for traces in a folder")?;
    if files.is_empty() {
        bail!(
            "there is no trace (*.pmtrace) in the folder given; name one, or record one with 'pm-trace suspend'"
        );
    }
    let summary = Summary::of(&files);
    if summary.cycles.is_empty()
        && let Some(unread) = summary.unread.first()
    {
        bail!("{}; no other trace could be read either", unread.reason);
    }
    match args.format {
        Format::Text => show(&summary.text(text::columns()), Form::Plain)?,
        Format::Markdown => show(&summary.markdown(), Form::Plain)?,
        Format::Html => show(&summary.html()?, Form::Plain)?,
        Format::Json => show(&summary.json()?, Form::Json)?,
    }
    Ok(if summary.is_clean() { Outcome::Fine } else { Outcome::Found })
}
