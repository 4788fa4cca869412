//! What holds for every trace, damaged ones included.

use super::super::block::{self, BLOCK_HEADER, FILE_HEADER};
use super::arbitrary::events;
use super::*;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn events_come_back_as_they_were(events in events(), per_block in 1_usize..20) {
        let bytes = trace_of(&events, per_block);
        let (read, trace) = read_all(&bytes).unwrap();
        prop_assert_eq!(&read, &events);
        prop_assert_eq!(trace.session(), Some(&session()));
        prop_assert_eq!(trace.notes(), &[]);
        prop_assert_eq!(trace.summary().totals.as_ref().map(|t| t.events), Some(events.len() as u64));
    }

    #[test]
    fn a_truncated_trace_is_a_prefix(events in events(), per_block in 1_usize..20, cut in any::<prop::sample::Index>()) {
        let bytes = trace_of(&events, per_block);
        let cut = cut.index(bytes.len());
        match read_all(&bytes[..cut]) {
            Ok((read, trace)) => {
                prop_assert!(events.starts_with(&read));
                prop_assert!(trace.notes().iter().any(|note| note.problem == Problem::NotClosed));
            }
            Err(Error::Empty { .. }) => prop_assert_eq!(cut, 0),
            Err(Error::Foreign { .. }) => prop_assert!(cut < 8),
            Err(Error::Truncated { .. }) => prop_assert!(cut < FILE_HEADER + BLOCK_HEADER + 2000),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn a_changed_bit_costs_one_block_and_is_noted(
        events in events(),
        per_block in 1_usize..20,
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let mut bytes = trace_of(&events, per_block);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let (read, trace) = read_all(&bytes).unwrap();
        prop_assert!(!trace.notes().is_empty(), "bit {bit} of byte {at} went unnoticed");
        let kept: Vec<_> = read.iter().filter(|event| !is_stand_in(event)).cloned().collect();
        prop_assert!(events.len() - kept.len() <= per_block);
        // What is left are the events before and behind one block.
        let before = events.iter().zip(&kept).take_while(|(a, b)| a == b).count();
        prop_assert!(events.ends_with(&kept[before..]));
        prop_assert_eq!(trace.summary().lost as usize, events.len() - kept.len());
    }

    #[test]
    fn missing_bytes_cost_two_blocks_at_most(
        events in events(),
        per_block in 1_usize..20,
        from in any::<prop::sample::Index>(),
        count in 1_usize..30,
    ) {
        let mut bytes = trace_of(&events, per_block);
        let from = from.index(bytes.len());
        bytes.drain(from..(from + count).min(bytes.len()));
        if let Ok((read, trace)) = read_all(&bytes) {
            prop_assert!(!trace.notes().is_empty());
            let kept = read.iter().filter(|event| !is_stand_in(event)).count();
            prop_assert!(events.len() - kept <= 2 * per_block);
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        let _ = read_all(&bytes);
    }

    #[test]
    fn any_bytes_in_whole_blocks_are_read_without_panic(
        payloads in prop::collection::vec(((0_u16..7, 0_u16..3), any::<u32>(), prop::collection::vec(any::<u8>(), 0..200)), 0..8),
        in_order in any::<bool>(),
    ) {
        let mut bytes = block::file_header().to_vec();
        for (number, ((kind, packing), sequence, payload)) in payloads.iter().enumerate() {
            let sequence = if in_order { number as u32 } else { *sequence };
            bytes.extend(block::block(*kind, *packing, sequence, payload));
        }
        if let Ok((_, trace)) = read_all(&bytes) {
            trace.notes().iter().for_each(|note| assert!(!note.to_string().is_empty()));
        }
    }
}
