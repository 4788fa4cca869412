//! The bytes of the file header and of block headers.

/// Version of the format this program writes, and the newest one it reads.
pub const FORMAT_VERSION: u16 = 3;

/// Most bytes of a block's payload. A reader refuses larger ones, a writer makes none.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// Most bytes of one encoded event.
pub const MAX_EVENT: usize = 64 * 1024;

/// Most bytes that a payload has when it is unpacked. A reader refuses more.
pub(super) const MAX_UNPACKED: usize = 4 << 20;

/// Most bytes of the rows that a block of columns stands for. A reader refuses more.
pub(super) const MAX_ROWS: usize = 4 << 20;

/// First bytes of a file. The first byte is no text and the line ends reveal a transfer that changes them.
pub(super) const FILE_MAGIC: [u8; 8] = *b"\x89PMT\r\n\x1a\n";

/// First bytes of a block.
pub(super) const BLOCK_MAGIC: [u8; 4] = *b"\x9ePMB";

/// Bytes of the file header.
pub(super) const FILE_HEADER: usize = 16;

/// Bytes of a block header.
pub(super) const BLOCK_HEADER: usize = 24;

/// Bytes of an events block before its first event: the number of that event.
pub(super) const EVENTS_PREFIX: usize = 8;

/// Bytes before each event: its length.
pub(super) const EVENT_PREFIX: usize = 4;

/// Kinds of block.
pub(super) mod kind {
    /// The session, CBOR. The first block.
    pub const SESSION: u16 = 1;
    /// Events.
    pub const EVENTS: u16 = 2;
    /// Counters of the hooks, CBOR.
    pub const CHECKPOINT: u16 = 3;
    /// Clean end, CBOR. The last block.
    pub const END: u16 = 4;
    /// Events, in columns of version 2. No longer written.
    pub const COLUMNS: u16 = 5;
    /// Events, in columns.
    pub const DENSE: u16 = 6;
}

/// How a payload is packed.
pub(super) mod packing {
    /// Not at all.
    pub const NONE: u16 = 0;
    /// As one Zstandard frame, which tells the size of its content.
    pub const ZSTD: u16 = 1;
    /// The same, with the words of [`super::super::packet`] before it.
    pub const WORDS: u16 = 2;
}

/// A block header whose own checksum is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockHeader {
    /// A [`kind`], or one that this version does not know.
    pub kind: u16,
    /// A [`packing`], or one that this version does not know.
    pub packing: u16,
    /// Number of the block in its trace, from 0.
    pub sequence: u32,
    /// Bytes of payload, at most [`MAX_PAYLOAD`].
    pub length: usize,
    /// Checksum of the payload.
    pub payload_crc: u32,
}

impl BlockHeader {
    /// Bytes of header and payload.
    pub(super) fn size(&self) -> usize {
        BLOCK_HEADER + self.length
    }
}

/// What the first bytes of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileHeader {
    /// Right, of this version.
    Version(u16),
    /// It has the magic, but the rest is damaged.
    Damaged,
    /// No file header.
    Absent,
}

/// The file header that this version writes.
pub(super) fn file_header() -> [u8; FILE_HEADER] {
    let mut bytes = [0; FILE_HEADER];
    bytes[..8].copy_from_slice(&FILE_MAGIC);
    bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..12]);
    bytes[12..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Reads a file header.
pub(super) fn parse_file_header(bytes: &[u8]) -> FileHeader {
    if !bytes.starts_with(&FILE_MAGIC) {
        return FileHeader::Absent;
    }
    match bytes.get(..FILE_HEADER) {
        Some(header) if crc32fast::hash(&header[..12]) == u32_at(header, 12) => {
            FileHeader::Version(u16_at(header, 8))
        }
        _ => FileHeader::Damaged,
    }
}

/// A whole block: header and payload, which is at most [`MAX_PAYLOAD`] bytes.
pub(super) fn block(kind: u16, packing: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    debug_assert!(payload.len() <= MAX_PAYLOAD);
    let mut bytes = Vec::with_capacity(BLOCK_HEADER + payload.len());
    bytes.extend_from_slice(&BLOCK_MAGIC);
    bytes.extend_from_slice(&kind.to_le_bytes());
    bytes.extend_from_slice(&packing.to_le_bytes());
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Reads a block header; `None` unless magic, checksum and length are right.
pub(super) fn parse_block_header(bytes: &[u8]) -> Option<BlockHeader> {
    let header = bytes.get(..BLOCK_HEADER)?;
    if !header.starts_with(&BLOCK_MAGIC) || crc32fast::hash(&header[..20]) != u32_at(header, 20) {
        return None;
    }
    let length = u32_at(header, 12) as usize;
    (length <= MAX_PAYLOAD).then(|| BlockHeader {
        kind: u16_at(header, 4),
        packing: u16_at(header, 6),
        sequence: u32_at(header, 8),
        length,
        payload_crc: u32_at(header, 16),
    })
}

/// The little-endian number at `offset`, 0 where the bytes end before.
pub(super) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    bytes.get(offset..).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_le_bytes(*b))
}

/// The little-endian number at `offset`, 0 where the bytes end before.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b))
}

/// The little-endian number at `offset`, 0 where the bytes end before.
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    bytes.get(offset..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b))
}
