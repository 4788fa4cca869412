//! Arguments of the commands about this machine, and about pm-trace itself.

use clap::Args;
use std::path::PathBuf;

#[doc = unshown!("Arguments of `probes`.")]
#[derive(Clone, Debug, Args)]
pub struct ProbesArgs {
    /// Load and attach the programs, then show hits and run time of each
    #[arg(long)]
    pub stats: bool,
    /// Load every program into the kernel's verifier and show its size; fails if one is refused
    #[arg(long)]
    pub verify: bool,
    /// Show it as JSON
    #[arg(long)]
    pub json: bool,
}

#[doc = unshown!("Arguments of `arm`.")]
#[derive(Clone, Debug, Args)]
pub struct ArmArgs {
    /// Put every switch back to what it was
    #[arg(long)]
    pub undo: bool,
}

#[doc = unshown!("Arguments of `doctor`.")]
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// Put back the switches that a killed recording left changed (root); every recording does so at its start
    #[arg(long, conflicts_with = "json")]
    pub restore: bool,
    /// Show it as JSON
    #[arg(long)]
    pub json: bool,
}

#[doc = unshown!("Arguments of `completions`.")]
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[doc = unshown!("Arguments of `man`.")]
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// Write the pages of all commands to this directory instead of printing the main page
    pub directory: Option<PathBuf>,
}
