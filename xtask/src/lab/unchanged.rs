//! Runs that need not be repeated: they passed, and nothing that goes into them has changed since.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use super::result::RunResult;
use super::scenario::Scenario;
use super::tree::Tree;
use crate::paths;

/// Beside a result: what went into the run.
const FILE: &str = "inputs";

/// A checksum of all that decides how a run comes out: the guest's root file system (with pm-trace, modules and
/// scripts), its kernel, the scenario, the lab itself.
pub(super) struct Inputs(String);

impl Inputs {
    /// Those of a run with this root file system.
    pub(super) fn of(tree: &Tree, scenario: &Scenario, initrd: &Path) -> Result<Self> {
        // Not its path: another build may have replaced it meanwhile.
        let lab = Path::new("/proc/self/exe");
        let text = paths::lab().join("scenarios").join(&scenario.name).with_extension("toml");
        // A kernel's own part of the command line stands there.
        let kernels = paths::lab().join("kernels.toml");
        let mut hash = Sha256::new();
        for path in [initrd, &tree.vmlinuz(), &text, &kernels, lab] {
            hash.update(fs::read(path).with_context(|| format!("cannot read {}", path.display()))?);
        }
        hash.update(scenario.cmdline.join(" "));
        hash.update(scenario.limits.scenario_s.to_le_bytes());
        Ok(Self(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Notes them beside the result in `out`.
    pub(super) fn note(&self, out: &Path) -> Result<()> {
        fs::write(out.join(FILE), &self.0).with_context(|| format!("cannot write to {}", out.display()))
    }

    /// The result in `out`, if it is that of a run with the same inputs, and it passed.
    pub(super) fn passed(&self, out: &Path) -> Option<RunResult> {
        if fs::read_to_string(out.join(FILE)).ok()? != self.0 {
            return None;
        }
        RunResult::read(&out.join("result.json")).filter(RunResult::passed)
    }
}
