//! One row for each finding.

use super::{CYCLE, TRACE, comm, filled, int, name, nanos, number, text};
use crate::diagnose::{Finding, Link};
use crate::export::recording::Recording;
use crate::export::table::{Column, Get, Table};
use crate::export::word;
use std::sync::Arc;

/// What was found.
pub(in crate::export) struct Findings;

/// A row of [`Findings`].
pub(in crate::export) struct Row {
    trace: Arc<str>,
    finding: Finding,
}

/// `a waits for b; b held by c`
fn chain(finding: &Finding) -> String {
    let link = |link: &Link| format!("{} {} {}", link.waiter.label, link.relation.words(), link.object.label);
    finding.chain.iter().map(link).collect::<Vec<_>>().join("; ")
}

impl Table for Findings {
    type Row = Row;
    const NAME: &'static str = "findings";
    const DOC: &'static str = "something found; docs/findings.md explains the words";
    const COLUMNS: &'static [Column<Row>] = &[
        Column::always("trace", Get::Text(|row| text(&row.trace)), TRACE),
        Column::always("cycle", Get::Int(|row| int(row.finding.cycle)), CYCLE),
        Column::always(
            "finding",
            Get::Text(|row| text(&row.finding.id)),
            "The same for the same kind and members within a trace.",
        ),
        Column::always(
            "kind",
            Get::Text(|row| Some(word(&row.finding.kind).into())),
            "`deadlock`, `stall`, `hazard`, `guarded`, `failure` or `loss`.",
        ),
        Column::always(
            "severity",
            Get::Text(|row| Some(word(&row.finding.severity).into())),
            "`info`, `warning` or `error`.",
        ),
        Column::always(
            "confidence",
            Get::Text(|row| Some(word(&row.finding.confidence).into())),
            "`possible`, `likely` or `proved`.",
        ),
        Column::always("title", Get::Text(|row| text(&row.finding.title)), "What it is, in one line."),
        Column::maybe(
            "device_id",
            Get::Int(|row| number(row.finding.devices.first())),
            "The device that it is about most.",
        ),
        Column::maybe("device", Get::Text(|row| name(row.finding.devices.first())), "Name of that device."),
        Column::maybe(
            "driver",
            Get::Text(|row| row.finding.devices.first().and_then(|device| filled(&device.driver))),
            "Driver of that device.",
        ),
        Column::maybe(
            "tid",
            Get::Int(|row| row.finding.tasks.first().and_then(|task| int(task.tid))),
            "Thread id of the first task concerned.",
        ),
        Column::maybe("task", Get::Text(|row| comm(row.finding.tasks.first())), "Name of that task."),
        Column::maybe(
            "known_issue",
            Get::Text(|row| row.finding.known_issue.as_ref().and_then(|issue| text(&issue.id))),
            "The known issue that it looks like.",
        ),
        Column::maybe(
            "at_ns",
            Get::Int(|row| nanos(row.finding.closed_at)),
            "When it began (the cycle of waits closed), in nanoseconds of `CLOCK_BOOTTIME`.",
        ),
        Column::maybe(
            "lasted_ns",
            Get::Int(|row| nanos(row.finding.lasted)),
            "How long it lasted, to the end of the trace if it did not end, in nanoseconds.",
        ),
        Column::maybe(
            "ended_ns",
            Get::Int(|row| nanos(row.finding.ended)),
            "When a lockup ended that was over before the trace, in nanoseconds of `CLOCK_BOOTTIME`.",
        ),
        Column::maybe(
            "margin_ns",
            Get::Int(|row| row.finding.margin),
            "Of a hazard: by how many nanoseconds the race was won; 0 or less if the two overlapped.",
        ),
        Column::maybe(
            "ordered",
            Get::Flag(|row| row.finding.ordering.as_ref().map(|ordering| ordering.guaranteed)),
            "Something guarantees the order that would have made it impossible.",
        ),
        Column::always(
            "chain",
            Get::Text(|row| Some(chain(&row.finding).into())),
            "Who waits for whom, in words, links separated by `;`.",
        ),
        Column::always("explanation", Get::Text(|row| text(&row.finding.explanation)), "What happens."),
        Column::always("advice", Get::Text(|row| text(&row.finding.advice)), "What to do."),
    ];

    fn rows(recording: &Recording) -> impl Iterator<Item = Row> {
        let trace: Arc<str> = Arc::from(recording.id.as_str());
        recording
            .findings
            .iter()
            .map(move |finding| Row { trace: Arc::clone(&trace), finding: finding.clone() })
    }
}
