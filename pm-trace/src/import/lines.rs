//! Lines of a log, one at a time, whatever the file holds: compressed or not, without end, not text.

use flate2::bufread::MultiGzDecoder;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// Longest line that is looked at, in bytes. The longest of a real log, sleepgraph's list of devices, has about
/// 100 KiB on a large machine, and nothing is read from it.
const LONGEST: usize = 16 * 1024;

/// Bytes read, and uncompressed, at a time: so few stay in the processor's caches, and of a small log little memory is
/// asked for.
const AT_A_TIME: usize = 16 * 1024;

/// The first two bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads a log line by line in bounded memory.
pub(super) struct Lines {
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    /// Bytes of the reader's buffer that the last line was in.
    used: usize,
}

impl Lines {
    /// Opens a file; one that begins as a gzip file is uncompressed on the way.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::new(BufReader::with_capacity(AT_A_TIME, File::open(path)?))
    }

    /// The same for anything that can be read.
    pub(super) fn new(mut reader: impl BufRead + 'static) -> io::Result<Self> {
        let compressed = reader.fill_buf()?.starts_with(&GZIP);
        let reader: Box<dyn BufRead> = if compressed {
            Box::new(BufReader::with_capacity(AT_A_TIME, MultiGzDecoder::new(reader)))
        } else {
            Box::new(reader)
        };
        Ok(Self { reader, line: Vec::new(), used: 0 })
    }

    /// The next line without its end, cut after [`LONGEST`] bytes; `None` at the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.reader.consume(std::mem::take(&mut self.used));
        // Nearly all lines are in the buffer from start to end.
        let end = memchr::memchr(b'\n', self.reader.fill_buf()?);
        if let Some(end) = end.filter(|&end| end <= LONGEST) {
            self.used = end + 1;
            return Ok(Some(without_return(&self.reader.fill_buf()?[..end])));
        }
        self.pieces()
    }

    /// The same for a line whose end is not in the buffer.
    fn pieces(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let mut read = 0;
        loop {
            let bytes = self.reader.fill_buf()?;
            let end = memchr::memchr(b'\n', bytes);
            let here = end.unwrap_or(bytes.len());
            let room = LONGEST.saturating_sub(self.line.len());
            self.line.extend_from_slice(&bytes[..here.min(room)]);
            let (used, at_end) = (here + usize::from(end.is_some()), bytes.is_empty());
            self.reader.consume(used);
            read += used;
            if end.is_some() || at_end {
                break;
            }
        }
        Ok((read > 0).then(|| without_return(&self.line)))
    }
}

/// A line without a carriage return at its end.
fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A line as text. Nearly all are: those are looked at once, and fast.
pub(super) fn text(line: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed)
}

/// `str::split_once` for each line of a log: without preparing a search, which takes longer than the few bytes that are
/// looked through. `by` begins with an ASCII character.
pub(super) fn split_once<'a>(text: &'a str, by: &str) -> Option<(&'a str, &'a str)> {
    let (bytes, by) = (text.as_bytes(), by.as_bytes());
    let mut from = 0;
    loop {
        let at = from + bytes[from..].iter().position(|&byte| byte == by[0])?;
        if bytes[at..].starts_with(by) {
            return Some((&text[..at], &text[at + by.len()..]));
        }
        from = at + 1;
    }
}

/// The same from the end.
pub(super) fn rsplit_once<'a>(text: &'a str, by: &str) -> Option<(&'a str, &'a str)> {
    let (bytes, by) = (text.as_bytes(), by.as_bytes());
    let mut to = bytes.len();
    loop {
        let at = bytes[..to].iter().rposition(|&byte| byte == by[0])?;
        if bytes[at..].starts_with(by) {
            return Some((&text[..at], &text[at + by.len()..]));
        }
        to = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write as _};

    fn all(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Lines::new(Cursor::new(bytes.to_vec())).unwrap();
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(line.to_vec());
        }
        all
    }

    #[test]
    fn lines_are_those_of_the_file_compressed_or_not() {
        let text = b"one\r\n\ntwo\nthe last has no end";
        let expected: [&[u8]; 4] = [b"one", b"", b"two", b"the last has no end"];
        assert_eq!(all(text), expected);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text).unwrap();
        assert_eq!(all(&packed.finish().unwrap()), expected);
    }

    #[test]
    fn texts_are_split_as_the_standard_library_does() {
        for text in
            ["a, parent: b, parent: c", ", ,", "", ",", ", ", "\u{e9}, \u{20ac}, x", "[1][2]", "a,parent"]
        {
            for by in [", parent: ", ", ", ",", "]", "["] {
                assert_eq!(split_once(text, by), text.split_once(by), "{text} by {by}");
                assert_eq!(rsplit_once(text, by), text.rsplit_once(by), "{text} by {by}");
            }
        }
    }

    #[test]
    fn a_line_without_end_takes_no_memory() {
        let mut text = vec![b'x'; 3 * LONGEST];
        text.extend_from_slice(b"\nnext");
        assert_eq!(all(&text), [vec![b'x'; LONGEST], b"next".to_vec()]);
    }
}
