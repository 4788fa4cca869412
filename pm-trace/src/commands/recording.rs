//! What `suspend` and `record` share: starting a recording and reporting on it.

use super::{CannotTrace, Context, Outcome, output_path, overwrite, say, show};
use crate::capture::loader;
use crate::capture::recorder::{Integrity, RecordError, RecordOptions, Recorder};
use crate::capture::switches::journal;
use crate::capture::watchdog::Flavour;
use crate::cli::{OutputArgs, Watchdog, WatchdogArgs};
use crate::kernel::evidence;
use crate::kernel::system::Live;
use crate::recover;
use crate::report::Report;
use crate::text::{self, Form};
use crate::trace::{Mode, Status};
use std::path::Path;
use std::time::Duration;

/// What is to be recorded.
pub(super) struct Plan<'a> {
    /// Where the trace goes.
    pub output: &'a OutputArgs,
    /// Live or watch.
    pub mode: Mode,
    /// State that is entered, if pm-trace enters it.
    pub state: Option<String>,
    /// How long nothing must have moved to be a stall; `None` for never.
    pub stall_after: Option<Duration>,
    /// What makes the watchdog in the kernel look; empty for no watchdog.
    pub watchdog: &'static [Flavour],
}

/// How long nothing must have moved to be a stall, as was asked for.
pub(super) fn stall_after(args: &WatchdogArgs) -> Option<Duration> {
    (args.stall_after > 0).then(|| Duration::from_secs(args.stall_after.into()))
}

/// The watchdog that was asked for.
pub(super) fn watchdog(args: &WatchdogArgs) -> &'static [Flavour] {
    match args.watchdog {
        Watchdog::Auto => &Flavour::ALL,
        Watchdog::Timer => &[Flavour::Timer],
        Watchdog::Clock => &[Flavour::Clock],
    }
}

/// Size of the ring buffer in MiB, where none is asked for. A cycle of a small machine is some 4,000 records of
/// 100 to 300 bytes, a large one has 50 times as many; and the kernel clears a buffer page by page when it is
/// created, which is a third of the time until a virtual machine is armed if the buffer has 64 MiB.
fn default_buffer(mode: Mode) -> u32 {
    match mode {
        // Emptied all the while, but for the moments without any CPU to do it.
        Mode::Live => 8,
        // Has to last for the whole of suspend and resume. Machines with more devices have more memory.
        Mode::Watch if loader::is_small_machine() => 16,
        Mode::Watch => 64,
    }
}

/// Arms and says so.
///
/// # Errors
/// Nothing can be traced, or the trace file cannot be written.
pub(super) fn start(plan: &Plan<'_>, context: &Context) -> anyhow::Result<(Recorder, RecordOptions)> {
    let options = RecordOptions {
        output: output_path(plan.output),
        overwrite: overwrite(plan.output),
        tee: plan.output.tee.clone(),
        buffer_mib: plan.output.buffer.unwrap_or(default_buffer(plan.mode)),
        mode: plan.mode,
        state: plan.state.clone(),
        programs_log: context.verbose >= 2,
        command: context.command_line.clone(),
        stall_after: plan.stall_after,
        watchdog: plan.watchdog,
    };
    for left in journal::restore() {
        say(&format!(
            "pm-trace: a recording was killed before it put back what it had changed: {}\n",
            left.words()
        ));
    }
    let recorder = Recorder::start(&Live, &options, context.started).map_err(|error| match error {
        RecordError::Kernel(_) | RecordError::Probes(_) => anyhow::Error::from(error).context(CannotTrace),
        error => error.into(),
    })?;
    let armed = recorder.armed();
    let missing = match armed.skipped {
        0 => String::new(),
        skipped => format!(", {skipped} have no place on this kernel ('pm-trace probes' lists them)"),
    };
    say(&format!(
        "pm-trace: armed in {:.3} s: {} hooks{missing}; trace in {}\n",
        armed.took.as_secs_f64(),
        armed.hooks,
        text::path(&options.output)
    ));
    if let Err(error) = recover::remember(&options.output) {
        log::info!("'pm-trace recover' will not know of this trace by itself: {error}");
    }
    if let (Some(flavour), Some(stall_after)) = (armed.watchdog, options.stall_after) {
        tell_watchdog(flavour, stall_after);
    }
    Ok((recorder, options))
}

/// Says that there is a watchdog, and where what it prints ends up.
fn tell_watchdog(flavour: Flavour, stall_after: Duration) {
    let (words, seconds) = (flavour.words(), stall_after.as_secs());
    let places = evidence::places(&Live);
    let place = if places.is_empty() {
        "in memory only, which a reset clears: 'pm-trace arm' says how to keep it".to_owned()
    } else {
        places.join(" and ")
    };
    say(&format!(
        "pm-trace: watchdog in the kernel: {words}; says what waits when nothing moves for {seconds} s ({place})\n"
    ));
}

/// Says what went wrong with the trace file.
pub(super) fn tell_trouble(recorder: &mut Recorder) {
    for trouble in recorder.take_trouble() {
        say(&format!("pm-trace: {trouble}; recording goes on\n"));
    }
}

/// Says what the second output lacks.
fn tell_tee(path: Option<&Path>, status: &Status) {
    let (Some(path), Some(tee)) = (path, &status.tee) else { return };
    let lacks = tee.dropped + u64::try_from(tee.waiting).unwrap_or(u64::MAX);
    if lacks > 0 || tee.trouble.is_some() {
        let why = tee.trouble.as_deref().unwrap_or("it took the bytes too slowly");
        let path = text::path(path);
        say(&format!("pm-trace: the second output {path} lacks {lacks} parts of the trace: {why}\n"));
    }
}

/// Whether everything arrived, in words.
pub(super) fn arrived(integrity: &Integrity) -> String {
    let Integrity { sent, received, lost, differences } = integrity;
    if *lost == 0 && differences.is_empty() {
        return format!("{received} of {sent} records received, none lost");
    }
    let differences = differences.join(", ");
    format!("{received} of {sent} records received, {lost} lost (try a larger --buffer) {differences}")
}

/// Closes the trace, shows the report and says where the trace is.
///
/// # Errors
/// The trace is not complete on disk (the report is shown all the same), or standard output cannot be
/// written.
pub(super) fn finish(recorder: Recorder) -> anyhow::Result<Outcome> {
    let recording = recorder.finish();
    let findings = recording.analysis.findings_at_end();
    let model = recording.analysis.model();
    let report = Report::new(Some(&recording.session), model, findings, Vec::new());
    show(&report.text_in(text::columns()), Form::Plain)?;
    tell_tee(recording.tee.as_deref(), &recording.closed?);
    anyhow::ensure!(
        recording.path.symlink_metadata().is_ok(),
        "the trace {} was removed while it was recorded, or its directory was; the report is all that is left of it",
        text::path(&recording.path)
    );
    say(&format!("pm-trace: the trace is in {}\n", text::path(&recording.path)));
    Ok(Outcome::of(&report.findings))
}
