//! Where things are: the checkout, cargo's target directory, the lab's cache.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ lies in the checkout")
}

/// Cargo's target directory, `CARGO_TARGET_DIR` respected.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The lab's data: kernel list, scenarios, patches, module sources, guest scripts.
pub(crate) fn lab() -> PathBuf {
    root().join("lab")
}

/// The page that `cargo xtask lab table` writes.
pub(crate) fn shapes() -> PathBuf {
    root().join("docs").join("shapes.md")
}

/// What the lab fetches and builds once per kernel version.
///
/// `PM_TRACE_LAB_CACHE` names another place than the user's cache directory.
pub(crate) fn lab_cache() -> Result<PathBuf> {
    if let Some(dir) = env::var_os("PM_TRACE_LAB_CACHE") {
        return Ok(root().join(dir));
    }
    let base = match env::var_os("XDG_CACHE_HOME") {
        Some(dir) => PathBuf::from(dir),
        None => env::home_dir()
            .context("no home directory for the lab's cache: set PM_TRACE_LAB_CACHE to a directory")?
            .join(".cache"),
    };
    Ok(base.join("pm-trace").join("lab"))
}

/// The first directory of `PATH`, or of the usual places of system programs, that holds `program`.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}
