//! Builds the eBPF programs with a toolchain that can, and puts styles and scripts of pages together.
//!
//! Two toolchains are known, and the first that is installed is taken:
//! - a rustup nightly with the component `rust-src`: what most users have;
//! - a toolchain named `debian-bpf` linked to Debian's `rustc-web`, a stable compiler whose package has the
//!   sources of `core` with it (`RUSTC_BOOTSTRAP=1` lets it build them).
//!
//! `PM_TRACE_BPF_TOOLCHAIN` names another one. `cargo xtask setup` installs what is missing.

use anyhow::{Context as _, bail};
use aya_build::{Package, Toolchain};
use base64::Engine as _;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

const CHOICE: &str = "PM_TRACE_BPF_TOOLCHAIN";
const CANDIDATES: [&str; 2] = ["nightly", "debian-bpf"];

/// The styles and scripts of pages: each one's name in the program, what it is, and the files below `src` that it consists
/// of, in the order in which they need each other.
const PARTS: [(&str, &str, &[&str]); 5] = [
    ("STYLE", "The style that all pages share.", &["report/html/style.css"]),
    ("THEME", "The button for the colours.", &["report/html/theme.js"]),
    (
        "REPORT_SCRIPT",
        "The script of a report.",
        &[
            "report/html/data.js",
            "report/html/theme.js",
            "report/html/timeline.js",
            "report/html/links.js",
            "report/html/page.js",
        ],
    ),
    ("SUMMARY_STYLE", "What a summary's style has besides.", &["runs/summary.css"]),
    ("SUMMARY_SCRIPT", "What a summary's script has besides.", &["runs/summary.js"]),
];

fn main() -> anyhow::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../pm-trace-common/src");
    println!("cargo:rerun-if-env-changed={CHOICE}");
    let toolchain = toolchain()?;
    println!("cargo:rerun-if-env-changed=RUSTC_BOOTSTRAP");
    // SAFETY: a build script has one thread.
    unsafe { std::env::set_var("RUSTC_BOOTSTRAP", "1") };
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../pm-trace-ebpf");
    let package =
        Package { name: "pm-trace-ebpf", root_dir: root, no_default_features: false, features: &[] };
    aya_build::build_ebpf([package], Toolchain::Custom(&toolchain))
        .with_context(|| format!("building the eBPF programs with {toolchain}; try `cargo xtask setup`"))?;
    let out_dir = std::env::var_os("OUT_DIR").context("cargo sets OUT_DIR for build scripts")?;
    let out_dir = Path::new(&out_dir);
    strip(&out_dir.join("pm-trace-ebpf"))?;
    fs::write(out_dir.join("parts.rs"), parts()?).context("writing the parts of pages")
}

/// The parts of pages as constants, each with the hash that a page's policy allows it by: no page has to work it out.
fn parts() -> anyhow::Result<String> {
    let mut code = String::new();
    for (name, told, files) in PARTS {
        let mut text = String::new();
        for file in files {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
            println!("cargo:rerun-if-changed={}", path.display());
            text += &fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        }
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&text));
        writeln!(
            code,
            "/// {told}\npub(crate) const {name}: Part = Part {{ text: {text:?}, hash: \"sha256-{hash}\" }};"
        )?;
    }
    Ok(code)
}

/// Removes what the loader and the kernel would parse at every start, and nothing needs: debug sections (the types in
/// `.BTF` were made from them), places that are only relocated where objects are linked, and source lines, of
/// which the kernel would check and move thousands.
fn strip(path: &Path) -> anyhow::Result<()> {
    let data = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let mut builder = object::build::elf::Builder::read(&*data)?;
    let unneeded = |name: &[u8]| {
        [&b".debug"[..], b".rel.debug", b".rel.BTF"].iter().any(|start| name.starts_with(start))
    };
    for section in &mut builder.sections {
        section.delete = unneeded(&section.name);
        if section.name[..] == b".BTF.ext"[..]
            && let object::build::elf::SectionData::Data(data) = &section.data
        {
            section.data = object::build::elf::SectionData::Data(without_lines(data)?.into());
        }
    }
    // LLVM keeps the names of sections together with those of symbols; the writer wants a table for them.
    let names = builder.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = object::elf::SHT_STRTAB;
    names.data = object::build::elf::SectionData::SectionString;
    builder.delete_orphan_relocations();
    let mut stripped = Vec::new();
    builder.write(&mut stripped)?;
    fs::write(path, stripped).with_context(|| format!("writing {}", path.display()))
}

/// `.BTF.ext` without source lines (Documentation/bpf/btf.rst). What it says of functions stays: the kernel demands it
/// of programs with callbacks.
fn without_lines(ext: &[u8]) -> anyhow::Result<Vec<u8>> {
    const HEADER_LEN: usize = 4;
    const LINES: usize = 16;
    const LINES_LEN: usize = 20;
    const RELOCATIONS: usize = 24;
    const RELOCATIONS_LEN: usize = 28;
    let word = |at: usize| -> anyhow::Result<usize> {
        let bytes = ext.get(at..at + 4).context(".BTF.ext is cut short")?;
        Ok(u32::from_ne_bytes(bytes.try_into()?) as usize)
    };
    if word(HEADER_LEN)? <= RELOCATIONS_LEN || word(RELOCATIONS_LEN)? != 0 {
        bail!(
            ".BTF.ext has another header than is known, or relocations, which stand behind the source lines"
        );
    }
    let end = word(HEADER_LEN)? + word(LINES)?;
    let mut rest = ext.get(..end).context(".BTF.ext is cut short")?.to_vec();
    rest[LINES_LEN..LINES_LEN + 4].fill(0);
    rest.copy_within(LINES..LINES + 4, RELOCATIONS);
    Ok(rest)
}

fn toolchain() -> anyhow::Result<String> {
    if let Ok(chosen) = std::env::var(CHOICE) {
        return Ok(chosen);
    }
    match CANDIDATES.into_iter().find(|name| has_core_sources(name)) {
        Some(name) => Ok(name.to_owned()),
        None => bail!(
            "no toolchain here can build eBPF programs: it needs the sources of `core`.\n\
             Try `cargo xtask setup`, or `rustup toolchain install nightly --component rust-src`,\n\
             or name one in {CHOICE}"
        ),
    }
}

/// Whether the toolchain exists and has the sources of `core` that belong to it.
fn has_core_sources(name: &str) -> bool {
    let Ok(output) = Command::new("rustup").args(["run", name, "rustc", "--print", "sysroot"]).output()
    else {
        return false;
    };
    let sysroot = String::from_utf8_lossy(&output.stdout);
    output.status.success()
        && Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core/src/lib.rs").is_file()
}
