//! Modules that the lab builds: the kernel's own with patches, and the lab's helpers.
//!
//! Patched modules keep the stock kernel's version magic and symbol checksums, so they load in
//! place of the originals, and carry BTF, which pm-trace reads the layout of structures from.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result, ensure};

use super::tree::Tree;
use crate::progress::step;
use crate::{paths, process};

/// Modules of the kernel that the patches touch: directory in the sources, module name.
const PATCHED: &[(&str, &str)] = &[("drivers/scsi", "scsi_mod"), ("drivers/ata", "libata")];

/// The lab's module that holds back the resume of a SCSI device.
pub(crate) const SLOW_SUPPLIER: &str = "slow_supplier";

/// What of a kernel's modules a scenario boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Variant {
    /// As the distribution ships them.
    Stock,
    /// With the fixes of bugzilla 217530 taken out again.
    Reverted,
}

/// A directory with the lab's modules for `tree`, built if its sources are newer or changed.
pub(crate) fn prepare(tree: &Tree) -> Result<PathBuf> {
    let sources = Sources::read(tree)?;
    let dir = tree.built_dir().join(&sources.key);
    if dir.join("ready").exists() {
        return Ok(dir);
    }
    step(format!("building modules for kernel {}", tree.release()), || {
        process::remove_tree(&tree.built_dir())?;
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let work = tempfile::Builder::new().prefix("pm-trace-modules-").tempdir()?;
        build_patched(tree, &sources.patches, work.path(), &dir)?;
        build_helper(tree, SLOW_SUPPLIER, work.path(), &dir)?;
        fs::write(dir.join("ready"), "")?;
        Ok(dir.clone())
    })
}

/// The module of a helper (`lab/modules/NAME`), built if its sources are newer or changed. Each has a build
/// of its own, so that a change of one does not rebuild the others.
pub(crate) fn helper(tree: &Tree, name: &str) -> Result<PathBuf> {
    let sources = helper_dir(name);
    ensure!(sources.join("Kbuild").exists(), "there is no module {name} in lab/modules");
    let mut hasher = DefaultHasher::new();
    hash_files(&files(&sources)?, &mut hasher)?;
    let of_name = tree.helpers_dir().join(name);
    let dir = of_name.join(format!("{:016x}", hasher.finish()));
    let file = dir.join(format!("{name}.ko"));
    if dir.join("ready").exists() {
        return Ok(file);
    }
    step(format!("building module {name} for kernel {}", tree.release()), || {
        process::remove_tree(&of_name)?;
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let work = tempfile::Builder::new().prefix("pm-trace-modules-").tempdir()?;
        build_helper(tree, name, work.path(), &dir)?;
        fs::write(dir.join("ready"), "")?;
        Ok(file.clone())
    })
}

/// Whether [`prepare`] would have nothing to do.
pub(crate) fn is_ready(tree: &Tree) -> bool {
    Sources::read(tree).is_ok_and(|sources| tree.built_dir().join(sources.key).join("ready").exists())
}

/// The lab's own input of a build.
struct Sources {
    /// Names this content: another content, another build.
    key: String,
    /// Patches in the order of their names.
    patches: Vec<PathBuf>,
}

impl Sources {
    fn read(tree: &Tree) -> Result<Self> {
        let of = tree.resolved.kernel.patches();
        let patches = files(&paths::lab().join("patches").join(of))?;
        ensure!(!patches.is_empty(), "no patches for kernel {of} in lab/patches");
        let mut hasher = DefaultHasher::new();
        hash_files(&patches, &mut hasher)?;
        hash_files(&files(&helper_dir(SLOW_SUPPLIER))?, &mut hasher)?;
        Ok(Self { key: format!("{:016x}", hasher.finish()), patches })
    }
}

fn helper_dir(name: &str) -> PathBuf {
    paths::lab().join("modules").join(name)
}

/// Names and contents.
fn hash_files(files: &[PathBuf], hasher: &mut DefaultHasher) -> Result<()> {
    for file in files {
        file.file_name().hash(hasher);
        fs::read(file).with_context(|| format!("cannot read {}", file.display()))?.hash(hasher);
    }
    Ok(())
}

/// The files of a directory, sorted.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

fn build_patched(tree: &Tree, patches: &[PathBuf], work: &Path, out: &Path) -> Result<()> {
    let source = work.join("source");
    copy_tree(&tree.source_dir(), &source)?;
    for patch in patches {
        let mut command = Command::new("patch");
        command.args(["--batch", "--forward", "--strip=1", "--input"]).arg(patch).current_dir(&source);
        process::output(&mut command).with_context(|| {
            format!(
                "{} no longer fits kernel {}: it must be rewritten",
                patch.display(),
                tree.resolved.version
            )
        })?;
    }
    for (dir, module) in PATCHED {
        let dir = source.join(dir);
        make(tree, &dir, &format!("{module}.ko"), &out.join(format!("{module}.log")))?;
        same_checksums(tree, &dir.join("Module.symvers"))?;
        install(&dir, module, out)?;
    }
    Ok(())
}

fn build_helper(tree: &Tree, name: &str, work: &Path, out: &Path) -> Result<()> {
    let dir = work.join(name);
    copy_tree(&helper_dir(name), &dir)?;
    make(tree, &dir, "modules", &out.join(format!("{name}.log")))?;
    install(&dir, name, out)
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    process::output(Command::new("cp").arg("-r").arg(from).arg(to)).map(drop)
}

fn make(tree: &Tree, dir: &Path, target: &str, log: &Path) -> Result<()> {
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let mut make = Command::new("make");
    make.arg("-C").arg(tree.build_dir()).arg(format!("M={}", dir.display())).arg(format!("-j{jobs}"));
    // Header packages do not always bring resolve_btfids; these modules have no .BTF_ids to resolve.
    make.args(["RESOLVE_BTFIDS=true", target]);
    process::run_logged(&mut make, log)
}

/// Fails unless every symbol that the patched module exports has the checksum of the original.
fn same_checksums(tree: &Tree, symvers: &Path) -> Result<()> {
    let read =
        |file: &Path| fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()));
    let stock = read(&tree.build_dir().join("Module.symvers"))?;
    let changed = changed_symbols(&stock, &read(symvers)?);
    ensure!(
        changed.is_empty(),
        "the patches change the checksums of {}: other modules would refuse to load",
        changed.join(", ")
    );
    Ok(())
}

/// Symbols of `built` that `stock` does not have with the same checksum.
fn changed_symbols(stock: &str, built: &str) -> Vec<String> {
    let parse = |line: &str| {
        let mut fields = line.split('\t');
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    };
    let stock: std::collections::HashSet<_> = stock.lines().filter_map(parse).collect();
    built.lines().filter_map(parse).filter(|entry| !stock.contains(entry)).map(|(_, name)| name).collect()
}

/// Puts `module` into `out` without its debug information, and checks that it has BTF.
fn install(dir: &Path, module: &str, out: &Path) -> Result<()> {
    let file = format!("{module}.ko");
    process::output(
        Command::new("strip").arg("--strip-debug").arg("-o").arg(out.join(&file)).arg(dir.join(&file)),
    )?;
    let sections = process::output(Command::new("readelf").arg("-SW").arg(out.join(&file)))?;
    ensure!(
        sections.contains(" .BTF "),
        "{file} was built without BTF, see {}: is pahole installed (package dwarves)?",
        out.join(format!("{module}.log")).display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_checksum_is_found() {
        let stock = "0x1\ta\tvmlinux\n0x2\tb\tvmlinux\n";
        assert!(changed_symbols(stock, "0x2\tb\tother\n").is_empty());
        assert_eq!(changed_symbols(stock, "0x3\tb\tother\n0x4\tnew\tother\n"), ["b", "new"]);
    }
}
