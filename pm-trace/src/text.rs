//! Text from the kernel or from files on its way to a terminal.
//!
//! Names of devices, tasks and functions, strings of a trace and file names are untrusted: an escape
//! sequence in one of them could move the cursor, hide text or change the terminal. [`is_unsafe`] says
//! which characters never reach one; [`line()`] and [`Terminal`] replace them.

mod page;

pub use page::{Page, WIDTH};

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

/// Stands for a character that is not shown.
pub const REPLACEMENT: char = '\u{fffd}';

/// Bytes that [`find_unsafe`] looks at together.
const STRIDE: usize = 64;

/// Whether the character acts on a terminal instead of being shown: control characters (C0, DEL, C1), line
/// and paragraph separators, and characters that change the direction of text.
pub const fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// The first unsafe character of a text of several lines, which line feeds and tabs belong to, and its place.
pub fn find_unsafe(text: &str) -> Option<(usize, char)> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    let mut place = 0;
    // Large texts are nearly all ASCII, which is passed in strides.
    while place < text.len() {
        let stride = &text.as_bytes()[place..text.len().min(place + STRIDE)];
        if stride.iter().fold(true, |all, &byte| all & is_plain(byte)) {
            place += stride.len();
            continue;
        }
        let end = text.ceil_char_boundary(place + stride.len());
        let is_bad = |c: char| is_unsafe(c) && !matches!(c, '\n' | '\t');
        if let Some((at, c)) = text[place..end].char_indices().find(|&(_, c)| is_bad(c)) {
            return Some((place + at, c));
        }
        place = end;
    }
    None
}

/// One line of text that is safe to show: unsafe characters, line breaks included, are replaced.
pub fn line(text: &str) -> Cow<'_, str> {
    // Nearly all of it is ASCII, of which several bytes are looked at together.
    let is_plain = text.bytes().fold(true, |all, byte| all & matches!(byte, b' '..=b'~'));
    if !is_plain && text.chars().any(is_unsafe) {
        Cow::Owned(text.chars().map(|c| if is_unsafe(c) { REPLACEMENT } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The same of a text that is wanted as one's own.
pub fn in_a_line(text: String) -> String {
    if let Cow::Owned(safe) = line(&text) {
        return safe;
    }
    text
}

/// `1 cycle`, `2 cycles`: a number and what it counts.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(number: N, one: &str) -> String {
    let plural = if number == N::from(1) { "" } else { "s" };
    format!("{number} {one}{plural}")
}

/// The beginning of a text, of at most `bytes` bytes, without breaking a character.
pub fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// A file name in quotes, safe to show.
pub fn path(path: &Path) -> String {
    format!("'{}'", line(&path.to_string_lossy()))
}

/// The first bytes of a file, for a message: as text if they are, otherwise in hexadecimal.
pub fn beginning(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(16)];
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|c| c.is_ascii_graphic() || c == ' ') => format!("{text:?}"),
        _ => {
            let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
            format!("the bytes {}", hex.join(" "))
        }
    }
}

/// Columns for a report on standard output: those of the terminal, or [`WIDTH`] if it is none or does not say.
/// `COLUMNS` overrides it.
pub fn columns() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    told.or_else(|| {
        nix::ioctl_read_bad!(window_size, nix::libc::TIOCGWINSZ, nix::libc::winsize);
        let mut size = nix::libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the request fills in a `winsize`, which lives until the call is over.
        unsafe { window_size(nix::libc::STDOUT_FILENO, &raw mut size) }.ok()?;
        Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
    })
    .unwrap_or(WIDTH)
}

/// How [`Terminal`] treats unsafe characters other than line feeds and tabs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Replaced by [`REPLACEMENT`].
    Plain,
    /// Written as `\uXXXX`, which leaves JSON equal in meaning: there they stand in strings only.
    Json,
}

/// Writes text to a terminal, or what may be shown on one later, free of unsafe characters except for line
/// feeds and tabs.
pub struct Terminal<W: Write> {
    out: W,
    form: Form,
}

impl<W: Write> Terminal<W> {
    /// Passes text on to `out`.
    pub fn new(out: W, form: Form) -> Self {
        Self { out, form }
    }

    /// Writes the text.
    pub fn show(&mut self, text: &str) -> io::Result<()> {
        let mut rest = text;
        while let Some((at, c)) = find_unsafe(rest) {
            self.out.write_all(&rest.as_bytes()[..at])?;
            match self.form {
                Form::Plain => write!(self.out, "{REPLACEMENT}")?,
                // All unsafe characters are in the basic plane: one unit of UTF-16.
                Form::Json => write!(self.out, "\\u{:04x}", u32::from(c))?,
            }
            rest = &rest[at + c.len_utf8()..];
        }
        self.out.write_all(rest.as_bytes())?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_survive() {
        assert_eq!(line("\x1b[2Jsda\u{9b}31m\n\u{202e}x"), "\u{fffd}[2Jsda\u{fffd}31m\u{fffd}\u{fffd}x");
        assert!(matches!(line("1:0:0:0 (sr, on ata2) °"), Cow::Borrowed(_)));
        assert_eq!(in_a_line("\x1b[2Jsda".to_owned()), "\u{fffd}[2Jsda");
        assert_eq!(in_a_line("sda °".to_owned()), "sda °");
    }

    #[test]
    fn a_terminal_keeps_line_feeds_and_tabs() {
        let mut out = Vec::new();
        Terminal::new(&mut out, Form::Plain).show("a\tb\nc\rd\x07").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a\tb\nc\u{fffd}d\u{fffd}");
    }

    #[test]
    fn unsafe_characters_are_found_wherever_they_stand() {
        for before in [0, 1, STRIDE - 2, STRIDE - 1, STRIDE, 3 * STRIDE + 5] {
            for (filling, bad) in
                [("a", '\x1b'), ("\u{e9}", '\u{202e}'), ("\u{2500}", '\x7f'), ("\n", '\u{9b}')]
            {
                let text = filling.repeat(before);
                assert_eq!(find_unsafe(&text), None);
                assert_eq!(find_unsafe(&format!("{text}{bad}{text}\x07")), Some((text.len(), bad)));
            }
        }
    }

    #[test]
    fn json_keeps_its_meaning() {
        let json = serde_json::to_string("x\u{9b}\u{202e}\x1b y\x7f").unwrap();
        let mut out = Vec::new();
        Terminal::new(&mut out, Form::Json).show(&json).unwrap();
        assert!(!out.iter().any(|&b| b == 0x7f || b >= 0x80));
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), "x\u{9b}\u{202e}\x1b y\x7f");
    }

    #[test]
    fn characters_are_not_broken() {
        assert_eq!((cut("abc", 2), cut("abc", 9), cut("a\u{e9}", 2), cut("", 0)), ("ab", "abc", "a", ""));
    }

    #[test]
    fn beginnings() {
        assert_eq!(beginning(b"#!/bin/sh -e and so on"), "\"#!/bin/sh -e and\"");
        assert_eq!(beginning(&[0x7f, b'E']), "the bytes 7f 45");
        assert_eq!(beginning(b""), "\"\"");
    }
}
