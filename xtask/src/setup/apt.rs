//! Installing packages on Debian and what descends from it.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};

use crate::lab::{candidate, forget};
use crate::process;
use crate::progress::step;

/// Lists older than this may name packages that the archive no longer has.
const FRESH: Duration = Duration::from_secs(24 * 3600);

/// Whether apt could install all of these.
pub(super) fn offers(packages: &[&str]) -> bool {
    packages.iter().all(|package| candidate(package).is_ok())
}

/// Fetches the package lists if there are none or they are old.
pub(super) fn refresh() -> Result<()> {
    if lists_are_fresh() { Ok(()) } else { update() }
}

fn update() -> Result<()> {
    forget();
    step("apt-get update", || process::run(Command::new("apt-get").args(["update", "-qq"])))
}

fn lists_are_fresh() -> bool {
    let Ok(entries) = fs::read_dir("/var/lib/apt/lists") else { return false };
    let mut lists = entries.filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.contains("_Packages")
    });
    let Some(first) = lists.next() else { return false };
    // apt keeps the server's date on the lists; the directory's own tells when they were fetched.
    let fetched = fs::metadata("/var/lib/apt/lists/partial").or_else(|_| first.metadata());
    fetched
        .and_then(|metadata| metadata.modified())
        .is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age < FRESH))
}

/// Installs packages, fetching the lists anew if that fails at first.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    let install = || {
        let mut apt = Command::new("apt-get");
        apt.args(["install", "-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=600"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive");
        process::run(&mut apt)
    };
    step(format!("installing {}", packages.join(" ")), || {
        install().or_else(|_| {
            update()?;
            install()
        })
    })
    .with_context(|| format!("cannot install {}", packages.join(" ")))
}

/// What a person types for [`install`].
pub(super) fn command_line(packages: &[&str]) -> String {
    format!("sudo apt-get install --no-install-recommends {}", packages.join(" "))
}
