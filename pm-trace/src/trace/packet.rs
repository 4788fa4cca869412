//! A block on its way to a file: made small by whoever writes it first. And the way back.

use super::block::{self, BLOCK_HEADER, EVENTS_PREFIX, MAX_PAYLOAD, MAX_UNPACKED, kind, packing};
use super::columns;
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

fn pack(raw: &Raw) -> Vec<u8> {
    let level = raw.effort.level();
    let small = if raw.kind == kind::EVENTS {
        columns_of(&raw.payload, level).map(|columns| (kind::COLUMNS, packing::NONE, columns))
    } else {
        let small = zstd::bulk::compress(&raw.payload, level);
        small.map(|small| (raw.kind, packing::ZSTD, small))
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

/// Number of the first event, then each part of the columns: its length packed, and one Zstandard frame.
fn columns_of(payload: &[u8], level: i32) -> std::io::Result<Vec<u8>> {
    let (number, rows) = payload.split_at(EVENTS_PREFIX.min(payload.len()));
    let mut bytes = number.to_vec();
    for part in columns::pack(rows) {
        let small = zstd::bulk::compress(&part, level)?;
        let length = u32::try_from(small.len()).map_err(std::io::Error::other)?;
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend(small);
    }
    Ok(bytes)
}

/// A payload as it was before it was packed.
pub(super) fn unpack(packing: u16, payload: &[u8]) -> Result<Vec<u8>, String> {
    match packing {
        packing::NONE => Ok(payload.to_vec()),
        packing::ZSTD => decompress(payload),
        packing => Err(format!("it is packed in a way that this version does not know ({packing})")),
    }
}

/// The content of a Zstandard frame that tells how large it is.
fn decompress(frame: &[u8]) -> Result<Vec<u8>, String> {
    let size = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten();
    let size = size.and_then(|size| usize::try_from(size).ok()).filter(|&size| size <= MAX_UNPACKED);
    let size = size.ok_or("it does not tell its size, or is too large")?;
    zstd::bulk::decompress(frame, size).map_err(|error| error.to_string())
}

/// Appends the rows of a block of columns.
pub(super) fn unpack_columns(mut packed: &[u8], rows: &mut Vec<u8>) -> Result<(), String> {
    let mut parts: [Vec<u8>; columns::PARTS] = Default::default();
    for part in &mut parts {
        let (length, rest) = packed.split_at_checked(4).ok_or("it is too short")?;
        let (frame, rest) =
            rest.split_at_checked(block::u32_at(length, 0) as usize).ok_or("it is too short")?;
        *part = decompress(frame)?;
        packed = rest;
    }
    columns::unpack(parts.each_ref().map(Vec::as_slice), rows).map_err(str::to_owned)
}
