//! `pm-trace probes`

use super::{Context, Outcome, require_root};
use crate::cli::ProbesArgs;

/// Not connected to `capture` yet.
///
/// # Errors
/// Always.
pub(super) fn run(_args: &ProbesArgs, _context: &Context) -> anyhow::Result<Outcome> {
    require_root("probes", "loading eBPF programs and reading their places needs it")?;
    anyhow::bail!("'pm-trace probes' is not connected to the capture room yet")
}
