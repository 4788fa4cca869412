//! The eBPF programs of pm-trace.
//!
//! Each program is one hook (`pm_trace_common::hook::Hook`): it runs at one meaningful place of the kernel,
//! and if the window is open writes what it saw into one ring buffer. Programs decide nothing that user
//! space can decide; they filter only what would flood the buffer (uncontended queues, spinning locks).
//!
//! | module | holds |
//! |---|---|
//! | [`maps`] | every map |
//! | [`kernel`] | reading the kernel's structures through the members user space resolved |
//! | [`emit`] | the way into the ring buffer, with its counters |
//! | [`device`] | PM state and identity of a device |
//! | [`probes`] | the programs, one file per subject |
//! | [`watch`] | what the watchdog needs to know of what happened so far |
//! | [`stall`] | the watchdog's report |
#![no_std]
#![no_main]

mod device;
mod emit;
mod interrupt;
mod kernel;
mod maps;
mod probes;
mod stall;
mod watch;

/// The kernel lets only programs of a GPL-compatible licence call the helpers used here.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // The verifier accepts no reachable panic; this only satisfies the compiler.
    loop {}
}
