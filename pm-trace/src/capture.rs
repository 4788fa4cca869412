//! From the kernel to events: where programs are put, how they are loaded and attached, how their records
//! are drained and decoded, and how the collector stays awake while everything else is frozen.
//!
//! | module | holds |
//! |---|---|
//! | [`arm`] | what makes a verdict survive a reset |
//! | [`hooks`] | the table of hooks: what each means, where it is put, what is lost without it |
//! | [`loader`] | the eBPF object and its maps |
//! | [`arming`] | loading the programs and attaching them, all at once |
//! | [`probes`] | the programs in the kernel, and the counters of each |
//! | [`awake`] | staying awake in suspends that others start |
//! | [`ids`] | small numbers for kernel addresses |
//! | [`decode`] | records into events |
//! | [`drain`] | the ring buffer into a stream of events, with loss and undecodable records |
//! | [`recorder`] | a recording: events to the trace file and to the model |
//! | [`options`] | how to record, and why it may fail |
//! | [`integrity`] | whether what was sent has arrived |
//! | [`head`] | what a trace says about itself |
//! | [`switches`] | the machine's switches (RTC alarm, `pm_test`, sleep state), put back afterwards |
//! | [`freezer`] | `/dev/snapshot`: freezing everybody else |
//! | [`live`] | the collector that runs meanwhile |
//! | [`guard`] | the thread that looks after the collector and carries out its orders |
//! | [`last_resort`] | restarting or panicking a machine that does not come back |
//! | [`memory`] | memory that does not depend on a disk |
//! | [`outputs`] | the consoles, logs, connections and files that a verdict goes to |
//! | [`stream`] | addresses to send a verdict to |
//! | [`companion`] | somebody else who is awake then: a view |
//! | [`voice`] | saying things while the machine is stuck |
//! | [`record`] | recording the suspends that something else starts |
//! | [`suspend`] | one cycle of suspend and resume |
//! | [`watchdog`] | the watchdog in the kernel |

mod addresses;
pub mod arm;
pub mod arming;
pub mod awake;
mod bpf;
pub mod companion;
pub mod decode;
pub mod drain;
pub mod freezer;
pub mod guard;
pub mod head;
pub mod hooks;
pub mod ids;
pub mod integrity;
pub mod last_resort;
mod links;
pub mod live;
pub mod loader;
pub mod memory;
mod multi;
pub mod options;
pub mod outputs;
pub mod probes;
pub mod record;
pub mod recorder;
pub mod stream;
pub mod suspend;
pub mod switches;
pub mod voice;
pub mod watchdog;
