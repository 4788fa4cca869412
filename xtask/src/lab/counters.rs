//! What each hook counted in each cycle, read from a trace by its documented format.
//!
//! This knows `docs/trace-format.md` and nothing of the program: what pm-trace counts is judged by somebody else.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};

/// Bytes of the file header and of a block's.
const FILE_HEADER: usize = 16;
const BLOCK_HEADER: usize = 24;
const BLOCK_MAGIC: &[u8] = b"\x9ePMB";

/// Kind of a block that holds counters.
const CHECKPOINT: u16 = 3;
/// A payload that is one Zstandard frame; the same behind the words of the format; and the most that one may hold.
const ZSTD: u16 = 1;
const WORDS: u16 = 2;
/// The words, which are part of the format.
static KNOWN_WORDS: &[u8] = include_bytes!("../../../pm-trace/src/trace/words-1.bin");
const MAX_UNPACKED: usize = 4 << 20;

/// What the programs of a hook counted, and what of it arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Runs.
    pub(crate) hits: u64,
    /// Records sent.
    pub(crate) sent: u64,
    /// Records that found no room.
    pub(crate) lost: u64,
    /// Other failures.
    pub(crate) errors: u64,
    /// Records received.
    pub(crate) received: u64,
}

impl Counts {
    /// What came since `before`.
    fn since(self, before: Self) -> Self {
        Self {
            hits: self.hits.saturating_sub(before.hits),
            sent: self.sent.saturating_sub(before.sent),
            lost: self.lost.saturating_sub(before.lost),
            errors: self.errors.saturating_sub(before.errors),
            received: self.received.saturating_sub(before.received),
        }
    }
}

/// Counts by the hook's name.
pub(crate) type Hooks = BTreeMap<String, Counts>;

/// What each finished cycle counted, oldest first.
pub(crate) fn cycles(trace: &[u8]) -> Result<Vec<Hooks>> {
    let mut cycles = Vec::new();
    let mut before = Hooks::new();
    for (packing, payload) in checkpoints(trace) {
        let unpacked;
        let payload = match packing {
            ZSTD | WORDS => {
                let words = if packing == WORDS { KNOWN_WORDS } else { &[] };
                unpacked =
                    zstd::bulk::Decompressor::with_dictionary(words)?.decompress(payload, MAX_UNPACKED)?;
                &unpacked
            }
            _ => payload,
        };
        let (number, now) = checkpoint(payload)?;
        // The first checkpoint with a number stands at the end of that cycle; further ones are in the next.
        if number != cycles.len() as u64 + 1 {
            continue;
        }
        let grown = now.iter().map(|(hook, counts)| {
            (hook.clone(), counts.since(before.get(hook).copied().unwrap_or_default()))
        });
        cycles.push(grown.collect());
        before = now;
    }
    Ok(cycles)
}

/// The payloads of all checkpoints up to the first byte that is no block, and how each is packed.
fn checkpoints(trace: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = trace.get(FILE_HEADER..).unwrap_or_default();
    let blocks = std::iter::from_fn(move || {
        let (header, behind) = rest.split_at_checked(BLOCK_HEADER)?;
        let kind = u16::from_le_bytes([header[4], header[5]]);
        let packing = u16::from_le_bytes([header[6], header[7]]);
        let length = u32::from_le_bytes([header[12], header[13], header[14], header[15]]);
        let (payload, behind) = behind.split_at_checked(usize::try_from(length).ok()?)?;
        rest = behind;
        header.starts_with(BLOCK_MAGIC).then_some((kind, packing, payload))
    });
    blocks.filter(|(kind, ..)| *kind == CHECKPOINT).map(|(_, packing, payload)| (packing, payload))
}

/// `[time, cycles, [[name, hits, sent, lost, errors, received], ...]]`
fn checkpoint(payload: &[u8]) -> Result<(u64, Hooks)> {
    let mut cbor = Cbor(payload);
    ensure!(cbor.array()? >= 3, "a checkpoint is too short");
    cbor.unsigned()?;
    let cycles = cbor.unsigned()?;
    let mut hooks = Hooks::new();
    for _ in 0..cbor.array()? {
        ensure!(cbor.array()? == 6, "the counters of a hook are not six values");
        let name = cbor.text()?;
        let counts = Counts {
            hits: cbor.unsigned()?,
            sent: cbor.unsigned()?,
            lost: cbor.unsigned()?,
            errors: cbor.unsigned()?,
            received: cbor.unsigned()?,
        };
        hooks.insert(name, counts);
    }
    Ok((cycles, hooks))
}

/// As much of CBOR (RFC 8949) as checkpoints use.
struct Cbor<'a>(&'a [u8]);

impl Cbor<'_> {
    /// The argument of an item of this major type.
    fn head(&mut self, major: u8) -> Result<u64> {
        let [first, rest @ ..] = self.0 else { bail!("a checkpoint ends early") };
        ensure!(first >> 5 == major, "a checkpoint has an item of type {} instead of {major}", first >> 5);
        let width = match first & 31 {
            small @ 0..24 => {
                self.0 = rest;
                return Ok(u64::from(small));
            }
            size @ 24..28 => 1 << (size - 24),
            _ => bail!("a checkpoint has an item of indefinite length"),
        };
        let Some((bytes, rest)) = rest.split_at_checked(width) else { bail!("a checkpoint ends early") };
        self.0 = rest;
        Ok(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn unsigned(&mut self) -> Result<u64> {
        self.head(0)
    }

    fn array(&mut self) -> Result<u64> {
        self.head(4)
    }

    fn text(&mut self) -> Result<String> {
        let length = usize::try_from(self.head(3)?)?;
        let Some((bytes, rest)) = self.0.split_at_checked(length) else { bail!("a checkpoint ends early") };
        self.0 = rest;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkpoint with one hook, as CBOR.
    fn payload(cycles: u8, hits: u16, received: u8) -> Vec<u8> {
        let [high, low] = hits.to_be_bytes();
        let mut bytes = vec![0x83, 0x1a, 0, 0, 1, 0, cycles, 0x81, 0x86, 0x65];
        bytes.extend(b"phase");
        bytes.extend([0x19, high, low, 0x18, received, 0, 0, 0x18, received]);
        bytes
    }

    fn trace(blocks: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = vec![0; FILE_HEADER];
        for (kind, payload) in blocks {
            bytes.extend(BLOCK_MAGIC);
            bytes.extend(kind.to_le_bytes());
            bytes.extend([0; 6]);
            bytes.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
            bytes.extend([0; 8]);
            bytes.extend(payload);
        }
        bytes
    }

    #[test]
    fn each_cycle_has_what_it_added() {
        let mut bytes = trace(&[
            (1, vec![0x80]),
            (CHECKPOINT, payload(0, 1, 24)),
            (CHECKPOINT, payload(1, 400, 100)),
            (CHECKPOINT, payload(1, 450, 110)),
            (2, vec![1, 2, 3]),
            (CHECKPOINT, payload(2, 1000, 130)),
        ]);
        let cycles = cycles(&bytes).unwrap();
        let rows: Vec<_> =
            cycles.iter().map(|hooks| (hooks["phase"].hits, hooks["phase"].received)).collect();
        assert_eq!(rows, [(400, 100), (600, 30)]);
        bytes.truncate(bytes.len() - 1);
        assert_eq!(super::cycles(&bytes).unwrap().len(), 1);
    }

    #[test]
    fn packed_checkpoints_are_read() {
        let mut bytes = trace(&[(CHECKPOINT, zstd::bulk::compress(&payload(1, 400, 100), 3).unwrap())]);
        bytes[FILE_HEADER + 6] = 1;
        assert_eq!(cycles(&bytes).unwrap()[0]["phase"].hits, 400);
    }

    #[test]
    fn what_is_no_trace_has_no_cycles() {
        for bytes in [&b""[..], b"a", &[0; 200]] {
            assert!(cycles(bytes).unwrap().is_empty());
        }
    }

    #[test]
    fn a_checkpoint_of_another_shape_is_an_error() {
        for payload in
            [vec![], vec![0x80], vec![0x83, 0x61], vec![0x83, 0x1b, 0], vec![0x83, 0, 1, 0x81, 0x81]]
        {
            assert!(cycles(&trace(&[(CHECKPOINT, payload)])).is_err());
        }
    }
}
