//! Exports, read by the programs that they are for: DuckDB and Spark run the queries of `docs/export.md`, Perfetto's own
//! types read its trace, the JSON lines are held against their schema.
//!
//! Those programs come from PyPI, in the versions that `xtask/exports/requirements.txt` names, into a virtual
//! environment in the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::progress::step;
use crate::{paths, process};

/// The command that checks the exports of the recorded traces; its last line is like that of cargo's tests.
pub(crate) fn command() -> Result<Command> {
    let python = environment()?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(paths::root()).args(["build", "--package", "pm-trace"]);
    step("building pm-trace", || process::run(&mut cargo))?;
    let root = paths::root();
    let mut check = Command::new(python);
    check
        .arg(folder().join("check.py"))
        .arg(paths::target().join("debug/pm-trace"))
        .arg(root.join("pm-trace/tests/data/traces"))
        .arg(root.join("docs"))
        .arg(paths::target().join("exports/work"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(check)
}

fn folder() -> PathBuf {
    paths::root().join("xtask/exports")
}

/// The virtual environment's Python. It is made anew when the requirements have changed.
fn environment() -> Result<PathBuf> {
    let wanted_file = folder().join("requirements.txt");
    let wanted = fs::read_to_string(&wanted_file).context("cannot read the requirements")?;
    let dir = paths::target().join("exports/venv");
    let (python, made) = (dir.join("bin/python"), dir.join("requirements.txt"));
    if fs::read_to_string(&made).is_ok_and(|made| made == wanted) {
        return Ok(python);
    }
    process::remove_tree(&dir)?;
    step("fetching what reads exports (Spark is 300 MB)", || make(&dir, &python, &wanted_file))?;
    fs::write(&made, wanted).context("cannot note what was installed")?;
    Ok(python)
}

fn make(dir: &Path, python: &Path, wanted: &Path) -> Result<()> {
    let parent = dir.parent().unwrap_or(dir);
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    process::run(Command::new("python3").args(["-m", "venv"]).arg(dir))?;
    let mut install = Command::new(python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    process::run_logged(install.arg(wanted), &parent.join("pip.log"))
}

/// Whether Python can make virtual environments: Debian has that in a package of its own.
pub(crate) fn find_python() -> Result<String, String> {
    let version = process::output(Command::new("python3").arg("--version")).map_err(|_| "not found")?;
    if !process::quiet(Command::new("python3").args(["-c", "import ensurepip, venv"])) {
        return Err("it cannot make virtual environments".to_owned());
    }
    Ok(version.trim().to_owned())
}
