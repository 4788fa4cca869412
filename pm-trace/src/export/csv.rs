//! Tables as comma-separated values (RFC 4180), with names of columns in the first line.

use super::Recording;
use super::table::{Cell, Table};
use std::borrow::Cow;
use std::io::{self, Write};

/// Writes a table.
///
/// # Errors
/// `out` cannot be written.
pub(super) fn write<T: Table>(recording: &Recording, out: impl Write) -> io::Result<()> {
    let mut writer = ::csv::Writer::from_writer(out);
    writer.write_record(T::COLUMNS.iter().map(|column| column.name))?;
    for row in T::rows(recording) {
        for column in T::COLUMNS {
            writer.write_field(field(column.cell(&row)).as_ref())?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    writer.flush()
}

fn field(cell: Cell<'_>) -> Cow<'_, str> {
    match cell {
        Cell::None => Cow::Borrowed(""),
        Cell::Text(text) if is_formula(&text) => Cow::Owned(format!("'{text}")),
        Cell::Text(text) => text,
        Cell::Int(number) => Cow::Owned(number.to_string()),
        Cell::Flag(flag) => Cow::Borrowed(if flag { "true" } else { "false" }),
        Cell::Time(micros) => Cow::Owned(utc(micros)),
    }
}

/// Whether spreadsheets would compute it: a device may be called `=HYPERLINK(...)`.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@'])
}

/// `2025-01-31T12:00:00.123456Z`
fn utc(micros: i64) -> String {
    let micros = u64::try_from(micros).unwrap_or(0);
    let clocks = crate::event::Clocks { realtime: micros.saturating_mul(1_000), ..Default::default() };
    let seconds = clocks.utc();
    format!("{}.{:06}Z", seconds.trim_end_matches('Z'), micros % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_formulas() {
        for (text, shown) in
            [("=1+1", "'=1+1"), ("@x", "'@x"), ("-5", "'-5"), ("+1", "'+1"), ("sda=1", "sda=1")]
        {
            assert_eq!(field(Cell::Text(text.into())), shown);
        }
        assert_eq!(field(Cell::Int(-5)), "-5");
    }

    #[test]
    fn times() {
        assert_eq!(utc(1_735_689_599_000_042), "2024-12-31T23:59:59.000042Z");
    }
}
