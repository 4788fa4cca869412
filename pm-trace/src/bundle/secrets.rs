//! What identifies this machine or its owner: asked of the machine, so that it is found in any text.

use super::redact::Sort;
use crate::kernel::system::System;

/// Files with one secret each. `*` stands for any name in the folder before it.
const FILES: [(Sort, &str); 21] = [
    (Sort::Serial, "/sys/class/dmi/id/product_serial"),
    (Sort::Serial, "/sys/class/dmi/id/board_serial"),
    (Sort::Serial, "/sys/class/dmi/id/chassis_serial"),
    (Sort::Serial, "/sys/class/dmi/id/board_asset_tag"),
    (Sort::Serial, "/sys/class/dmi/id/chassis_asset_tag"),
    (Sort::Serial, "/sys/block/*/device/serial"),
    (Sort::Serial, "/sys/block/*/serial"),
    (Sort::Serial, "/sys/block/*/wwid"),
    (Sort::Serial, "/sys/block/*/device/wwid"),
    (Sort::Serial, "/sys/class/nvme/*/serial"),
    (Sort::Serial, "/sys/class/nvme/*/subsysnqn"),
    (Sort::Serial, "/sys/class/power_supply/*/serial_number"),
    (Sort::Serial, "/sys/bus/usb/devices/*/serial"),
    (Sort::Serial, "/sys/bus/thunderbolt/devices/*/unique_id"),
    (Sort::Mac, "/sys/class/net/*/address"),
    (Sort::Mac, "/sys/class/net/*/phys_port_id"),
    (Sort::Uuid, "/sys/class/dmi/id/product_uuid"),
    (Sort::Uuid, "/etc/machine-id"),
    (Sort::Uuid, "/proc/sys/kernel/random/boot_id"),
    (Sort::Host, "/proc/sys/kernel/hostname"),
    (Sort::Host, "/etc/hostname"),
];

/// Shorter ones would be found where they are none.
const SHORTEST: usize = 3;
/// What firmware and distributions write where nothing is known; and names that everybody has.
const NONE: [&str; 18] = [
    "none",
    "unknown",
    "default string",
    "not specified",
    "not available",
    "not applicable",
    "n/a",
    "invalid",
    "to be filled by o.e.m.",
    "system serial number",
    "base board serial number",
    "chassis serial number",
    "localhost",
    "(none)",
    "debian",
    "root",
    "user",
    "nobody",
];
/// First user id of people, as in most distributions.
const FIRST_USER: u32 = 1000;
/// User id of `nobody`.
const NOBODY: u32 = 65534;

/// The secrets of a machine.
pub fn known_secrets(system: &dyn System) -> Vec<(Sort, String)> {
    let mut secrets = Vec::new();
    for (sort, pattern) in FILES {
        for text in paths(system, pattern).iter().filter_map(|path| system.text(path)) {
            add(&mut secrets, sort, &text);
            // A world-wide name of a SCSI disk ends in its serial number: `t10.ATA  MODEL   SERIAL`.
            if let Some((_, last)) = text.rsplit_once(char::is_whitespace) {
                add(&mut secrets, sort, last);
            }
            if sort == Sort::Host
                && let Some((name, _)) = text.split_once('.')
            {
                add(&mut secrets, sort, name);
            }
        }
    }
    for user in users(&system.text("/etc/passwd").unwrap_or_default()) {
        add(&mut secrets, Sort::User, &user);
    }
    secrets
}

fn add(secrets: &mut Vec<(Sort, String)>, sort: Sort, text: &str) {
    let text = text.trim().trim_matches('\0');
    // 00:00:00:00:00:00, 000000
    let is_blank = text.chars().all(|c| matches!(c, '0' | ':' | '-' | '.' | ' ' | 'f' | 'F'));
    if text.len() >= SHORTEST && !is_blank && !NONE.contains(&text.to_lowercase().as_str()) {
        secrets.push((sort, text.to_owned()));
    }
}

fn paths(system: &dyn System, pattern: &str) -> Vec<String> {
    let Some((folder, rest)) = pattern.split_once("/*") else { return vec![pattern.to_owned()] };
    let names = system.list(folder).unwrap_or_default();
    names.iter().map(|name| format!("{folder}/{name}{rest}")).collect()
}

/// Names, and parts of full names, of the people who have an account.
fn users(passwd: &str) -> Vec<String> {
    let mut users = Vec::new();
    for line in passwd.lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(uid), Some(full)) = (fields.next(), fields.nth(1), fields.nth(1)) else {
            continue;
        };
        if uid.parse().is_ok_and(|uid: u32| uid >= FIRST_USER && uid != NOBODY) {
            users.push(name.to_owned());
            users.extend(full.split([',', ' ']).filter(|part| part.len() > SHORTEST).map(str::to_owned));
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_known_by_their_accounts() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n\
                      eva:x:1000:1000:Eva Musterfrau,,,:/home/eva:/bin/bash\nbroken\n";
        assert_eq!(users(passwd), ["eva", "Musterfrau"]);
    }
}
