//! `pm-trace doctor`

use super::{Outcome, show};
use crate::cli::DoctorArgs;
use crate::doctor;
use crate::kernel::system::Live;
use crate::text::Form;

/// Checks the machine and shows what was found.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn run(args: &DoctorArgs) -> anyhow::Result<Outcome> {
    let report = doctor::run(&Live);
    if args.json {
        show(&(serde_json::to_string_pretty(&report)? + "\n"), Form::Json)?;
    } else {
        show(&report.to_text(), Form::Plain)?;
    }
    Ok(if report.traceable() { Outcome::Fine } else { Outcome::Untraceable })
}
