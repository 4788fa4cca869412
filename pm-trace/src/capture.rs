//! From the kernel to events: where programs are put, how they are loaded and attached, how their records
//! are drained and decoded, and how the collector stays awake while everything else is frozen.
//!
//! | module | holds |
//! |---|---|
//! | [`hooks`] | the table of hooks: what each means, where it is put, what is lost without it |
//! | [`probes`] | loading and attaching, the counters of each program |
//! | [`ids`] | small numbers for kernel addresses |
//! | [`decode`] | records into events |
//! | [`drain`] | the ring buffer into a stream of events, with loss and undecodable records |

pub mod decode;

pub mod hooks;
pub mod ids;
pub mod probes;
