//! A screen as a picture: what the documentation shows is drawn by the program.

use super::app::App;
use super::draw;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use std::fmt::Write as _;
use std::ops::Range;

/// Size of a character cell, in units of the picture.
const CELL: (f32, f32) = (8.4, 18.0);
/// Colours of the terminal that is pictured.
const BACK: &str = "#16181d";
/// The same, of text.
const FORE: &str = "#d4d7dd";
/// The first sixteen colours, as a usual dark terminal has them.
const SIXTEEN: [&str; 16] = [
    "#16181d", "#e05561", "#8cc265", "#d18f52", "#4aa5f0", "#c162de", "#42b3c2", "#d7dae0", "#4f5666",
    "#ff616e", "#a5e075", "#f0a45d", "#4dc4ff", "#de73ff", "#4cd1e0", "#e6e6e6",
];

/// What the view draws in a terminal of so many columns and lines, as SVG.
pub fn svg(app: &mut App, columns: u16, lines: u16) -> String {
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns, lines));
    draw::draw(app, &mut buffer);
    let (width, height) = (f32::from(columns) * CELL.0 + 16.0, f32::from(lines) * CELL.1 + 16.0);
    // Writing to a String cannot fail.
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"DejaVu Sans \
         Mono, Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{BACK}\"/>"
    );
    for (y, cells) in (0u16..).zip(buffer.content.chunks(usize::from(columns.max(1)))) {
        line(&mut out, y, cells);
    }
    out.push_str("</svg>\n");
    out
}

/// A line in runs of equal looks.
fn line(out: &mut String, y: u16, cells: &[Cell]) {
    let mut x = 0;
    while x < cells.len() {
        let looks = look(&cells[x]);
        let end = cells[x..].iter().position(|cell| look(cell) != looks).map_or(cells.len(), |more| x + more);
        let top = 8.0 + f32::from(y) * CELL.1;
        let (fore, back, bold) = looks;
        if back != BACK {
            let (left, wide) = (left_of(x), left_of(end) - left_of(x));
            let _ = writeln!(
                out,
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"18\" fill=\"{back}\"/>"
            );
        }
        let weight = if bold { " font-weight=\"bold\"" } else { "" };
        for piece in pieces(&cells[x..end]) {
            let text: String = cells[x..end][piece.clone()].iter().map(Cell::symbol).collect();
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let (left, wide) = (left_of(x + piece.start), left_of(piece.end) - left_of(piece.start));
            let _ = writeln!(
                out,
                "<text x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{wide:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
                 fill=\"{fore}\"{weight}>{escaped}</text>",
                top + 13.5
            );
        }
        x = end;
    }
}

/// Where a column begins.
fn left_of(column: usize) -> f32 {
    8.0 + f32::from(u16::try_from(column).unwrap_or(u16::MAX)) * CELL.0
}

/// Text between spaces. Browsers drop the spaces around a text and make one of several inside it, whatever
/// `xml:space` says; what is left would be stretched to the whole length.
fn pieces(cells: &[Cell]) -> Vec<Range<usize>> {
    let is_space = |at: usize| cells.get(at).is_none_or(|cell| cell.symbol().trim().is_empty());
    let mut pieces: Vec<Range<usize>> = Vec::new();
    for at in (0..cells.len()).filter(|&at| !is_space(at)) {
        match pieces.last_mut() {
            // One space between words stays.
            Some(piece) if at - piece.end <= 1 => piece.end = at + 1,
            _ => pieces.push(at..at + 1),
        }
    }
    pieces
}

/// Colour of text and background, and whether it is bold.
fn look(cell: &Cell) -> (String, String, bool) {
    let (mut fore, mut back) = (color(cell.fg, FORE), color(cell.bg, BACK));
    if cell.modifier.contains(Modifier::REVERSED) {
        std::mem::swap(&mut fore, &mut back);
    }
    (fore, back, cell.modifier.contains(Modifier::BOLD))
}

fn color(color: Color, reset: &str) -> String {
    let named = |number: usize| SIXTEEN[number].to_owned();
    match color {
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => named(8),
        Color::LightRed => named(9),
        Color::LightGreen => named(10),
        Color::LightYellow => named(11),
        Color::LightBlue => named(12),
        Color::LightMagenta => named(13),
        Color::LightCyan => named(14),
        Color::White => named(15),
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Indexed(number) => indexed(number),
        Color::Reset => reset.to_owned(),
    }
}

/// The colours of 256 that every terminal has: sixteen, a cube of 6 x 6 x 6, greys.
fn indexed(number: u8) -> String {
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    match number {
        0..16 => SIXTEEN[usize::from(number)].to_owned(),
        16..232 => {
            let cube = number - 16;
            let (red, green, blue) = (level(cube / 36), level(cube / 6 % 6), level(cube % 6));
            format!("#{red:02x}{green:02x}{blue:02x}")
        }
        232.. => {
            let grey = 8 + 10 * (number - 232);
            format!("#{grey:02x}{grey:02x}{grey:02x}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each text has its own place: none begins or ends with a space or has several, and so none is stretched.
    #[test]
    fn texts_keep_their_columns() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 20, 1));
        buffer.set_string(0, 0, "  a bc    d<  ", ratatui::style::Style::new());
        let mut out = String::new();
        line(&mut out, 0, &buffer.content);
        let texts: Vec<&str> = out.lines().collect();
        assert_eq!(texts.len(), 2, "{out}");
        assert!(texts[0].contains("x=\"24.8\"") && texts[0].contains("textLength=\"33.6\""), "{out}");
        assert!(texts[0].ends_with(">a bc</text>") && texts[1].ends_with(">d&lt;</text>"), "{out}");
        assert!(texts[1].contains("x=\"92.0\"") && texts[1].contains("textLength=\"16.8\""), "{out}");
    }
}
