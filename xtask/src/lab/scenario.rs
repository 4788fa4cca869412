//! Scenarios (`lab/scenarios/*.toml`): what a guest does and what must come of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::modules::Variant;
use super::screen::ScreenRule;
use super::shapes::{ShapeRule, Shortened};
use super::typist::Typed;
use crate::paths;

/// One scenario; its name is that of its file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// File name without `.toml`.
    #[serde(skip)]
    pub(crate) name: String,
    /// One sentence for `lab list`.
    pub(crate) summary: String,
    /// Whose scsi_mod and libata the guest loads.
    pub(crate) modules: Variant,
    /// Whether the guest gets pm-trace; without, the kernel's own evidence counts alone.
    #[serde(default = "yes")]
    pub(crate) tracer: bool,
    /// A SCSI device whose resume is held back.
    pub(crate) supplier: Option<Supplier>,
    /// Modules of `lab/modules` that lie in the guest's `/lib/modules` for its script to load.
    #[serde(default)]
    pub(crate) helpers: Vec<String>,
    /// Programs of this machine that the guest gets, with their libraries, besides those of every guest.
    #[serde(default)]
    pub(crate) programs: Vec<String>,
    /// The guest's first program is systemd, which runs the script as a service; pm-trace's unit is there.
    #[serde(default)]
    pub(crate) systemd: bool,
    /// On which kernels `cargo xtask test` runs it.
    #[serde(default)]
    pub(crate) tested_on: TestedOn,
    /// Added to the kernel's command line.
    #[serde(default)]
    pub(crate) cmdline: Vec<String>,
    /// Modules that the guest loads besides those of every guest, and with which parameters.
    #[serde(default)]
    pub(crate) extra_modules: Vec<ExtraModule>,
    /// The guest has one CPU, and its clock goes on by a nanosecond for each instruction: times in it are numbers of
    /// instructions, the same on every machine and under every load.
    #[serde(default)]
    pub(crate) counted: bool,
    /// Puts a file system on the guest's disk.
    pub(crate) disk: Option<FileSystem>,
    /// The script ends with an archive of its traces on the raw disk (`lab_keep`): faster than a serial port.
    #[serde(default)]
    pub(crate) trace_on_disk: bool,
    /// Gives the guest a network card; what it sends to `10.0.2.100:7000` is kept as `stream.txt`.
    #[serde(default)]
    pub(crate) network: bool,
    /// Gives the guest Python and, as `/lab/sleepgraph.py`, the sleepgraph of its kernel's source package.
    #[serde(default)]
    pub(crate) sleepgraph: bool,
    /// What the guest writes to `ttyS2` is a tar archive, and is unpacked into the folder `files` of the results.
    #[serde(default)]
    pub(crate) archive: bool,
    /// Shell script that the guest runs when its devices are there.
    pub(crate) guest: String,
    /// What it does after a hard reset, with the same memory and disks.
    pub(crate) after_reset: Option<AfterReset>,
    /// Keys that the lab presses while the script runs.
    #[serde(default)]
    pub(crate) typed: Vec<Typed>,
    /// Wall-clock limits.
    #[serde(default)]
    pub(crate) limits: Limits,
    /// What must come of it.
    pub(crate) expect: Expect,
}

/// On which kernels `cargo xtask test` runs a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TestedOn {
    /// On all of the list.
    #[default]
    All,
    /// On the first of the list: what it shows does not depend on the kernel.
    First,
    /// On none: it is there to look into the lab itself.
    None,
}

/// Parameters of the slow supplier module.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Supplier {
    /// `host:channel:target:lun`.
    pub(crate) device: String,
    /// How long its resume is held back.
    pub(crate) delay_ms: u32,
}

/// A module that only some scenarios load.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExtraModule {
    /// Its name.
    pub(crate) name: String,
    /// Its parameters, as for `insmod`.
    #[serde(default)]
    pub(crate) parameters: String,
}

/// File systems that the lab can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FileSystem {
    /// With a journal; the guest needs the modules `crc32c_generic` and `ext4`.
    Ext4,
}

/// The second boot of a run: the lab resets the guest when its script has ended or is stuck, unless the guest
/// restarts by itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AfterReset {
    /// Shell script that the guest runs then.
    pub(crate) guest: String,
    /// Exit code of that script.
    #[serde(default)]
    pub(crate) exit: i32,
}

/// Wall-clock limits in seconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// From QEMU's start to the guest's devices being there.
    pub(crate) boot_s: u64,
    /// From there to the end of the guest's script, or to the verdict when it gets stuck.
    pub(crate) scenario_s: u64,
    /// How long a guest is watched after the verdict: it must still be stuck then.
    pub(crate) hold_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { boot_s: 120, scenario_s: 90, hold_s: 3 }
    }
}

/// How the guest's script ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ending {
    /// It came back from its last command.
    Resumed,
    /// It never came back within the limits.
    Stuck,
    /// The guest did not get as far as the script.
    BootFailed,
    /// QEMU ended, or the kernel panicked.
    Died,
    /// The guest restarted by itself, in a scenario that goes on after a reset.
    Restarted,
}

impl Ending {
    /// For people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Resumed => "resumed",
            Self::Stuck => "stuck",
            Self::BootFailed => "not booted",
            Self::Died => "guest ended by itself",
            Self::Restarted => "restarted by itself",
        }
    }
}

/// What must come of a scenario. Whatever is left out is not checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// How the script must end.
    pub(crate) ending: Ending,
    /// Exit code of the script, if it ends.
    pub(crate) exit: Option<i32>,
    /// Seconds from start to armed, as pm-trace prints them, at most.
    pub(crate) armed_within_s: Option<f64>,
    /// Seconds from the closing of the cycle to the verdict on the console, at most.
    pub(crate) verdict_within_s: Option<f64>,
    /// Seconds that nothing may have moved when the watchdog in the kernel first says so, at most. Without it, it
    /// must say nothing.
    pub(crate) stall_within_s: Option<f64>,
    /// Texts that the console must show.
    #[serde(default)]
    pub(crate) console: Vec<String>,
    /// What the kernel must complain about; everything else is checked without that.
    pub(crate) complains: Option<String>,
    /// Texts that must have come over the network.
    #[serde(default)]
    pub(crate) stream: Vec<String>,
    /// Screens that the console must show, rendered by a terminal emulator.
    #[serde(default)]
    pub(crate) screen: Vec<ScreenRule>,
    /// Texts that the text report must show.
    #[serde(default)]
    pub(crate) report: Vec<String>,
    /// `name = value` that the guest reports with `lab_fact`.
    #[serde(default)]
    pub(crate) facts: BTreeMap<String, String>,
    /// What each cycle's hooks must have counted.
    pub(crate) hooks: Option<HookRule>,
    /// What the commands of the script must have come to.
    #[serde(default)]
    pub(crate) command: Vec<CommandRule>,
    /// The highest severity that a finding may have.
    pub(crate) max_severity: Option<Severity>,
    /// Findings that the JSON report must or must not contain.
    #[serde(default)]
    pub(crate) finding: Vec<FindingRule>,
    /// Single values of the JSON report.
    #[serde(default)]
    pub(crate) value: Vec<ValueRule>,
    /// Shapes, one a cycle.
    #[serde(default)]
    pub(crate) shape: Vec<ShapeRule>,
    /// Cycles in which a callback was shortened.
    #[serde(default)]
    pub(crate) shortened: Vec<Shortened>,
}

/// Severities of findings, as the JSON report spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// Worth knowing, nothing wrong.
    Info,
    /// Something that can go wrong.
    Warning,
    /// Something that went wrong.
    Error,
}

/// Looks at the counters of every hook in every cycle.
///
/// Every hook must have found a place, every record must have arrived, and every hook must have fired in
/// the last cycle.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HookRule {
    /// Hooks that need not fire, and why.
    #[serde(default)]
    pub(crate) silent: BTreeMap<String, String>,
}

/// Looks at a command that the script ran with `lab_try`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandRule {
    /// Its name in the script.
    pub(crate) name: String,
    /// Its exit code.
    pub(crate) exit: i32,
    /// Texts that its output must contain; line breaks count as spaces.
    #[serde(default)]
    pub(crate) says: Vec<String>,
}

/// Counts the findings that look like this.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindingRule {
    /// What the rule checks, for people.
    pub(crate) name: String,
    /// Members of a finding and a text that each must contain, as JSON.
    #[serde(rename = "where", default)]
    pub(crate) members: BTreeMap<String, String>,
    /// Members of a link of its chain and a text that each must contain, as JSON.
    #[serde(default)]
    pub(crate) link: BTreeMap<String, String>,
    /// Texts that must stand anywhere in the finding.
    #[serde(default)]
    pub(crate) contains: Vec<String>,
    /// At least so many findings match.
    #[serde(default = "one")]
    pub(crate) min: usize,
    /// At most so many findings match.
    pub(crate) max: Option<usize>,
}

/// Looks at one value of the JSON report. A `*` in the pointer stands for every element.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ValueRule {
    /// What the rule checks, for people.
    pub(crate) name: String,
    /// Look at this trace only.
    pub(crate) trace: Option<String>,
    /// JSON pointer, such as `/loss/total` or `/probes/*/hits`.
    pub(crate) pointer: String,
    /// Every value found must equal this.
    pub(crate) equals: Option<serde_json::Value>,
    /// These two members of every object found must be equal.
    pub(crate) same: Option<[String; 2]>,
    /// Every number found must be at least this; arrays count their elements.
    pub(crate) at_least: Option<f64>,
}

/// Stands for all scenarios.
pub(crate) const ALL: &str = "all";

/// Stands for what `cargo xtask test` runs.
pub(crate) const TEST: &str = "test";

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

/// The scenarios that `selection` names: one, `all`, or `test` for those that `cargo xtask test` runs.
pub(crate) fn select(selection: &str) -> Result<Vec<Scenario>> {
    let mut scenarios = read_all(&paths::lab().join("scenarios"))?;
    let names: Vec<_> = scenarios.iter().map(|scenario| scenario.name.clone()).collect();
    scenarios.retain(|scenario| match selection {
        ALL => true,
        TEST => scenario.tested_on != TestedOn::None,
        name => name == scenario.name,
    });
    ensure!(
        !scenarios.is_empty(),
        "no scenario is called {selection}: there are {}, all and test",
        names.join(", ")
    );
    Ok(scenarios)
}

fn read_all(dir: &Path) -> Result<Vec<Scenario>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut files: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files.iter().map(|file| read(file).with_context(|| format!("in {}", file.display()))).collect()
}

fn read(file: &Path) -> Result<Scenario> {
    let mut scenario: Scenario = toml::from_str(&fs::read_to_string(file)?)?;
    scenario.name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(scenario)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_scenarios_can_be_read() {
        let names: Vec<_> = select("all").unwrap().into_iter().map(|scenario| scenario.name).collect();
        assert!(!names.iter().any(|name| name == ALL || name == TEST));
        for name in ["healthy", "rescan-deadlock", "rescan-deadlock-disk", "rescan-guarded"] {
            assert!(names.iter().any(|known| known == name), "{name} is missing from {names:?}");
        }
    }

    #[test]
    fn what_is_tested_is_part_of_all() {
        let tested = select(TEST).unwrap();
        assert!(tested.iter().all(|scenario| scenario.tested_on != TestedOn::None));
        assert!(tested.iter().any(|scenario| scenario.tested_on == TestedOn::First));
        assert!(tested.len() < select(ALL).unwrap().len());
    }

    #[test]
    fn an_unknown_scenario_is_an_error() {
        assert!(select("no-such").unwrap_err().to_string().contains("healthy"));
    }
}
