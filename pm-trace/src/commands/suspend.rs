//! `pm-trace suspend`

use super::{Context, Outcome, require_root};
use crate::cli::SuspendArgs;

/// Not connected to `capture` yet.
///
/// # Errors
/// Always.
pub(super) fn run(_args: &SuspendArgs, _context: &Context) -> anyhow::Result<Outcome> {
    require_root("suspend", "loading eBPF programs and suspending the machine need it")?;
    anyhow::bail!("'pm-trace suspend' is not connected to the capture room yet")
}
