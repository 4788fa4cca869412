//! The guest's root file system: busybox, the kernel's modules, the scenario and pm-trace.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::cpio::Archive;
use super::moddep::module_name;
use super::modules::{self, SLOW_SUPPLIER, Variant};
use super::python::Python;
use super::scenario::Scenario;
use super::shapes;
use super::systemd;
use super::tree::Tree;
use crate::{paths, process};

/// Directories of every guest.
const DIRS: &[&str] = &[
    "bin",
    "boot",
    "dev",
    "etc",
    "lab",
    "lib",
    "lib/modules",
    "mnt",
    "proc",
    "run",
    "sbin",
    "sys",
    "tmp",
    "usr",
    "usr/bin",
    "usr/lib",
    "usr/sbin",
    "var",
    "var/lib",
    "var/lib/pm-trace",
];

/// Everything that goes into a guest.
pub(crate) struct Contents<'a> {
    /// Its kernel.
    pub(crate) tree: &'a Tree,
    /// What [`super::modules::prepare`] built.
    pub(crate) modules: &'a Path,
    /// What it is to do.
    pub(crate) scenario: &'a Scenario,
    /// The static pm-trace.
    pub(crate) tracer: Option<&'a Path>,
}

impl Contents<'_> {
    /// Writes the archive to `file`.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let out = File::create(file).with_context(|| format!("cannot create {}", file.display()))?;
        let mut image = Image { archive: Archive::new(BufWriter::new(out)), present: BTreeSet::new() };
        for dir in DIRS {
            image.dir(dir)?;
        }
        image.archive.char_device("dev/console", 5, 1)?;
        self.add_programs(&mut image)?;
        self.add_modules(&mut image)?;
        self.add_scripts(&mut image)?;
        image.archive.finish().with_context(|| format!("cannot write {}", file.display()))?;
        Ok(())
    }

    fn add_programs(&self, image: &mut Image) -> Result<()> {
        image.copy("bin/busybox", &program("busybox")?)?;
        image.archive.symlink("bin/sh", "busybox")?;
        // What people wrap with `pm-trace record`.
        image.program("rtcwake")?;
        for name in &self.scenario.programs {
            image.program(name)?;
        }
        if self.scenario.systemd {
            systemd::add(image)?;
        }
        if self.scenario.sleepgraph {
            self.add_sleepgraph(image)?;
        }
        if let Some(tracer) = self.tracer {
            image.copy("bin/pm-trace", tracer)?;
        }
        // Where pm-trace looks for the configuration of a kernel without /proc/config.gz.
        let config = format!("boot/config-{}", self.tree.release());
        image.file(&config, 0o644, &read(&self.tree.config())?)
    }

    fn add_sleepgraph(&self, image: &mut Image) -> Result<()> {
        let python = Python::find()?;
        image.libraries(&python.program)?;
        for object in python.objects() {
            image.libraries(object)?;
        }
        for file in &python.library {
            image.copy(&file.to_string_lossy(), file)?;
        }
        image.copy("bin/python3", &python.program)?;
        image.copy("lab/sleepgraph.py", &self.tree.sleepgraph()?)
    }

    /// Modules under their plain names, and `order`, in which the guest loads them.
    fn add_modules(&self, image: &mut Image) -> Result<()> {
        let deps = self.tree.module_deps()?;
        let extra = &self.scenario.extra_modules;
        let mut wanted = self.tree.resolved.kernel.modules.clone();
        wanted.extend(extra.iter().map(|module| module.name.clone()));
        let mut order = String::new();
        for path in deps.load_order(&wanted)? {
            let name = module_name(path);
            let rebuilt = self.modules.join(format!("{name}.ko"));
            let data = if self.scenario.modules == Variant::Reverted && rebuilt.exists() {
                read(&rebuilt)?
            } else {
                uncompressed(&self.tree.module_dir().join(path))?
            };
            image.file(&format!("lib/modules/{name}.ko"), 0o644, &data)?;
            let parameters = extra.iter().find(|module| module_name(&module.name) == name);
            let parameters = parameters.map(|module| module.parameters.as_str()).unwrap_or_default();
            order.push_str(format!("{name} {parameters}").trim_end());
            order.push('\n');
        }
        image.file("lib/modules/order", 0o644, order.as_bytes())?;
        if let Some(supplier) = &self.scenario.supplier {
            let file = format!("{SLOW_SUPPLIER}.ko");
            image.file(&format!("lib/modules/{file}"), 0o644, &read(&self.modules.join(file))?)?;
            let options = format!("device={} delay_ms={}\n", supplier.device, supplier.delay_ms);
            image.file("lab/supplier", 0o644, options.as_bytes())?;
        }
        if !self.scenario.expect.shape.is_empty() {
            let list = shapes::list(&self.scenario.expect.shape);
            image.file("lab/shapes", 0o644, list.as_bytes())?;
        }
        for name in &self.scenario.helpers {
            let file = modules::helper(self.tree, name)?;
            image.file(&format!("lib/modules/{name}.ko"), 0o644, &read(&file)?)?;
        }
        Ok(())
    }

    fn add_scripts(&self, image: &mut Image) -> Result<()> {
        let guest = paths::lab().join("guest");
        image.copy("init", &guest.join("init"))?;
        for script in ["lib.sh", "run"] {
            image.copy(&format!("lab/{script}"), &guest.join(script))?;
        }
        if let Some(after) = &self.scenario.after_reset {
            image.file("lab/after-reset.sh", 0o755, after.guest.as_bytes())?;
        }
        image.file("lab/scenario.sh", 0o755, self.scenario.guest.as_bytes())
    }
}

/// An archive that knows which directories and libraries it has.
pub(super) struct Image {
    archive: Archive<BufWriter<File>>,
    present: BTreeSet<String>,
}

impl Image {
    fn dir(&mut self, path: &str) -> Result<()> {
        if self.present.insert(path.to_owned()) {
            self.archive.dir(path)?;
        }
        Ok(())
    }

    /// Adds a file, and its parents where they are missing.
    pub(super) fn file(&mut self, path: &str, mode: u32, data: &[u8]) -> Result<()> {
        let path = self.parents(path)?;
        self.archive.file(path, mode, data)?;
        Ok(())
    }

    /// Adds a symbolic link, and its parents where they are missing.
    pub(super) fn symlink(&mut self, path: &str, target: &str) -> Result<()> {
        let path = self.parents(path)?;
        self.archive.symlink(path, target)?;
        Ok(())
    }

    /// The path as it stands in an archive; its parents are there then.
    fn parents<'a>(&mut self, path: &'a str) -> Result<&'a str> {
        let path = path.trim_start_matches('/');
        for (at, _) in path.match_indices('/') {
            self.dir(&path[..at])?;
        }
        Ok(path)
    }

    pub(super) fn copy(&mut self, path: &str, from: &Path) -> Result<()> {
        self.file(path, 0o755, &read(from)?)
    }

    /// Adds a program of this machine to `/bin`, with its libraries.
    pub(super) fn program(&mut self, name: &str) -> Result<()> {
        self.linked(&format!("bin/{name}"), &program(name)?)
    }

    /// Adds a program that is linked dynamically, with the libraries that are not there yet.
    pub(super) fn linked(&mut self, path: &str, from: &Path) -> Result<()> {
        self.copy(path, from)?;
        self.libraries(from)
    }

    /// Adds what a program or shared object needs and is not there yet.
    fn libraries(&mut self, of: &Path) -> Result<()> {
        for library in libraries(of)? {
            if self.present.insert(library.clone()) {
                self.copy(&library, Path::new(&library))?;
            }
        }
        Ok(())
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn program(name: &str) -> Result<PathBuf> {
    paths::find_program(name)
        .with_context(|| format!("{name} is not installed: `cargo xtask setup` installs it"))
}

/// The shared libraries and the loader of a program, as absolute paths.
fn libraries(program: &Path) -> Result<Vec<String>> {
    Ok(parse_ldd(&process::output(Command::new("ldd").arg(program))?))
}

fn parse_ldd(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(str::to_owned)
        .collect()
}

/// A module's ELF file: distributions compress them in several ways.
fn uncompressed(file: &Path) -> Result<Vec<u8>> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => process::output_bytes(Command::new("xz").arg("-dc").arg(file)),
        Some("zst") => process::output_bytes(Command::new("zstd").arg("-dcq").arg(file)),
        _ => read(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_loader_are_found() {
        let text = "\tlinux-vdso.so.1 (0x00007f)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x1)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x2)\n";
        assert_eq!(parse_ldd(text), ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]);
    }
}
