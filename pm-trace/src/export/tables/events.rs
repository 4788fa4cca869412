//! One row for each event.

use super::{CYCLE, TRACE, int, text};
use crate::export::recording::{NamedEvent, Recording};
use crate::export::table::{Column, Get, Table};
use std::sync::Arc;

/// What happened.
pub(in crate::export) struct Events;

/// A row of [`Events`].
pub(in crate::export) struct Row {
    trace: Arc<str>,
    task: String,
    kind: String,
    fields: String,
    event: NamedEvent,
}

impl Table for Events {
    type Row = Row;
    const NAME: &'static str = "events";
    const DOC: &'static str = "an event of the trace";
    const COLUMNS: &'static [Column<Row>] = &[
        Column::always("trace", Get::Text(|row| text(&row.trace)), TRACE),
        Column::always("cycle", Get::Int(|row| int(row.event.cycle)), CYCLE),
        Column::always(
            "event",
            Get::Int(|row| int(row.event.number)),
            "Its number in the trace, counted from 0.",
        ),
        Column::always(
            "time_ns",
            Get::Int(|row| int(row.event.event.time)),
            "When, in nanoseconds of `CLOCK_BOOTTIME`.",
        ),
        Column::always("cpu", Get::Int(|row| int(row.event.event.cpu)), "On which CPU."),
        Column::always("tid", Get::Int(|row| int(row.event.event.task.tid)), "Thread id of its task."),
        Column::always("task", Get::Text(|row| text(&row.task)), "Name of its task."),
        Column::always(
            "subject",
            Get::Text(|row| text(&row.event.subject)),
            "What it is about: `pm`, `lock`, `wait`, `work`, `ata`, `scsi`, `task`, or `trace` for the trace itself.",
        ),
        Column::always("kind", Get::Text(|row| text(&row.kind)), "What happened, in one word."),
        Column::maybe(
            "device_id",
            Get::Int(|row| row.event.device_id.and_then(int)),
            "The device it is about.",
        ),
        Column::maybe(
            "device",
            Get::Text(|row| row.event.device.as_deref().and_then(text)),
            "Name of that device.",
        ),
        Column::always("text", Get::Text(|row| text(&row.event.text)), "The event in words."),
        Column::always(
            "fields",
            Get::Text(|row| text(&row.fields)),
            "All that the event holds, as JSON: `body` of the JSON lines.",
        ),
    ];

    fn rows(recording: &Recording) -> impl Iterator<Item = Row> {
        let trace: Arc<str> = Arc::from(recording.id.as_str());
        recording.events().map(move |event| {
            let body = serde_json::to_value(&event.event.body).unwrap_or_default();
            Row {
                trace: Arc::clone(&trace),
                task: event.event.task.comm.as_str(),
                kind: body.get("kind").and_then(|kind| kind.as_str()).unwrap_or_default().to_owned(),
                fields: body.to_string(),
                event,
            }
        })
    }
}
