//! Arguments of the commands that read traces and what else a recording left.

use crate::tui::theme::Theme;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[doc = unshown!("Arguments of `report`.")]
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// Trace file
    pub file: PathBuf,
    /// For people or for programs ('pm-trace schema' describes the JSON)
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,
    /// Show the events and stacks behind each link of finding N, counted from 1
    #[arg(long, value_name = "N", conflicts_with = "format")]
    pub explain: Option<usize>,
    /// Recognise the known issues of this folder too (files *.toml)
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
}

#[doc = unshown!("Arguments of `replay`.")]
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// Trace file
    pub file: PathBuf,
    /// How it looks.
    #[command(flatten)]
    pub look: LookArgs,
}

#[doc = unshown!("How the interactive view looks.")]
#[derive(Clone, Debug, Default, Args)]
pub struct LookArgs {
    /// Colours; otherwise what the configuration says, or what the terminal can show
    #[arg(long, value_enum)]
    pub theme: Option<ThemeName>,
    /// Use no characters beyond ASCII
    #[arg(long)]
    pub ascii: bool,
}

/// Colours of the interactive view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ThemeName {
    /// For dark terminals
    Dark,
    /// For light terminals
    Light,
    /// Few strong colours
    Contrast,
    /// For a kernel console: eight colours
    Console,
    /// No colours
    Mono,
}

impl From<ThemeName> for Theme {
    fn from(name: ThemeName) -> Self {
        match name {
            ThemeName::Dark => Self::Dark,
            ThemeName::Light => Self::Light,
            ThemeName::Contrast => Self::Contrast,
            ThemeName::Console => Self::Console,
            ThemeName::Mono => Self::Mono,
        }
    }
}

#[doc = unshown!("Arguments of `recover`.")]
#[derive(Clone, Debug, Args)]
pub struct RecoverArgs {
    /// Traces, or folders with traces, to look at instead of the usual places
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Write the report to this file, which must not be there yet
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Show it as JSON
    #[arg(long)]
    pub json: bool,
    /// Look at the disk of another system, mounted here
    #[arg(long, value_name = "DIRECTORY", default_value = "/")]
    pub root: PathBuf,
}

#[doc = unshown!("Arguments of `summary`.")]
#[derive(Debug, Args)]
pub struct SummaryArgs {
    /// Traces, or folders with traces (*.pmtrace)
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// How to show it
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub format: Format,
}

#[doc = unshown!("Arguments of `diff`.")]
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// A trace, or a folder with traces (*.pmtrace): how it was
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// A trace, or a folder with traces: how it is
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// Percent that a time may grow
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = percent)]
    pub threshold: f64,
    /// How to show it
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

#[doc = unshown!("Arguments of `bundle`.")]
#[derive(Debug, Args)]
pub struct BundleArgs {
    /// The trace
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where the bundle goes [default: FILE with .tar.zst in place of .pmtrace]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Leave everything in, for a bundle that stays with you
    #[arg(long)]
    pub no_redact: bool,
}

#[doc = unshown!("Arguments of `import`.")]
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Logs of one boot in the order of time, compressed with gzip or not
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The trace to write; may be left out if only a report is wanted
    #[arg(short, long, value_name = "FILE", required_unless_present = "report")]
    pub output: Option<PathBuf>,
    /// Replace the trace if it is there
    #[arg(short, long)]
    pub force: bool,
    /// Show a report in this format, as 'pm-trace report' would of the trace
    #[arg(long, value_name = "FORMAT")]
    pub report: Option<ReportFormat>,
}

/// How a comparison is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlainFormat {
    /// For people
    Text,
    /// For programs ('pm-trace schema diff' describes the JSON)
    Json,
}

/// How the report about a trace is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people
    Text,
    /// For a mail or a bug tracker
    Markdown,
    /// For a browser: one file, with a timeline
    Html,
    /// For programs
    Json,
}

/// How a report about many traces is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For a mail or a bug tracker
    Markdown,
    /// For programs ('pm-trace schema summary' describes the JSON)
    Json,
    /// For a browser: one file, with a dot for each cycle
    Html,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(percent) if (0.0..=1e6).contains(&percent) => Ok(percent),
        _ => Err("a number of percent from 0 on".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn themes_have_the_names_of_the_configuration() {
        for name in ThemeName::value_variants() {
            assert_eq!(name.to_possible_value().unwrap().get_name(), Theme::from(*name).name());
        }
        assert_eq!(ThemeName::value_variants().len(), Theme::ALL.len());
    }
}
