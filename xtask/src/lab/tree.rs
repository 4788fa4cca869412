//! A kernel's packages, fetched and unpacked once into the lab's cache.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::kernels::{self, Resolved};
use super::moddep::ModuleDeps;
use super::vmlinux;
use crate::progress::step;
use crate::{paths, process};

/// What of the kernel's sources the lab builds modules from.
const SOURCE_DIRS: &[&str] = &["drivers/scsi", "drivers/ata"];

/// Changes when an older cache cannot be used any more.
const LAYOUT: &str = "1";

/// One kernel in the cache: image, modules, build tree and sources.
pub(crate) struct Tree {
    /// What apt calls it.
    pub(crate) resolved: Resolved,
    dir: PathBuf,
}

impl Tree {
    /// Where this kernel lies in the cache, whether it is there or not.
    pub(crate) fn locate(resolved: Resolved) -> Result<Self> {
        let key = format!("{}_{}", resolved.release, resolved.version.replace(':', "%3a"));
        Ok(Self { dir: paths::lab_cache()?.join(key), resolved })
    }

    /// Whether everything has been fetched and unpacked.
    pub(crate) fn is_ready(&self) -> bool {
        fs::read_to_string(self.dir.join("layout")).is_ok_and(|layout| layout == LAYOUT)
    }

    /// Fetches and unpacks what is not there yet.
    pub(crate) fn prepare(&self) -> Result<()> {
        if self.is_ready() {
            return Ok(());
        }
        let what = format!("fetching kernel {} ({})", self.resolved.release, self.resolved.version);
        step(what, || {
            process::remove_tree(&self.dir)?;
            let debs = self.dir.join("debs");
            fs::create_dir_all(&debs).with_context(|| {
                format!(
                    "cannot create {}: set PM_TRACE_LAB_CACHE to a directory that can be written",
                    debs.display()
                )
            })?;
            self.download(&debs)?;
            self.unpack(&debs)?;
            self.mend_headers()?;
            process::remove_tree(&debs)?;
            fs::write(self.dir.join("layout"), LAYOUT)?;
            Ok(())
        })
    }

    /// `uname -r`.
    pub(crate) fn release(&self) -> &str {
        &self.resolved.release
    }

    /// The bootable image.
    pub(crate) fn vmlinuz(&self) -> PathBuf {
        self.dir.join("image/boot").join(format!("vmlinuz-{}", self.release()))
    }

    /// The kernel's configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("image/boot").join(format!("config-{}", self.release()))
    }

    /// `/lib/modules/RELEASE` of the image package.
    pub(crate) fn module_dir(&self) -> PathBuf {
        self.dir.join("image/lib/modules").join(self.release())
    }

    /// What `make -C` needs to build modules.
    pub(crate) fn build_dir(&self) -> PathBuf {
        self.dir.join("headers/usr/src").join(format!("linux-headers-{}", self.release()))
    }

    /// The unchanged sources of what the lab rebuilds.
    pub(crate) fn source_dir(&self) -> PathBuf {
        self.dir.join("source")
    }

    /// A directory for things built for this kernel, made when used.
    pub(crate) fn built_dir(&self) -> PathBuf {
        self.dir.join("built")
    }

    /// A directory for the lab's helper modules, made when used.
    pub(crate) fn helpers_dir(&self) -> PathBuf {
        self.dir.join("helpers")
    }

    /// The dependencies of the image's modules.
    pub(crate) fn module_deps(&self) -> Result<ModuleDeps> {
        let file = self.module_dir().join("modules.dep");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(ModuleDeps::parse(&text))
    }

    /// `sleepgraph.py` of the kernel's source package, fetched when first used.
    pub(crate) fn sleepgraph(&self) -> Result<PathBuf> {
        let dir = self.dir.join("pm-graph");
        let file = dir.join("sleepgraph.py");
        if file.exists() {
            return Ok(file);
        }
        step(format!("fetching sleepgraph of {}", self.resolved.source), || {
            let debs = tempfile::Builder::new().prefix("pm-trace-source-").tempdir()?;
            let mut apt = Command::new("apt-get");
            apt.current_dir(debs.path()).args(["download", &self.resolved.source]);
            process::run_logged(&mut apt, &debs.path().join("download.log"))?;
            fs::create_dir_all(&dir)?;
            self.unpack_source(debs.path(), &dir, &["*/tools/power/pm-graph/*"], 4)?;
            Ok(file.clone())
        })
    }

    fn download(&self, debs: &Path) -> Result<()> {
        let wanted = &self.resolved;
        let mut packages = vec![(&wanted.image, wanted.version.clone())];
        for package in wanted.headers.iter().chain([&wanted.source]) {
            packages.push((package, kernels::candidate(package)?));
        }
        // The packages' authenticity is apt's business: it checks them against the signed index.
        let mut apt = Command::new("apt-get");
        apt.current_dir(debs)
            .arg("download")
            .args(packages.iter().map(|(name, version)| format!("{name}={version}")));
        process::run_logged(&mut apt, &self.dir.join("download.log")).with_context(
            || "cannot download the kernel's packages: after `apt-get update`, is the network there?",
        )
    }

    fn unpack(&self, debs: &Path) -> Result<()> {
        let image = self.dir.join("image");
        unpack_deb(debs, &self.resolved.image, &image)?;
        for package in &self.resolved.headers {
            unpack_deb(debs, package, &self.dir.join("headers"))?;
        }
        process::output(Command::new(depmod()).arg("-b").arg(&image).arg(self.release()))?;

        let source = self.source_dir();
        fs::create_dir_all(&source)?;
        let wanted: Vec<String> = SOURCE_DIRS.iter().map(|dir| format!("*/{dir}/*")).collect();
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        self.unpack_source(debs, &source, &wanted, 1)
    }

    /// Unpacks what fits the patterns from the source package in `debs`, without so many leading directories.
    fn unpack_source(&self, debs: &Path, into: &Path, patterns: &[&str], strip: u32) -> Result<()> {
        let all = debs.join("source");
        unpack_deb(debs, &self.resolved.source, &all)?;
        let tarball = all.join("usr/src").join(format!("{}.tar.xz", self.resolved.source));
        let mut tar = Command::new("tar");
        tar.arg("-xJf").arg(tarball).arg("-C").arg(into).arg("--wildcards");
        tar.arg(format!("--strip-components={strip}"));
        process::output(tar.args(patterns)).map(drop)
    }

    /// Makes the header packages work where they were unpacked rather than installed.
    fn mend_headers(&self) -> Result<()> {
        let build = self.build_dir();
        // The only absolute path; make runs in this directory.
        let makefile = build.join("Makefile");
        let text =
            fs::read_to_string(&makefile).with_context(|| format!("cannot read {}", makefile.display()))?;
        fs::write(&makefile, text.replace("/usr/src/", "../"))?;

        // drivers/scsi generates a table from a header that it expects in the build tree itself.
        let common = self.resolved.headers.iter().find(|name| kernels::is_common(name));
        let scsi = build.join("include/scsi");
        if let (Some(common), false) = (common, scsi.exists()) {
            symlink(format!("../../{common}/include/scsi"), scsi)?;
        }

        // Without a vmlinux, modules are built without BTF; newer header packages bring one.
        let vmlinux = build.join("vmlinux");
        if !vmlinux.exists() {
            vmlinux::extract(&self.vmlinuz(), &vmlinux)?;
        }
        Ok(())
    }
}

fn unpack_deb(debs: &Path, package: &str, into: &Path) -> Result<()> {
    let prefix = format!("{package}_");
    let deb = fs::read_dir(debs)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)))
        .with_context(|| format!("apt-get downloaded no file for {package}"))?;
    process::output(Command::new("dpkg-deb").arg("-x").arg(deb).arg(into)).map(drop)
}

/// `depmod` lies in a directory that is not in everyone's `PATH`.
fn depmod() -> PathBuf {
    paths::find_program("depmod").unwrap_or_else(|| "depmod".into())
}
