//! One row for each wait of a task.

use super::{CYCLE, TRACE, comm, int, name, nanos, number, text};
use crate::export::recording::Recording;
use crate::export::table::{Column, Get, Table};
use crate::export::waits::Wait;
use std::sync::Arc;

/// Who waited for what.
pub(in crate::export) struct WaitsTable;

/// A row of [`WaitsTable`].
pub(in crate::export) struct Row {
    trace: Arc<str>,
    wait: Wait,
}

impl Table for WaitsTable {
    type Row = Row;
    const NAME: &'static str = "waits";
    const DOC: &'static str = "a wait of a task, of which at most one lasts at a time";
    const COLUMNS: &'static [Column<Row>] = &[
        Column::always("trace", Get::Text(|row| text(&row.trace)), TRACE),
        Column::always("cycle", Get::Int(|row| int(row.wait.cycle)), CYCLE),
        Column::always("tid", Get::Int(|row| int(row.wait.task.tid)), "Thread id of the task that waits."),
        Column::always("task", Get::Text(|row| text(&row.wait.task.comm)), "Its name."),
        Column::maybe(
            "device_id",
            Get::Int(|row| number(row.wait.device.as_ref())),
            "The device whose step the task carries out.",
        ),
        Column::maybe("device", Get::Text(|row| name(row.wait.device.as_ref())), "Name of that device."),
        Column::always(
            "waits_for",
            Get::Text(|row| Some(crate::export::word(&row.wait.on.kind).into())),
            "What kind of thing it waits for: `lock`, `device_step`, `queue`, `work`, `completion`, `async_calls`, \
             `runtime_pm`, `delay`, `error_handling`, `hardware`, `task` or `unknown`.",
        ),
        Column::always("object", Get::Text(|row| text(&row.wait.on.label)), "What it waits for, in words."),
        Column::maybe(
            "object_device_id",
            Get::Int(|row| number(row.wait.on.device.as_ref())),
            "The device that it belongs to.",
        ),
        Column::maybe(
            "object_device",
            Get::Text(|row| name(row.wait.on.device.as_ref())),
            "Name of that device.",
        ),
        Column::maybe(
            "behind_device_id",
            Get::Int(|row| number(row.wait.behind_device.as_ref())),
            "The device whose step has to end first.",
        ),
        Column::maybe(
            "behind_device",
            Get::Text(|row| name(row.wait.behind_device.as_ref())),
            "Name of that device.",
        ),
        Column::maybe(
            "behind_tid",
            Get::Int(|row| row.wait.behind_task.as_ref().and_then(|task| int(task.tid))),
            "Thread id of the task that holds it or carries it out, as far as that was known when the wait began, or, \
             for a wait that did not end, when the trace ended.",
        ),
        Column::maybe(
            "behind_task",
            Get::Text(|row| comm(row.wait.behind_task.as_ref())),
            "Name of that task.",
        ),
        Column::always(
            "start_ns",
            Get::Int(|row| int(row.wait.start)),
            "When it began, in nanoseconds of `CLOCK_BOOTTIME`.",
        ),
        Column::maybe(
            "took_ns",
            Get::Int(|row| nanos(row.wait.took)),
            "How long it lasted, in nanoseconds; none if its end was not seen.",
        ),
        Column::always(
            "stack",
            Get::Text(|row| Some(row.wait.stack.join(";").into())),
            "Where it waits: kernel functions, innermost first, separated by `;`.",
        ),
        Column::always("event", Get::Int(|row| int(row.wait.event)), "Number of the event that began it."),
    ];

    fn rows(recording: &Recording) -> impl Iterator<Item = Row> {
        let trace: Arc<str> = Arc::from(recording.id.as_str());
        recording.waits.iter().map(move |wait| Row { trace: Arc::clone(&trace), wait: wait.clone() })
    }
}
