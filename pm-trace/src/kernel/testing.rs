//! Recorded kernels for tests, and recordings with something changed.

use std::collections::BTreeMap;
use std::io;

use super::system::{Recorded, System, Uname};

/// The recorded kernels.
pub(crate) const KERNELS: [&str; 2] = ["debian-6.1", "debian-6.12"];

/// A recorded kernel, `tests/data/kernels/NAME`.
pub(crate) fn recorded(name: &str) -> Changed {
    let root = format!("{}/tests/data/kernels/{name}", env!("CARGO_MANIFEST_DIR"));
    Changed { inner: Recorded::new(root), files: BTreeMap::new() }
}

/// A machine that has these files and no others. They are there until the folder is dropped.
pub(crate) fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Recorded) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let system = Recorded::new(folder.path());
    (folder, system)
}

/// A recording in which some files have other contents, or are gone.
pub(crate) struct Changed {
    inner: Recorded,
    files: BTreeMap<String, Option<Vec<u8>>>,
}

impl Changed {
    /// Without what is at or below a path.
    pub(crate) fn without(mut self, path: &str) -> Self {
        self.files.insert(path.to_owned(), None);
        self
    }

    /// With this file.
    pub(crate) fn with(mut self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.to_owned(), Some(contents.as_ref().to_vec()));
        self
    }

    fn change(&self, path: &str) -> Option<&Option<Vec<u8>>> {
        let covers = |changed: &str| {
            path.strip_prefix(changed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.files.iter().find(|(changed, _)| covers(changed)).map(|(_, contents)| contents)
    }
}

impl System for Changed {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        match self.change(path) {
            Some(Some(contents)) => Ok(contents.clone()),
            Some(None) => Err(io::Error::from(io::ErrorKind::NotFound)),
            None => self.inner.read(path),
        }
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        match self.change(path) {
            Some(_) => Err(io::Error::from(io::ErrorKind::NotFound)),
            None => self.inner.list(path),
        }
    }

    fn exists(&self, path: &str) -> bool {
        self.change(path).map_or_else(|| self.inner.exists(path), Option::is_some)
    }

    fn uname(&self) -> io::Result<Uname> {
        self.inner.uname()
    }
}
