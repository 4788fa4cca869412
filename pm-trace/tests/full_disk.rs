//! A disk that fills up while a trace is written.

use pm_trace::event::{Body, Event, TaskRef};
use pm_trace::trace::{Error, Overwrite, Session, Totals, Trace, Writer};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system, gone again at the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where nothing can be mounted.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().ok()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "pm-trace-test"]).arg(dir.path());
        mount.output().is_ok_and(|output| output.status.success()).then(|| Self(dir))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

/// An event of about 1 kB, which does not become much smaller by packing it: its text is noise.
fn event(time: u64) -> Event {
    let mut state = time.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + u8::try_from(state % 94).expect("below 94"))
    };
    let body = Body::Undecoded { records: 1, reason: (0..1000).map(|_| noise()).collect() };
    Event { time, cpu: 0, task: TaskRef::default(), body }
}

fn times(path: &Path) -> Vec<u64> {
    Trace::open(path).expect("a readable trace").map(|event| event.time).collect()
}

#[test]
fn a_trace_on_a_full_disk_keeps_what_fits_and_goes_on_when_there_is_space() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: a file system cannot be mounted here (needs root)");
        return;
    };
    let ballast = disk.path("ballast");
    std::fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let path = disk.path("a.pmtrace");
    let mut writer = Writer::create(&path, &Session::default(), Overwrite::Refuse).unwrap();
    let told: Vec<String> = (0..1800)
        .filter_map(|time| writer.append(&event(time)).err())
        .map(|error| error.to_string())
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("No space left") && told[0].contains("held in memory"), "{told:?}");
    let kept = times(&path);
    assert!(!kept.is_empty() && kept.iter().copied().eq(0..kept.len() as u64), "{kept:?}");
    std::fs::remove_file(&ballast).unwrap();
    // All 1.5 MB fit now.
    writer.flush_block().unwrap();
    let result = writer.finish(Totals::default());
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(times(&path), (0..1800).collect::<Vec<u64>>());
}

#[test]
fn a_disk_that_stays_full_is_an_error_at_the_end() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: a file system cannot be mounted here (needs root)");
        return;
    };
    let path = disk.path("a.pmtrace");
    let mut writer = Writer::create(&path, &Session::default(), Overwrite::Refuse).unwrap();
    (0..6000).for_each(|time| drop(writer.append(&event(time))));
    let error = writer.finish(Totals::default()).unwrap_err();
    assert!(matches!(error, Error::Incomplete { .. }), "{error}");
    assert!(error.to_string().contains("No space left"), "{error}");
    assert!(!times(&path).is_empty());
}

#[test]
fn a_disk_full_from_the_start_refuses_the_recording() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: a file system cannot be mounted here (needs root)");
        return;
    };
    // More than there is: what fits stays.
    assert!(std::fs::write(disk.path("ballast"), vec![0; 4 << 20]).is_err());
    let refused = Writer::create(&disk.path("a.pmtrace"), &Session::default(), Overwrite::Refuse);
    let told = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(told.contains("No space left"), "{told}");
}
