//! `pm-trace schema`

use super::{Outcome, show};
use crate::cli::{SchemaArgs, SchemaOf};
use crate::text::Form;
use crate::{export, report, runs};

/// Prints the schema of what other programs read.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn run(args: &SchemaArgs) -> anyhow::Result<Outcome> {
    let schema = match args.of {
        SchemaOf::Report => report::schema()?,
        SchemaOf::Summary => runs::summary_schema()?,
        SchemaOf::Diff => runs::diff_schema()?,
        SchemaOf::Jsonl => export::line_schema()?,
        SchemaOf::Tables => export::table_schema()?,
    };
    show(&schema, Form::Json)?;
    Ok(Outcome::Fine)
}
