//! The clocks of a recording.

use super::Nanos;
use minicbor::{Decode, Encode};

/// Clocks read at one moment, each in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Clocks {
    /// `CLOCK_BOOTTIME`: the clock of events; it counts sleep.
    #[n(0)]
    pub boottime: Nanos,
    /// `CLOCK_MONOTONIC`: the clock of the kernel log; it stands still in sleep.
    #[n(1)]
    pub monotonic: Nanos,
    /// `CLOCK_REALTIME`: since 1970 in UTC.
    #[n(2)]
    pub realtime: Nanos,
}

impl Clocks {
    /// Date and time in UTC, to the second: `2025-01-31T12:00:00Z`.
    pub fn utc(&self) -> String {
        let seconds = self.realtime / 1_000_000_000;
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    // Whole cycles of 400 years, 146,097 days each, then year by year.
    let (mut year, mut left) = (1970 + days / 146_097 * 400, days % 146_097);
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let utc = |realtime| Clocks { realtime, ..Clocks::default() }.utc();
        let at = |seconds: u64| utc(seconds * 1_000_000_000);
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_735_689_599), "2024-12-31T23:59:59Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
        assert!(utc(u64::MAX).starts_with("2554-"));
    }
}
