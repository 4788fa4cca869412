//! `pm-trace doctor`

use super::Outcome;
use crate::cli::DoctorArgs;

/// Not connected to the checks yet.
///
/// # Errors
/// Always.
pub(super) fn run(_args: &DoctorArgs) -> anyhow::Result<Outcome> {
    anyhow::bail!("'pm-trace doctor' is not connected to its checks yet")
}
