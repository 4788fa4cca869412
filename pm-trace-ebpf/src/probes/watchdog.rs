//! What makes the watchdog look while everything else may be stuck: a timer where a program may have one, else
//! a clock of the boot CPU, the one that never goes offline.

use crate::maps::{Clock, TIMER, WATCHDOG};
use crate::stall::{look, must_look};
use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::helpers::generated::{bpf_timer_init, bpf_timer_set_callback, bpf_timer_start};
use aya_ebpf::macros::{btf_tracepoint, perf_event};
use aya_ebpf::programs::{BtfTracePointContext, PerfEventContext};
use core::ffi::c_void;
use pm_trace_common::watchdog::PERIOD_NS;

/// `CLOCK_MONOTONIC` (include/uapi/linux/time.h): stands still while the machine sleeps.
const CLOCK_MONOTONIC: u64 = 1;

/// `trace_suspend_resume(const char *action, int val, bool start)`: phases of the devices wind the timer up.
///
/// Not those between `syscore_suspend` and `syscore_resume`: the kernel's clock is stopped there, and starting a
/// timer has the kernel warn (kernel/time/timekeeping.c, `ktime_get`).
///
/// The kernel lets only programs of this type have timers among those that see a phase (kernel/bpf/verifier.c,
/// `check_map_prog_compatibility`), and moves a timer away from a CPU that goes offline.
#[btf_tracepoint]
pub fn watchdog_timer(ctx: BtfTracePointContext) -> i32 {
    const DEVICES: [u8; 4] = *b"dpm_";
    if ctx.arg::<u64>(2) as u8 == 0 || bytes(ctx.arg(0)) != DEVICES {
        return 0;
    }
    let Some(clock) = TIMER.get_ptr_mut(0) else { return 0 };
    let ring: unsafe extern "C" fn(*mut c_void, *mut u32, *mut Clock) -> i64 = ring;
    // SAFETY: the element is valid, and the callback has the type that the helper calls
    // (kernel/bpf/helpers.c, bpf_timer_cb). Initialised before, it says EBUSY, which is as good.
    unsafe {
        let timer = &raw mut (*clock).timer;
        bpf_timer_init(timer, (&raw const TIMER).cast_mut().cast(), CLOCK_MONOTONIC);
        bpf_timer_set_callback(timer, ring as *mut c_void);
        bpf_timer_start(timer, PERIOD_NS, 0);
    }
    0
}

/// The first bytes of a string; zeroes if they cannot be read.
#[inline(always)]
fn bytes(address: u64) -> [u8; 4] {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_kernel(address as *const [u8; 4]) }.unwrap_or_default()
}

/// The timer rings.
unsafe extern "C" fn ring(_: *mut c_void, _: *mut u32, clock: *mut Clock) -> i64 {
    let Some(state) = WATCHDOG.get_ptr_mut(0) else { return 0 };
    // SAFETY: the element is valid; the helper passes on the element that holds the timer.
    unsafe {
        look(state);
        if must_look(state) {
            bpf_timer_start(&raw mut (*clock).timer, PERIOD_NS, 0);
        }
    }
    0
}

/// A tick of the boot CPU's clock (`PERF_COUNT_SW_CPU_CLOCK`, which a high-resolution timer drives).
#[perf_event]
pub fn watchdog_clock(_ctx: PerfEventContext) -> u32 {
    let Some(state) = WATCHDOG.get_ptr_mut(0) else { return 0 };
    // SAFETY: the element is valid.
    unsafe {
        if must_look(state) {
            look(state);
        }
    }
    0
}
