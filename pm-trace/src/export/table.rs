//! Tables: what a column is, and how all tables are gone through. Each column is defined once, in
//! `export::tables`; CSV, Parquet, the schema and the documentation follow from that.

use super::Recording;
use crate::text;
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;

/// Version of the tables. Columns may be added under the same number; what exists keeps its name, type and meaning.
pub const VERSION: u32 = 1;
/// Most bytes of a text: what spreadsheets take.
const LONGEST: usize = 32_000;

/// Where a column's values come from; the way says the type.
pub(super) enum Get<R: 'static> {
    /// Text.
    Text(for<'a> fn(&'a R) -> Option<Cow<'a, str>>),
    /// Whole numbers.
    Int(fn(&R) -> Option<i64>),
    /// True or false.
    Flag(fn(&R) -> Option<bool>),
    /// Microseconds since 1970 in UTC.
    Time(fn(&R) -> Option<i64>),
}

/// A column of a table with rows `R`.
pub(super) struct Column<R: 'static> {
    /// Its name.
    pub name: &'static str,
    /// What it tells, with its unit.
    pub doc: &'static str,
    /// Every row has a value.
    pub required: bool,
    /// The value.
    pub get: Get<R>,
}

/// The value of a column in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    /// None.
    None,
    /// Text, safe to show.
    Text(Cow<'a, str>),
    /// A whole number.
    Int(i64),
    /// True or false.
    Flag(bool),
    /// Microseconds since 1970 in UTC.
    Time(i64),
}

impl<R> Column<R> {
    /// A column of which every row has a value.
    pub(super) const fn always(name: &'static str, get: Get<R>, doc: &'static str) -> Self {
        Self { name, doc, required: true, get }
    }

    /// A column that may have no value.
    pub(super) const fn maybe(name: &'static str, get: Get<R>, doc: &'static str) -> Self {
        Self { name, doc, required: false, get }
    }

    /// Its value in a row. Names come from the kernel or a file: what acts on a terminal is replaced, and there is an
    /// end to them.
    pub(super) fn cell<'a>(&self, row: &'a R) -> Cell<'a> {
        match self.get {
            Get::Text(get) => get(row).map_or(Cell::None, |value| Cell::Text(safe(value))),
            Get::Int(get) => get(row).map_or(Cell::None, Cell::Int),
            Get::Flag(get) => get(row).map_or(Cell::None, Cell::Flag),
            Get::Time(get) => get(row).map_or(Cell::None, Cell::Time),
        }
    }

    /// Its type, in the words of the documentation.
    fn kind(&self) -> &'static str {
        match self.get {
            Get::Text(_) => "text",
            Get::Int(_) => "int64",
            Get::Flag(_) => "boolean",
            Get::Time(_) => "timestamp",
        }
    }
}

fn safe(value: Cow<'_, str>) -> Cow<'_, str> {
    let short = text::cut(&value, LONGEST);
    match text::line(short) {
        Cow::Borrowed(line) if line.len() == value.len() => value,
        Cow::Borrowed(line) => Cow::Owned(line.to_owned()),
        Cow::Owned(line) => Cow::Owned(line),
    }
}

/// A table.
pub(super) trait Table {
    /// A row.
    type Row: 'static;
    /// Name of the table and of its file, without the ending.
    const NAME: &'static str;
    /// What a row is.
    const DOC: &'static str;
    /// Its columns.
    const COLUMNS: &'static [Column<Self::Row>];

    /// Its rows.
    fn rows(recording: &Recording) -> impl Iterator<Item = Self::Row>;
}

/// Something that is done with every table.
pub(super) trait Visit {
    /// Why it may fail.
    type Error;

    /// Does it.
    fn table<T: Table>(&mut self) -> Result<(), Self::Error>;
}

/// A table as programs see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TableInfo {
    /// Its name, and that of its file without the ending.
    pub name: String,
    /// What a row is.
    pub row: String,
    /// Its columns in their order.
    pub columns: Vec<ColumnInfo>,
}

/// A column as programs see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// `text`, `int64`, `boolean` or `timestamp` (microseconds, UTC).
    pub kind: String,
    /// Rows may have no value.
    pub nullable: bool,
    /// What it tells.
    pub meaning: String,
}

impl TableInfo {
    pub(super) fn of<T: Table>() -> Self {
        let column = |column: &Column<T::Row>| ColumnInfo {
            name: column.name.to_owned(),
            kind: column.kind().to_owned(),
            nullable: !column.required,
            meaning: column.doc.to_owned(),
        };
        Self {
            name: T::NAME.to_owned(),
            row: T::DOC.to_owned(),
            columns: T::COLUMNS.iter().map(column).collect(),
        }
    }
}
