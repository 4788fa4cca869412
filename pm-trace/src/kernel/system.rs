//! Where facts about a machine come from: the running system, or a recording of one in a folder.
//!
//! Everything in [`crate::kernel`] and [`crate::doctor`] asks through [`System`], so that a recorded kernel is
//! an ordinary input: tests and bug reports use the same code as a run on the machine itself.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The most that is read of one file. Larger files are an error: nothing read here is near that size
/// (the largest is the kernel's BTF, 5 to 10 MB).
pub const MAX_FILE: u64 = 128 << 20;

/// What `uname(2)` tells, without the host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uname {
    /// `6.1.0-56-amd64`
    pub release: String,
    /// `#1 SMP PREEMPT_DYNAMIC Debian ...`
    pub version: String,
    /// `x86_64`
    pub machine: String,
}

/// A machine that can be asked. Paths are absolute, as on the running system.
pub trait System {
    /// The contents of a file.
    ///
    /// # Errors
    /// What the operating system says; [`io::ErrorKind::FileTooLarge`] beyond [`MAX_FILE`].
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;

    /// The names in a directory, sorted.
    ///
    /// # Errors
    /// What the operating system says.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;

    /// Whether the path exists. Something that may not be looked at counts as absent.
    fn exists(&self, path: &str) -> bool;

    /// The kernel's name and version.
    ///
    /// # Errors
    /// What the operating system says.
    fn uname(&self) -> io::Result<Uname>;

    /// A short text file without white space at its ends; `None` if it cannot be read.
    ///
    /// Bytes that are no UTF-8 are replaced. Control characters stay: whoever prints takes care of them.
    fn text(&self, path: &str) -> Option<String> {
        let bytes = self.read(path).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }
}

/// The system this process runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Live;

/// A system whose files were copied below a folder: `/proc/kallsyms` is `ROOT/proc/kallsyms`.
///
/// `uname` comes from `ROOT/proc/sys/kernel/{osrelease,version,arch}`.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The folder.
    pub root: PathBuf,
}

impl System for Live {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        read_bounded(Path::new(path))
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        list_sorted(Path::new(path))
    }

    fn exists(&self, path: &str) -> bool {
        Path::new(path).exists()
    }

    fn uname(&self) -> io::Result<Uname> {
        let name = nix::sys::utsname::uname()?;
        let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
        Ok(Uname {
            release: text(name.release()),
            version: text(name.version()),
            machine: text(name.machine()),
        })
    }
}

impl Recorded {
    /// A recording in `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The copy of `path`; a path that would leave the folder has none.
    fn place(&self, path: &str) -> io::Result<PathBuf> {
        if path.split('/').any(|part| part == "..") {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path leaves the recording"));
        }
        Ok(self.root.join(path.trim_start_matches('/')))
    }
}

impl System for Recorded {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        read_bounded(&self.place(path)?)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        list_sorted(&self.place(path)?)
    }

    fn exists(&self, path: &str) -> bool {
        self.place(path).is_ok_and(|place| place.exists())
    }

    fn uname(&self) -> io::Result<Uname> {
        let line = |name: &str| {
            let bytes = self.read(&format!("/proc/sys/kernel/{name}"))?;
            Ok::<_, io::Error>(String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        Ok(Uname { release: line("osrelease")?, version: line("version")?, machine: line("arch")? })
    }
}

/// Reads a file of at most [`MAX_FILE`] bytes. Sizes that procfs and sysfs tell are only a hint.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let hint = file.metadata().map_or(0, |meta| meta.len());
    let mut bytes = Vec::with_capacity(usize::try_from(hint.min(MAX_FILE)).unwrap_or(0));
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    Ok(bytes)
}

/// Lists a directory.
fn list_sorted(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_read_below_its_root() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("sys/power")).unwrap();
        std::fs::write(folder.path().join("sys/power/state"), " freeze mem\n").unwrap();
        let system = Recorded::new(folder.path());
        assert_eq!(system.text("/sys/power/state").as_deref(), Some("freeze mem"));
        assert_eq!(system.list("/sys/power").unwrap(), ["state"]);
        assert!(system.exists("/sys/power/state") && !system.exists("/sys/power/disk"));
        assert!(system.uname().is_err());
    }

    #[test]
    fn a_recording_is_never_left() {
        let system = Recorded::new("/proc/self");
        assert!(system.exists("/status"));
        assert!(!system.exists("/../self/status"));
        assert_eq!(system.read("/a/../../x").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn the_running_system_answers() {
        assert!(!Live.uname().unwrap().release.is_empty());
        assert!(Live.read("/proc/self/status").unwrap().starts_with(b"Name:"));
    }
}
