//! From the kernel to events: where programs are put, how they are loaded and attached, how their records
//! are drained and decoded, and how the collector stays awake while everything else is frozen.
//!
//! | module | holds |
//! |---|---|
//! | [`hooks`] | the table of hooks: what each means, where it is put, what is lost without it |
//! | [`loader`] | the eBPF object and its maps |
//! | [`probes`] | loading and attaching, the counters of each program |
//! | [`ids`] | small numbers for kernel addresses |
//! | [`decode`] | records into events |
//! | [`drain`] | the ring buffer into a stream of events, with loss and undecodable records |
//! | [`recorder`] | a recording: events to the trace file and to the model |
//! | [`head`] | what a trace says about itself |
//! | [`switches`] | the machine's switches (RTC alarm, `pm_test`, sleep state), put back afterwards |
//! | [`freezer`] | `/dev/snapshot`: freezing everybody else |
//! | [`live`] | the collector that runs meanwhile |
//! | [`voice`] | saying things while the machine is stuck |
//! | [`record`] | recording the suspends that something else starts |
//! | [`suspend`] | one cycle of suspend and resume |

pub mod decode;
pub mod drain;
pub mod freezer;
pub mod head;
pub mod hooks;
pub mod ids;
mod links;
pub mod live;
pub mod loader;
pub mod probes;
pub mod record;
pub mod recorder;
pub mod suspend;
pub mod switches;
pub mod voice;
