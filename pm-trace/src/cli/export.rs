//! Arguments of the commands that hand data to other programs.

use crate::export::Format;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[doc = unshown!("Arguments of `export`.")]
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Trace file
    pub file: PathBuf,
    /// Format
    #[arg(long, value_enum)]
    pub format: ExportFormat,
    /// Where it goes: a file, or for csv and parquet a folder; '-' is standard output [default: FILE in the current
    /// directory, with the format's ending in place of .pmtrace]
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Replace files that are there
    #[arg(long)]
    pub force: bool,
}

/// A format of other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// For ui.perfetto.dev: tracks of devices and tasks, waits as arrows
    Perfetto,
    /// For chrome://tracing and other viewers of its JSON
    Chrome,
    /// One JSON object a line ('pm-trace schema jsonl' describes it)
    Jsonl,
    /// Tables as text, for spreadsheets
    Csv,
    /// Tables for DuckDB, Spark, Trino, ClickHouse
    Parquet,
}

impl From<ExportFormat> for Format {
    fn from(format: ExportFormat) -> Self {
        match format {
            ExportFormat::Perfetto => Self::Perfetto,
            ExportFormat::Chrome => Self::Chrome,
            ExportFormat::Jsonl => Self::Jsonl,
            ExportFormat::Csv => Self::Csv,
            ExportFormat::Parquet => Self::Parquet,
        }
    }
}

#[doc = unshown!("Arguments of `schema`.")]
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Of what
    #[arg(value_enum, default_value_t = SchemaOf::Report)]
    pub of: SchemaOf,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// 'report --format json', as JSON schema
    Report,
    /// 'summary --format json', as JSON schema
    Summary,
    /// 'diff --format json', as JSON schema
    Diff,
    /// A line of 'export --format jsonl', as JSON schema
    Jsonl,
    /// The tables of 'export --format csv|parquet': their columns, types and meanings
    Tables,
}
