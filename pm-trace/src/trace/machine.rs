//! Facts about this machine for a session.

use super::{Clocks, Kernel, Session};
use nix::time::{ClockId, clock_gettime};
use std::fs;

/// Longest kernel command line kept, in bytes; the kernel's own limit on most architectures.
const MAX_CMDLINE: usize = 4096;

/// A session with what can be known without looking at the kernel: program, machine, clocks. The caller adds
/// probes, members, ring size, mode and state.
pub fn this_machine(command: Vec<String>) -> Session {
    let clocks = clocks_now();
    let (release, version, machine) = nix::sys::utsname::uname().map_or_else(
        |_| Default::default(),
        |u| {
            let text = |s: &std::ffi::OsStr| s.to_string_lossy().into_owned();
            (text(u.release()), text(u.version()), text(u.machine()))
        },
    );
    let cpus = std::thread::available_parallelism().map_or(0, |n| n.get() as u32);
    Session {
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        command,
        started: utc(clocks.realtime),
        kernel: Kernel { release, version, machine },
        product: product(),
        cmdline: shown_cmdline(&fs::read_to_string("/proc/cmdline").unwrap_or_default()),
        cpus,
        clocks,
        ..Session::default()
    }
}

/// The three clocks, read one directly after the other. A clock that cannot be read is 0.
pub fn clocks_now() -> Clocks {
    let read = |clock| {
        clock_gettime(clock).map_or(0, |t| {
            u64::try_from(t.tv_sec()).unwrap_or(0) * 1_000_000_000 + u64::try_from(t.tv_nsec()).unwrap_or(0)
        })
    };
    // In this order a machine that never slept does not seem to have gained time.
    let monotonic = read(ClockId::CLOCK_MONOTONIC);
    let boottime = read(ClockId::CLOCK_BOOTTIME);
    Clocks { boottime, monotonic, realtime: read(ClockId::CLOCK_REALTIME) }
}

/// A kernel command line without what identifies a machine or gives access to it: values that name disks,
/// hosts, networks or keys become `...`.
pub fn shown_cmdline(cmdline: &str) -> String {
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
    let mut shown = shown.join(" ");
    shown.truncate(shown.floor_char_boundary(MAX_CMDLINE));
    shown
}

/// Vendor and model.
fn product() -> String {
    let read = |name: &str| fs::read_to_string(format!("/sys/class/dmi/id/{name}")).unwrap_or_default();
    let (vendor, name) = (read("sys_vendor"), read("product_name"));
    format!("{} {}", vendor.trim(), name.trim()).trim().chars().take(200).collect()
}

/// Nanoseconds since 1970 as date and time in UTC, to the second.
pub(crate) fn utc(realtime: u64) -> String {
    let seconds = realtime / 1_000_000_000;
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    // Whole cycles of 400 years, 146,097 days each, then year by year.
    let (mut year, mut left) = (1970 + days / 146_097 * 400, days % 146_097);
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let at = |seconds: u64| utc(seconds * 1_000_000_000);
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_735_689_599), "2024-12-31T23:59:59Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
        assert!(utc(u64::MAX).starts_with("2554-"));
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
    fn this_machine_is_described() {
        let session = this_machine(vec!["pm-trace".into()]);
        assert!(!session.kernel.release.is_empty());
        assert!(session.cpus > 0);
        assert!(session.clocks.boottime >= session.clocks.monotonic);
    }
}
