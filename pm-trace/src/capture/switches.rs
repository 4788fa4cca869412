//! Switches of the machine that a recording changes, each put back when its guard is dropped.

pub mod journal;

use journal::Entry;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why a switch could not be set.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} ({path}): {source}; {remedy}")]
pub struct SwitchError {
    /// What was to be done.
    pub what: String,
    /// The file.
    pub path: String,
    /// Why not.
    pub source: io::Error,
    /// What to try.
    pub remedy: &'static str,
}

/// A file of sysfs or procfs whose value is put back on drop.
#[derive(Debug)]
pub struct Restore {
    path: PathBuf,
    value: String,
    /// Forgotten after the value was put back.
    _entry: Entry,
}

impl Drop for Restore {
    fn drop(&mut self) {
        if let Err(error) = fs::write(&self.path, &self.value) {
            log::warn!("cannot put {} back to '{}': {error}", self.path.display(), self.value);
        }
    }
}

/// The choice that `[brackets]` mark in a file like `/sys/power/pm_test`.
fn chosen(text: &str) -> Option<&str> {
    text.split_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
}

const POWER: &str = "/sys/power";

/// Makes suspends stop at a test level (`freezer`, `devices`, `platform`, ...; kernel/power/main.c).
///
/// # Errors
/// The kernel has no `pm_test` (`CONFIG_PM_DEBUG`), or not that level.
pub fn pm_test(level: &str) -> Result<Restore, SwitchError> {
    let path = Path::new(POWER).join("pm_test");
    let failed = |source| SwitchError {
        what: format!("set the test level to '{level}'"),
        path: path.display().to_string(),
        source,
        remedy: "`cat /sys/power/pm_test` lists the levels; the file needs CONFIG_PM_DEBUG",
    };
    let before = fs::read_to_string(&path).map_err(failed)?;
    let value = chosen(&before).unwrap_or("none").to_owned();
    let entry = Entry::write(&path, &[&value]);
    fs::write(&path, level).map_err(failed)?;
    Ok(Restore { path, value, _entry: entry })
}

/// Whether the kernel turns kprobes into jumps (Documentation/trace/kprobes.rst).
const OPTIMIZATION: &str = "/proc/sys/debug/kprobes-optimization";

/// Lets the kernel turn no kprobe into a jump for a while. It does so in the background, and whoever sets another
/// kprobe meanwhile waits for a grace period of RCU-tasks (`kprobe_optimizer` in kernel/kprobes.c), which makes
/// attaching several times as long. Once this is dropped, it does all of them at once.
///
/// `None` if there is nothing to switch off, or it cannot be: then attaching is slow, and nothing else.
pub fn no_kprobe_optimization() -> Option<Restore> {
    let path = PathBuf::from(OPTIMIZATION);
    let value = fs::read_to_string(&path).ok()?.trim().to_owned();
    if value == "0" {
        return None;
    }
    let entry = Entry::write(&path, &[&value]);
    fs::write(&path, "0").ok()?;
    Some(Restore { path, value, _entry: entry })
}

/// An RTC alarm set for one suspend. Cleared on drop, and an alarm that was there before is put back.
#[derive(Debug)]
pub struct WakeAlarm {
    path: PathBuf,
    /// The alarm that was set before, in seconds since 1970.
    before: Option<u64>,
    /// Forgotten after the alarm was put back.
    _entry: Entry,
}

impl WakeAlarm {
    /// Sets the alarm of the first RTC that has one to `seconds` from now.
    ///
    /// # Errors
    /// No RTC can wake the machine, or it refuses the alarm.
    pub fn set(seconds: u32) -> Result<Self, SwitchError> {
        let path = Self::device().ok_or_else(|| SwitchError {
            what: "set an alarm to wake the machine".to_owned(),
            path: "/sys/class/rtc/*/wakealarm".to_owned(),
            source: io::ErrorKind::NotFound.into(),
            remedy: "load the RTC's driver (rtc_cmos on PCs), or leave out --wake and wake it by hand",
        })?;
        let failed = |source| SwitchError {
            what: format!("set an alarm in {seconds} s to wake the machine"),
            path: path.display().to_string(),
            source,
            remedy: "leave out --wake and wake the machine by hand",
        };
        let before = fs::read_to_string(&path).map_err(failed)?.trim().parse().ok();
        let value = before.map(|time: u64| time.to_string());
        let values: Vec<&str> = ["0"].into_iter().chain(value.as_deref()).collect();
        let entry = Entry::write(&path, &values);
        // An alarm in place must be cleared before another is accepted (drivers/rtc/sysfs.c).
        fs::write(&path, "0").map_err(failed)?;
        let alarm = Self { path: path.clone(), before, _entry: entry };
        fs::write(&path, format!("+{seconds}")).map_err(failed)?;
        Ok(alarm)
    }

    fn device() -> Option<PathBuf> {
        let mut alarms: Vec<PathBuf> = fs::read_dir("/sys/class/rtc")
            .ok()?
            .filter_map(Result::ok)
            .map(|entry| entry.path().join("wakealarm"))
            .filter(|path| path.exists())
            .collect();
        alarms.sort();
        alarms.into_iter().next()
    }
}

impl Drop for WakeAlarm {
    fn drop(&mut self) {
        let cleared = fs::write(&self.path, "0");
        // One that has passed meanwhile is refused, and has rung or would not ring any more.
        let restored = self.before.map_or(Ok(()), |time| match fs::write(&self.path, time.to_string()) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            result => result,
        });
        if let Err(error) = cleared.and(restored) {
            log::warn!("cannot put the RTC alarm back ({}): {error}", self.path.display());
        }
    }
}

/// Writes a sleep state to `/sys/power/state` and returns when the machine is awake again.
///
/// # Errors
/// The state is not offered, or the suspend was aborted (`EBUSY`: a wakeup, a driver's refusal).
pub fn enter(state: &str) -> Result<(), SwitchError> {
    let path = Path::new(POWER).join("state");
    fs::write(&path, state).map_err(|source| SwitchError {
        what: format!("suspend with state '{state}'"),
        path: path.display().to_string(),
        source,
        remedy: "`cat /sys/power/state` lists the states; the kernel log says which device or wakeup stopped it",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_level_is_read() {
        assert_eq!(chosen("[none] core processors platform devices freezer\n"), Some("none"));
        assert_eq!(chosen("none core [devices] freezer\n"), Some("devices"));
        assert_eq!(chosen(""), None);
    }

    #[test]
    fn a_switch_is_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pm_test");
        fs::write(&path, "devices").unwrap();
        drop(Restore { path: path.clone(), value: "none".to_owned(), _entry: Entry::none() });
        assert_eq!(fs::read_to_string(&path).unwrap(), "none");
    }
}
