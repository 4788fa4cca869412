//! One file with all that a bug report needs: the trace, reports, and what the machine says about itself.
//!
//! [`gather`](gather::gather) collects the members, [`Redactor`] takes out what identifies the machine or its
//! owner, [`Bundle::write`] packs them as `.tar.zst` with a manifest. Nothing is left out in silence: what could
//! not be had stands in the manifest with the reason.

pub mod gather;
mod redact;
mod secrets;
mod trace;

#[cfg(test)]
mod tests;

pub use redact::{Redacted, Redactor, Sort};
pub use secrets::known_secrets;

use crate::text;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Version of the manifest.
pub const MANIFEST: u32 = 1;
/// Level of compression: a trace gets no smaller beyond, only slower.
const LEVEL: i32 = 12;

/// Why a bundle was not made.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The trace cannot be read, or its redacted copy cannot be written.
    #[error(transparent)]
    Trace(#[from] crate::trace::Error),
    /// A report cannot be made.
    #[error("cannot make the report: {0}")]
    Report(#[from] serde_json::Error),
    /// The page cannot be made.
    #[error("cannot make the HTML report: {0}")]
    Page(#[from] askama::Error),
    /// There is something at its place.
    #[error("{} exists, and a bundle never replaces a file; name another with -o", text::path(.0))]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("cannot write {}: {source}; nothing is left of it, the trace is as it was", text::path(.path))]
    Write {
        /// The bundle.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

/// A file in a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name below the bundle's folder.
    pub name: String,
    /// Its content.
    pub content: Vec<u8>,
    /// Where the content is from, in words.
    pub origin: String,
}

/// Something a bundle could have held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Name the member would have.
    pub name: String,
    /// Why it is not there.
    pub reason: String,
}

/// What goes into a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The files.
    pub members: Vec<Member>,
    /// What could not be had.
    pub missing: Vec<Missing>,
    /// What was taken out; `None` if nothing was to be.
    pub redacted: Option<Vec<Redacted>>,
}

/// The manifest as it is stored.
#[derive(Serialize)]
struct Manifest<'a> {
    schema: u32,
    tool: String,
    made: String,
    redacted: &'a Option<Vec<Redacted>>,
    members: Vec<ManifestMember<'a>>,
    missing: &'a [Missing],
}

#[derive(Serialize)]
struct ManifestMember<'a> {
    name: &'a str,
    bytes: usize,
    sha256: String,
    origin: &'a str,
}

impl Bundle {
    /// Adds a text file, or notes why there is none.
    pub(crate) fn add(&mut self, name: &str, origin: &str, content: Result<String, String>) {
        match content {
            Ok(text) => {
                let (name, origin) = (name.to_owned(), origin.to_owned());
                self.members.push(Member { name, content: text.into_bytes(), origin });
            }
            Err(reason) => self.missing.push(Missing { name: name.to_owned(), reason }),
        }
    }

    fn manifest(&self) -> serde_json::Result<Vec<u8>> {
        let member = |member: &Member| {
            let digest = Sha256::digest(&member.content);
            digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let members = self.members.iter().map(|m| ManifestMember {
            name: &m.name,
            bytes: m.content.len(),
            sha256: member(m),
            origin: &m.origin,
        });
        let manifest = Manifest {
            schema: MANIFEST,
            tool: format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
            made: crate::kernel::clock::now().utc(),
            redacted: &self.redacted,
            members: members.collect(),
            missing: &self.missing,
        };
        let mut json = serde_json::to_vec_pretty(&manifest)?;
        json.push(b'\n');
        Ok(json)
    }

    /// Writes the bundle to `path`, readable by its owner only, who is the user that called `sudo` if one did.
    ///
    /// # Errors
    /// Something exists at `path`, or it cannot be written; nothing is left there then.
    pub fn write(&self, path: &Path) -> Result<(), BundleError> {
        let manifest = self.manifest()?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => BundleError::Exists(path.to_owned()),
            _ => BundleError::Write { path: path.to_owned(), source },
        })?;
        crate::trace::give_to_sudo_user(&file);
        self.pack(file, path, &manifest).map_err(|source| {
            // A part of a bundle would look like one.
            let _ = std::fs::remove_file(path);
            BundleError::Write { path: path.to_owned(), source }
        })
    }

    fn pack(&self, file: File, path: &Path, manifest: &[u8]) -> io::Result<()> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let folder = name.strip_suffix(".tar.zst").unwrap_or(&name);
        let mut archive = tar::Builder::new(zstd::Encoder::new(file, LEVEL)?);
        let now = crate::kernel::clock::now().realtime / 1_000_000_000;
        let mut append = |name: &str, content: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(now);
            archive.append_data(&mut header, Path::new(folder).join(name), content)
        };
        append("MANIFEST.json", manifest)?;
        for member in &self.members {
            append(&member.name, &member.content)?;
        }
        let mut file = archive.into_inner()?.finish()?;
        file.flush()?;
        file.sync_all()
    }
}
