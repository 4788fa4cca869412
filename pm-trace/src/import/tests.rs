//! Whole imports: of real logs (`tests/data/import`), and of anything else.

use super::*;
use proptest::prelude::*;

/// The events of a log with this text.
fn events_of(log: &[u8]) -> Option<(Session, Vec<Event>)> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), log).unwrap();
    let mut events = Vec::new();
    let session = read(&[file.path().to_owned()], &mut |event| {
        events.push(event.clone());
        Ok(())
    });
    Some((session.ok()?, events))
}

/// The events of logs, of which so many bytes are kept from the first reading for the second.
fn events_keeping(logs: &[PathBuf], room: usize) -> Option<Vec<Event>> {
    let mut all = Vec::new();
    let survey = Survey::keeping(logs, room).ok()?;
    events(&survey, &mut |event| {
        all.push(event.clone());
        Ok(())
    })
    .unwrap();
    Some(all)
}

/// A log that is kept, in whole or to begin with, gives the events of one that is read again.
#[test]
fn what_is_kept_of_real_logs_is_what_they_hold() {
    for name in ["plain_ftrace.txt.gz", "dev_ftrace.txt.gz", "trace-cmd.txt.gz", "tracefs.txt.gz"] {
        let logs = [format!("{}/tests/data/import/{name}", env!("CARGO_MANIFEST_DIR")).into()];
        let read_again = events_keeping(&logs, 0).unwrap();
        assert!(read_again.len() > 100, "{name}");
        assert_eq!(events_keeping(&logs, 20_000).unwrap(), read_again, "{name}");
        assert_eq!(events_keeping(&logs, kept::MOST).unwrap(), read_again, "{name}");
    }
}

/// Pieces of lines that mean something, so that random logs are not only noise.
const PIECES: &[&str] = &[
    "  sh-1  [000] ....  1.000001: ",
    "kworker/1:0-22 [001] 2.5: ",
    "[    3.000000] ",
    "suspend_resume: ",
    "suspend_enter[3] begin",
    "dpm_suspend[2] begin",
    "dpm_suspend[2] end",
    "thaw_processes[0] end",
    "device_pm_callback_start: sd 0:0:0:0, parent: target0:0:0, bus [suspend]",
    "device_pm_callback_end: sd 0:0:0:0, err=0",
    "contention_begin: 00000000000000ab (flags=MUTEX)",
    "contention_end: 00000000000000ab (ret=0)",
    "sched_switch: prev_comm=a prev_pid=1 prev_prio=120 prev_state=D ==> next_comm=b next_pid=22 next_prio=120",
    "workqueue_execute_start: work struct 0xa: function f [m]",
    "PM: suspend entry (deep)",
    "PM: resume of devices complete after 16.595 msecs",
    "sd 0:0:0:0: calling f+0x0/0x1 @ 1, parent: none",
    "sd 0:0:0:0: f+0x0/0x1 returned 0 after 99999999999999999999 usecs",
    "CPU:1 [LOST 18446744073709551615 EVENTS]",
    "\n",
    "\u{1b}[31m\u{202e}",
];

proptest! {
    /// A file that somebody hands over can hold anything.
    #[test]
    fn no_bytes_make_an_import_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        events_of(&bytes);
    }

    #[test]
    fn what_is_kept_of_any_log_is_what_it_holds(pieces in prop::collection::vec(0..PIECES.len(), 0..120)) {
        let log: String = pieces.iter().map(|&piece| PIECES[piece]).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), log).unwrap();
        let logs = [file.path().to_owned()];
        prop_assert_eq!(events_keeping(&logs, kept::MOST), events_keeping(&logs, 0));
    }

    #[test]
    fn no_log_makes_an_import_panic(pieces in prop::collection::vec(0..PIECES.len(), 0..120)) {
        let log: String = pieces.iter().map(|&piece| PIECES[piece]).collect();
        if let Some((session, events)) = events_of(log.as_bytes()) {
            prop_assert!(session.imported.is_some());
            let mut analysis = crate::diagnose::Analysis::default();
            for event in &events {
                analysis.apply(event);
            }
            for found in analysis.findings_at_end() {
                prop_assert!(found.kind != crate::diagnose::Kind::Deadlock, "{}", found.title);
            }
        }
    }
}
