//! The compiler and the linker of the eBPF programs.
//!
//! A compiler is fit if the sources of `core` that belong to it are there: a rustup nightly with
//! `rust-src`, or Debian's `rustc-web`, linked as a toolchain of rustup. The linker must know the
//! LLVM of that compiler.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{System, apt};
use crate::process;

/// The version of bpf-linker that the programs are known to link with.
const LINKER: &str = "0.13.0";

/// What Debian's compiler is called as a toolchain of rustup.
const DEBIAN_TOOLCHAIN: &str = "debian-bpf";

/// Toolchains that may be fit, best first; pm-trace's build script takes them in the same order.
const CANDIDATES: &[&str] = &["nightly", DEBIAN_TOOLCHAIN];

/// Names another toolchain, here and for pm-trace's build script.
const CHOICE: &str = "PM_TRACE_BPF_TOOLCHAIN";

/// Debian's packages of a compiler, its cargo, the sources of `core` and its own libraries.
const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "libstd-rust-web-dev"];

/// A toolchain that can compile for the BPF target.
pub(crate) struct Toolchain {
    /// As rustup calls it.
    pub(crate) name: String,
    /// Major version of its LLVM.
    llvm: u32,
}

impl Toolchain {
    /// The toolchain that builds use.
    pub(crate) fn find() -> Result<Self> {
        if let Ok(name) = env::var(CHOICE) {
            return Self::inspect(&name).with_context(|| {
                format!("{CHOICE}={name}: no such toolchain, or the sources of core are missing")
            });
        }
        CANDIDATES
            .iter()
            .find_map(|name| Self::inspect(name))
            .with_context(|| format!("none of {} has the sources of core", CANDIDATES.join(", ")))
    }

    fn inspect(name: &str) -> Option<Self> {
        let rustc = |argument: &str| {
            process::output(Command::new("rustup").args(["run", name, "rustc"]).args(argument.split(' ')))
                .ok()
        };
        let sysroot = PathBuf::from(rustc("--print sysroot")?.trim());
        if !sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs").is_file() {
            return None;
        }
        Some(Self { name: name.to_owned(), llvm: llvm_major(&rustc("-vV")?)? })
    }
}

/// The major version in `rustc -vV`'s line "LLVM version: 22.1.8".
fn llvm_major(text: &str) -> Option<u32> {
    let version = text.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
    version.split('.').next()?.trim().parse().ok()
}

/// What was found, or what is missing.
pub(super) fn find_toolchain() -> Result<String, String> {
    match Toolchain::find() {
        Ok(toolchain) => Ok(format!("{} (LLVM {})", toolchain.name, toolchain.llvm)),
        Err(error) => Err(format!("{error:#}")),
    }
}

/// Debian's compiler where apt has it, else rustup's nightly.
pub(super) fn install_toolchain() -> Result<()> {
    if process::is_root() && System::detect() == System::Debian && apt::offers(DEBIAN_PACKAGES) {
        apt::install(DEBIAN_PACKAGES)?;
        return process::run(Command::new("rustup").args(["toolchain", "link", DEBIAN_TOOLCHAIN, "/usr"]));
    }
    process::run(Command::new("rustup").args(nightly_install()))
        .context("rustup cannot install nightly with the sources of core")
}

fn nightly_install() -> [&'static str; 7] {
    ["toolchain", "install", "nightly", "--profile", "minimal", "--component", "rust-src"]
}

/// The command lines that bring a toolchain.
pub(super) fn advise_toolchain(system: System) -> Vec<String> {
    let mut lines = vec![format!("rustup {}", nightly_install().join(" "))];
    if system == System::Debian {
        lines.push(format!(
            "# or, where the packages exist: {} && rustup toolchain link {DEBIAN_TOOLCHAIN} /usr",
            apt::command_line(DEBIAN_PACKAGES)
        ));
    }
    lines
}

/// What was found, or what is missing.
pub(super) fn find_linker() -> Result<String, String> {
    let version = process::output(Command::new("bpf-linker").arg("--version"))
        .map_err(|_| "not installed".to_owned())?;
    let version = version.trim().trim_start_matches("bpf-linker ").to_owned();
    if version != LINKER {
        return Err(format!("{version} is installed, {LINKER} is wanted"));
    }
    // Known only if cargo installed it; a released binary brings the LLVM it was made with.
    match (linker_llvm(), Toolchain::find()) {
        (Some(linker), Ok(toolchain)) if linker != toolchain.llvm => {
            Err(format!("it knows LLVM {linker}, but {} uses LLVM {}", toolchain.name, toolchain.llvm))
        }
        (Some(linker), _) => Ok(format!("{version} (LLVM {linker})")),
        (None, _) => Ok(version),
    }
}

/// The LLVM that cargo built the installed bpf-linker for, as its records say.
fn linker_llvm() -> Option<u32> {
    let home = env::var_os("CARGO_HOME")
        .map_or_else(|| env::home_dir().map(|home| home.join(".cargo")), |dir| Some(dir.into()))?;
    let text = std::fs::read_to_string(home.join(".crates2.json")).ok()?;
    llvm_feature(&serde_json::from_str(&text).ok()?)
}

fn llvm_feature(records: &serde_json::Value) -> Option<u32> {
    let installs = records.get("installs")?.as_object()?;
    let (_, record) = installs.iter().find(|(key, _)| key.starts_with(&format!("bpf-linker {LINKER} ")))?;
    let features = record.get("features")?.as_array()?;
    features.iter().find_map(|feature| feature.as_str()?.strip_prefix("llvm-")?.parse().ok())
}

/// Builds bpf-linker against the LLVM of the toolchain.
pub(super) fn install_linker() -> Result<()> {
    let llvm = Toolchain::find()?.llvm;
    let package = format!("llvm-{llvm}-dev");
    if !llvm_prefix(llvm).exists() {
        if !(process::is_root() && System::detect() == System::Debian && apt::offers(&[&package])) {
            bail!("LLVM {llvm} with its headers is needed in {}", llvm_prefix(llvm).display());
        }
        apt::install(&[&package])?;
    }
    let mut cargo = Command::new("cargo");
    // Without the prefix it would take whichever LLVM is found first.
    cargo.args(linker_install(&llvm.to_string())).env("LLVM_PREFIX", llvm_prefix(llvm));
    process::run(&mut cargo)
}

fn linker_install(llvm: &str) -> Vec<String> {
    let words = format!(
        "install bpf-linker --version {LINKER} --locked --force --no-default-features --features llvm-{llvm} \
         --config profile.release.debug=false"
    );
    words.split(' ').map(str::to_owned).collect()
}

/// Where distributions put an LLVM of which there can be several.
fn llvm_prefix(llvm: u32) -> PathBuf {
    Path::new("/usr/lib").join(format!("llvm-{llvm}"))
}

/// The command lines that bring the linker.
pub(super) fn advise_linker(system: System) -> Vec<String> {
    let llvm = Toolchain::find().map_or_else(|_| "N".to_owned(), |toolchain| toolchain.llvm.to_string());
    let cargo = format!("cargo {}", linker_install(&llvm).join(" "));
    let (package, prefix) = match system {
        System::Debian => {
            (apt::command_line(&[&format!("llvm-{llvm}-dev")]), format!("/usr/lib/llvm-{llvm}"))
        }
        System::Fedora => (format!("sudo dnf install llvm{llvm}-devel"), format!("/usr/lib64/llvm{llvm}")),
        System::Arch => ("sudo pacman -S --needed llvm".to_owned(), "/usr".to_owned()),
        System::Other => (format!("# install LLVM {llvm} with its headers"), "PREFIX".to_owned()),
    };
    let hint = if llvm == "N" { "   # N is the LLVM in `rustc +TOOLCHAIN -vV`" } else { "" };
    vec![package, format!("LLVM_PREFIX={prefix} {cargo}{hint}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_llvm_of_a_compiler_is_read() {
        assert_eq!(llvm_major("rustc 1.96.0\nhost: x\nLLVM version: 22.1.8\n"), Some(22));
        assert_eq!(llvm_major("rustc 1.96.0\n"), None);
    }

    #[test]
    fn the_llvm_of_the_linker_is_read() {
        let records = serde_json::json!({ "installs": {
            "bpf-linker 0.13.0 (registry+x)": { "features": ["default", "llvm-22"] },
            "other 1.0.0 (registry+x)": { "features": ["llvm-9"] },
        }});
        assert_eq!(llvm_feature(&records), Some(22));
    }
}
