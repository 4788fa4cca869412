//! The list of kernels (`lab/kernels.toml`) and what apt knows about them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::scenario::{Scenario, TestedOn};
use crate::{paths, process};

/// `lab/kernels.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KernelList {
    /// What every guest loads, dependencies resolved by the lab.
    modules: Vec<String>,
    kernel: Vec<Kernel>,
}

/// One kernel to test on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kernel {
    /// What `--kernel` and the result directories call it.
    pub(crate) name: String,
    /// The image package: a name, or a pattern with one `*` of which the newest match counts.
    image: String,
    /// The package with this kernel's sources.
    source: String,
    /// Whose patches it takes, if not those of its own name.
    patches: Option<String>,
    /// Added to its command line.
    #[serde(default)]
    pub(crate) cmdline: Vec<String>,
    /// The scenarios that `cargo xtask test` runs on it, if they are not to say so themselves: some kernels are there
    /// for what is different on them.
    pub(crate) tests: Option<Vec<String>>,
    /// Modules that guests load, in the order asked for.
    #[serde(skip)]
    pub(crate) modules: Vec<String>,
}

/// A kernel as apt offers it today.
#[derive(Clone, Debug)]
pub(crate) struct Resolved {
    /// Entry of the list.
    pub(crate) kernel: Kernel,
    /// `uname -r` of this kernel.
    pub(crate) release: String,
    /// Version of the packages.
    pub(crate) version: String,
    /// The image's package.
    pub(crate) image: String,
    /// The package of the sources.
    pub(crate) source: String,
    /// Packages that together hold what modules are built against.
    pub(crate) headers: Vec<String>,
}

/// The kernels that `selection` names: one of the list, or `all`.
pub(crate) fn select(selection: &str) -> Result<Vec<Kernel>> {
    let file = paths::lab().join("kernels.toml");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let list: KernelList = toml::from_str(&text).with_context(|| format!("in {}", file.display()))?;
    let names: Vec<_> = list.kernel.iter().map(|kernel| kernel.name.clone()).collect();
    let chosen: Vec<Kernel> = list
        .kernel
        .into_iter()
        .filter(|kernel| selection == "all" || selection == kernel.name)
        .map(|kernel| Kernel { modules: list.modules.clone(), ..kernel })
        .collect();
    ensure!(
        !chosen.is_empty(),
        "no lab kernel is called {selection}: there are {} and all",
        names.join(", ")
    );
    Ok(chosen)
}

/// What apt has answered so far, by the names of the kernels.
fn resolved() -> MutexGuard<'static, BTreeMap<String, Resolved>> {
    static RESOLVED: Mutex<BTreeMap<String, Resolved>> = Mutex::new(BTreeMap::new());
    RESOLVED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// To be called when apt may have other answers than before.
pub(crate) fn forget() {
    resolved().clear();
}

impl Kernel {
    /// The directory of its patches in `lab/patches`.
    pub(crate) fn patches(&self) -> &str {
        self.patches.as_deref().unwrap_or(&self.name)
    }

    /// Whether the tests run a scenario, which they run somewhere, on this kernel; `is_first` of the list.
    pub(crate) fn is_tested_with(&self, scenario: &Scenario, is_first: bool) -> bool {
        match &self.tests {
            Some(names) => names.contains(&scenario.name),
            None => is_first || scenario.tested_on == TestedOn::All,
        }
    }

    /// Which packages this kernel is today. Apt is asked once: it takes seconds to answer.
    pub(crate) fn resolve(&self) -> Result<Resolved> {
        if let Some(resolved) = resolved().get(&self.name) {
            return Ok(resolved.clone());
        }
        let answer = self.ask_apt()?;
        resolved().insert(self.name.clone(), answer.clone());
        Ok(answer)
    }

    fn ask_apt(&self) -> Result<Resolved> {
        let image = self.image_package()?;
        let release = image
            .strip_prefix("linux-image-")
            .with_context(|| format!("package {image} is no kernel image"))?
            .to_owned();
        let version = candidate(&image)?;
        let mut headers = vec![format!("linux-headers-{release}")];
        headers.extend(depends(&headers[0])?.into_iter().filter(|package| {
            package.starts_with("linux-kbuild-")
                || (package.starts_with("linux-headers-") && is_common(package))
        }));
        ensure!(headers.len() == 3, "expected {} to depend on a -common and a kbuild package", headers[0]);
        Ok(Resolved { kernel: self.clone(), release, version, image, source: self.source.clone(), headers })
    }

    fn image_package(&self) -> Result<String> {
        let Some((prefix, suffix)) = self.image.split_once('*') else {
            // A meta package depends on the image; anything else is the image itself.
            let image = depends(&self.image)?.into_iter().find(|package| package.starts_with("linux-image-"));
            return Ok(image.unwrap_or_else(|| self.image.clone()));
        };
        let names = process::output(Command::new("apt-cache").args(["pkgnames", prefix]))?;
        names
            .lines()
            .filter(|name| is_version_between(name, prefix, suffix))
            .max_by(|a, b| natural_order(a, b))
            .map(str::to_owned)
            .with_context(|| {
                format!(
                    "apt knows no package {}: is it in the package sources, and `apt-get update` done?",
                    self.image
                )
            })
    }
}

/// Whether only digits and dots stand between `prefix` and `suffix`: no `-rt`, no `-cloud`.
fn is_version_between(name: &str, prefix: &str, suffix: &str) -> bool {
    name.strip_prefix(prefix)
        .and_then(|rest| rest.strip_suffix(suffix))
        .is_some_and(|middle| !middle.is_empty() && middle.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// Compares names so that numbers in them count as numbers: `6.9` before `6.12`.
fn natural_order(a: &str, b: &str) -> Ordering {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
    };
    numbers(a).cmp(&numbers(b)).then_with(|| a.cmp(b))
}

/// Whether the package holds the headers that all flavours share: `-common`, or `-common-rt`.
pub(crate) fn is_common(package: &str) -> bool {
    package.ends_with("-common") || package.ends_with("-common-rt")
}

/// Direct dependencies of a package.
fn depends(package: &str) -> Result<Vec<String>> {
    let text = process::output(Command::new("apt-cache").args(["depends", package])).with_context(|| {
        format!("apt knows no package {package}: the lab needs Debian 12's package sources (see docs/lab.md)")
    })?;
    Ok(parse_depends(&text))
}

fn parse_depends(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.trim_start_matches([' ', '|']).strip_prefix("Depends:"))
        .map(|package| package.trim().to_owned())
        .collect()
}

/// The version that apt would install.
pub(crate) fn candidate(package: &str) -> Result<String> {
    let text = process::output(Command::new("apt-cache").args(["policy", package]))?;
    let candidate = text.lines().find_map(|line| line.trim().strip_prefix("Candidate:")).map(str::trim);
    match candidate {
        Some(version) if version != "(none)" => Ok(version.to_owned()),
        _ => bail!("apt has no version of {package} to install: is `apt-get update` done?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_plain_image_is_taken() {
        let names = [
            "linux-image-6.12.9+deb12-amd64",
            "linux-image-6.12.117+deb12-amd64",
            "linux-image-6.12.118+deb12-rt-amd64",
            "linux-image-6.12.119+deb12-amd64-unsigned",
        ];
        let newest = names
            .into_iter()
            .filter(|name| is_version_between(name, "linux-image-6.12.", "+deb12-amd64"))
            .max_by(|a, b| natural_order(a, b));
        assert_eq!(newest, Some("linux-image-6.12.117+deb12-amd64"));
    }

    #[test]
    fn alternatives_count_as_dependencies() {
        let text = "linux-headers-x\n  Depends: a\n |Depends: b\n  Recommends: c\n  Depends: <d>\n";
        assert_eq!(parse_depends(text), ["a", "b", "<d>"]);
    }

    #[test]
    fn the_kernel_list_is_valid() {
        let all = select("all").unwrap();
        assert!(all.len() >= 2);
        assert!(select("2.4").is_err());
    }

    #[test]
    fn what_a_kernel_is_tested_with_is_tested() {
        let tested = crate::lab::scenario::select(crate::lab::scenario::TEST).unwrap();
        for kernel in select("all").unwrap() {
            for name in kernel.tests.iter().flatten() {
                assert!(tested.iter().any(|scenario| scenario.name == *name), "{}: {name}", kernel.name);
            }
        }
    }
}
