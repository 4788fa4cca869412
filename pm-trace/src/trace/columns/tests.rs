use super::super::tests::arbitrary::events;
use super::*;
use crate::event::Event;
use crate::trace::Trace;
use proptest::prelude::*;
use std::path::Path;

/// Rows of encoded events.
fn rows(events: &[Vec<u8>]) -> Vec<u8> {
    let row = |event: &Vec<u8>| [&(event.len() as u32).to_le_bytes(), event.as_slice()].concat();
    events.iter().flat_map(row).collect()
}

fn encoded(events: &[Event]) -> Vec<Vec<u8>> {
    events.iter().map(|event| minicbor::to_vec(event).unwrap()).collect()
}

/// Unpacks bits and texts.
fn back((bits, texts): &(Vec<u8>, Vec<u8>), rows: &mut Vec<u8>) -> Result<(), Fault> {
    Unpacker::default().unpack(bits, texts, rows)
}

/// A block stands for itself: what one taught must not change how the next is read, whether the first was whole or not.
#[test]
fn an_unpacker_learns_nothing_from_other_blocks() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/traces/6.1-rescan-deadlock.pmtrace");
    let events: Vec<Event> = Trace::open(Path::new(path)).unwrap().collect();
    let events = encoded(&events);
    let (first, second) = events.split_at(events.len() / 2);
    let [(bits, texts), packed] = [first, second].map(|events| pack(&rows(events)));
    let mut unpacker = Unpacker::default();
    for cut in [bits.len(), bits.len() / 2] {
        let _ = unpacker.unpack(&bits[..cut], &texts, &mut Vec::new());
        let mut again = Vec::new();
        unpacker.unpack(&packed.0, &packed.1, &mut again).unwrap();
        assert!(again == rows(second), "after {cut} of {} bytes", bits.len());
    }
}

fn there_and_back(events: &[Vec<u8>]) {
    let rows = rows(events);
    let mut again = Vec::new();
    back(&pack(&rows), &mut again).unwrap();
    assert_eq!(again, rows);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_way_back_gives_the_same_bytes(events in events(), again in any::<bool>()) {
        let mut events = encoded(&events);
        if again {
            events.extend(events.clone());
        }
        there_and_back(&events);
    }

    /// What is no event, or one of a later version, comes back as well.
    #[test]
    fn bytes_that_are_no_event_come_back(
        events in events(),
        odd in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..5),
        changed in any::<(prop::sample::Index, u8)>(),
    ) {
        let mut events = encoded(&events);
        if let Some(event) = events.first_mut() {
            let at = changed.0.index(event.len());
            event[at] ^= changed.1;
        }
        events.extend(odd);
        there_and_back(&events);
    }

    #[test]
    fn any_bytes_are_unpacked_without_panic(
        parts in prop::array::uniform3(prop::collection::vec(any::<u8>(), 0..200)),
    ) {
        let _ = Unpacker::default().unpack(&parts[0], &parts[1], &mut Vec::new());
        let _ = Unpacker::default().unpack_parts(parts.each_ref().map(Vec::as_slice), &mut Vec::new());
    }

    /// Damage that a checksum would have told, closer to what is right than any bytes.
    #[test]
    fn changed_columns_are_unpacked_without_panic(
        events in events(),
        changes in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut parts = pack(&rows(&encoded(&events)));
        for (is_text, at, bits) in changes {
            let bytes = if is_text { &mut parts.1 } else { &mut parts.0 };
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
        }
        let mut again = Vec::new();
        let _ = back(&parts, &mut again);
        prop_assert!(again.len() <= MAX_ROWS + MAX_EVENT);
    }
}

/// A few bytes must not become gigabytes.
#[test]
fn an_item_named_many_times_is_refused() {
    let text = "x".repeat(60_000);
    let fields = vec![0x64, b'a', b'b', b'c', b'd'];
    let text = minicbor::to_vec(&text).unwrap();
    // [1, 0, [1, h''], [11, [[text, text, ...]]]]
    let mut event = vec![0x84, 1, 0, 0x82, 1, 0x40, 0x82, 11, 0x82, 0x83];
    event.extend(fields.repeat(3));
    event.extend(fields);
    there_and_back(&[event]);
    let mut large = vec![0x84, 1, 0, 0x82, 1, 0x40, 0x82, 11, 0x81, 0x83];
    large.extend(text.repeat(3));
    let packed = pack(&rows(&[large]));
    let mut again = Vec::new();
    assert_eq!(back(&packed, &mut again), Err("an event is too large"));
    assert!(again.len() < 4 * MAX_EVENT);
}

#[test]
fn a_negative_and_a_huge_number_come_back() {
    for number in [0, 1, u64::MAX, u64::MAX / 2, 1 << 63] {
        assert_eq!(streams::unzigzag(streams::zigzag(number)), number);
    }
    let event = |time: u64, value: i32| Event {
        time,
        cpu: 0,
        task: crate::event::TaskRef::default(),
        body: crate::event::Body::Phase { action: "dpm_resume".into(), value, start: true },
    };
    there_and_back(&encoded(&[event(u64::MAX, i32::MIN), event(0, i32::MAX), event(1000, -1)]));
}

/// What is cut off is told, and so is what stands behind the end. The last bytes alone may happen to say something else
/// when they are cut; for that there are checksums.
#[test]
fn bits_that_are_missing_or_too_many_are_told() {
    let events = (0..40).map(|time| Event {
        time: time * 1000,
        cpu: 0,
        task: crate::event::TaskRef::default(),
        body: crate::event::Body::Phase { action: format!("phase {time}"), value: 1, start: true },
    });
    let (bits, texts) = pack(&rows(&encoded(&events.collect::<Vec<_>>())));
    let read = |bits: &[u8], texts: &[u8]| back(&(bits.to_vec(), texts.to_vec()), &mut Vec::new());
    for cut in 1..bits.len() - 4 {
        assert!(read(&bits[..cut], &texts).is_err(), "{cut} of {} bytes", bits.len());
    }
    assert_eq!(read(&[&bits[..], &[0]].concat(), &texts), Err(MORE));
    assert_eq!(read(&bits, &[&texts[..], b"x"].concat()), Err(MORE));
    assert_eq!(read(&bits, &texts[..texts.len() - 1]), Err("a text is missing"));
}

/// What is likely takes next to nothing, and could be said without end: a few bytes must not become gigabytes.
#[test]
fn a_stack_without_end_is_refused() {
    use dense::Dense;
    use range::{Chance, Decoder, Encoder, Side};
    let mut encoder = Encoder::new();
    let mut chance = Chance::default();
    for _ in 0..100_000 {
        encoder.bit(&mut chance, true).unwrap();
    }
    let (bits, texts) = encoder.finish();
    assert!(bits.len() < 100, "{} bytes", bits.len());
    let mut walk = Walk::new(1, Seen::default());
    let mut dense = Dense::new(Decoder::new(&bits, &texts));
    // All bits are set: a number of 2^64 and more, wherever a number is asked for.
    assert!(walk.event(&mut dense, &mut Flat::default()).is_err());
}
