//! Prints the events of a trace, one JSON object a line, for a look into it.
//!
//! `cargo run --example dump_trace -- IN.pmtrace`

use anyhow::Context as _;
use pm_trace::trace::Trace;
use std::io::Write as _;
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let file = std::env::args().nth(1).context("usage: dump_trace IN")?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for event in Trace::open(Path::new(&file))?.by_ref() {
        writeln!(out, "{}", serde_json::to_string(&event)?)?;
    }
    Ok(())
}
