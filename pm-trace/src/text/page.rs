//! Text in lines of bounded width.

use crate::text;
use std::borrow::Cow;
use std::fmt::Write;

/// Columns of a page unless the terminal has fewer.
pub const WIDTH: usize = 100;
/// Fewest columns that text is laid out for.
const LEAST: usize = 60;

/// Text that grows line by line. Whatever is put in, no line is longer than the page is wide, and no
/// character acts on the terminal.
#[derive(Debug)]
pub struct Page {
    text: String,
    width: usize,
}

impl Page {
    /// An empty page of so many columns, of which it takes at least 60 and at most [`WIDTH`].
    pub fn new(width: usize) -> Self {
        Self { text: String::new(), width: width.clamp(LEAST, WIDTH) }
    }

    /// Its columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// An empty line, unless the page is empty or ends in one.
    pub fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// `first` starts the first line; the words of `body` follow and are wrapped under its end.
    pub fn paragraph(&mut self, first: &str, body: &str) {
        let first = text::line(first);
        let indent = first.chars().count().min(self.width / 2);
        self.wrapped(&first, indent, body);
    }

    /// Like [`Page::paragraph`], with later lines indented by `indent`.
    pub fn wrapped(&mut self, first: &str, indent: usize, body: &str) {
        let mut line = clip(&text::line(first), self.width).to_owned();
        let mut is_fresh = true;
        let body = text::line(body);
        for word in words(&body) {
            let mut rest = &*word;
            while !rest.is_empty() {
                let used = line.chars().count() + usize::from(!is_fresh);
                let room = self.width.saturating_sub(used);
                if clip(rest, room) == rest {
                    if !is_fresh {
                        line.push(' ');
                    }
                    line.push_str(rest);
                    rest = "";
                    is_fresh = false;
                } else if is_fresh && line.chars().count() <= indent {
                    // Longer than a whole line: it is cut into pieces.
                    let piece = clip(rest, room.max(1));
                    line.push_str(piece);
                    rest = &rest[piece.len()..];
                    self.line(&line);
                    line = " ".repeat(indent);
                } else {
                    self.line(&line);
                    line = " ".repeat(indent);
                    is_fresh = true;
                }
            }
        }
        self.line(&line);
    }

    /// A line as it is, cut where the page ends.
    pub fn verbatim(&mut self, text: &str) {
        self.line(&text::line(text));
    }

    /// `lead` and `left` at the left, `right` in column `column`; on its own line below if `left` is too long.
    pub fn columns(&mut self, lead: &str, left: &str, column: usize, right: &str) {
        let (lead, left, right) = (text::line(lead), text::line(left), text::line(right));
        let indent = lead.chars().count().min(self.width / 2);
        let used = lead.chars().count() + left.chars().count();
        let wide = right.chars().count();
        if right.is_empty() {
            self.wrapped(&lead, indent, &left);
        } else if used < column && column + wide <= self.width {
            self.line(&format!("{lead}{left}{:1$}{right}", "", column - used));
        } else if used + 2 + wide <= self.width {
            self.line(&format!("{lead}{left}  {right}"));
        } else {
            self.wrapped(&lead, indent, &left);
            self.wrapped(&" ".repeat(indent), indent, &right);
        }
    }

    /// `left` at the left margin, `right` at the right one.
    pub fn margins(&mut self, left: &str, right: &str) {
        let width = right.chars().count();
        let (lead, body) = left.split_once("  ").map_or(("", left), |(lead, body)| (lead, body));
        let lead = if lead.is_empty() { String::new() } else { format!("{lead}  ") };
        self.columns(&lead, body, self.width.saturating_sub(width), right);
    }

    fn line(&mut self, line: &str) {
        let line = clip(line, self.width);
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{}", line.trim_end());
    }

    /// The page.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// The words of a text; a number and its unit (`+0.32 s`) are one.
fn words(text: &str) -> Vec<Cow<'_, str>> {
    let is_number = |word: &str| {
        let digits = word.trim_start_matches(['+', '-', '(']);
        digits.starts_with(|c: char| c.is_ascii_digit())
    };
    let is_unit = |word: &str| matches!(word.trim_end_matches([',', '.', ';', ':', ')']), "s" | "ms");
    let mut words: Vec<Cow<'_, str>> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match words.last_mut() {
            Some(last) if is_unit(word) && is_number(last) => *last = Cow::Owned(format!("{last} {word}")),
            _ => words.push(Cow::Borrowed(word)),
        }
    }
    words
}

/// So many characters at most.
fn clip(text: &str, width: usize) -> &str {
    text.char_indices().nth(width).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_wrapped_below_their_first_word() {
        for width in [80, 100] {
            let mut page = Page::new(width);
            page.paragraph("  warn  ", &"word ".repeat(40));
            let text = page.into_text();
            assert!(text.lines().count() > 2);
            assert!(text.lines().all(|line| line.chars().count() <= width));
            assert!(text.lines().skip(1).all(|line| line.starts_with("        word")));
        }
    }

    #[test]
    fn long_words_are_cut_and_control_characters_replaced() {
        let mut page = Page::new(WIDTH);
        page.paragraph("> ", &format!("{}\x1b[2J", "x".repeat(250)));
        page.columns("  ", &"y".repeat(300), 50, &"z".repeat(300));
        page.margins(&"a b".repeat(100), &"c".repeat(300));
        let text = page.into_text();
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        assert!(!text.contains('\x1b'));
    }

    #[test]
    fn units_stay_with_their_numbers() {
        assert_eq!(
            words("at +0.32 s, =0 for 15 ms); a s"),
            ["at", "+0.32 s,", "=0", "for", "15 ms);", "a", "s"]
        );
    }

    #[test]
    fn width_is_bounded() {
        assert_eq!([0, 79, 500].map(|width| Page::new(width).width()), [60, 79, 100]);
    }
}
