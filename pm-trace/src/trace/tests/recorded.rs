//! Traces of version 1 that were recorded, read by this version and written again by it.

use super::*;

fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/traces/{name}.pmtrace", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The files are as version 1 wrote them: nothing in them may become unreadable.
#[test]
fn traces_of_version_1_are_read() {
    for (name, count) in [
        ("6.1-healthy", 7794),
        ("6.1-rescan-deadlock", 7271),
        ("6.12-healthy", 8080),
        ("6.1-pmlab-abba", 4240),
    ] {
        let bytes = recorded(name);
        assert_eq!(bytes[8..10], [1, 0], "{name}");
        let (events, trace) = read_all(&bytes).unwrap();
        assert_eq!(events.len(), count, "{name}");
        assert_eq!((trace.summary().undecoded, trace.summary().lost), (0, 0), "{name}");
        assert!(trace.session().is_some(), "{name}");
    }
}

/// The same events come back from this version's file, and a cycle stays small. Figures for people are in
/// `docs/trace-format.md`; this is the line that must not be crossed unnoticed.
#[test]
fn a_recorded_cycle_is_small() {
    let (events, _) = read_all(&recorded("6.1-healthy")).unwrap();
    let events: Vec<Event> = events.into_iter().map(Event::to_microseconds).collect();
    let bytes = trace_of(&events, events.len());
    assert!(bytes.len() < 16_500, "{} bytes", bytes.len());
    assert_eq!(read_all(&bytes).unwrap().0, events);
}
