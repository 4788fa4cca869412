//! Events in columns: how a block of events becomes small.
//!
//! Encoded events (`docs/trace-format.md`, "Rows") are taken apart: each field of each kind of event is a column of
//! its own, with one symbol a value. A symbol says which of a few guesses is right ("what came after this device
//! last time"); only a value that none of them names is written out. The guesses are made from what was coded
//! before in the same block, so a block still stands for itself. Both directions go through the same code
//! ([`walk`]), so that they cannot guess differently. How likely a guess is, is learned on the way ([`dense`]), and what
//! is likely takes little room ([`range`]). Texts are put aside for general-purpose compression.
//!
//! Version 2 of the format had a byte for each symbol, packed by general-purpose compression ([`streams`]); that is
//! read, and no longer written.
//!
//! The way back gives exactly the bytes that went in: an event that is not of the usual shape is kept whole.

mod dense;
mod item;
mod numbers;
mod range;
mod seen;
mod streams;
mod walk;

#[cfg(test)]
mod tests;

use super::block::{EVENT_PREFIX, MAX_EVENT, MAX_ROWS, u32_at};
use dense::Dense;
use item::{Flat, Items};
use range::{Decoder, Encoder};
use seen::Seen;
use streams::{Coder, Column, Reader};
use walk::Walk;

/// Maps are asked some twenty times an event.
type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// Why bytes are no columns.
pub(super) type Fault = &'static str;

/// Nanoseconds in which times are counted where none is finer.
const COARSE: u64 = 1000;

/// The parts of a block of version 2: lengths and symbols, values that nobody guessed, texts.
pub(super) const PARTS: usize = 3;

/// In front: how many events there are, and the unit of times.
const COUNT: Column = 6;
const UNIT: Column = 7;

/// Puts rows (length and bytes of each event) into columns: bits, which cannot be made smaller, and texts, which can.
pub(super) fn pack(rows: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut dense = Dense::new(Encoder::new());
    let flat: Vec<Flat> = Rows(rows).map(|event| Flat::take_apart(event, &mut dense.items)).collect();
    let coarse = flat.iter().all(|event| event.time.is_multiple_of(COARSE));
    let unit = if coarse { COARSE } else { 1 };
    // Writing accepts everything.
    let _ = dense.number(COUNT, flat.len() as u64);
    let _ = dense.number(UNIT, unit);
    let mut walk = Walk::new(unit, Seen::default());
    for mut event in flat {
        let _ = walk.event(&mut dense, &mut event);
    }
    dense.side.finish()
}

/// Reads columns, one block after the other.
#[derive(Default)]
pub(super) struct Unpacker {
    /// Memory, used again for each block.
    seen: Seen,
}

impl Unpacker {
    /// Appends the rows that were put into columns.
    ///
    /// # Errors
    /// These bytes are no columns, or of more events than a block has. What was read before is appended.
    pub(super) fn unpack(&mut self, bits: &[u8], texts: &[u8], rows: &mut Vec<u8>) -> Result<(), Fault> {
        let mut dense = Dense::new(Decoder::new(bits, texts));
        let (count, unit) = (dense.number(COUNT, 0)?, dense.number(UNIT, 0)?);
        self.rows(&mut dense, (count, unit), |dense| &dense.items, rows)?;
        if dense.side.is_used_up() { Ok(()) } else { Err(MORE) }
    }

    /// The same for columns of version 2.
    ///
    /// # Errors
    /// As [`Unpacker::unpack`].
    pub(super) fn unpack_parts(&mut self, parts: [&[u8]; PARTS], rows: &mut Vec<u8>) -> Result<(), Fault> {
        let (mut reader, count, unit) = Reader::new(parts)?;
        self.rows(&mut reader, (count, unit), |reader| &reader.items, rows)?;
        if reader.is_used_up() { Ok(()) } else { Err(MORE) }
    }

    fn rows<C: Coder>(
        &mut self,
        coder: &mut C,
        (count, unit): (u64, u64),
        items: impl Fn(&C) -> &Items,
        rows: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let mut walk = Walk::new(unit, std::mem::take(&mut self.seen));
        let mut event = Flat::default();
        let mut all = || {
            for _ in 0..count {
                event.clear();
                walk.event(coder, &mut event)?;
                put(&event, items(coder), rows)?;
            }
            Ok(())
        };
        let read = all();
        self.seen = walk.into_seen();
        read
    }
}

const MORE: Fault = "there is more in it than its events";

/// Appends an event.
fn put(event: &Flat, items: &Items, rows: &mut Vec<u8>) -> Result<(), Fault> {
    let start = rows.len();
    rows.extend_from_slice(&[0; EVENT_PREFIX]);
    event.put(items, rows)?;
    let length = rows.len() - start - EVENT_PREFIX;
    if length > MAX_EVENT || rows.len() > MAX_ROWS {
        rows.truncate(start);
        return Err("there is more in it than a block may hold");
    }
    // At most MAX_EVENT.
    rows[start..start + EVENT_PREFIX].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(())
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
