//! Traces of older versions that were recorded, read by this version and written again by it.

use super::*;

fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/traces/{name}.pmtrace", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The files are as versions 1 and 2 wrote them: nothing in them may become unreadable.
#[test]
fn traces_of_older_versions_are_read() {
    for (name, version, count) in [
        ("6.1-healthy", 1, 7794),
        ("6.1-rescan-deadlock", 1, 7271),
        ("6.12-healthy", 1, 8080),
        ("6.1-pmlab-abba", 1, 4240),
        ("6.1-record", 2, 7394),
    ] {
        let bytes = recorded(name);
        assert_eq!(bytes[8..10], [version, 0], "{name}");
        let (events, trace) = read_all(&bytes).unwrap();
        assert_eq!(events.len(), count, "{name}");
        assert_eq!((trace.summary().undecoded, trace.summary().lost), (0, 0), "{name}");
        assert!(trace.session().is_some(), "{name}");
    }
}

/// The same events come back from this version's file, and a cycle stays small, with its session and counters. Figures
/// for people are in `docs/trace-format.md`; this is the line that must not be crossed unnoticed.
#[test]
fn a_recorded_cycle_is_small() {
    for name in ["6.1-record", "6.1-healthy", "6.12-healthy"] {
        let old = recorded(name);
        let (events, trace) = read_all(&old).unwrap();
        let events: Vec<Event> = events.into_iter().map(Event::to_microseconds).collect();
        let memory = Memory::default();
        let mut writer = Writer::stream("memory", memory.clone(), trace.session().unwrap()).unwrap();
        events.iter().for_each(|event| writer.append(event).unwrap());
        let totals = trace.summary().totals.clone().unwrap();
        let hooks = totals.hooks.clone();
        writer.checkpoint(&Checkpoint { hooks, ..Checkpoint::default() }).unwrap();
        writer.finish(totals).unwrap();
        let bytes = memory.bytes();
        assert!(bytes.len() < 14_000, "{name}: {} bytes", bytes.len());
        assert_eq!(read_all(&bytes).unwrap().0, events, "{name}");
    }
}
