//! Files, second outputs, and what happens when they fail.

use super::*;
use std::io::{Error as IoError, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

fn phases(count: u64) -> Vec<Event> {
    (0..count).map(phase).collect()
}

fn events_in(path: &Path) -> (Vec<Event>, Vec<Note>) {
    let mut trace = Trace::open(path).unwrap();
    let events = trace.by_ref().collect();
    (events, trace.notes().to_vec())
}

#[test]
fn a_file_is_private_and_not_replaced_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.pmtrace");
    drop(Writer::create(&path, &session(), Overwrite::Refuse).unwrap());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let again = Writer::create(&path, &session(), Overwrite::Refuse);
    assert!(matches!(again, Err(Error::Exists { .. })));
    drop(Writer::create(&path, &session(), Overwrite::Replace).unwrap());
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for odd in [dir.path(), Path::new("/dev/null"), &link] {
        let refused = Writer::create(odd, &session(), Overwrite::Replace);
        assert!(matches!(refused, Err(Error::NotRegular { .. })), "{odd:?}");
    }
    let nowhere = Writer::create(&dir.path().join("no/such"), &session(), Overwrite::Refuse).err().unwrap();
    assert!(nowhere.to_string().contains("directory does not exist"), "{nowhere}");
}

#[test]
fn the_session_is_in_the_file_at_once_and_a_lost_writer_leaves_whole_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.pmtrace");
    let mut writer = Writer::create(&path, &session(), Overwrite::Refuse).unwrap();
    assert_eq!(Trace::open(&path).unwrap().session(), Some(&session()));
    writer.append(&phase(1)).unwrap();
    writer.sync().unwrap();
    writer.checkpoint(&Checkpoint { cycles: 2, ..Checkpoint::default() }).unwrap();
    std::mem::forget(writer);
    let (events, notes) = events_in(&path);
    assert_eq!(events, [phase(1)]);
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].problem, Problem::NotClosed);
}

#[test]
fn blocks_are_closed_as_they_fill() {
    let memory = Memory::default();
    let mut writer = Writer::stream("memory", memory.clone(), &session()).unwrap();
    for number in 0..50_000 {
        writer.append(&phase(number)).unwrap();
    }
    assert!(writer.status().blocks > 3);
    writer.finish(Totals::default()).unwrap();
    let bytes = memory.bytes();
    assert_eq!(read_all(&bytes).unwrap().0, phases(50_000));
}

#[test]
fn an_event_too_large_is_replaced() {
    let body = Body::Undecoded { records: 1, reason: "x".repeat(MAX_EVENT + 1) };
    let bytes = trace_of(&[Event { body, ..phase(3) }, phase(4)], 8);
    let (events, _) = read_all(&bytes).unwrap();
    assert!(matches!(&events[0].body, Body::Undecoded { reason, .. } if reason.contains("too large")));
    assert_eq!(events[1], phase(4));
}

#[test]
fn a_second_output_gets_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("a.pmtrace"), dir.path().join("copy"));
    let mut writer = Writer::create(&path, &session(), Overwrite::Refuse).unwrap();
    writer.tee(&copy, &session()).unwrap();
    writer.append(&phase(0)).unwrap();
    writer.flush_block().unwrap();
    writer.go_background().unwrap();
    writer.append(&phase(1)).unwrap();
    writer.sync().unwrap();
    assert!(writer.go_foreground(Duration::from_secs(10)));
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&copy).unwrap());
    writer.append(&phase(2)).unwrap();
    let status = writer.finish(Totals::default()).unwrap();
    assert_eq!(status.tee, Some(TeeStatus::default()));
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&copy).unwrap());
    assert_eq!(events_in(&copy), (phases(3), vec![]));
}

#[test]
fn a_full_second_output_does_not_disturb_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.pmtrace");
    let mut writer = Writer::create(&path, &session(), Overwrite::Refuse).unwrap();
    writer.tee(Path::new("/dev/full"), &session()).unwrap();
    writer.go_background().unwrap();
    writer.append(&phase(0)).unwrap();
    let tee = writer.finish(Totals::default()).unwrap().tee.unwrap();
    assert_eq!(tee.dropped, 4);
    assert!(tee.trouble.unwrap().contains("No space left"));
    assert_eq!(events_in(&path), (phases(1), vec![]));
}

/// Text that does not become much smaller, so that a pipe fills up.
fn noise(seed: u64) -> String {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..64).map(|_| format!("{:016x}", next())).collect()
}

/// What `--resume` rests on: the note that a cycle begins is in the file before the machine suspends.
#[test]
fn what_is_waited_for_is_in_the_file_though_a_thread_writes_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.pmtrace");
    let mut writer = Writer::create(&path, &session(), Overwrite::Refuse).unwrap();
    writer.go_background().unwrap();
    for begun in 1..20 {
        writer.append(&phase(begun)).unwrap();
        writer.checkpoint(&Checkpoint { begun: begun as u32, ..Checkpoint::default() }).unwrap();
        writer.sync().unwrap();
        assert!(writer.settle(Duration::from_secs(60)));
        assert_eq!(events_in(&path).0.len(), begun as usize);
    }
}

#[test]
fn a_second_output_that_blocks_delays_nothing_and_loses_whole_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let (path, fifo) = (dir.path().join("a.pmtrace"), dir.path().join("fifo"));
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // A reader that does not read, so that the pipe can be opened and fills up.
    let reader = std::fs::OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
    let mut writer = Writer::create(&path, &session(), Overwrite::Refuse).unwrap();
    writer.tee(&fifo, &session()).unwrap();
    writer.go_background().unwrap();
    let began = Instant::now();
    for number in 0..30_000 {
        let body = Body::Undecoded { records: 1, reason: noise(number) };
        writer.append(&Event { body, ..phase(number) }).unwrap();
    }
    assert!(writer.status().tee.unwrap().dropped > 0);
    // Its thread ends all the same: user space must not stay frozen for a reader that is gone.
    let ended = (0..200).any(|_| writer.go_foreground(Duration::from_millis(50)));
    assert!(ended);
    assert!(began.elapsed() < Duration::from_secs(60));
    // Now read: what arrives is whole blocks with a gap.
    let copy = std::thread::spawn(move || {
        use std::os::fd::AsFd;
        let mut bytes = Vec::new();
        let mut chunk = vec![0; 1 << 16];
        let mut from = reader;
        loop {
            let mut fds = [nix::poll::PollFd::new(from.as_fd(), nix::poll::PollFlags::POLLIN)];
            if nix::poll::poll(&mut fds, 2000_u16).unwrap() == 0 {
                return bytes;
            }
            let count = std::io::Read::read(&mut from, &mut chunk).unwrap();
            bytes.extend_from_slice(&chunk[..count]);
        }
    });
    let status = writer.finish(Totals::default()).unwrap();
    assert_eq!(events_in(&path).0.len(), 30_000);
    let (events, trace_notes) = {
        let bytes = copy.join().unwrap();
        let (events, trace) = read_all(&bytes).unwrap();
        (events, trace.notes().to_vec())
    };
    let lost = status.tee.unwrap().dropped as u32;
    assert!(lost > 0);
    let noted: u32 = trace_notes
        .iter()
        .map(|note| if let Problem::Damaged { blocks: Some(n) } = note.problem { n } else { 0 })
        .sum();
    assert_eq!(noted, lost, "{trace_notes:?}");
    assert!(events.iter().any(is_stand_in));
}

/// A stream that fails while told so, each time after a few bytes.
struct Failing {
    inner: Memory,
    fail: Arc<AtomicBool>,
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.fail.load(Ordering::Relaxed) {
            return Err(IoError::from(ErrorKind::StorageFull));
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_once_and_nothing_is_lost_if_space_comes_back() {
    let (inner, fail) = (Memory::default(), Arc::new(AtomicBool::new(false)));
    let stream = Failing { inner: inner.clone(), fail: Arc::clone(&fail) };
    let mut writer = Writer::stream("memory", stream, &session()).unwrap();
    writer.append(&phase(0)).unwrap();
    writer.flush_block().unwrap();
    fail.store(true, Ordering::Relaxed);
    writer.append(&phase(1)).unwrap();
    let error = writer.flush_block().unwrap_err().to_string();
    assert!(error.contains("later events are held in memory"), "{error}");
    writer.append(&phase(2)).unwrap();
    writer.flush_block().unwrap();
    assert!(writer.status().trouble.is_some());
    assert_eq!(read_all(&inner.bytes()).unwrap().0, phases(1));
    fail.store(false, Ordering::Relaxed);
    writer.append(&phase(3)).unwrap();
    writer.flush_block().unwrap();
    assert_eq!(writer.status().trouble, None);
    writer.finish(Totals::default()).unwrap();
    assert_eq!(read_all(&inner.bytes()).unwrap().0, phases(4));
}

#[test]
fn a_disk_that_stays_full_makes_finish_fail() {
    let (inner, fail) = (Memory::default(), Arc::new(AtomicBool::new(false)));
    let stream = Failing { inner: inner.clone(), fail: Arc::clone(&fail) };
    let mut writer = Writer::stream("memory", stream, &session()).unwrap();
    writer.go_background().unwrap();
    fail.store(true, Ordering::Relaxed);
    writer.append(&phase(0)).unwrap();
    let error = writer.finish(Totals::default()).unwrap_err().to_string();
    assert!(error.contains("2 block(s) could not be written"), "{error}");
    assert!(read_all(&inner.bytes()).is_ok());
}
