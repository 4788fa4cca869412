//! Finding whole blocks in a stream of bytes, past damage.

use super::block::{self, BLOCK_HEADER, BLOCK_MAGIC, BlockHeader, FileHeader};
use super::window::Window;
use std::io::Read;

/// Damaged payloads after which their stated length is believed without a look inside, so that a file made
/// to be slow to read is not.
const MAX_LOOKS: u32 = 1000;

/// Bytes searched at once.
const STRIDE: usize = 64 * 1024;

/// The blocks of a stream.
pub(super) struct Blocks<R> {
    window: Window<R>,
    looks: u32,
}

/// What comes next in the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A whole block; [`Blocks::payload`] is its content, [`Blocks::pass`] goes on behind it.
    Block(BlockHeader),
    /// This many bytes from `offset` on are no block; they were passed.
    Damage { offset: u64, length: u64 },
    /// The stream ends within a block, of which it has this many bytes.
    Truncated { offset: u64, length: u64 },
    /// A file header.
    FileHeader,
    /// The end.
    End,
}

/// What stands at the position.
enum Here {
    Block(BlockHeader),
    /// A header whose payload is damaged.
    BadPayload(BlockHeader),
    /// The beginning of a block; the rest is missing.
    CutOff,
    FileHeader,
    Garbage,
    End,
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(source: R) -> Self {
        Self { window: Window::new(source), looks: 0 }
    }

    /// The stream itself.
    pub(super) fn window(&mut self) -> &mut Window<R> {
        &mut self.window
    }

    /// Offset of what comes next.
    pub(super) fn position(&self) -> u64 {
        self.window.position()
    }

    /// What comes next.
    pub(super) fn next(&mut self) -> Next {
        let (offset, cut_off) = match self.here() {
            Here::Block(header) => return Next::Block(header),
            Here::FileHeader => return Next::FileHeader,
            Here::End => return Next::End,
            Here::CutOff => (self.position(), true),
            Here::BadPayload(_) | Here::Garbage => (self.position(), false),
        };
        let found = self.find(u64::MAX);
        let length = self.position() - offset;
        if cut_off && !found { Next::Truncated { offset, length } } else { Next::Damage { offset, length } }
    }

    /// Goes to the next whole block, at most `within` bytes away. False if there is none; the position is
    /// then the end, or `within` bytes on.
    pub(super) fn find(&mut self, within: u64) -> bool {
        let limit = self.position().saturating_add(within);
        loop {
            let passed = match self.here() {
                Here::Block(_) => return true,
                Here::End => return false,
                Here::BadPayload(header) if self.believable(&header) => BLOCK_HEADER + header.length,
                _ => 1,
            };
            self.window.advance(passed);
            if !self.seek_magic(limit) {
                return false;
            }
        }
    }

    /// The payload of the block at the position.
    pub(super) fn payload(&mut self, header: &BlockHeader) -> &[u8] {
        let end = BLOCK_HEADER + header.length;
        self.window.peek(end).get(BLOCK_HEADER..end).unwrap_or_default()
    }

    /// The block at an offset behind the position, if its header is right and all of it is there. Whether the payload is
    /// damaged is not looked at.
    pub(super) fn behind(&mut self, offset: u64) -> Option<(BlockHeader, &[u8])> {
        let start = usize::try_from(offset.checked_sub(self.position())?).ok()?;
        let header = block::parse_block_header(self.window.peek(start + BLOCK_HEADER).get(start..)?)?;
        let payload = start + BLOCK_HEADER..start + header.size();
        Some((header, self.window.peek(payload.end).get(payload)?))
    }

    /// Goes on behind the block at the position.
    pub(super) fn pass(&mut self, header: &BlockHeader) {
        self.window.advance(BLOCK_HEADER + header.length);
    }

    fn here(&mut self) -> Here {
        let bytes = self.window.peek(BLOCK_HEADER);
        if bytes.is_empty() {
            return Here::End;
        }
        if block::parse_file_header(bytes) != FileHeader::Absent {
            return Here::FileHeader;
        }
        let Some(header) = block::parse_block_header(bytes) else {
            let magic = bytes.len().min(BLOCK_MAGIC.len());
            let begins = bytes[..magic] == BLOCK_MAGIC[..magic];
            return if begins && bytes.len() < BLOCK_HEADER { Here::CutOff } else { Here::Garbage };
        };
        let end = BLOCK_HEADER + header.length;
        match self.window.peek(end).get(BLOCK_HEADER..end) {
            None => Here::CutOff,
            Some(payload) if crc32fast::hash(payload) == header.payload_crc => Here::Block(header),
            Some(_) => Here::BadPayload(header),
        }
    }

    /// Whether a damaged payload has the length its header says (bytes were changed), and not another one
    /// (bytes are missing), so that a whole block may begin inside.
    fn believable(&mut self, header: &BlockHeader) -> bool {
        self.looks += 1;
        if self.looks > MAX_LOOKS {
            return true;
        }
        let end = BLOCK_HEADER + header.length;
        let behind = self.window.peek(end + BLOCK_HEADER).get(end..).unwrap_or_default();
        behind.is_empty() || block::parse_block_header(behind).is_some()
    }

    /// Goes to the next place, before `limit`, where a block may begin; otherwise to the limit or the end.
    fn seek_magic(&mut self, limit: u64) -> bool {
        loop {
            let room = limit.saturating_sub(self.position());
            let bytes = self.window.peek(STRIDE);
            if bytes.is_empty() || room == 0 {
                return false;
            }
            let found = bytes.windows(BLOCK_MAGIC.len()).position(|window| window == BLOCK_MAGIC);
            // A magic may stand across the end of what was seen; behind the end of the stream none can.
            let last = if bytes.len() < STRIDE { bytes.len() } else { bytes.len() - (BLOCK_MAGIC.len() - 1) };
            let step = found.unwrap_or(last);
            if step as u64 >= room {
                self.window.advance(usize::try_from(room).unwrap_or(last));
                return false;
            }
            self.window.advance(step);
            if found.is_some() {
                return true;
            }
        }
    }
}
