//! Blocks of a file are unpacked by threads ahead of the reader, those of a stream by the reader itself.

use super::super::block::{BLOCK_HEADER, FILE_HEADER, kind, parse_block_header};
use super::*;

/// Start of each block.
fn starts(bytes: &[u8]) -> Vec<usize> {
    let (mut starts, mut at) = (Vec::new(), FILE_HEADER);
    while let Some(header) = parse_block_header(&bytes[at..]) {
        starts.push(at);
        at += header.size();
    }
    starts
}

#[track_caller]
fn both_read_the_same(bytes: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.pmtrace");
    std::fs::write(&path, bytes).unwrap();
    let mut file = Trace::open(&path).unwrap();
    let of_file: Vec<Event> = file.by_ref().collect();
    let (of_stream, stream) = read_all(bytes).unwrap();
    assert_eq!(of_file, of_stream);
    assert_eq!(file.notes(), stream.notes());
    assert_eq!(file.summary(), stream.summary());
}

#[test]
fn a_file_is_read_as_a_stream_is() {
    let events: Vec<Event> = (0..4000).map(phase).collect();
    let whole = trace_of(&events, 100);
    let at = starts(&whole);
    let is_dense = |&&start: &&usize| parse_block_header(&whole[start..]).unwrap().kind == kind::DENSE;
    assert!(at.iter().filter(is_dense).count() >= 40, "there is something to be unpacked");
    both_read_the_same(&whole);
    let changed = |place: usize| {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        bytes
    };
    // In a payload, in two headers one after the other, and in the length that one of them tells.
    both_read_the_same(&changed(at[5] + BLOCK_HEADER + 3));
    let mut two = changed(at[7] + 1);
    two[at[8] + 2] ^= 1;
    both_read_the_same(&two);
    both_read_the_same(&changed(at[9] + 12));
    // Without a block, cut off, and followed by another trace.
    both_read_the_same(&[&whole[..at[3]], &whole[at[4]..]].concat());
    both_read_the_same(&whole[..at[20] + BLOCK_HEADER + 9]);
    both_read_the_same(&[&whole[..at[30]], &whole[..]].concat());
}

/// Whoever reads only the beginning of a trace does not wait for the rest of it.
#[test]
fn a_reader_may_stop_early() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.pmtrace");
    let events: Vec<Event> = (0..4000).map(phase).collect();
    std::fs::write(&path, trace_of(&events, 100)).unwrap();
    assert_eq!(Trace::open(&path).unwrap().next(), Some(phase(0)));
}
