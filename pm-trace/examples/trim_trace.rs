//! Writes a trace again with only its first cycles of suspend and resume, for tests.
//!
//! `cargo run --example trim_trace -- IN.pmtrace OUT.pmtrace CYCLES`

use anyhow::{Context as _, bail};
use pm_trace::model::Model;
use pm_trace::trace::{Overwrite, Totals, Trace, Writer};
use std::path::Path;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, cycles] = args.as_slice() else { bail!("usage: trim_trace IN OUT CYCLES") };
    let cycles: usize = cycles.parse().context("CYCLES is a number")?;
    let mut trace = Trace::open(Path::new(from))?;
    let session = trace.session().context("the trace does not say how it was recorded")?.clone();
    let mut writer = Writer::create(Path::new(to), &session, Overwrite::Refuse)?;
    let mut model = Model::new();
    let mut end = session.clocks;
    for event in trace.by_ref() {
        model.apply(&event);
        if model.transitions().len() > cycles {
            break;
        }
        let past = event.time.saturating_sub(session.clocks.boottime);
        end.boottime = session.clocks.boottime + past;
        end.realtime = session.clocks.realtime + past;
        writer.append(&event)?;
    }
    let cycles = u32::try_from(cycles.min(model.transitions().len()))?;
    writer.finish(Totals { clocks: end, cycles, ..Totals::default() })?;
    Ok(())
}
