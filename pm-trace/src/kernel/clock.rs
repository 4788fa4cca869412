//! What time it is.

use crate::event::{Clocks, Nanos};
use nix::time::{ClockId, clock_getres, clock_gettime};

/// The three clocks, read one directly after the other. A clock that cannot be read is 0.
pub fn now() -> Clocks {
    let read = |clock| {
        clock_gettime(clock).map_or(0, |t| {
            u64::try_from(t.tv_sec()).unwrap_or(0) * 1_000_000_000 + u64::try_from(t.tv_nsec()).unwrap_or(0)
        })
    };
    // In this order a machine that never slept does not seem to have gained time.
    let monotonic = read(ClockId::CLOCK_MONOTONIC);
    let boottime = read(ClockId::CLOCK_BOOTTIME);
    Clocks { boottime, monotonic, realtime: read(ClockId::CLOCK_REALTIME) }
}

/// Nanoseconds of a jiffy. The coarse clocks go by it: their resolution is `TICK_NSEC` (kernel/time/posix-timers.c).
/// 0 if it cannot be had.
pub fn jiffy() -> Nanos {
    clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).map_or(0, |t| u64::try_from(t.tv_nsec()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_boot_clock_is_never_behind() {
        let clocks = super::now();
        assert!(clocks.monotonic > 0 && clocks.boottime >= clocks.monotonic);
        assert!(clocks.utc().as_str() > "2020-01-01T00:00:00Z");
    }
    /// `CONFIG_HZ` is 100, 250, 300 or 1000; a jiffy of 300 Hz is no whole number of nanoseconds.
    #[test]
    fn a_jiffy_is_that_of_a_kernel() {
        let hz = 1_000_000_000 / super::jiffy();
        assert!([100, 250, 300, 1000].contains(&hz), "{hz}");
    }
}
