//! Which kernel modules must be loaded, and in which order: `modules.dep` read as depmod writes it.

use std::collections::HashMap;

use anyhow::{Context as _, Result};

/// The dependency table of one kernel's modules.
pub(crate) struct ModuleDeps {
    /// Module name to its path below `/lib/modules/RELEASE`, and its dependencies' names.
    modules: HashMap<String, (String, Vec<String>)>,
}

impl ModuleDeps {
    /// Parses lines of the form `path/a.ko: path/b.ko path/c.ko`.
    pub(crate) fn parse(text: &str) -> Self {
        let modules = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(path, needs)| {
                let needs = needs.split_whitespace().map(module_name).collect();
                (module_name(path), (path.to_owned(), needs))
            })
            .collect();
        Self { modules }
    }

    /// The paths of `wanted` and all they need, each after what it depends on.
    pub(crate) fn load_order(&self, wanted: &[String]) -> Result<Vec<&str>> {
        let mut order = Vec::new();
        for name in wanted {
            self.visit(&module_name(name), &mut order)
                .with_context(|| format!("cannot load module {name}"))?;
        }
        Ok(order)
    }

    fn visit<'a>(&'a self, name: &str, order: &mut Vec<&'a str>) -> Result<()> {
        let (path, needs) = self
            .modules
            .get(name)
            .with_context(|| format!("{name} is not in modules.dep: not a module of this kernel"))?;
        if order.contains(&path.as_str()) {
            return Ok(());
        }
        for need in needs {
            self.visit(need, order)?;
        }
        // A dependency may already have been added in between, never this module: modules have no cycles.
        order.push(path);
        Ok(())
    }
}

/// The name that the kernel gives the module in this file: no directory, no suffix, `_` for `-`.
pub(crate) fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.split_once(".ko").map_or(file, |(stem, _)| stem);
    stem.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "\
kernel/drivers/scsi/scsi_common.ko:
kernel/drivers/scsi/scsi_mod.ko.xz: kernel/drivers/scsi/scsi_common.ko
kernel/drivers/ata/libata.ko.xz: kernel/drivers/scsi/scsi_mod.ko.xz kernel/drivers/scsi/scsi_common.ko
kernel/drivers/ata/ahci.ko: kernel/drivers/ata/libahci.ko kernel/drivers/ata/libata.ko.xz kernel/drivers/scsi/scsi_mod.ko.xz
kernel/drivers/ata/libahci.ko: kernel/drivers/ata/libata.ko.xz
kernel/sound/snd-pcm.ko:
";

    fn order(wanted: &[&str]) -> Result<Vec<String>> {
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        let deps = ModuleDeps::parse(DEP);
        Ok(deps.load_order(&wanted)?.into_iter().map(module_name).collect())
    }

    #[test]
    fn dependencies_come_first_and_once() {
        let expected = ["scsi_common", "scsi_mod", "libata", "libahci", "ahci"];
        assert_eq!(order(&["ahci", "libata"]).unwrap(), expected);
    }

    #[test]
    fn dashes_and_underscores_are_the_same() {
        assert_eq!(order(&["snd_pcm"]).unwrap(), ["snd_pcm"]);
        assert_eq!(module_name("kernel/a/snd-pcm.ko.zst"), "snd_pcm");
    }

    #[test]
    fn a_missing_module_is_named() {
        let error = format!("{:#}", order(&["nvme"]).unwrap_err());
        assert!(error.contains("nvme is not in modules.dep"), "{error}");
    }
}
