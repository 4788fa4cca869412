//! Python in a guest: the interpreter of the distribution that this machine runs, with its library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::process;

/// Not one that somebody has in `PATH` before it: it must run from where its package puts it.
const PYTHON: &str = "/usr/bin/python3";

/// Parts of the library that no script of the lab imports, and that are large.
const LEFT_OUT: &[&str] =
    &["__pycache__", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tkinter", "turtledemo"];

/// What to put into a guest, at the same paths as here; shared libraries are the caller's business.
pub(crate) struct Python {
    /// The interpreter, without symbolic links.
    pub(crate) program: PathBuf,
    /// The files of its library.
    pub(crate) library: Vec<PathBuf>,
}

impl Python {
    /// The distribution's.
    pub(crate) fn find() -> Result<Self> {
        let program = fs::canonicalize(PYTHON)
            .with_context(|| format!("{PYTHON} is not installed: `apt-get install python3`"))?;
        let ask = "import sysconfig; print(sysconfig.get_path('stdlib'))";
        let library = process::output(Command::new(&program).args(["-I", "-c", ask]))?;
        let mut files = Vec::new();
        collect(Path::new(library.trim()), &mut files)?;
        ensure!(!files.is_empty(), "{} has no library in {}", program.display(), library.trim());
        Ok(Self { program, library: files })
    }

    /// Those of the library that are loaded as shared objects.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &Path> {
        self.library
            .iter()
            .map(PathBuf::as_path)
            .filter(|file| file.extension().is_some_and(|extension| extension == "so"))
    }
}

/// The regular files below a directory, sorted.
fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_symlink() || LEFT_OUT.contains(&name.as_str()) || name.starts_with("config-") {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
