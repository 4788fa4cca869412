//! Lines of at most 100 columns.

use crate::text;
use std::fmt::Write;

/// Columns of a terminal that reports fit into.
pub(super) const WIDTH: usize = 100;

/// Text that grows line by line. Whatever is put in, no line is longer than [`WIDTH`], and no character
/// acts on the terminal.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// An empty line, unless the page is empty or ends in one.
    pub(super) fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// `first` starts the first line; the words of `body` follow and are wrapped under its end.
    pub(super) fn paragraph(&mut self, first: &str, body: &str) {
        let first = text::line(first);
        let indent = first.chars().count().min(WIDTH / 2);
        self.wrapped(&first, indent, body);
    }

    /// Like [`Page::paragraph`], with later lines indented by `indent`.
    pub(super) fn wrapped(&mut self, first: &str, indent: usize, body: &str) {
        let mut line = clip(&text::line(first), WIDTH);
        let mut is_fresh = true;
        for word in text::line(body).split(' ').filter(|word| !word.is_empty()) {
            let mut rest: Vec<char> = word.chars().collect();
            while !rest.is_empty() {
                let used = line.chars().count() + usize::from(!is_fresh);
                let room = WIDTH.saturating_sub(used);
                if rest.len() <= room {
                    if !is_fresh {
                        line.push(' ');
                    }
                    line.extend(rest.drain(..));
                    is_fresh = false;
                } else if is_fresh && line.chars().count() <= indent {
                    // Longer than a whole line: it is cut into pieces.
                    line.extend(rest.drain(..room.clamp(1, rest.len())));
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

    /// `lead` and `left` at the left, `right` in column `column`; on its own line below if `left` is too long.
    pub(super) fn columns(&mut self, lead: &str, left: &str, column: usize, right: &str) {
        let (lead, left, right) = (text::line(lead), text::line(left), text::line(right));
        let indent = lead.chars().count().min(WIDTH / 2);
        let used = lead.chars().count() + left.chars().count();
        let wide = right.chars().count();
        if right.is_empty() {
            self.wrapped(&lead, indent, &left);
        } else if used < column && column + wide <= WIDTH {
            self.line(&format!("{lead}{left}{:1$}{right}", "", column - used));
        } else if used + 2 + wide <= WIDTH {
            self.line(&format!("{lead}{left}  {right}"));
        } else {
            self.wrapped(&lead, indent, &left);
            self.wrapped(&" ".repeat(indent), indent, &right);
        }
    }

    /// `left` at the left margin, `right` at the right one.
    pub(super) fn margins(&mut self, left: &str, right: &str) {
        let width = right.chars().count();
        let (lead, body) = left.split_once("  ").map_or(("", left), |(lead, body)| (lead, body));
        let lead = if lead.is_empty() { String::new() } else { format!("{lead}  ") };
        self.columns(&lead, body, WIDTH.saturating_sub(width), right);
    }

    fn line(&mut self, line: &str) {
        let line = clip(line, WIDTH);
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{}", line.trim_end());
    }

    /// The page.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

fn clip(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}
