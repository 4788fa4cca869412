//! What the guest's console looked like: its bytes rendered by a terminal emulator.

use std::fs;
use std::num::NonZero;
use std::path::Path;

use serde::Deserialize;

use super::checks::Check;

/// Lines of a serial console that does not tell its size.
const LINES: NonZero<u16> = NonZero::new(24).unwrap();
/// The same.
const COLUMNS: NonZero<u16> = NonZero::new(80).unwrap();
/// Most bytes between two looks at the screen.
const LOOK: usize = 256;
/// What a frame ends with, all attributes off; nothing inside of a frame does.
const END: &[u8] = b"\x1b[0m";

/// A screen that the console must show at some moment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScreenRule {
    /// What it is.
    pub(crate) name: String,
    /// Texts that must be on it at once.
    pub(crate) shows: Vec<String>,
}

/// One check for each rule; the screen found is left in `out` as `screen-N.txt`, or else the last one.
pub(crate) fn checks(rules: &[ScreenRule], out: &Path) -> Vec<Check> {
    if rules.is_empty() {
        return Vec::new();
    }
    let bytes = fs::read(out.join("console.raw")).unwrap_or_default();
    let check = |(number, rule): (usize, &ScreenRule)| {
        let (found, screen) = moment(&bytes, &rule.shows);
        // For people; the check does not depend on it.
        let _ = fs::write(out.join(format!("screen-{}.txt", number + 1)), &screen);
        Check {
            name: format!("screen: {}", rule.name),
            expected: rule.shows.join(" | "),
            seen: if found { "shown".to_owned() } else { "never shown all at once".to_owned() },
            ok: found,
        }
    };
    rules.iter().enumerate().map(check).collect()
}

/// The last screen with all of these texts, or, without one, the last screen.
fn moment(bytes: &[u8], texts: &[String]) -> (bool, String) {
    let mut terminal = vt100::Parser::new(LINES, COLUMNS, 0);
    let mut found = None;
    for part in parts(bytes) {
        terminal.process(part);
        let screen = terminal.screen().contents();
        if texts.iter().all(|text| screen.contains(text)) {
            found = Some(screen);
        }
    }
    match found {
        Some(screen) => (true, screen),
        None => (false, terminal.screen().contents()),
    }
}

/// The pieces after which the screen is looked at. A frame may be followed by the next one at once: it is whole at its
/// end only.
fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let near = &rest[..rest.len().min(LOOK + END.len() - 1)];
        let end = near.windows(END.len()).position(|part| part == END).map(|at| at + END.len());
        let (part, left) = rest.split_at(end.unwrap_or(near.len().min(LOOK)));
        rest = left;
        (!part.is_empty()).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A question that is answered: the next frame follows without a byte in between, and both are short.
    #[test]
    fn a_frame_that_the_next_one_overwrites_is_seen() {
        let frames = b"\x1b[2;2Hsure?\x1b[0m\x1b[2;2Hdone \x1b[0m";
        let (found, screen) = moment(frames, &["sure?".to_owned()]);
        assert!(found && screen.contains("sure?"), "{screen}");
        // Its end may lie across two pieces.
        let split = [&[b'.'; LOOK - 13], &frames[..]].concat();
        assert!(moment(&split, &["sure?".to_owned()]).0);
    }

    #[test]
    fn texts_must_be_there_at_once() {
        let both = ["one".to_owned(), "two".to_owned()];
        let apart = b"one\x1b[2J\x1b[Htwo";
        // Byte by byte they were never together, however they were looked at.
        assert!(!moment(apart, &both).0);
        let (found, screen) = moment(b"\x1b[5;3Htwo\x1b[2;2Hone", &both);
        assert!(found && screen.contains(" one\n"), "{screen}");
    }
}
