//! One row for each suspend and resume.

use super::{CYCLE, TRACE, filled, int, name, nanos, text};
use crate::diagnose::{Finding, Severity, StepSummary};
use crate::export::recording::{Cycle, Recording};
use crate::export::table::{Column, Get, Table, VERSION};
use crate::trace::Session;
use std::sync::Arc;

/// A suspend and resume.
pub(in crate::export) struct Cycles;

/// A row of [`Cycles`].
pub(in crate::export) struct Row {
    trace: Arc<str>,
    file: Arc<str>,
    session: Arc<Session>,
    started: Option<i64>,
    cycle: Cycle,
    findings: usize,
}

impl Row {
    fn slowest(&self) -> Option<&StepSummary> {
        self.cycle.summary.slowest.first()
    }
}

impl Table for Cycles {
    type Row = Row;
    const NAME: &'static str = "cycles";
    const DOC: &'static str = "a suspend and resume";
    const COLUMNS: &'static [Column<Row>] = &[
        Column::always("trace", Get::Text(|row| text(&row.trace)), TRACE),
        Column::always("cycle", Get::Int(|row| int(row.cycle.summary.number)), CYCLE),
        Column::always("tables", Get::Int(|_| int(VERSION)), "Version of these tables."),
        Column::always("file", Get::Text(|row| text(&row.file)), "Name of the trace file."),
        Column::maybe(
            "kernel",
            Get::Text(|row| filled(&row.session.kernel.release)),
            "Kernel release, as `uname -r` prints it.",
        ),
        Column::maybe(
            "kernel_version",
            Get::Text(|row| filled(&row.session.kernel.version)),
            "Kernel version, as `uname -v` prints it.",
        ),
        Column::maybe(
            "architecture",
            Get::Text(|row| filled(&row.session.kernel.machine)),
            "Architecture, as `uname -m` prints it.",
        ),
        Column::maybe(
            "product",
            Get::Text(|row| filled(&row.session.product)),
            "Vendor and model of the machine.",
        ),
        Column::maybe(
            "state",
            Get::Text(|row| row.session.state.as_deref().and_then(text)),
            "Sleep state that pm-trace asked for; none if something else started the suspend.",
        ),
        Column::always(
            "sleep",
            Get::Text(|row| filled(crate::runs::sleep(&row.cycle.summary, row.session.state.as_deref()))),
            "The sleep state that it entered, or was to enter: `mem`, `freeze`, `standby`, `unknown`; `test` if it went \
             no further than a test of the devices.",
        ),
        Column::maybe("started_at", Get::Time(|row| row.started), "When it began."),
        Column::always(
            "start_ns",
            Get::Int(|row| int(row.cycle.summary.started)),
            "When it began, in nanoseconds of `CLOCK_BOOTTIME`.",
        ),
        Column::always(
            "took_ns",
            Get::Int(|row| int(row.cycle.summary.took)),
            "How long it took in all, time asleep included, in nanoseconds.",
        ),
        Column::always(
            "outcome",
            Get::Text(|row| Some(crate::export::word(&row.cycle.summary.outcome).into())),
            "`resumed`; `suspending` or `resuming` if it was under way when the trace ended; `aborted`.",
        ),
        Column::maybe(
            "suspend_ns",
            Get::Int(|row| nanos(row.cycle.times.suspend)),
            "How long suspend took, in nanoseconds, as `pm-trace summary` counts it; none if it did not end.",
        ),
        Column::maybe(
            "resume_ns",
            Get::Int(|row| nanos(row.cycle.times.resume)),
            "How long resume took, in nanoseconds, without the time asleep; none if it did not end.",
        ),
        Column::always(
            "devices_suspended",
            Get::Int(|row| int(row.cycle.summary.devices_suspended)),
            "Devices that were suspended.",
        ),
        Column::always(
            "devices_to_resume",
            Get::Int(|row| int(row.cycle.summary.devices_to_resume)),
            "Devices to resume.",
        ),
        Column::always(
            "devices_resumed",
            Get::Int(|row| int(row.cycle.summary.devices_resumed)),
            "Devices that were resumed.",
        ),
        Column::always(
            "direct_complete",
            Get::Int(|row| int(row.cycle.summary.direct_complete)),
            "Devices that were left alone because they were suspended already (`power.direct_complete`).",
        ),
        Column::maybe(
            "slowest_device",
            Get::Text(|row| name(row.slowest().map(|step| &step.device))),
            "The device with the slowest callback.",
        ),
        Column::maybe(
            "slowest_step",
            Get::Text(|row| row.slowest().and_then(|step| text(&step.step))),
            "The step that the callback belongs to.",
        ),
        Column::maybe(
            "slowest_callback_ns",
            Get::Int(|row| nanos(row.slowest().map(|step| step.callback))),
            "How long the callback took, in nanoseconds.",
        ),
        Column::always(
            "findings",
            Get::Int(|row| int(row.findings)),
            "How many things were found, apart from what the kernel handled by itself (`severity` is not `info`).",
        ),
        Column::always("events", Get::Int(|row| int(row.cycle.summary.events)), "Events."),
        Column::always(
            "lost",
            Get::Int(|row| int(row.cycle.summary.lost)),
            "Records lost because the ring buffer was full.",
        ),
        Column::always(
            "undecoded",
            Get::Int(|row| int(row.cycle.summary.undecoded)),
            "Records that could not be decoded.",
        ),
    ];

    fn rows(recording: &Recording) -> impl Iterator<Item = Row> {
        let session = Arc::new(recording.session.clone().unwrap_or_default());
        let (trace, file) = (Arc::from(recording.id.as_str()), Arc::from(recording.file.as_str()));
        recording.cycles.iter().map(move |cycle| {
            let counts = |finding: &&Finding| {
                finding.cycle == cycle.summary.number && finding.severity > Severity::Info
            };
            Row {
                trace: Arc::clone(&trace),
                file: Arc::clone(&file),
                session: Arc::clone(&session),
                started: recording.utc(cycle.summary.started).and_then(|nanos| int(nanos / 1_000)),
                cycle: cycle.clone(),
                findings: recording.findings.iter().filter(counts).count(),
            }
        })
    }
}
