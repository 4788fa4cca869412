//! `pm-trace export`

use super::{Outcome, say};
use crate::cli::ExportArgs;
use crate::export::{self, Format, Recording};
use crate::text;
use crate::trace::Overwrite;
use anyhow::{Context as _, bail};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Writes a trace in the format of another program, and says where.
///
/// # Errors
/// The trace cannot be read, something is in the place of the result, or it cannot be written.
pub(super) fn run(args: &ExportArgs) -> anyhow::Result<Outcome> {
    let format = Format::from(args.format);
    let output = args.output.clone().unwrap_or_else(|| default_output(&args.file, format));
    if output == Path::new("-") {
        let mut out = standard_output(format)?;
        let recording = Recording::read(&args.file)?;
        export::write(&recording, format, &mut out)
            .and_then(|()| out.flush())
            .context("cannot write the result")?;
        return Ok(Outcome::Fine);
    }
    let recording = Recording::read(&args.file)?;
    let overwrite = if args.force { Overwrite::Replace } else { Overwrite::Refuse };
    let files = export::write_to(&recording, format, &output, overwrite)?;
    for note in &recording.notes {
        say(&format!("pm-trace: {note}\n"));
    }
    match files.as_slice() {
        [file] => say(&format!("pm-trace: wrote {}\n", text::path(file))),
        files => say(&format!("pm-trace: wrote {} files to {}\n", files.len(), text::path(&output))),
    }
    Ok(Outcome::Fine)
}

fn standard_output(format: Format) -> anyhow::Result<io::BufWriter<io::StdoutLock<'static>>> {
    if format.is_folder() {
        bail!("tables are several files and do not go to standard output; name a folder with -o");
    }
    let out = io::stdout().lock();
    if format == Format::Perfetto && out.is_terminal() {
        bail!("Perfetto's format is no text for a terminal; name a file with -o, or a pipe");
    }
    Ok(io::BufWriter::new(out))
}

/// In the current directory: the trace may lie where nothing can be written.
fn default_output(file: &Path, format: Format) -> PathBuf {
    let name = file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy();
    PathBuf::from(format!("{name}.{}", format.ending()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_names() {
        let name = |file, format| default_output(Path::new(file), format).display().to_string();
        assert_eq!(name("/x/a.pmtrace", Format::Perfetto), "a.pftrace");
        assert_eq!(name("6.1-a.pmtrace", Format::Parquet), "6.1-a.parquet");
        assert_eq!(name("a", Format::Chrome), "a.trace.json");
    }
}
