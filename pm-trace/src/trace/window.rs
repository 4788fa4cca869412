//! A bounded window into a stream of bytes.

use std::io::{ErrorKind, Read};

/// Bytes read at once.
const CHUNK: usize = 128 * 1024;

/// The bytes of a stream from a position on, read as they are asked for.
pub(super) struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    position: u64,
    ended: bool,
    error: Option<std::io::Error>,
}

impl<R: Read> Window<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), start: 0, position: 0, ended: false, error: None }
    }

    /// Offset in the stream of the first byte of the window.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// At least `want` bytes from the position on, or all there are.
    pub(super) fn peek(&mut self, want: usize) -> &[u8] {
        while !self.ended && self.buffer.len() - self.start < want {
            self.read_more(want);
        }
        &self.buffer[self.start..]
    }

    /// Moves on by `count` bytes, which must have been seen by [`Self::peek`].
    pub(super) fn advance(&mut self, count: usize) {
        let count = count.min(self.buffer.len() - self.start);
        self.start += count;
        self.position += count as u64;
    }

    /// The error that ended the stream, if one did. Given once.
    pub(super) fn take_error(&mut self) -> Option<std::io::Error> {
        self.error.take()
    }

    fn read_more(&mut self, want: usize) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let have = self.buffer.len();
        self.buffer.resize(have + CHUNK.max(want - have), 0);
        let read = self.source.read(&mut self.buffer[have..]);
        self.buffer.truncate(have + read.as_ref().map_or(0, |&n| n));
        match read {
            Ok(0) => self.ended = true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                self.ended = true;
                self.error = Some(error);
            }
        }
    }
}
