//! `cargo xtask setup`: finds what is missing and installs it, or prints how to.

use std::fs;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::progress::step;
use crate::{Verdict, process};

mod apt;
pub(crate) mod bpf;
mod table;

use table::{REQUIREMENTS, Requirement, Supply};

/// What to look at.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only report what is missing; fails if anything is.
    #[arg(long)]
    check: bool,
    /// Only these groups; default is all.
    #[arg(long, value_enum, value_delimiter = ',')]
    group: Vec<Group>,
}

/// Who needs something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// Compiling pm-trace.
    Build,
    /// Running the lab's guests.
    Lab,
    /// Reading exports with the programs they are for.
    Exports,
    /// `cargo xtask browser`.
    Browser,
    /// `cargo xtask ci`.
    Ci,
}

/// The distributions whose commands are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// Debian, Ubuntu and their like.
    Debian,
    /// Fedora and its like.
    Fedora,
    /// Arch and its like.
    Arch,
    /// Anything else.
    Other,
}

impl System {
    fn detect() -> Self {
        Self::from_os_release(&fs::read_to_string("/etc/os-release").unwrap_or_default())
    }

    fn from_os_release(text: &str) -> Self {
        let ids: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
            .flat_map(|value| value.trim_matches('"').split(' '))
            .collect();
        let known = [
            ("debian", Self::Debian),
            ("ubuntu", Self::Debian),
            ("fedora", Self::Fedora),
            ("arch", Self::Arch),
        ];
        known.into_iter().find(|(id, _)| ids.contains(id)).map_or(Self::Other, |(_, system)| system)
    }

    /// What a person types to install packages.
    fn install_line(self, packages: &str) -> String {
        match self {
            Self::Debian => apt::command_line(&[packages]),
            Self::Fedora => format!("sudo dnf install {packages}"),
            Self::Arch => format!("sudo pacman -S --needed {packages}"),
            Self::Other => format!("# install what provides: {packages}"),
        }
    }
}

/// Carries out the subcommand.
pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let groups = if args.group.is_empty() { Group::value_variants() } else { &args.group };
    if args.check {
        let missing = report(groups);
        if missing > 0 {
            println!("{missing} missing; `cargo xtask setup` installs it or prints how to");
        }
        return Ok(Verdict::from_ok(missing == 0));
    }
    ensure(groups)?;
    report(groups);
    Ok(Verdict::Passed)
}

/// Prints each requirement's state; returns how many are missing.
fn report(groups: &[Group]) -> usize {
    let mut missing = 0;
    for requirement in wanted(groups) {
        let (state, detail) = match requirement.find() {
            Ok(found) => ("ok", found),
            Err(what) => {
                missing += 1;
                ("MISSING", format!("{what}; used for {}", requirement.used_for))
            }
        };
        let group = format!("{:?}", requirement.group).to_lowercase();
        println!("{state:<8} {group:<7} {:<25} {detail}", requirement.name);
    }
    missing
}

fn wanted(groups: &[Group]) -> impl Iterator<Item = &'static Requirement> {
    REQUIREMENTS.iter().filter(|requirement| groups.contains(&requirement.group))
}

fn missing(groups: &[Group]) -> Vec<&'static Requirement> {
    wanted(groups).filter(|requirement| requirement.find().is_err()).collect()
}

/// Installs what the groups lack. Silent if there is nothing to do.
pub(crate) fn ensure(groups: &[Group]) -> Result<()> {
    let lacking = missing(groups);
    if lacking.is_empty() {
        return Ok(());
    }
    let system = System::detect();
    if system == System::Debian && process::is_root() {
        apt::refresh()?;
        install_packages(&lacking)?;
    } else if lacking.iter().any(|requirement| matches!(requirement.supply, Supply::Packages { .. })) {
        advise(&lacking, system);
        bail!("this machine lacks {}: run the commands above, then this again", names(&lacking));
    }
    for requirement in lacking {
        let Supply::Commands { install, advice } = requirement.supply else { continue };
        // Installing one thing may have brought another.
        if requirement.find().is_ok() {
            continue;
        }
        if let Err(error) = step(format!("installing {}", requirement.name), install) {
            eprintln!("by hand:");
            advice(system).iter().for_each(|line| eprintln!("    {line}"));
            return Err(error.context(format!("cannot install {}", requirement.name)));
        }
    }
    let still = missing(groups);
    if !still.is_empty() {
        advise(&still, system);
        bail!("still missing after installing: {}", names(&still));
    }
    Ok(())
}

/// All packages in one go: apt is slow to start.
fn install_packages(lacking: &[&Requirement]) -> Result<()> {
    let packages: Vec<&str> = lacking
        .iter()
        .filter_map(|requirement| match requirement.supply {
            Supply::Packages { debian, .. } => Some(debian),
            Supply::Commands { .. } => None,
        })
        .flat_map(|packages| packages.split(' '))
        .collect();
    if packages.is_empty() { Ok(()) } else { apt::install(&packages) }
}

/// Prints the commands that bring what is missing.
fn advise(lacking: &[&Requirement], system: System) {
    println!("missing: {}", names(lacking));
    for requirement in lacking {
        println!("# {}: {}", requirement.name, requirement.used_for);
        let lines = match requirement.supply {
            Supply::Packages { debian, fedora, arch } => {
                let packages = match system {
                    System::Fedora => fedora,
                    System::Arch => arch,
                    System::Debian | System::Other => debian,
                };
                vec![system.install_line(packages)]
            }
            Supply::Commands { advice, .. } => advice(system),
        };
        lines.iter().for_each(|line| println!("{line}"));
    }
}

fn names(requirements: &[&Requirement]) -> String {
    requirements.iter().map(|requirement| requirement.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_are_recognised_by_descent() {
        let cases = [
            ("ID=debian\nVERSION_ID=\"12\"\n", System::Debian),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", System::Debian),
            ("ID=\"fedora\"\n", System::Fedora),
            ("ID=rocky\nID_LIKE=\"rhel centos fedora\"\n", System::Fedora),
            ("ID=endeavouros\nID_LIKE=arch\n", System::Arch),
            ("ID=alpine\n", System::Other),
            ("", System::Other),
        ];
        for (text, system) in cases {
            assert_eq!(System::from_os_release(text), system, "{text}");
        }
    }

    #[test]
    fn every_system_gets_a_command_for_every_requirement() {
        for system in [System::Debian, System::Fedora, System::Arch, System::Other] {
            for requirement in REQUIREMENTS {
                match requirement.supply {
                    Supply::Packages { debian, fedora, arch } => {
                        assert!([debian, fedora, arch].iter().all(|packages| !packages.is_empty()));
                    }
                    Supply::Commands { advice, .. } => {
                        assert!(!advice(system).is_empty(), "{}", requirement.name);
                    }
                }
            }
        }
    }
}
