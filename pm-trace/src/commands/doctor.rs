//! `pm-trace doctor`

use super::{Outcome, require_root, show};
use crate::capture::switches::journal::{self, Left};
use crate::cli::DoctorArgs;
use crate::doctor;
use crate::kernel::system::Live;
use crate::text::Form;

/// Checks the machine and shows what was found, or puts back what a killed recording left.
///
/// # Errors
/// Standard output cannot be written; not root, or a switch cannot be put back.
pub(super) fn run(args: &DoctorArgs) -> anyhow::Result<Outcome> {
    if args.restore {
        return restore();
    }
    let report = doctor::run(&Live);
    if args.json {
        show(&(serde_json::to_string_pretty(&report)? + "\n"), Form::Json)?;
    } else {
        show(&report.to_text(), Form::Plain)?;
    }
    Ok(if report.traceable() { Outcome::Fine } else { Outcome::Untraceable })
}

fn restore() -> anyhow::Result<Outcome> {
    require_root("doctor --restore", "it writes switches of the kernel")?;
    let left = journal::restore();
    let lines: String = left.iter().map(|left| format!("{}\n", left.words())).collect();
    let nothing = "no killed recording left anything changed\n".to_owned();
    show(&if left.is_empty() { nothing } else { lines }, Form::Plain)?;
    let failed = left.iter().filter(|left: &&Left| left.trouble.is_some()).count();
    anyhow::ensure!(failed == 0, "{failed} switches could not be put back; put them back by hand");
    Ok(Outcome::Fine)
}
