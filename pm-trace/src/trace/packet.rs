//! A block on its way to a file: made small by whoever writes it first. And the way back.

use super::block::{
    self, BLOCK_HEADER, EVENT_PREFIX, EVENTS_PREFIX, MAX_PAYLOAD, MAX_UNPACKED, kind, packing,
};
use super::columns::{self, Unpacker};
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

/// How much work goes into making a block small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// What a machine that resumes can spare.
    Little,
    /// Nobody waits.
    Full,
}

impl Effort {
    /// Level of Zstandard.
    const fn level(self) -> i32 {
        match self {
            Self::Little => 6,
            Self::Full => 19,
        }
    }
}

/// A block. It is given as it is read, and packed when its bytes are asked for: by the thread that writes it, so that
/// the one that collects events does not wait for it.
#[derive(Debug)]
pub(super) struct Packet {
    size: usize,
    raw: Mutex<Option<Raw>>,
    packed: OnceLock<Vec<u8>>,
}

#[derive(Debug)]
struct Raw {
    kind: u16,
    sequence: u32,
    payload: Vec<u8>,
    effort: Effort,
}

impl Packet {
    /// Bytes that are no block: a file header.
    pub(super) fn bare(bytes: Vec<u8>) -> Self {
        Self { size: bytes.len(), raw: Mutex::new(None), packed: OnceLock::from(bytes) }
    }

    /// A block with this payload, at most [`MAX_PAYLOAD`] bytes. Events are given in rows.
    pub(super) fn block(kind: u16, sequence: u32, payload: Vec<u8>, effort: Effort) -> Self {
        let size = BLOCK_HEADER + payload.len();
        let raw = Mutex::new(Some(Raw { kind, sequence, payload, effort }));
        Self { size, raw, packed: OnceLock::new() }
    }

    /// Bytes it takes in memory at most.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The bytes for the file; in a hurry as they are, if nobody has packed them yet.
    pub(super) fn bytes(&self, hurry: bool) -> &[u8] {
        self.packed.get_or_init(|| {
            let raw = self.raw.lock().unwrap_or_else(PoisonError::into_inner).take();
            match raw {
                Some(raw) if hurry => plain(&raw),
                Some(raw) => pack(&raw),
                None => Vec::new(),
            }
        })
    }
}

/// What most traces say, so that none has to say it in full: words of kernels, counters and hooks as a session and a
/// checkpoint have them. It is part of the format and never changes; another one is another way of packing.
const WORDS: &[u8] = include_bytes!("words-1.bin");

fn pack(raw: &Raw) -> Vec<u8> {
    let level = raw.effort.level();
    let small = if raw.kind == kind::EVENTS {
        columns_of(&raw.payload, level).map(|columns| (kind::DENSE, packing::NONE, columns))
    } else {
        compress(&raw.payload, level).map(|small| (raw.kind, packing::WORDS, small))
    };
    match small {
        Ok((kind, packing, small)) if small.len() < raw.payload.len() && small.len() <= MAX_PAYLOAD => {
            block::block(kind, packing, raw.sequence, &small)
        }
        // What does not become smaller stays as it is.
        _ => plain(raw),
    }
}

fn plain(raw: &Raw) -> Vec<u8> {
    block::block(raw.kind, packing::NONE, raw.sequence, &raw.payload)
}

fn compress(bytes: &[u8], level: i32) -> io::Result<Vec<u8>> {
    zstd::bulk::Compressor::with_dictionary(level, WORDS)?.compress(bytes)
}

/// Number of the first event; the columns' bits, with their length before them; one Zstandard frame of texts.
fn columns_of(payload: &[u8], level: i32) -> io::Result<Vec<u8>> {
    let (number, rows) = payload.split_at(EVENTS_PREFIX.min(payload.len()));
    let (bits, texts) = columns::pack(rows);
    let length = u32::try_from(bits.len()).map_err(io::Error::other)?;
    Ok([number, &length.to_le_bytes(), &bits, &compress(&texts, level)?].concat())
}

/// A payload as it was before it was packed.
pub(super) fn unpack(packing: u16, payload: &[u8]) -> Result<Vec<u8>, String> {
    match packing {
        packing::NONE => Ok(payload.to_vec()),
        packing::ZSTD => decompress(payload, &[]),
        packing::WORDS => decompress(payload, WORDS),
        packing => Err(format!("it is packed in a way that this version does not know ({packing})")),
    }
}

/// The content of a Zstandard frame that tells how large it is.
fn decompress(frame: &[u8], words: &[u8]) -> Result<Vec<u8>, String> {
    let size = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten();
    let size = size.and_then(|size| usize::try_from(size).ok()).filter(|&size| size <= MAX_UNPACKED);
    let size = size.ok_or("it does not tell its size, or is too large")?;
    let unpacked = zstd::bulk::Decompressor::with_dictionary(words)
        .and_then(|mut decompressor| decompressor.decompress(frame, size));
    unpacked.map_err(|error| error.to_string())
}

/// Appends the events of a block, what is behind the number of the first, as rows.
pub(super) fn unpack_events(
    kind: u16,
    packed: &[u8],
    unpacker: &mut Unpacker,
    rows: &mut Vec<u8>,
) -> Result<(), String> {
    match kind {
        kind::COLUMNS => unpack_parts(packed, unpacker, rows),
        kind::DENSE => {
            let (bits, texts) = cut(packed)?;
            unpacker.unpack(bits, &decompress(texts, WORDS)?, rows).map_err(str::to_owned)
        }
        _ => {
            rows.extend_from_slice(packed);
            Ok(())
        }
    }
}

/// Columns of version 2: each part with its length before it, as one Zstandard frame.
fn unpack_parts(mut packed: &[u8], unpacker: &mut Unpacker, rows: &mut Vec<u8>) -> Result<(), String> {
    let mut parts: [Vec<u8>; columns::PARTS] = Default::default();
    for part in &mut parts {
        let (frame, rest) = cut(packed)?;
        *part = decompress(frame, &[])?;
        packed = rest;
    }
    unpacker.unpack_parts(parts.each_ref().map(Vec::as_slice), rows).map_err(str::to_owned)
}

/// Bytes with their length before them, and the rest.
fn cut(bytes: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let (length, rest) = bytes.split_at_checked(EVENT_PREFIX).ok_or("it is too short")?;
    rest.split_at_checked(block::u32_at(length, 0) as usize).ok_or("it is too short")
}
