//! Tables as Apache Parquet, which Arrow, DuckDB, Spark, Trino and ClickHouse read.
//!
//! The low-level writer is used: it needs none of the Arrow crates, and a table is no more than flat columns.

use super::Recording;
use super::table::{Cell, Column, Get, Table, VERSION};
use ::parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use ::parquet::errors::Result;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::Type;
use std::io::Write;
use std::sync::Arc;

/// Rows written at once: what a reader can skip, and what is held in memory.
const GROUP: usize = 1 << 16;

/// Writes a table.
///
/// # Errors
/// `out` cannot be written.
pub(super) fn write<T: Table>(recording: &Recording, out: impl Write + Send) -> Result<()> {
    let key = |key: &str, value: String| KeyValue { key: key.to_owned(), value: Some(value) };
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by(format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(vec![
            key("pm_trace.tables", VERSION.to_string()),
            key("pm_trace.trace", recording.id.clone()),
        ]))
        .build();
    let mut writer = SerializedFileWriter::new(out, Arc::new(schema::<T>()?), Arc::new(properties))?;
    let mut rows = T::rows(recording).peekable();
    // A table without rows has its columns, too.
    while rows.peek().is_some() {
        let group: Vec<T::Row> = rows.by_ref().take(GROUP).collect();
        let mut row_group = writer.next_row_group()?;
        for column in T::COLUMNS {
            let Some(mut to) = row_group.next_column()? else { break };
            fill(&mut to, column, &group)?;
            to.close()?;
        }
        row_group.close()?;
    }
    writer.close()?;
    Ok(())
}

fn schema<T: Table>() -> Result<Type> {
    let fields: Result<Vec<Arc<Type>>> =
        T::COLUMNS.iter().map(|column| field(column).map(Arc::new)).collect();
    Type::group_type_builder(T::NAME).with_fields(fields?).build()
}

fn field<R>(column: &Column<R>) -> Result<Type> {
    let (physical, logical) = match column.get {
        Get::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Get::Int(_) => (Physical::INT64, None),
        Get::Flag(_) => (Physical::BOOLEAN, None),
        Get::Time(_) => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
    };
    let repetition = if column.required { Repetition::REQUIRED } else { Repetition::OPTIONAL };
    Type::primitive_type_builder(column.name, physical)
        .with_repetition(repetition)
        .with_logical_type(logical)
        .build()
}

fn fill<R>(to: &mut SerializedColumnWriter<'_>, column: &Column<R>, rows: &[R]) -> Result<()> {
    match column.get {
        Get::Text(_) => values::<ByteArrayType, R>(to, column, rows, |cell| match cell {
            Cell::Text(text) => Some(ByteArray::from(text.as_ref())),
            _ => None,
        }),
        Get::Int(_) | Get::Time(_) => values::<Int64Type, R>(to, column, rows, |cell| match cell {
            Cell::Int(number) | Cell::Time(number) => Some(number),
            _ => None,
        }),
        Get::Flag(_) => values::<BoolType, R>(to, column, rows, |cell| match cell {
            Cell::Flag(flag) => Some(flag),
            _ => None,
        }),
    }
}

fn values<D: DataType, R>(
    to: &mut SerializedColumnWriter<'_>,
    column: &Column<R>,
    rows: &[R],
    value: fn(Cell<'_>) -> Option<D::T>,
) -> Result<()> {
    let mut levels = Vec::with_capacity(rows.len());
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let value = value(column.cell(row));
        levels.push(i16::from(value.is_some()));
        found.extend(value);
    }
    let levels = (!column.required).then_some(levels.as_slice());
    to.typed::<D>().write_batch(&found, levels, None)?;
    Ok(())
}
