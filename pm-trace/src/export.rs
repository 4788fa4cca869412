//! A trace in the formats of other programs: Perfetto and Chrome's trace viewer for the eye, JSON lines for scripts,
//! Parquet and CSV for databases.
//!
//! [`Recording`] reads a trace once; every format is a view of it. The two timelines share `timeline`, the tables
//! `table` and `tables`, where each column is defined once. Names from the kernel or a file are untrusted: what acts
//! on a terminal is replaced or escaped, and there is an end to them.

mod chrome;
mod csv;
mod jsonl;
mod output;
mod parquet;
mod perfetto;
mod phases;
mod recording;
mod table;
mod tables;
mod timeline;
mod waits;
mod works;

#[cfg(test)]
mod tests;

pub use jsonl::{Line, schema as line_schema};
pub use phases::DevicePhase;
pub use recording::{Cycle, NamedEvent, Recording};
pub use table::{ColumnInfo, TableInfo, VERSION as TABLES_VERSION};
pub use waits::Wait;

use crate::text;
use crate::trace::Overwrite;
use output::{OutFile, folder};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use table::{Table, Visit};

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Perfetto's protobuf.
    Perfetto,
    /// JSON of Chrome's trace viewer.
    Chrome,
    /// JSON lines.
    Jsonl,
    /// Tables as comma-separated values.
    Csv,
    /// Tables as Apache Parquet.
    Parquet,
}

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is something at its place.
    #[error("{} exists; name another place with -o, or replace what is there with --force", text::path(.0))]
    Exists(PathBuf),
    /// There is something at its place that is no file.
    #[error("{} is no file, and only files are replaced; name another place with -o", text::path(.0))]
    NoFile(PathBuf),
    /// It cannot be written.
    #[error("cannot write {}: {source}; nothing of it was left there, the trace is as it was", text::path(.path))]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

impl ExportError {
    fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }
}

impl Format {
    /// What the names of its files end in; of a folder with tables, what its name ends in.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Perfetto => "pftrace",
            Self::Chrome => "trace.json",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }

    /// It is a folder with a file for each table.
    pub fn is_folder(self) -> bool {
        matches!(self, Self::Csv | Self::Parquet)
    }
}

/// Writes a trace in a format that is one file.
///
/// # Errors
/// `out` cannot be written, or the format is a folder.
pub fn write(recording: &Recording, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Perfetto => perfetto::write(recording, out),
        Format::Chrome => chrome::write(recording, out),
        Format::Jsonl => jsonl::write(recording, out),
        Format::Csv | Format::Parquet => Err(io::Error::other("tables need a folder")),
    }
}

/// Writes a trace to a file, or its tables to a folder; returns the files.
///
/// # Errors
/// There is something at its place, or it cannot be written; no file is left half written then.
pub fn write_to(
    recording: &Recording,
    format: Format,
    path: &Path,
    overwrite: Overwrite,
) -> Result<Vec<PathBuf>, ExportError> {
    if format.is_folder() {
        let made = folder(path, overwrite)?;
        let files = write_tables(recording, format, path, overwrite);
        if files.is_err() && made {
            // Should a file be in it all the same, it stays.
            let _ = std::fs::remove_dir(path);
        }
        return files;
    }
    let mut file = OutFile::create(path, overwrite)?;
    write(recording, format, &mut file).map_err(|source| ExportError::write(path, source))?;
    Ok(vec![file.finish()?])
}

fn write_tables(
    recording: &Recording,
    format: Format,
    folder: &Path,
    overwrite: Overwrite,
) -> Result<Vec<PathBuf>, ExportError> {
    let mut writing = WriteTables { recording, format, folder, overwrite, files: Vec::new() };
    tables::each(&mut writing)?;
    writing.files.into_iter().map(OutFile::finish).collect()
}

/// Writes each table; the files are put in their places when all are whole.
struct WriteTables<'a> {
    recording: &'a Recording,
    format: Format,
    folder: &'a Path,
    overwrite: Overwrite,
    files: Vec<OutFile>,
}

impl Visit for WriteTables<'_> {
    type Error = ExportError;

    fn table<T: Table>(&mut self) -> Result<(), ExportError> {
        let path = self.folder.join(T::NAME).with_extension(self.format.ending());
        let mut file = OutFile::create(&path, self.overwrite)?;
        let written = match self.format {
            Format::Csv => csv::write::<T>(self.recording, &mut file),
            _ => parquet::write::<T>(self.recording, &mut file).map_err(io::Error::other),
        };
        written.map_err(|source| ExportError::write(&path, source))?;
        self.files.push(file);
        Ok(())
    }
}

/// The tables with their columns, for programs.
///
/// # Errors
/// Never in practice; the serializer's error is passed on.
pub fn table_schema() -> serde_json::Result<String> {
    #[derive(serde::Serialize)]
    struct Tables {
        version: u32,
        tables: Vec<TableInfo>,
    }
    let tables = Tables { version: TABLES_VERSION, tables: tables::described() };
    serde_json::to_string_pretty(&tables).map(|json| json + "\n")
}

/// The word that stands for a value in JSON: `device_step`.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
