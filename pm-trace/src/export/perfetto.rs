//! Perfetto's protobuf (`perfetto.protos.Trace`), for ui.perfetto.dev and its trace processor.
//!
//! A track for each device and task, below one for their group; nothing here knows what the tracks mean.

pub(super) mod proto;

use super::recording::Recording;
use super::timeline::{Detail, GROUPS, Group, Mark, Timeline, What};
use crate::event::Nanos;
use crate::trace::Session;
use prost::Message;
use proto::{
    Clock, ClockSnapshot, CounterDescriptor, DebugAnnotation, SystemInfo, TracePacket, TrackDescriptor,
    TrackEvent, Utsname, annotation, packet,
};
use std::io::{self, Write};

/// The writer of all packets: one sequence.
const SEQUENCE: u32 = 1;

/// Writes the trace.
///
/// # Errors
/// `out` cannot be written.
pub(super) fn write(recording: &Recording, out: &mut dyn Write) -> io::Result<()> {
    let timeline = Timeline::new(recording);
    let mut buffer = Vec::new();
    let mut put = |packet: TracePacket| {
        buffer.clear();
        // A trace is one message with a repeated field: its packets can be written one by one.
        proto::Trace { packet: vec![packet] }.encode(&mut buffer).map_err(io::Error::other)?;
        out.write_all(&buffer)
    };
    if let Some(session) = &recording.session {
        put(packet(clocks(session), Some(session.clocks.boottime)))?;
        put(packet(system(session), None))?;
    }
    for (group, name) in GROUPS {
        let descriptor = TrackDescriptor {
            uuid: Some(group_uuid(group)),
            name: Some(name.to_owned()),
            child_ordering: Some(proto::ORDERED_BY_RANK),
            ..Default::default()
        };
        put(packet(packet::Data::TrackDescriptor(descriptor), None))?;
    }
    for (number, track) in timeline.tracks.iter().enumerate() {
        let descriptor = TrackDescriptor {
            uuid: Some(uuid(number)),
            parent_uuid: Some(group_uuid(track.group)),
            name: Some(track.name.clone()),
            sibling_order_rank: i32::try_from(number).ok(),
            counter: track.counts.then(|| CounterDescriptor { unit_name: Some("records".to_owned()) }),
            ..Default::default()
        };
        put(packet(packet::Data::TrackDescriptor(descriptor), None))?;
    }
    for mark in &timeline.marks {
        put(packet(packet::Data::TrackEvent(event(mark)), Some(mark.time)))?;
    }
    Ok(())
}

fn group_uuid(group: Group) -> u64 {
    group as u64 + 1
}

/// Tracks are numbered after the groups.
fn uuid(track: usize) -> u64 {
    u64::try_from(track).unwrap_or(u64::MAX).saturating_add(1 + GROUPS.len() as u64)
}

fn packet(data: packet::Data, timestamp: Option<Nanos>) -> TracePacket {
    TracePacket { timestamp, trusted_packet_sequence_id: Some(SEQUENCE), data: Some(data) }
}

fn clocks(session: &Session) -> packet::Data {
    let clocks = [
        (proto::CLOCK_BOOTTIME, session.clocks.boottime),
        (proto::CLOCK_MONOTONIC, session.clocks.monotonic),
        (proto::CLOCK_REALTIME, session.clocks.realtime),
    ];
    let clock = |(id, time)| Clock { clock_id: Some(id), timestamp: Some(time) };
    packet::Data::ClockSnapshot(ClockSnapshot {
        clocks: clocks.map(clock).to_vec(),
        primary_trace_clock: Some(proto::CLOCK_BOOTTIME.cast_signed()),
    })
}

fn system(session: &Session) -> packet::Data {
    let utsname = Utsname {
        sysname: Some("Linux".to_owned()),
        version: Some(session.kernel.version.clone()),
        release: Some(session.kernel.release.clone()),
        machine: Some(session.kernel.machine.clone()),
    };
    packet::Data::SystemInfo(SystemInfo { utsname: Some(utsname) })
}

fn event(mark: &Mark) -> TrackEvent {
    let (kind, count) = match mark.what {
        What::Begin => (proto::SLICE_BEGIN, None),
        What::End => (proto::SLICE_END, None),
        What::Moment | What::Instant => (proto::INSTANT, None),
        What::Count(count) => (proto::COUNTER, Some(count)),
    };
    let is_named = !mark.name.is_empty();
    TrackEvent {
        kind: Some(kind),
        track_uuid: Some(uuid(mark.track)),
        name: is_named.then(|| mark.name.clone()),
        categories: if is_named { vec![mark.category.to_owned()] } else { Vec::new() },
        counter_value: count,
        flow_ids: mark.starts.clone(),
        terminating_flow_ids: mark.ends.clone(),
        debug_annotations: mark.details.iter().map(annotation).collect(),
    }
}

fn annotation((name, detail): &(&'static str, Detail)) -> DebugAnnotation {
    let value = match detail {
        Detail::Text(text) => annotation::Value::String(text.clone()),
        Detail::Int(number) => annotation::Value::Int(*number),
        Detail::Flag(flag) => annotation::Value::Bool(*flag),
    };
    DebugAnnotation { name: Some((*name).to_owned()), value: Some(value) }
}
