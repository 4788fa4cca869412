//! What a trace says about the machine it was made on. Nothing that identifies one machine among those of its
//! model: no host name, serial number, hardware address or identifier of a disk.

use serde::Serialize;

use super::system::System;
use crate::text;

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

/// Longest kernel command line kept, in bytes; the kernel's own limit on most architectures.
const MAX_CMDLINE: usize = 4096;
/// Longest name of a machine, in bytes.
const MAX_NAME: usize = 200;
/// Most modules listed.
const MAX_MODULES: usize = 1000;

impl Machine {
    /// Asks the system.
    pub fn probe(system: &dyn System) -> Self {
        let read = |path: &str| system.text(path).unwrap_or_default();
        let dmi = |name: &str| read(&format!("/sys/class/dmi/id/{name}"));
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
            cmdline: shown_cmdline(&read("/proc/cmdline")),
            cpus_online: read("/sys/devices/system/cpu/online"),
            cpus_possible: read("/sys/devices/system/cpu/possible"),
            modules: modules(&read("/proc/modules")),
        }
    }
}

impl Machine {
    /// Vendor and model; empty if unknown.
    pub fn name(&self) -> String {
        text::cut(format!("{} {}", self.vendor, self.product).trim(), MAX_NAME).to_owned()
    }

    /// How many CPUs are online; 0 if unknown.
    pub fn cpus(&self) -> u32 {
        self.cpus_online.split(',').map(cpus_in).sum()
    }
}

/// How many CPUs a part of a list names: `4-7` or `9`.
fn cpus_in(range: &str) -> u32 {
    let number = |text: &str| text.trim().parse::<u32>().ok();
    match range.split_once('-') {
        Some((first, last)) => number(first)
            .zip(number(last))
            .and_then(|(first, last)| last.checked_sub(first)?.checked_add(1))
            .unwrap_or(0),
        None => u32::from(number(range).is_some()),
    }
}

/// A kernel command line without what identifies a machine or gives access to it: values that name disks,
/// hosts, networks or keys become `...`.
pub(crate) fn shown_cmdline(cmdline: &str) -> String {
    const HIDDEN: [&str; 14] = [
        "uuid", "label", "host", "serial", "pass", "key", "token", "secret", "user", "cred", "nfs", "iscsi",
        "luks", "url",
    ];
    const HIDDEN_WHOLE: [&str; 8] =
        ["root", "resume", "ip", "cryptdevice", "boot_image", "initrd", "netconsole", "dhcp"];
    let shown: Vec<String> = cmdline
        .split_whitespace()
        .map(|word| match word.split_once('=') {
            Some((key, value)) => {
                let (k, v) = (key.to_ascii_lowercase(), value.to_ascii_lowercase());
                let last = k.rsplit('.').next().unwrap_or(&k);
                let hidden = HIDDEN_WHOLE.contains(&last)
                    || HIDDEN.iter().any(|h| k.contains(h) || v.contains(h))
                    || value.contains('@');
                if hidden { format!("{key}=...") } else { word.to_owned() }
            }
            None => word.to_owned(),
        })
        .collect();
    text::cut(&shown.join(" "), MAX_CMDLINE).to_owned()
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
    fn a_command_line_names_no_disk_host_or_key() {
        let shown = shown_cmdline(
            "BOOT_IMAGE=/vmlinuz root=UUID=1b-2c ro quiet suspend.pm_test_delay=1 rd.luks.uuid=9 \
             systemd.hostname=me ip=10.0.0.2::: no_console_suspend foo=LABEL=x ssh=me@there",
        );
        assert_eq!(
            shown,
            "BOOT_IMAGE=... root=... ro quiet suspend.pm_test_delay=1 rd.luks.uuid=... systemd.hostname=... \
             ip=... no_console_suspend foo=... ssh=..."
        );
    }

    #[test]
    fn cpus_are_counted() {
        let cpus = |list: &str| Machine { cpus_online: list.to_owned(), ..Machine::default() }.cpus();
        assert_eq!((cpus("0-1"), cpus("0,2-4,9"), cpus("3")), (2, 5, 1));
        assert_eq!((cpus(""), cpus("x-"), cpus("4-2"), cpus("0-4294967295")), (0, 0, 0, 0));
    }

    #[test]
    fn modules_are_listed_by_name() {
        assert_eq!(modules("sd_mod 1 2 - Live 0x0\nahci 4 0 - Live 0x0\n\n"), ["ahci", "sd_mod"]);
    }
}
