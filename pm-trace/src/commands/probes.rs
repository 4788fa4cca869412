//! `pm-trace probes`

use super::{CannotTrace, Context, Outcome, require_root, show};
use crate::capture::arming::Placement;
use crate::capture::hooks::{HookSpec, Place};
use crate::capture::probes::{Probes, ProgramStats};
use crate::cli::ProbesArgs;
use crate::kernel::layout::{self, Layout};
use crate::kernel::system::Live;
use crate::text::Form;
use anyhow::Context as _;
use pm_trace_common::control::armed;
use serde::Serialize;
use std::fmt::Write as _;
use std::time::Duration;

/// Ring buffer where nobody reads it, in bytes.
const BUFFER: u32 = 1 << 20;
/// How long programs are watched for `--stats`.
const SAMPLE: Duration = Duration::from_secs(2);

/// A row of the list.
#[derive(Debug, Serialize)]
struct Row {
    hook: &'static str,
    subject: &'static str,
    meaning: &'static str,
    /// Where it was put.
    place: Option<String>,
    /// It is not the place of its meaning itself, which this kernel does not have.
    substitute: bool,
    /// Why it was put nowhere, or refused.
    skipped: Option<String>,
    /// What is lost without it.
    lost: &'static str,
    required: bool,
    #[serde(flatten)]
    stats: Option<ProgramStats>,
    hits: Option<u64>,
}

/// A row of what the verifier says.
#[derive(Debug, Serialize)]
struct VerifiedRow {
    /// The program: the hook's, or one of the watchdog's.
    hook: &'static str,
    /// Why it was refused.
    skipped: Option<String>,
    #[serde(flatten)]
    stats: Option<ProgramStats>,
}

impl Row {
    fn new(spec: &'static HookSpec) -> Self {
        Self {
            hook: spec.hook.program(),
            subject: spec.subject,
            meaning: spec.meaning,
            place: None,
            substitute: false,
            skipped: None,
            lost: spec.lost,
            required: spec.required,
            stats: None,
            hits: None,
        }
    }
}

/// Lists the hooks.
///
/// # Errors
/// Not root, the kernel does not tell its structures, a required hook has no place, or, with `--verify`, a
/// program is refused.
pub(super) fn run(args: &ProbesArgs, _context: &Context) -> anyhow::Result<Outcome> {
    require_root("probes", "loading eBPF programs and reading their places needs it")?;
    let layout = layout::resolve(&Live).context(CannotTrace)?;
    if args.verify { verify(&layout, args) } else { list(&layout, args) }
}

fn verify(layout: &Layout, args: &ProbesArgs) -> anyhow::Result<Outcome> {
    let verdicts = Probes::verify(layout).context(CannotTrace)?;
    let rows: Vec<VerifiedRow> = verdicts
        .into_iter()
        .map(|(hook, verdict)| match verdict {
            Ok(stats) => VerifiedRow { hook, stats: Some(stats), skipped: None },
            Err(reason) => VerifiedRow { hook, stats: None, skipped: Some(reason) },
        })
        .collect();
    let refused: Vec<&str> = rows.iter().filter(|row| row.skipped.is_some()).map(|row| row.hook).collect();
    if args.json {
        show(&json(&rows)?, Form::Json)?;
    } else {
        let mut text =
            format!("{:<28} {:>12}  verdict of the kernel's verifier\n", "program", "instructions");
        for row in &rows {
            let verdict = row.skipped.as_deref().unwrap_or("accepted");
            let instructions = row.stats.map_or(0, |stats| stats.verified_instructions);
            let _ = writeln!(text, "{:<28} {instructions:>12}  {verdict}", row.hook);
        }
        let _ = writeln!(text, "{} of {} programs accepted", rows.len() - refused.len(), rows.len());
        show(&text, Form::Plain)?;
    }
    anyhow::ensure!(refused.is_empty(), "this kernel refuses {}; nothing was attached", refused.join(", "));
    Ok(Outcome::Fine)
}

fn list(layout: &Layout, args: &ProbesArgs) -> anyhow::Result<Outcome> {
    // Kept until the statistics are read: the kernel counts while it is open.
    let _counting = args
        .stats
        .then(|| aya::sys::enable_stats(aya::sys::Stats::RunTime))
        .transpose()
        .context("cannot turn on the run-time statistics of BPF programs")?;
    let mut probes = Probes::arm(layout, BUFFER, false, None, false).context(CannotTrace)?;
    if args.stats {
        probes.set_window(armed::OPEN, 1)?;
        std::thread::sleep(SAMPLE);
        probes.set_window(armed::NO, 1)?;
    }
    let counters = probes.counters()?;
    let rows: Vec<Row> = probes
        .placements()
        .map(|(spec, placement)| {
            let row = Row::new(spec);
            let row = match placement {
                Placement::At(place) => Row {
                    place: Some(place.to_string()),
                    substitute: matches!(place, Place::Substitute(_)),
                    ..row
                },
                Placement::Skipped(reason) => Row { skipped: Some(reason.clone()), ..row },
            };
            let stats = args.stats.then(|| probes.stats(spec.hook)).flatten();
            let hits = args.stats.then(|| counters[spec.hook as usize].hits);
            Row { stats, hits, ..row }
        })
        .collect();
    let text = if args.json { json(&rows)? } else { table(&rows, args.stats) };
    show(&text, if args.json { Form::Json } else { Form::Plain })?;
    Ok(Outcome::Fine)
}

fn json(rows: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(rows)? + "\n")
}

fn table(rows: &[Row], with_stats: bool) -> String {
    let mut text = String::new();
    let mut subject = "";
    for row in rows {
        if row.subject != subject {
            subject = row.subject;
            let _ = writeln!(text, "{subject}");
        }
        let _ = match &row.place {
            Some(place) => writeln!(text, "  {:<26} {place}", row.hook),
            None => writeln!(text, "  {:<26} -", row.hook),
        };
        let _ = writeln!(text, "      sees  {}", row.meaning);
        if let Some(reason) = &row.skipped {
            let _ = writeln!(text, "      why   {reason}");
            let _ = writeln!(text, "      lost  {}", row.lost);
        }
        if let (true, Some(stats), Some(hits)) = (with_stats, row.stats, row.hits) {
            let each = stats.run_time_ns.checked_div(stats.runs).unwrap_or(0);
            let runs = stats.runs;
            let _ = writeln!(text, "      ran   {runs} times, {each} ns each; {hits} in an open window");
        }
    }
    let placed = rows.iter().filter(|row| row.place.is_some()).count();
    let substitutes = rows.iter().filter(|row| row.substitute).count();
    let _ =
        writeln!(text, "{placed} of {} hooks have a place, {substitutes} of them a substitute", rows.len());
    if with_stats {
        let _ = writeln!(text, "numbers are of {} s in which the window was open", SAMPLE.as_secs());
    }
    text
}
