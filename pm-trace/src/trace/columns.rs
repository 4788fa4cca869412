//! Events in columns: how a block of events becomes small.
//!
//! Encoded events (`docs/trace-format.md`, "Rows") are taken apart: each field of each kind of event is a column of
//! its own, with one symbol a value. A symbol says which of a few guesses is right ("what came after this device
//! last time"); only a value that none of them names is written out. The guesses are made from what was coded
//! before in the same block, so a block still stands for itself. Both directions go through the same code
//! ([`walk`]), so that they cannot guess differently. General-purpose compression comes after this, for the whole
//! payload.
//!
//! The way back gives exactly the bytes that went in: an event that is not of the usual shape is kept whole.

mod item;
mod streams;
mod walk;

#[cfg(test)]
mod tests;

use super::block::{EVENT_PREFIX, MAX_EVENT, MAX_ROWS, u32_at};
use item::Flat;
use streams::{Reader, Writer};
use walk::Walk;

/// Why bytes are no columns.
pub(super) type Fault = &'static str;

/// Nanoseconds in which times are counted where none is finer.
const COARSE: u64 = 1000;

/// The bytes of columns in three parts, which are unlike each other and so compressed each for itself: lengths and
/// symbols, values that nobody guessed, texts.
pub(super) const PARTS: usize = 3;

/// Puts rows (length and bytes of each event) into columns.
pub(super) fn pack(rows: &[u8]) -> [Vec<u8>; PARTS] {
    let mut writer = Writer::default();
    let events: Vec<&[u8]> = Rows(rows).collect();
    let flat: Vec<Flat> = events.iter().map(|event| Flat::take_apart(event, &mut writer.items)).collect();
    let coarse = flat.iter().all(|event| event.time.is_multiple_of(COARSE));
    let unit = if coarse { COARSE } else { 1 };
    let mut walk = Walk::new(unit);
    for mut event in flat {
        // Writing accepts everything.
        let _ = walk.event(&mut writer, &mut event);
    }
    writer.finish(events.len() as u64, unit)
}

/// Appends the rows that were put into columns.
///
/// # Errors
/// These bytes are no columns, or of more events than a block has. What was read before is appended.
pub(super) fn unpack(parts: [&[u8]; PARTS], rows: &mut Vec<u8>) -> Result<(), Fault> {
    let (mut reader, count, unit) = Reader::new(parts)?;
    let mut walk = Walk::new(unit);
    for _ in 0..count {
        let mut event = Flat::default();
        walk.event(&mut reader, &mut event)?;
        let start = rows.len();
        rows.extend_from_slice(&[0; EVENT_PREFIX]);
        event.put(&reader.items, rows)?;
        let length = rows.len() - start - EVENT_PREFIX;
        if length > MAX_EVENT || rows.len() > MAX_ROWS {
            rows.truncate(start);
            return Err("there is more in it than a block may hold");
        }
        // At most MAX_EVENT.
        rows[start..start + EVENT_PREFIX].copy_from_slice(&(length as u32).to_le_bytes());
    }
    if reader.is_used_up() { Ok(()) } else { Err("there is more in it than its events") }
}

/// The events of rows.
struct Rows<'a>(&'a [u8]);

impl<'a> Iterator for Rows<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0.get(EVENT_PREFIX..)?;
        let (event, rest) = rest.split_at_checked(u32_at(self.0, 0) as usize)?;
        self.0 = rest;
        Some(event)
    }
}
