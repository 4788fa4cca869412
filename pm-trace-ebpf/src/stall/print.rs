//! The lines of a report.

use super::names::{self, padded};
use super::walk::{CODE_LEN, VALUES, Walk, put, walk};
use crate::kernel::{pointer, same};
use aya_ebpf::helpers::generated::{bpf_ktime_get_boot_ns, bpf_trace_vprintk};
use pm_trace_common::member::Member;
use pm_trace_common::watchdog::{self, MAX_VALUES, State, code};

/// Bytes of the longest format, with what fills the others up.
const FORMAT_LEN: usize = 160;

macro_rules! formats {
    ($( $name:ident = $number:literal ),+ $(,)?) => {
        $( pub const $name: u32 = $number; )+
        static FORMATS: [[u8; FORMAT_LEN]; 16] = {
            let mut formats = [[0; FORMAT_LEN]; 16];
            $( formats[$name as usize] = padded(watchdog::$name); )+
            formats
        };
    };
}

formats!(
    STALL = 0,
    STEP = 1,
    PATH = 2,
    LOCK = 3,
    QUEUE = 4,
    OTHER = 5,
    WORK = 6,
    TASK = 7,
    END = 8,
    OVER = 9
);

/// Prints the line of this format, whose values stand in the walk behind the numbers of report and line, and adds a
/// letter to the chain's code unless it is 0.
///
/// The one place that prints, and not inlined: each would be code that the kernel verifies, patches and compiles.
///
/// All places for values are handed over, of which the helper takes as many as the format names. A line that cannot be
/// printed is one that `pm-trace recover` will miss by its number.
#[inline(never)]
pub fn print(format: u32, letter: u32) -> u32 {
    let walk = walk();
    let format = &raw const FORMATS[format as usize & 15];
    // SAFETY: indices are bounded; the format ends with a NUL, and the helper checks the addresses among the values.
    unsafe {
        let line = (*walk).line;
        (*walk).line = line + 1;
        (*walk).values[0] = (*walk).report.into();
        (*walk).values[1] = line.into();
        let letters = (*walk).letters as usize;
        let code = (&raw mut (*walk).code).cast::<u8>();
        code.add(letters & (CODE_LEN - 1)).write(letter as u8);
        code.add((letters + 1) & (CODE_LEN - 1)).write(0);
        (*walk).letters = (letters as u64 + 1 - same(letter.into(), 0)) as u32;
        bpf_trace_vprintk(
            format.cast(),
            FORMAT_LEN as u32,
            (&raw const (*walk).values).cast(),
            (MAX_VALUES * size_of::<u64>()) as u32,
        );
    }
    0
}

/// Sets a value of the line. Volatile, so that it is no variable: see [`Walk`].
///
/// # Safety
/// `walk` must be the walk. So it is for all functions here.
#[inline(always)]
pub unsafe fn value(walk: *mut Walk, at: u32, value: u64) {
    // SAFETY: by contract, and the index is bounded.
    unsafe {
        put((&raw mut (*walk).values).cast::<u64>().add(at as usize & (VALUES - 1)), value);
    }
}

/// Sets seconds and milliseconds.
///
/// # Safety
/// See [`value`].
#[inline(always)]
pub unsafe fn time(walk: *mut Walk, at: u32, nanos: u64) {
    // SAFETY: by contract.
    unsafe {
        value(walk, at, nanos / 1_000_000_000);
        value(walk, at + 1, nanos / 1_000_000 % 1000);
    }
}

/// Sets a device: a number that tells apart devices of equal names without telling addresses, 0 for none; and its name.
///
/// # Safety
/// See [`value`].
#[inline(always)]
pub unsafe fn device(walk: *mut Walk, at: u32, dev: u64) {
    let hash = (dev >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    // Without branches, as in `crate::kernel`: never 0 for a device.
    let number = (hash + same(hash, 0)) & same(dev, 0).wrapping_sub(1);
    // SAFETY: by contract.
    unsafe {
        value(walk, at, number);
        value(walk, at + 1, name(dev));
    }
}

#[inline(always)]
fn name(dev: u64) -> u64 {
    pointer(dev, Member::DeviceName)
}

fn boottime() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// The first line of a report.
///
/// # Safety
/// `state` must be the element of the map.
#[inline(always)]
pub unsafe fn stall(walk: *mut Walk, state: *mut State, quiet: u64) {
    // SAFETY: by contract.
    unsafe {
        value(walk, 2, (*state).episode.into());
        value(walk, 3, (*state).told.into());
        time(walk, 4, boottime());
        time(walk, 6, quiet);
        value(walk, 8, &raw const (*state).phase as u64);
        value(walk, 9, (*walk).driver.into());
        value(walk, 10, &raw const (*walk).driver_comm as u64);
        value(walk, 11, (*walk).open_steps.into());
    }
    print(STALL, 0);
}

/// The step to which the walk has come.
///
/// # Safety
/// See [`value`].
#[inline(always)]
pub unsafe fn step(walk: *mut Walk, dev: u64) {
    // SAFETY: by contract.
    unsafe {
        let open = &raw const (*walk).step;
        value(walk, 2, names::step((*open).step));
        device(walk, 3, dev);
        value(walk, 5, pointer(pointer(dev, Member::DeviceBus), Member::BusName));
        value(walk, 6, pointer(pointer(dev, Member::DeviceDriver), Member::DriverName));
        value(walk, 7, (*walk).tid.into());
        value(walk, 8, &raw const (*walk).comm as u64);
        time(walk, 9, (*open).since);
        value(walk, 11, (*open).callback.into());
    }
    print(STEP, code::STEP.into());
}

/// The devices above the one whose step was told.
///
/// # Safety
/// See [`value`].
#[inline(always)]
pub unsafe fn path(walk: *mut Walk) {
    const LEVELS: u32 = 5;
    // SAFETY: by contract.
    unsafe {
        // Still there from the line before.
        value(walk, 2, (*walk).values[3]);
        value(walk, 3, (*walk).values[4]);
        let mut dev = (*walk).dev;
        let mut level = 0;
        while level < LEVELS {
            dev = pointer(dev, Member::DeviceParent);
            value(walk, 4 + level, name(dev));
            level += 1;
        }
    }
    print(PATH, 0);
}

/// The last line of a report.
///
/// # Safety
/// See [`stall`].
#[inline(always)]
pub unsafe fn end(walk: *mut Walk, state: *mut State) {
    // SAFETY: by contract.
    unsafe {
        value(walk, 2, (*state).episode.into());
        value(walk, 3, &raw const (*walk).code as u64);
        value(walk, 4, (*walk).back.into());
    }
    print(END, 0);
}

/// The stall is over.
///
/// # Safety
/// See [`stall`].
#[inline(always)]
pub unsafe fn over(walk: *mut Walk, state: *mut State, lasted: u64) {
    // SAFETY: by contract.
    unsafe {
        (*walk).line = 0;
        value(walk, 2, (*state).episode.into());
        time(walk, 3, boottime());
        time(walk, 5, lasted);
    }
    print(OVER, 0);
}
