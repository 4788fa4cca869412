//! Writes traces again as this version writes them, and says how many bytes a cycle takes, and of what.
//!
//! `cargo run --example trace_size -- IN.pmtrace...`

use anyhow::Context as _;
use pm_trace::model::Model;
use pm_trace::trace::{Checkpoint, Overwrite, Totals, Trace, Writer};
use std::path::Path;

/// Kinds of block, as `docs/trace-format.md` has them.
const KINDS: [&str; 7] =
    ["?", "session", "events (rows)", "checkpoint", "end", "events (version 2)", "events"];

fn main() -> anyhow::Result<()> {
    for file in std::env::args().skip(1) {
        measure(Path::new(&file)).with_context(|| file.clone())?;
    }
    Ok(())
}

fn measure(path: &Path) -> anyhow::Result<()> {
    let before = std::fs::metadata(path)?.len();
    let folder = tempfile::tempdir()?;
    let again = folder.path().join("again.pmtrace");
    let mut trace = Trace::open(path)?;
    let session = trace.session().context("the trace does not say how it was recorded")?.clone();
    let mut writer = Writer::create(&again, &session, Overwrite::Refuse)?;
    let mut model = Model::new();
    for event in trace.by_ref() {
        model.apply(&event);
        // As a recorder of this version has it.
        writer.append(&event.to_microseconds())?;
    }
    let totals = trace.summary().totals.clone().unwrap_or_default();
    let hooks =
        trace.summary().checkpoint.clone().map_or(totals.hooks.clone(), |checkpoint| checkpoint.hooks);
    let cycles = model.transitions().len().max(1);
    writer.checkpoint(&Checkpoint {
        time: totals.clocks.boottime,
        cycles: totals.cycles,
        hooks: hooks.clone(),
        ..Checkpoint::default()
    })?;
    writer.finish(Totals { hooks, ..totals })?;
    let bytes = std::fs::read(&again)?;
    println!(
        "{}: {} events, {before} bytes; again {} bytes, {} a cycle",
        path.display(),
        trace.summary().events,
        bytes.len(),
        bytes.len() / cycles
    );
    let mut rest = bytes.get(16..).unwrap_or_default();
    while let Some((header, behind)) = rest.split_at_checked(24) {
        let length = u32::from_le_bytes([header[12], header[13], header[14], header[15]]) as usize;
        println!("  {:6} bytes of {}", 24 + length, KINDS.get(usize::from(header[4])).unwrap_or(&"?"));
        rest = behind.get(length..).unwrap_or_default();
    }
    Ok(())
}
