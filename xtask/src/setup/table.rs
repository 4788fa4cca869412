//! What pm-trace's developers need: one table for finding, installing and telling.

use std::process::Command;

use super::bpf;
use super::{Group, System};
use crate::{browser, exports, lab, paths, process};

/// Something that must be there.
pub(super) struct Requirement {
    /// How the report calls it.
    pub(super) name: &'static str,
    /// Who needs it.
    pub(super) group: Group,
    /// What would not work without it.
    pub(super) used_for: &'static str,
    /// How to see whether it is there.
    pub(super) detect: Detect,
    /// How it gets there.
    pub(super) supply: Supply,
}

/// How to see whether something is there.
pub(super) enum Detect {
    /// All of these programs can be found.
    Programs(&'static [&'static str]),
    /// A question of its own: what was found, or what is missing.
    Check(fn() -> Result<String, String>),
}

/// How something gets onto the machine.
pub(super) enum Supply {
    /// By the distribution's packages: Debian's, Fedora's, Arch's names, separated by spaces.
    Packages { debian: &'static str, fedora: &'static str, arch: &'static str },
    /// By commands of its own: what carries them out, and what a person types.
    Commands { install: fn() -> anyhow::Result<()>, advice: fn(System) -> Vec<String> },
}

impl Requirement {
    /// What was found, or what is missing.
    pub(super) fn find(&self) -> Result<String, String> {
        match self.detect {
            Detect::Programs(programs) => {
                let missing: Vec<&str> =
                    programs.iter().copied().filter(|name| paths::find_program(name).is_none()).collect();
                if missing.is_empty() {
                    Ok(programs.join(", "))
                } else {
                    Err(format!("not found: {}", missing.join(", ")))
                }
            }
            Detect::Check(check) => check(),
        }
    }
}

/// Everything, in the order in which it must be installed.
pub(super) const REQUIREMENTS: &[Requirement] = &[
    Requirement {
        name: "C and C++ compilers",
        group: Group::Build,
        used_for: "linking, and building bpf-linker",
        detect: Detect::Programs(&["cc", "c++"]),
        supply: Supply::Packages { debian: "gcc g++ libc6-dev", fedora: "gcc gcc-c++", arch: "gcc" },
    },
    Requirement {
        name: "eBPF toolchain",
        group: Group::Build,
        used_for: "compiling the eBPF programs",
        detect: Detect::Check(bpf::find_toolchain),
        supply: Supply::Commands { install: bpf::install_toolchain, advice: bpf::advise_toolchain },
    },
    Requirement {
        name: "bpf-linker",
        group: Group::Build,
        used_for: "linking the eBPF programs",
        detect: Detect::Check(bpf::find_linker),
        supply: Supply::Commands { install: bpf::install_linker, advice: bpf::advise_linker },
    },
    Requirement {
        name: "QEMU for x86-64",
        group: Group::Lab,
        used_for: "running the lab's guests",
        detect: Detect::Programs(&["qemu-system-x86_64"]),
        supply: Supply::Packages {
            debian: "qemu-system-x86",
            fedora: "qemu-system-x86-core",
            arch: "qemu-system-x86",
        },
    },
    Requirement {
        name: "static busybox",
        group: Group::Lab,
        used_for: "the guests' shell and tools",
        detect: Detect::Check(find_busybox),
        supply: Supply::Packages { debian: "busybox-static", fedora: "busybox", arch: "busybox" },
    },
    Requirement {
        name: "rtcwake",
        group: Group::Lab,
        used_for: "scenarios that wrap a wake-up command",
        detect: Detect::Programs(&["rtcwake"]),
        supply: Supply::Packages { debian: "util-linux", fedora: "util-linux", arch: "util-linux" },
    },
    Requirement {
        name: "perl",
        group: Group::Lab,
        used_for: "the guests' listeners and timers",
        detect: Detect::Programs(&["perl"]),
        supply: Supply::Packages { debian: "perl-base", fedora: "perl-interpreter", arch: "perl" },
    },
    Requirement {
        name: "systemd",
        group: Group::Lab,
        used_for: "the scenario with pm-trace's service",
        detect: Detect::Programs(&["systemctl", "journalctl"]),
        supply: Supply::Packages { debian: "systemd", fedora: "systemd", arch: "systemd" },
    },
    Requirement {
        name: "mkfs.ext4",
        group: Group::Lab,
        used_for: "scenarios that look for evidence on a disk",
        detect: Detect::Programs(&["mkfs.ext4"]),
        supply: Supply::Packages { debian: "e2fsprogs", fedora: "e2fsprogs", arch: "e2fsprogs" },
    },
    Requirement {
        name: "tools for kernel modules",
        group: Group::Lab,
        used_for: "building the guests' modules, with BTF",
        detect: Detect::Programs(&[
            "make", "gcc-12", "bc", "patch", "pahole", "depmod", "strip", "readelf", "tar", "xz", "zstd",
        ]),
        supply: Supply::Packages {
            debian: "make gcc-12 bc patch dwarves kmod binutils tar xz-utils zstd",
            fedora: "make gcc bc patch dwarves kmod binutils tar xz zstd",
            arch: "make gcc bc patch pahole kmod binutils tar xz zstd",
        },
    },
    Requirement {
        name: "lab kernels",
        group: Group::Lab,
        used_for: "booting what users run; fetched from Debian 12's packages",
        detect: Detect::Check(find_kernels),
        supply: Supply::Commands { install: lab::prepare, advice: advise_kernels },
    },
    Requirement {
        name: "Python",
        group: Group::Exports,
        used_for: "reading exports with DuckDB, Spark and Perfetto's types",
        detect: Detect::Check(exports::find_python),
        supply: Supply::Packages { debian: "python3 python3-venv", fedora: "python3", arch: "python" },
    },
    Requirement {
        name: "Java",
        group: Group::Exports,
        used_for: "running Spark",
        detect: Detect::Programs(&["java"]),
        supply: Supply::Packages {
            debian: "openjdk-17-jre-headless",
            fedora: "java-17-openjdk-headless",
            arch: "jre17-openjdk-headless",
        },
    },
    Requirement {
        name: "Chromium",
        group: Group::Browser,
        used_for: "checking the HTML report in a browser",
        detect: Detect::Check(browser::find),
        supply: Supply::Packages { debian: "chromium", fedora: "chromium", arch: "chromium" },
    },
    Requirement {
        name: "rustfmt and clippy",
        group: Group::Ci,
        used_for: "checking format and lints",
        detect: Detect::Programs(&["cargo-fmt", "cargo-clippy"]),
        supply: Supply::Commands {
            install: || process::run(Command::new("rustup").args(["component", "add", "rustfmt", "clippy"])),
            advice: |_| vec!["rustup component add rustfmt clippy".to_owned()],
        },
    },
    Requirement {
        name: "cargo-deny",
        group: Group::Ci,
        used_for: "checking licences and sources of dependencies",
        detect: Detect::Check(find_cargo_deny),
        supply: Supply::Commands {
            install: || process::run(Command::new("cargo").args(cargo_deny_install())),
            advice: |_| vec![format!("cargo {}", cargo_deny_install().join(" "))],
        },
    },
];

/// The version of cargo-deny that deny.toml is written for.
const CARGO_DENY: &str = "0.20.2";

fn cargo_deny_install() -> [&'static str; 5] {
    ["install", "cargo-deny", "--locked", "--version", CARGO_DENY]
}

fn find_cargo_deny() -> Result<String, String> {
    let version = process::output(Command::new("cargo-deny").arg("--version"))
        .map_err(|_| "not installed".to_owned())?;
    let version = version.trim().trim_start_matches("cargo-deny ").to_owned();
    if version == CARGO_DENY {
        Ok(version)
    } else {
        Err(format!("{version} is installed, {CARGO_DENY} is wanted"))
    }
}

fn find_busybox() -> Result<String, String> {
    let busybox = paths::find_program("busybox").ok_or("not found")?;
    // ldd fails on what has no dynamic section.
    if process::quiet(Command::new("ldd").arg(&busybox)) {
        return Err(format!("{} is not static", busybox.display()));
    }
    Ok(busybox.display().to_string())
}

fn find_kernels() -> Result<String, String> {
    if lab::is_prepared() {
        Ok("in the cache".to_owned())
    } else {
        Err("not fetched or not built yet".to_owned())
    }
}

fn advise_kernels(system: System) -> Vec<String> {
    match system {
        System::Debian => vec!["cargo xtask setup   # once the rest is there; needs no root".to_owned()],
        System::Fedora | System::Arch | System::Other => vec![
            "# the lab's kernels come from Debian 12's packages: run the lab in a Debian 12 container or machine"
                .to_owned(),
        ],
    }
}
