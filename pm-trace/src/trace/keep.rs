//! Keeping the last traces of a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where live mode writes the report of a lockup while it lasts: beside the trace.
pub fn report_beside(trace: &Path) -> PathBuf {
    trace.with_extension("verdict.txt")
}

/// How many traces a folder keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// So many traces.
    pub count: usize,
    /// And no more than so many bytes of them, but always the newest.
    pub bytes: u64,
}

/// Removes the oldest traces of a folder (files that end in `.pmtrace`, with their reports) that are too many or too
/// large together; `current` stays whatever its age. Returns what was removed.
///
/// # Errors
/// The folder cannot be read, or a file cannot be removed.
pub fn keep_last(folder: &Path, keep: Keep, current: &Path) -> io::Result<Vec<PathBuf>> {
    let mut traces: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let data = entry.metadata()?;
        if data.is_file()
            && path.extension().is_some_and(|extension| extension == "pmtrace")
            && path != current
        {
            traces.push((data.modified()?, path, data.len()));
        }
    }
    // The newest first.
    traces.sort_by(|one, other| other.cmp(one));
    let mut bytes = 0;
    let mut removed = Vec::new();
    for (place, (_, path, length)) in traces.into_iter().enumerate() {
        bytes += length;
        // The current one counts as one.
        if place + 1 >= keep.count.max(1) || (bytes > keep.bytes && place > 0) {
            fs::remove_file(&path)?;
            match fs::remove_file(report_beside(&path)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => removed.push(path),
            }
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn folder(sizes: &[usize]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (age, size) in sizes.iter().enumerate() {
            let file = fs::File::create(dir.path().join(format!("{age}.pmtrace"))).unwrap();
            file.set_len(*size as u64).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(60 * age as u64)).unwrap();
        }
        dir
    }

    fn left(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_go_first_and_other_files_stay() {
        let dir = folder(&[1, 1, 1, 1]);
        fs::write(dir.path().join("recordings"), "x").unwrap();
        fs::write(dir.path().join("3.verdict.txt"), "x").unwrap();
        let current = dir.path().join("0.pmtrace");
        keep_last(dir.path(), Keep { count: 2, bytes: 100 }, &current).unwrap();
        assert_eq!(left(dir.path()), ["0.pmtrace", "1.pmtrace", "recordings"]);
    }

    /// However large it is, the trace of the last suspend is what somebody wants to look at.
    #[test]
    fn size_counts_too_but_the_last_trace_stays() {
        let dir = folder(&[0, 500, 50, 50]);
        keep_last(dir.path(), Keep { count: 9, bytes: 100 }, &dir.path().join("0.pmtrace")).unwrap();
        assert_eq!(left(dir.path()), ["0.pmtrace", "1.pmtrace"]);
    }
}
