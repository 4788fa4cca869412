//! The report as text.

use super::{Check, DoctorReport, Status};
use crate::text;

/// Columns of the terminal.
const WIDTH: usize = 100;
/// Columns before the results: margin, status, title.
const INDENT: usize = 32;

/// The whole report, ending with a line feed.
pub(super) fn text(report: &DoctorReport) -> String {
    let mut out = String::new();
    let machine = if report.machine.is_empty() { "unknown machine" } else { &report.machine };
    paragraph(&mut out, "", &format!("pm-trace doctor: kernel {}, {machine}", report.kernel));
    out.push('\n');
    for check in &report.checks {
        one(&mut out, check);
    }
    out.push('\n');
    let tracing = if report.traceable { "possible" } else { "NOT possible" };
    let live = if report.live_possible { "possible" } else { "NOT possible" };
    paragraph(&mut out, "", &format!("Tracing this machine: {tracing}. Live mode: {live}."));
    out
}

fn one(out: &mut String, check: &Check) {
    let status = match check.status {
        Status::Ok => "ok",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
    };
    paragraph(out, &format!("  {status:<5} {:<24}", check.title), &check.result);
    if !check.consequence.is_empty() {
        paragraph(out, &format!("{:INDENT$}-> ", ""), &check.consequence);
    }
    if !check.remedy.is_empty() {
        paragraph(out, &format!("{:INDENT$}try: ", ""), &check.remedy);
    }
}

/// Appends words after a prefix, wrapped at [`WIDTH`], later lines below the first word.
fn paragraph(out: &mut String, prefix: &str, words: &str) {
    let margin = prefix.chars().count();
    let mut column = margin;
    out.push_str(prefix);
    let safe = text::line(words);
    for (index, word) in pieces(&safe, WIDTH - margin).enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > WIDTH {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', margin));
            column = margin;
        } else if index > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    while out.ends_with(' ') {
        out.pop();
    }
    out.push('\n');
}

/// The words of a text; a word that is longer than a line comes in pieces.
fn pieces(text: &str, width: usize) -> impl Iterator<Item = &str> {
    text.split_whitespace().flat_map(move |word| {
        let mut rest = word;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let end = rest.char_indices().nth(width).map_or(rest.len(), |(at, _)| at);
            let piece;
            (piece, rest) = rest.split_at(end);
            Some(piece)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_wrapped_below_their_first_word() {
        let mut out = String::new();
        paragraph(&mut out, "  warn  ", &"word ".repeat(40));
        assert!(out.lines().count() > 2);
        assert!(out.lines().all(|line| line.chars().count() <= WIDTH));
        assert!(out.lines().skip(1).all(|line| line.starts_with("        word")));
    }

    #[test]
    fn long_words_are_cut_and_control_characters_replaced() {
        let mut out = String::new();
        paragraph(&mut out, "> ", &format!("{}\x1b[2J", "x".repeat(250)));
        assert!(out.lines().all(|line| line.chars().count() <= WIDTH));
        assert!(!out.contains('\x1b'));
    }
}
