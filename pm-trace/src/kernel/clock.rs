//! What time it is.

use crate::event::Clocks;
use nix::time::{ClockId, clock_gettime};

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

#[cfg(test)]
mod tests {
    #[test]
    fn the_boot_clock_is_never_behind() {
        let clocks = super::now();
        assert!(clocks.monotonic > 0 && clocks.boottime >= clocks.monotonic);
        assert!(clocks.utc().as_str() > "2020-01-01T00:00:00Z");
    }
}
