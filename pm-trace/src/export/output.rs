//! Files that are written whole or not at all, and never over something else unasked.

use super::ExportError;
use crate::trace::{Overwrite, give_to_sudo_user};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file that is being written. What was not [finished](OutFile::finish) is removed.
#[derive(Debug)]
pub(super) struct OutFile {
    /// Where it is to be.
    path: PathBuf,
    /// Where it is until it is whole.
    part: PathBuf,
    file: BufWriter<File>,
    done: bool,
}

impl OutFile {
    /// Starts a file, at first under another name beside its place.
    ///
    /// # Errors
    /// Something is at its place that must not be replaced, or the file cannot be made.
    pub(super) fn create(path: &Path, overwrite: Overwrite) -> Result<Self, ExportError> {
        let refused = |source| ExportError::write(path, source);
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(refused(error)),
            Ok(found) if !found.is_file() => return Err(ExportError::NoFile(path.to_owned())),
            Ok(_) if overwrite == Overwrite::Refuse => return Err(ExportError::Exists(path.to_owned())),
            Ok(_) => {}
        }
        let name = path.file_name().ok_or_else(|| ExportError::NoFile(path.to_owned()))?;
        let mut part = std::ffi::OsString::from(".");
        part.push(name);
        part.push(format!(".{}.part", std::process::id()));
        let part = path.with_file_name(part);
        let file =
            OpenOptions::new().write(true).create_new(true).mode(0o644).open(&part).map_err(refused)?;
        give_to_sudo_user(&file);
        Ok(Self { path: path.to_owned(), part, file: BufWriter::new(file), done: false })
    }

    /// Puts the whole file in its place.
    ///
    /// # Errors
    /// It cannot be written to its end.
    pub(super) fn finish(mut self) -> Result<PathBuf, ExportError> {
        let whole = self.file.flush().and_then(|()| fs::rename(&self.part, &self.path));
        whole.map_err(|source| ExportError::write(&self.path, source))?;
        self.done = true;
        Ok(self.path.clone())
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for OutFile {
    fn drop(&mut self) {
        if !self.done {
            // A part of a table would look like one.
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// Makes the folder for tables, or takes one that is there: an empty one, or with [`Overwrite::Replace`] any. Tells
/// whether it was made.
///
/// # Errors
/// It cannot be made, or something is in it.
pub(super) fn folder(path: &Path, overwrite: Overwrite) -> Result<bool, ExportError> {
    let refused = |source| ExportError::write(path, source);
    match fs::create_dir(path) {
        Ok(()) => {
            give_to_sudo_user(&File::open(path).map_err(refused)?);
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let mut entries = fs::read_dir(path).map_err(refused)?;
            match entries.next() {
                Some(_) if overwrite == Overwrite::Refuse => Err(ExportError::Exists(path.to_owned())),
                _ => Ok(false),
            }
        }
        Err(error) => Err(refused(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn what_is_there_stays_unless_replaced_on_purpose() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        fs::write(&path, "old").unwrap();
        assert!(matches!(OutFile::create(&path, Overwrite::Refuse), Err(ExportError::Exists(_))));
        let mut file = OutFile::create(&path, Overwrite::Replace).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(dir.path()), ["a.json"]);
    }

    /// A program that runs as root must not put a file in the place of a device node.
    #[test]
    fn only_files_are_replaced() {
        for path in ["/dev/null", "/tmp"] {
            let refused = OutFile::create(Path::new(path), Overwrite::Replace);
            assert!(matches!(refused, Err(ExportError::NoFile(_))), "{path}");
        }
    }

    #[test]
    fn nothing_is_left_of_a_file_that_was_not_finished() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = OutFile::create(&dir.path().join("a"), Overwrite::Refuse).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(names(dir.path()), [""; 0]);
    }

    #[test]
    fn a_folder_must_be_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tables");
        assert!(folder(&path, Overwrite::Refuse).unwrap());
        assert!(!folder(&path, Overwrite::Refuse).unwrap());
        fs::write(path.join("mine"), "").unwrap();
        assert!(matches!(folder(&path, Overwrite::Refuse), Err(ExportError::Exists(_))));
        folder(&path, Overwrite::Replace).unwrap();
        assert_eq!(names(&path), ["mine"]);
    }
}
