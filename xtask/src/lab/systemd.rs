//! systemd as the first program of a guest: this machine's, without a message bus, devices' manager or logins. It
//! runs the scenario's script as a service, and has pm-trace's unit as the packaging has it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::initramfs::Image;
use crate::paths;

/// Where distributions keep its programs and units.
const LIBRARY: &[&str] = &["/usr/lib/systemd", "/lib/systemd"];

/// Its programs; those of newer versions may be missing.
const PROGRAMS: &[(&str, bool)] =
    &[("systemd", true), ("systemd-journald", true), ("systemd-sleep", true), ("systemd-executor", false)];

/// Tools of its.
const TOOLS: &[&str] = &["systemctl", "journalctl"];

/// Units of its: what is wanted by [`DEFAULT_TARGET`], and what that needs.
const UNITS: &[&str] = &[
    "basic.target",
    "local-fs.target",
    "paths.target",
    "shutdown.target",
    "sleep.target",
    "slices.target",
    "sockets.target",
    "sysinit.target",
    "systemd-journald-dev-log.socket",
    "systemd-journald.service",
    "systemd-journald.socket",
    "systemd-suspend.service",
    "timers.target",
    "umount.target",
];

/// What is started.
const DEFAULT_TARGET: &str = "[Unit]
Description=The scenario
Requires=basic.target
After=basic.target
Wants=systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service lab.service
AllowIsolate=yes
";

/// Carries out what the guest's init would without systemd.
const SERVICE: &str = "[Unit]
Description=The scenario's script
After=systemd-journald.service

[Service]
ExecStart=/bin/busybox sh /lab/run
Environment=PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/tmp TERM=vt100
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
";

/// Any will do. With none, systemd takes this for its first boot ever, and switches all units on.
const MACHINE_ID: &str = "00000000000000000000000000000001\n";

/// Adds it to a guest.
pub(super) fn add(image: &mut Image) -> Result<()> {
    let library = library()?;
    for (name, needed) in PROGRAMS {
        let program = library.join(name);
        if *needed || program.exists() {
            image.linked(&format!("usr/lib/systemd/{name}"), &program)?;
        }
    }
    // Some are built for the one place, some for the other.
    image.symlink("lib/systemd", "/usr/lib/systemd")?;
    for tool in TOOLS {
        image.program(tool)?;
    }
    for unit in UNITS {
        let text = std::fs::read(library.join("system").join(unit))
            .with_context(|| format!("systemd of this machine has no unit {unit}"))?;
        image.file(&format!("usr/lib/systemd/system/{unit}"), 0o644, &text)?;
    }
    let own = |name: &str| format!("etc/systemd/system/{name}");
    image.file(&own("default.target"), 0o644, DEFAULT_TARGET.as_bytes())?;
    image.file(&own("lab.service"), 0o644, SERVICE.as_bytes())?;
    let unit = paths::root().join("packaging/pm-trace.service");
    let unit = std::fs::read(&unit).with_context(|| format!("cannot read {}", unit.display()))?;
    image.file(&own("pm-trace.service"), 0o644, &unit)?;
    image.symlink("usr/local/sbin/pm-trace", "/bin/pm-trace")?;
    image.file("etc/machine-id", 0o444, MACHINE_ID.as_bytes())?;
    image.file("lab/systemd", 0o644, b"")
}

fn library() -> Result<PathBuf> {
    let found = LIBRARY.iter().map(Path::new).find(|library| library.join("systemd").exists());
    found.map(Path::to_owned).context("systemd is not installed: `cargo xtask setup` installs it")
}
