//! The file of a trace on its way into a directory.

use super::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Whether an existing file may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// Never.
    Refuse,
    /// A regular file may.
    Replace,
}

/// Creates the file of a trace, readable by its owner only.
pub(super) fn create_file(path: &Path, overwrite: Overwrite) -> Result<File> {
    let create_error = |source: io::Error| match source.kind() {
        ErrorKind::AlreadyExists => Error::Exists { path: path.to_owned() },
        _ => Error::Create { path: path.to_owned(), source },
    };
    match path.symlink_metadata() {
        Ok(there) if !there.is_file() => return Err(Error::NotRegular { path: path.to_owned() }),
        Ok(_) if overwrite == Overwrite::Replace => std::fs::remove_file(path).map_err(create_error)?,
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(create_error)
}

/// Gives the file to the user who called `sudo`. A failure leaves it with root, who can read it too.
pub(crate) fn give_to_sudo_user(file: &File) {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let id = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
    if let (Some(uid), Some(gid)) = (id("SUDO_UID"), id("SUDO_GID"))
        && let Err(error) = std::os::unix::fs::fchown(file, Some(uid), Some(gid))
    {
        log::warn!("the trace stays owned by root: {error}");
    }
}

/// Makes the directory entry of a file durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
