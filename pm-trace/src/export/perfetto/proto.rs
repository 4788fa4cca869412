//! The messages of Perfetto's format that are used here, with their public field numbers
//! (protos/perfetto/trace/ of <https://github.com/google/perfetto>).
//!
//! The crates with all of Perfetto's types generate and compile code for some hundred messages, which takes minutes;
//! these few are written by hand. A test reads what is written back with the types that Perfetto publishes.

/// `perfetto.protos.Trace`
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct Trace {
    #[prost(message, repeated, tag = "1")]
    pub packet: Vec<TracePacket>,
}

/// `perfetto.protos.TracePacket`
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct TracePacket {
    #[prost(uint64, optional, tag = "8")]
    pub timestamp: Option<u64>,
    #[prost(uint32, optional, tag = "10")]
    pub trusted_packet_sequence_id: Option<u32>,
    #[prost(oneof = "packet::Data", tags = "6, 11, 45, 60")]
    pub data: Option<packet::Data>,
}

/// What a packet holds.
pub(in crate::export) mod packet {
    /// `TracePacket.data`
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(in crate::export) enum Data {
        #[prost(message, tag = "6")]
        ClockSnapshot(super::ClockSnapshot),
        #[prost(message, tag = "11")]
        TrackEvent(super::TrackEvent),
        #[prost(message, tag = "45")]
        SystemInfo(super::SystemInfo),
        #[prost(message, tag = "60")]
        TrackDescriptor(super::TrackDescriptor),
    }
}

/// `BUILTIN_CLOCK_*`, which are also the ids of clocks in a snapshot.
pub(in crate::export) const CLOCK_REALTIME: u32 = 1;
pub(in crate::export) const CLOCK_MONOTONIC: u32 = 3;
/// The default clock of a trace.
pub(in crate::export) const CLOCK_BOOTTIME: u32 = 6;

/// `perfetto.protos.ClockSnapshot`
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct ClockSnapshot {
    #[prost(message, repeated, tag = "1")]
    pub clocks: Vec<Clock>,
    #[prost(int32, optional, tag = "2")]
    pub primary_trace_clock: Option<i32>,
}

/// `perfetto.protos.ClockSnapshot.Clock`
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(in crate::export) struct Clock {
    #[prost(uint32, optional, tag = "1")]
    pub clock_id: Option<u32>,
    #[prost(uint64, optional, tag = "2")]
    pub timestamp: Option<u64>,
}

/// `perfetto.protos.SystemInfo`
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct SystemInfo {
    #[prost(message, optional, tag = "1")]
    pub utsname: Option<Utsname>,
}

/// `perfetto.protos.Utsname`
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct Utsname {
    #[prost(string, optional, tag = "1")]
    pub sysname: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub version: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub release: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub machine: Option<String>,
}

/// `TrackDescriptor.ChildTracksOrdering.EXPLICIT`: by `sibling_order_rank`.
pub(in crate::export) const ORDERED_BY_RANK: i32 = 3;

/// `perfetto.protos.TrackDescriptor`
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct TrackDescriptor {
    #[prost(uint64, optional, tag = "1")]
    pub uuid: Option<u64>,
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
    #[prost(uint64, optional, tag = "5")]
    pub parent_uuid: Option<u64>,
    #[prost(message, optional, tag = "8")]
    pub counter: Option<CounterDescriptor>,
    #[prost(int32, optional, tag = "11")]
    pub child_ordering: Option<i32>,
    #[prost(int32, optional, tag = "12")]
    pub sibling_order_rank: Option<i32>,
}

/// `perfetto.protos.CounterDescriptor`
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct CounterDescriptor {
    #[prost(string, optional, tag = "6")]
    pub unit_name: Option<String>,
}

/// `TrackEvent.Type`
pub(in crate::export) const SLICE_BEGIN: i32 = 1;
pub(in crate::export) const SLICE_END: i32 = 2;
pub(in crate::export) const INSTANT: i32 = 3;
pub(in crate::export) const COUNTER: i32 = 4;

/// `perfetto.protos.TrackEvent`
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct TrackEvent {
    #[prost(message, repeated, tag = "4")]
    pub debug_annotations: Vec<DebugAnnotation>,
    #[prost(int32, optional, tag = "9")]
    pub kind: Option<i32>,
    #[prost(uint64, optional, tag = "11")]
    pub track_uuid: Option<u64>,
    #[prost(string, repeated, tag = "22")]
    pub categories: Vec<String>,
    #[prost(string, optional, tag = "23")]
    pub name: Option<String>,
    #[prost(int64, optional, tag = "30")]
    pub counter_value: Option<i64>,
    #[prost(fixed64, repeated, packed = "false", tag = "47")]
    pub flow_ids: Vec<u64>,
    #[prost(fixed64, repeated, packed = "false", tag = "48")]
    pub terminating_flow_ids: Vec<u64>,
}

/// `perfetto.protos.DebugAnnotation`
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::export) struct DebugAnnotation {
    #[prost(string, optional, tag = "10")]
    pub name: Option<String>,
    #[prost(oneof = "annotation::Value", tags = "2, 4, 6")]
    pub value: Option<annotation::Value>,
}

/// What an annotation says.
pub(in crate::export) mod annotation {
    /// `DebugAnnotation.value`
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(in crate::export) enum Value {
        #[prost(bool, tag = "2")]
        Bool(bool),
        #[prost(int64, tag = "4")]
        Int(i64),
        #[prost(string, tag = "6")]
        String(String),
    }
}
