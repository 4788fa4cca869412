//! What has to be put back, written down before anything is changed: a program that is killed puts nothing back,
//! and the next start can.
//!
//! One small file for each switch, in a directory that a reboot empties as it does the switches. It names the
//! process that changed the switch, so that a recording that still runs is left alone.

use crate::text;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the files are.
pub const DIRECTORY: &str = "/run/pm-trace/switches";

/// Only below these is anything put back, whatever a file says.
const ALLOWED: [&str; 2] = ["/sys/", "/proc/sys/"];

/// Most bytes of a file.
const MAX_FILE: u64 = 4096;

/// A switch that has to be put back; forgotten when dropped.
#[derive(Debug)]
pub struct Entry(Option<PathBuf>);

impl Entry {
    /// Writes down that `values` have to be written to `path`, one after the other. Nothing is written down where
    /// there is no place for it: then a killed program leaves the switch as it is.
    pub fn write(path: &Path, values: &[&str]) -> Self {
        let written = write_in(Path::new(DIRECTORY), path, values);
        let told = written.inspect_err(|error| {
            log::info!("cannot note in {DIRECTORY} what to put back after being killed: {error}");
        });
        Self(told.ok())
    }

    /// No entry, for tests of what has one.
    #[cfg(test)]
    pub(super) const fn none() -> Self {
        Self(None)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            // Left behind, it would have the next start put back what is put back already.
            let _ = fs::remove_file(file);
        }
    }
}

fn write_in(directory: &Path, path: &Path, values: &[&str]) -> io::Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    fs::create_dir_all(directory)?;
    let pid = std::process::id();
    let file = directory.join(format!("{pid}-{:04}", NUMBER.fetch_add(1, Ordering::Relaxed)));
    let started = started(pid).unwrap_or_default();
    fs::write(&file, format!("{pid} {started}\n{}\n{}\n", path.display(), values.join("\n")))?;
    Ok(file)
}

/// When a process started, in clock ticks since boot: tells it from a later one of the same number.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything (Documentation/filesystems/proc.rst).
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19).map(str::to_owned)
}

/// A switch that was found left behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Left {
    /// The switch.
    pub path: PathBuf,
    /// The value it was put back to.
    pub value: String,
    /// Why it could not be put back.
    pub trouble: Option<String>,
}

impl Left {
    /// What was done, in words.
    pub fn words(&self) -> String {
        let path = text::path(&self.path);
        let value = text::line(&self.value);
        match &self.trouble {
            None => format!("{path} put back to '{value}'"),
            Some(why) => format!("{path} cannot be put back to '{value}': {why}"),
        }
    }
}

/// Puts back what killed recordings left. Empty if nothing was left.
pub fn restore() -> Vec<Left> {
    restore_in(Path::new(DIRECTORY), &ALLOWED)
}

fn restore_in(directory: &Path, allowed: &[&str]) -> Vec<Left> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    // The last change is undone first.
    files.sort();
    files.reverse();
    files.iter().filter_map(|file| restore_one(file, allowed)).collect()
}

fn restore_one(file: &Path, allowed: &[&str]) -> Option<Left> {
    if fs::metadata(file).ok()?.len() > MAX_FILE {
        return None;
    }
    let text = fs::read_to_string(file).ok()?;
    let mut lines = text.lines();
    let (pid, since) = lines.next()?.split_once(' ')?;
    if pid.parse().ok().and_then(started).is_some_and(|now| now == since) {
        return None;
    }
    let path = PathBuf::from(lines.next()?);
    let values: Vec<&str> = lines.collect();
    let leads_out = path.components().any(|part| part == Component::ParentDir);
    let trouble = if leads_out || !allowed.iter().any(|root| path.starts_with(root)) {
        Some("it is no switch of the kernel's".to_owned())
    } else {
        write_all(&path, &values).err().map(|error| error.to_string())
    };
    // Once is enough: what failed now fails again.
    let _ = fs::remove_file(file);
    Some(Left { path, value: values.last().copied().unwrap_or_default().to_owned(), trouble })
}

fn write_all(path: &Path, values: &[&str]) -> io::Result<()> {
    values.iter().try_for_each(|value| match fs::write(path, value) {
        // An alarm whose time has passed is refused, and would not ring any more.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput && path.ends_with("wakealarm") => Ok(()),
        result => result,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(directory: &Path, name: &str, owner: &str, path: &Path, value: &str) {
        fs::write(directory.join(name), format!("{owner}\n{}\n{value}\n", path.display())).unwrap();
    }

    #[test]
    fn what_a_killed_process_changed_is_put_back_once() {
        let (notes, switches) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = switches.path().to_str().unwrap();
        let switch = switches.path().join("pm_test");
        fs::write(&switch, "devices").unwrap();
        // A process that cannot be: numbers end at 4194304.
        note(notes.path(), "1", "4194305 1", &switch, "none");
        let left = restore_in(notes.path(), &[root]);
        assert_eq!(left, [Left { path: switch.clone(), value: "none".to_owned(), trouble: None }]);
        assert_eq!(fs::read_to_string(&switch).unwrap(), "none");
        assert!(restore_in(notes.path(), &[root]).is_empty());
    }

    #[test]
    fn what_a_living_process_changed_is_left_alone() {
        let (notes, switches) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let switch = switches.path().join("pm_test");
        fs::write(&switch, "devices").unwrap();
        let file = write_in(notes.path(), &switch, &["none"]).unwrap();
        assert!(restore_in(notes.path(), &[switches.path().to_str().unwrap()]).is_empty());
        assert_eq!(fs::read_to_string(&switch).unwrap(), "devices");
        // Its note goes with it.
        drop(Entry(Some(file.clone())));
        assert!(!file.exists());
    }

    #[test]
    fn nothing_but_switches_is_ever_written() {
        let notes = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let victim = elsewhere.path().join("victim");
        fs::write(&victim, "as it was").unwrap();
        note(notes.path(), "1", "4194305 1", &victim, "changed");
        let around = Path::new("/sys/..").join(victim.strip_prefix("/").unwrap());
        note(notes.path(), "2", "4194305 1", &around, "changed");
        let left = restore_in(notes.path(), &ALLOWED);
        assert!(left.len() == 2 && left.iter().all(|left| left.trouble.is_some()), "{left:?}");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "as it was");
    }
}
