//! `pm-trace record`

use super::{Context, Outcome, require_root};
use crate::cli::RecordArgs;

/// Not connected to `capture` yet.
///
/// # Errors
/// Always.
pub(super) fn run(_args: &RecordArgs, _context: &Context) -> anyhow::Result<Outcome> {
    require_root("record", "loading eBPF programs needs it")?;
    anyhow::bail!("'pm-trace record' is not connected to the capture room yet")
}
