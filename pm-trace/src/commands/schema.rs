//! `pm-trace schema`

use super::{Outcome, show};
use crate::report;
use crate::text::Form;

/// Prints the JSON schema of the report.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn run() -> anyhow::Result<Outcome> {
    show(&report::schema()?, Form::Json)?;
    Ok(Outcome::Fine)
}
