//! What a trace says about the machine it was made on. Nothing that identifies one machine among those of its
//! model: no host name, serial number, hardware address or identifier of a disk.

use serde::Serialize;

use super::system::System;

/// Facts about the machine. What cannot be read is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Release of the kernel, `6.1.0-56-amd64`.
    pub release: String,
    /// Version of the kernel, `#1 SMP PREEMPT_DYNAMIC Debian ...`.
    pub version: String,
    /// `x86_64`
    pub arch: String,
    /// Vendor of the machine or, if there is none, of its board.
    pub vendor: String,
    /// Model of the machine or, if there is none, of its board.
    pub product: String,
    /// Vendor, version and date of the firmware.
    pub firmware: String,
    /// Kernel command line, without values that name disks, hosts or keys.
    pub cmdline: String,
    /// CPUs that are online, `0-7`.
    pub cpus_online: String,
    /// CPUs that there can be.
    pub cpus_possible: String,
    /// Modules that are loaded, sorted.
    pub modules: Vec<String>,
}

/// Most modules listed.
const MAX_MODULES: usize = 1000;

impl Machine {
    /// Asks the system.
    pub fn probe(system: &dyn System) -> Self {
        let text = |path: &str| system.text(path).unwrap_or_default();
        let dmi = |name: &str| text(&format!("/sys/class/dmi/id/{name}"));
        let either = |first: String, second: &str| if first.is_empty() { dmi(second) } else { first };
        let (release, version, arch) = system
            .uname()
            .map_or_else(|_| Default::default(), |uname| (uname.release, uname.version, uname.machine));
        let firmware = ["bios_vendor", "bios_version", "bios_date"].map(dmi);
        let parts: Vec<&str> = firmware.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        Self {
            release,
            version,
            arch,
            vendor: either(dmi("sys_vendor"), "board_vendor"),
            product: either(dmi("product_name"), "board_name"),
            firmware: parts.join(" "),
            cmdline: crate::trace::shown_cmdline(&text("/proc/cmdline")),
            cpus_online: text("/sys/devices/system/cpu/online"),
            cpus_possible: text("/sys/devices/system/cpu/possible"),
            modules: modules(&text("/proc/modules")),
        }
    }
}

/// The first words of the lines of `/proc/modules`, sorted.
fn modules(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    let mut names: Vec<String> = names.take(MAX_MODULES).map(str::to_owned).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::system::Recorded;
    use crate::kernel::testing::recorded;

    #[test]
    fn the_board_stands_in_for_a_machine_without_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let dmi = folder.path().join("sys/class/dmi/id");
        std::fs::create_dir_all(&dmi).unwrap();
        for (name, text) in [
            ("sys_vendor", "\n"),
            ("board_vendor", "Vendor\n"),
            ("product_name", "Model 1\n"),
            ("bios_version", "1.2\n"),
            ("bios_date", "01/02/2024\n"),
            ("product_serial", "SECRET\n"),
            ("product_uuid", "SECRET\n"),
        ] {
            std::fs::write(dmi.join(name), text).unwrap();
        }
        let machine = Machine::probe(&Recorded::new(folder.path()));
        assert_eq!((machine.vendor.as_str(), machine.product.as_str()), ("Vendor", "Model 1"));
        assert_eq!(machine.firmware, "1.2 01/02/2024");
        assert!(!format!("{machine:?}").contains("SECRET"));
    }

    #[test]
    fn a_recorded_machine_is_described() {
        let machine = Machine::probe(&recorded("debian-6.1"));
        assert_eq!((machine.release.as_str(), machine.arch.as_str()), ("6.1.0-56-amd64", "x86_64"));
        assert!(machine.version.contains("Debian"));
        assert_eq!(
            (machine.vendor.as_str(), machine.product.as_str()),
            ("QEMU", "Standard PC (Q35 + ICH9, 2009)")
        );
        assert!(machine.firmware.starts_with("SeaBIOS "));
        assert_eq!((machine.cpus_online.as_str(), machine.cpus_possible.as_str()), ("0-1", "0-1"));
        assert!(machine.modules.iter().any(|module| module == "libata"));
        assert_eq!(machine.cmdline, "console=ttyS0 panic=-1");
    }

    #[test]
    fn modules_are_listed_by_name() {
        assert_eq!(modules("sd_mod 1 2 - Live 0x0\nahci 4 0 - Live 0x0\n\n"), ["ahci", "sd_mod"]);
    }
}
