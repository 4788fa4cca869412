//! One row for each step of each device.

use super::{CYCLE, TRACE, filled, int, name, nanos, number, text};
use crate::export::phases::DevicePhase;
use crate::export::recording::Recording;
use crate::export::table::{Column, Get, Table};
use std::sync::Arc;

/// What the PM core did with a device.
pub(in crate::export) struct DevicePhases;

/// A row of [`DevicePhases`].
pub(in crate::export) struct Row {
    trace: Arc<str>,
    phase: DevicePhase,
}

impl Table for DevicePhases {
    type Row = Row;
    const NAME: &'static str = "device_phases";
    const DOC: &'static str = "a step of a device, such as its suspend or its early resume";
    const COLUMNS: &'static [Column<Row>] = &[
        Column::always("trace", Get::Text(|row| text(&row.trace)), TRACE),
        Column::always("cycle", Get::Int(|row| int(row.phase.cycle)), CYCLE),
        Column::always(
            "device_id",
            Get::Int(|row| int(row.phase.device.id)),
            "The device, within its trace.",
        ),
        Column::always(
            "device",
            Get::Text(|row| text(&row.phase.device.name)),
            "Its name (`dev_name()`); several devices may share it.",
        ),
        Column::maybe("bus", Get::Text(|row| filled(&row.phase.device.bus)), "Its bus."),
        Column::maybe("class", Get::Text(|row| filled(&row.phase.device.class)), "Its class."),
        Column::maybe("driver", Get::Text(|row| filled(&row.phase.device.driver)), "Its driver."),
        Column::maybe(
            "port",
            Get::Text(|row| row.phase.device.port.as_deref().and_then(text)),
            "The ATA port above it.",
        ),
        Column::maybe("parent_id", Get::Int(|row| number(row.phase.parent.as_ref())), "Its parent."),
        Column::maybe("parent", Get::Text(|row| name(row.phase.parent.as_ref())), "Name of its parent."),
        Column::always(
            "step",
            Get::Text(|row| text(&row.phase.step)),
            "`suspend`, `suspend_late`, `suspend_noirq`, `resume_noirq`, `resume_early` or `resume`.",
        ),
        Column::always(
            "start_ns",
            Get::Int(|row| int(row.phase.start)),
            "When it began, in nanoseconds of `CLOCK_BOOTTIME`.",
        ),
        Column::maybe(
            "took_ns",
            Get::Int(|row| nanos(row.phase.took)),
            "How long it took, in nanoseconds, waits for other devices included; none if it did not end.",
        ),
        Column::maybe(
            "callback_ns",
            Get::Int(|row| nanos(row.phase.callback)),
            "How long its callback took, in nanoseconds; 0 if it has none, none if that did not end.",
        ),
        Column::always(
            "error",
            Get::Int(|row| int(row.phase.error)),
            "What the callback returned: 0 or a negative errno.",
        ),
        Column::always("is_async", Get::Flag(|row| Some(row.phase.is_async)), "It ran asynchronously."),
        Column::always(
            "tid",
            Get::Int(|row| int(row.phase.task.tid)),
            "Thread id of the task that carried it out.",
        ),
        Column::always("task", Get::Text(|row| text(&row.phase.task.comm)), "Name of that task."),
        Column::always("event", Get::Int(|row| int(row.phase.event)), "Number of the event that began it."),
    ];

    fn rows(recording: &Recording) -> impl Iterator<Item = Row> {
        let trace: Arc<str> = Arc::from(recording.id.as_str());
        recording.phases.iter().map(move |phase| Row { trace: Arc::clone(&trace), phase: phase.clone() })
    }
}
