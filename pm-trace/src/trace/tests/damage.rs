//! Named kinds of damage, and what is said about each.

use super::super::block::{self, BLOCK_HEADER, FILE_HEADER, FORMAT_VERSION, kind};
use super::super::packet::{Effort, Packet};
use super::*;

/// Start of each block of a whole trace, and the end.
fn blocks(bytes: &[u8]) -> Vec<usize> {
    let mut starts = vec![FILE_HEADER];
    while let Some(header) = block::parse_block_header(&bytes[starts[starts.len() - 1]..]) {
        starts.push(starts[starts.len() - 1] + BLOCK_HEADER + header.length);
    }
    starts
}

fn phases(count: u64) -> Vec<Event> {
    (0..count).map(phase).collect()
}

fn notes(trace: &Trace<&[u8]>) -> Vec<String> {
    trace.notes().iter().map(ToString::to_string).collect()
}

/// The error, as text.
fn refused(bytes: &[u8]) -> String {
    match read(bytes) {
        Ok(_) => panic!("read without an error"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_block_lost_on_the_way_is_counted_with_its_events() {
    let bytes = trace_of(&phases(9), 3);
    let at = blocks(&bytes);
    let without: Vec<u8> = [&bytes[..at[2]], &bytes[at[3]..]].concat();
    let (events, trace) = read_all(&without).unwrap();
    let times: Vec<u64> = events.iter().filter(|e| !is_stand_in(e)).map(|e| e.time).collect();
    assert_eq!(times, [0, 1, 2, 6, 7, 8]);
    assert!(matches!(events[3].body, Body::Undecoded { records: 3, .. }), "{:?}", events[3]);
    let place = at[2];
    assert_eq!(
        notes(&trace),
        [format!("at byte {place}: 1 block(s) are lost"), format!("3 event(s) before byte {place} are lost")]
    );
}

#[test]
fn damage_is_told_with_its_place() {
    let mut bytes = trace_of(&phases(9), 3);
    let at = blocks(&bytes);
    bytes[at[2] + BLOCK_HEADER + 5] ^= 0x10;
    let (_, trace) = read_all(&bytes).unwrap();
    let (start, end) = (at[2], at[3]);
    assert_eq!(
        notes(&trace),
        [
            format!("bytes {start} to {end} are damaged: 1 block(s) are lost"),
            format!("3 event(s) before byte {end} are lost"),
        ]
    );
    assert_eq!(trace.summary().lost, 3);
}

#[test]
fn damage_at_the_end_loses_what_the_totals_tell() {
    let mut bytes = trace_of(&phases(4), 2);
    let at = blocks(&bytes);
    bytes[at[2] + BLOCK_HEADER] ^= 1;
    let (events, trace) = read_all(&bytes).unwrap();
    assert!(matches!(events[2].body, Body::Undecoded { records: 2, .. }));
    assert_eq!(trace.summary().lost, 2);
}

#[test]
fn a_trace_without_session_still_has_its_events() {
    let mut bytes = trace_of(&phases(2), 2);
    bytes[FILE_HEADER + BLOCK_HEADER + 4] ^= 1;
    let (events, trace) = read_all(&bytes).unwrap();
    assert_eq!(events, phases(2));
    assert_eq!(trace.session(), None);
    assert!(
        notes(&trace).iter().any(|n| n.starts_with("machine, kernel and probes are unknown")),
        "{:?}",
        notes(&trace)
    );
}

#[test]
fn junk_before_a_trace_is_skipped() {
    let bytes = [b"login: root\r\n".as_slice(), &trace_of(&phases(2), 2)].concat();
    let (events, trace) = read_all(&bytes).unwrap();
    assert_eq!(events, phases(2));
    assert_eq!(notes(&trace), ["the first 29 bytes are no part of the trace and were skipped"]);
}

#[test]
fn the_first_of_two_traces_is_read() {
    let one = trace_of(&phases(2), 2);
    let both = [one.as_slice(), &trace_of(&phases(3), 2)].concat();
    let (events, trace) = read_all(&both).unwrap();
    assert_eq!(events, phases(2));
    assert_eq!(
        notes(&trace),
        [format!("another trace begins at byte {}; only the first is read", one.len())]
    );
}

#[test]
fn foreign_files_are_refused() {
    let text = refused(b"#!/bin/sh\necho hello, this is no trace at all\n");
    assert!(text.contains("'memory' is not a pm-trace trace: it begins with the bytes 23 21 2f"), "{text}");
    assert!(refused(b"just some words here").contains("begins with \"just some words \""));
    assert!(refused(&[0; 300_000]).contains("first 65536 bytes"));
    assert!(refused(b"").contains("is empty (0 bytes)"));
}

#[test]
fn a_file_cut_in_its_beginning_is_refused() {
    let bytes = trace_of(&phases(2), 2);
    for length in [8, 12, 16, 20, 60] {
        assert!(refused(&bytes[..length]).contains(&format!("ends after {length} bytes")), "{length}");
    }
}

#[test]
fn a_newer_format_is_refused() {
    let mut bytes = trace_of(&phases(2), 2);
    bytes[8..10].copy_from_slice(&(FORMAT_VERSION + 1).to_le_bytes());
    let crc = crc32fast::hash(&bytes[..12]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    assert!(refused(&bytes).contains("has format version 4, this program reads up to version 3"));
}

/// A trace with blocks of its own behind the session.
fn with_blocks(more: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let whole = trace_of(&[], 1);
    let mut bytes = whole[..blocks(&whole)[1]].to_vec();
    for (number, (kind, payload)) in more.iter().enumerate() {
        bytes.extend(block::block(*kind, 0, number as u32 + 1, payload));
    }
    bytes
}

fn events_block(first: u64, events: &[Vec<u8>]) -> (u16, Vec<u8>) {
    let mut payload = first.to_le_bytes().to_vec();
    for event in events {
        payload.extend((event.len() as u32).to_le_bytes());
        payload.extend(event);
    }
    (kind::EVENTS, payload)
}

#[test]
fn unknown_blocks_are_skipped_and_counted() {
    let event = minicbor::to_vec(phase(5)).unwrap();
    let bytes = with_blocks(&[(99, vec![1, 2]), (99, vec![]), events_block(0, &[event])]);
    let (events, trace) = read_all(&bytes).unwrap();
    assert_eq!(events, [phase(5)]);
    assert!(
        notes(&trace).iter().any(|n| n.starts_with("2 block(s) of kind 99 are unknown")),
        "{:?}",
        notes(&trace)
    );
}

#[test]
fn events_of_a_later_version_are_counted_and_shown() {
    let good = minicbor::to_vec(phase(5)).unwrap();
    // An event with variant 60000: time, CPU, task, [60000, []].
    let mut unknown = good[..good.len() - minicbor::to_vec(phase(5).body).unwrap().len()].to_vec();
    unknown.extend([0x82, 0x19, 0xea, 0x60, 0x80]);
    let bytes = with_blocks(&[events_block(0, &[good.clone(), unknown.clone(), vec![], unknown, good])]);
    let (events, trace) = read_all(&bytes).unwrap();
    assert_eq!(events.len(), 5);
    assert!(matches!(events[1].body, Body::Undecoded { records: 1, .. }));
    assert_eq!(events[4], phase(5));
    assert_eq!((trace.summary().events, trace.summary().undecoded, trace.summary().lost), (2, 3, 0));
    assert!(
        notes(&trace).iter().any(|n| n.starts_with("3 event(s) cannot be decoded")),
        "{:?}",
        notes(&trace)
    );
}

#[test]
fn lengths_that_lie_are_refused() {
    let good = minicbor::to_vec(phase(5)).unwrap();
    let (kind, mut lying) = events_block(0, std::slice::from_ref(&good));
    lying.extend(u32::MAX.to_le_bytes());
    lying.extend([1, 2, 3]);
    let bytes = with_blocks(&[(kind, lying), events_block(2, &[good])]);
    let (events, trace) = read_all(&bytes).unwrap();
    assert_eq!(events.iter().filter(|e| !is_stand_in(e)).count(), 2);
    assert_eq!(trace.summary().lost, 1);
    assert!(notes(&trace)[0].contains("an event claims 4294967295 bytes"), "{:?}", notes(&trace));
}

#[test]
fn numbers_that_lie_do_no_harm() {
    let good = minicbor::to_vec(phase(5)).unwrap();
    let bytes = with_blocks(&[
        events_block(u64::MAX, std::slice::from_ref(&good)),
        events_block(0, std::slice::from_ref(&good)),
        (kind::EVENTS, vec![1]),
        (kind::END, minicbor::to_vec(Totals { events: u64::MAX, ..Totals::default() }).unwrap()),
    ]);
    let (events, _) = read_all(&bytes).unwrap();
    assert_eq!(events.iter().filter(|e| !is_stand_in(e)).count(), 2);
}

#[test]
fn a_file_made_to_be_slow_is_read_in_time() {
    // Headers that each claim a long, wrong payload.
    let mut header = block::block(kind::EVENTS, 0, 1, &vec![0; MAX_PAYLOAD]);
    header.truncate(BLOCK_HEADER);
    let mut bytes = trace_of(&[], 1);
    bytes.extend(header.repeat(400_000));
    let began = std::time::Instant::now();
    let _ = read_all(&bytes);
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}

#[test]
fn notes_are_bounded() {
    let mut bytes = with_blocks(&[]);
    for number in 0..3000 {
        bytes.extend(block::block(200 + number as u16, 0, number * 2 + 2, &[]));
    }
    let (_, trace) = read_all(&bytes).unwrap();
    assert!(trace.notes().len() < 300);
    assert!(notes(&trace).iter().any(|n| n.contains("further note(s)")));
}

/// The bytes that `docs/trace-format.md` describes: events in rows, as version 1 wrote them and blocks in a hurry still
/// are.
#[test]
fn the_format_is_as_documented() {
    let event = phase(5);
    let encoded = minicbor::to_vec(&event).unwrap();
    // [5, 1, [7, b"rtcwake"], [10, ["dpm_resume", 16, true]]]
    let expected = b"\x84\x05\x01\x82\x07\x47rtcwake\x82\x0a\x83\x6adpm_resume\x10\xf5";
    assert_eq!(encoded, expected);
    // [1, []]
    assert_eq!(minicbor::to_vec(Mode::Live).unwrap(), b"\x82\x01\x80");
    let bytes = trace_of(&[], 1);
    assert_eq!(bytes[..12], *b"\x89PMT\r\n\x1a\n\x03\0\0\0");
    let mut block = b"\x9ePMB\x02\0\0\0\x01\0\0\0".to_vec();
    let payload = [&[0; 8], [encoded.len() as u8, 0, 0, 0].as_slice(), &encoded].concat();
    block.extend((payload.len() as u32).to_le_bytes());
    block.extend(crc32fast::hash(&payload).to_le_bytes());
    block.extend(crc32fast::hash(&block).to_le_bytes());
    block.extend(&payload);
    assert_eq!(Packet::block(kind::EVENTS, 1, payload, Effort::Full).bytes(true), block);
    let with_rows = [&bytes[..blocks(&bytes)[1]], &block].concat();
    assert_eq!(read_all(&with_rows).unwrap().0, [event]);
}

/// Two events as rows.
fn two_events() -> Vec<u8> {
    [phase(5000), phase(7000)]
        .iter()
        .flat_map(|event| {
            let event = minicbor::to_vec(event).unwrap();
            [&(event.len() as u32).to_le_bytes(), event.as_slice()].concat()
        })
        .collect()
}

/// Columns of version 2, before they are packed.
#[test]
fn columns_of_version_2_are_as_documented() {
    #[rustfmt::skip]
    let columns: [Vec<u8>; 3] = [
        [
            // Two events, a unit of 1000 ns, ten columns.
            &[2, 0xe8, 7, 10][..],
            // Lengths, as differences to the column before (even: more, odd: fewer), of symbols: task 2, thread id 0,
            // name 0, kind 2, CPU 2, time 0, number of fields 2, three fields 2 each; of literals; of texts.
            &[4, 3, 0, 4, 0, 3, 4, 0, 0, 0],
            &[4, 1, 0, 2, 1, 2, 1, 0, 0, 2],
            &[0, 0, 14, 13, 0, 0, 0, 22, 21, 0],
            // Nobody guessed the first event; of the second all but task and kind.
            &[2, 2], &[3, 3], &[1, 0], &[1, 0], &[5, 3], &[5, 0], &[4, 1],
        ]
        .concat(),
        // Task 0 twice, thread 7, seven bytes, kind 10 twice, CPU 1, 5 and 2 microseconds, three fields, a new text, 16,
        // true.
        vec![8, 8, 7, 7, 8 + 20, 8, 8 + 2, 10, 4, 8 + 6, 5, 8 + 32, 2, 21],
        b"rtcwakedpm_resume\0".to_vec(),
    ];
    let mut rows = Vec::new();
    columns::Unpacker::default().unpack_parts(columns.each_ref().map(Vec::as_slice), &mut rows).unwrap();
    assert_eq!(rows, two_events());
}

/// Bits cannot be told by looking, so they are taken as they were when the format was made: a change of a guess or a
/// chance would make all traces unreadable.
#[test]
fn columns_are_as_they_were() {
    let (bits, texts) = columns::pack(&two_events());
    assert_eq!(texts, b"rtcwakedpm_resume\0");
    assert_eq!(bits, [64, 8, 88, 112, 241, 225, 33, 131, 4, 20, 27, 32, 203, 50, 110]);
}

/// The words are part of the format.
#[test]
fn the_words_are_as_they_were() {
    assert_eq!(crc32fast::hash(include_bytes!("../words-1.bin")), 0x062e_cd0c);
}

#[test]
fn a_packing_of_a_later_version_is_told() {
    let mut bytes = with_blocks(&[]);
    bytes.extend(block::block(kind::EVENTS, 7, 1, &[0; 8]));
    let (_, trace) = read_all(&bytes).unwrap();
    assert!(
        notes(&trace)[0].contains("packed in a way that this version does not know (7)"),
        "{:?}",
        notes(&trace)
    );
}

/// The smallest frame of Zstandard that claims the largest content.
#[test]
fn a_block_that_claims_gigabytes_is_refused() {
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0];
    let mut bytes = with_blocks(&[]);
    bytes.extend(block::block(kind::CHECKPOINT, block::packing::ZSTD, 1, &frame));
    let (_, trace) = read_all(&bytes).unwrap();
    assert!(notes(&trace)[0].contains("too large"), "{:?}", notes(&trace));
}
