//! Whether what was sent has arrived.

use crate::trace::HookCounts;

/// Whether every record the programs sent has arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Integrity {
    /// Records the programs sent.
    pub sent: u64,
    /// Records that arrived.
    pub received: u64,
    /// Records lost because the ring buffer was full.
    pub lost: u64,
    /// Hooks whose numbers differ, in words.
    pub differences: Vec<String>,
}

impl Integrity {
    /// What the counters of all hooks tell.
    pub(super) fn of(hooks: &[HookCounts]) -> Self {
        let mut integrity = Self::default();
        for hook in hooks {
            integrity.sent += hook.records;
            integrity.received += hook.received;
            integrity.lost += hook.lost;
            if hook.records != hook.received {
                let HookCounts { hook, records, received, .. } = hook;
                integrity.differences.push(format!("{hook}: {records} sent, {received} received"));
            }
        }
        integrity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_did_not_arrive_are_named() {
        let counts = |hook: &str, records, received| HookCounts {
            hook: hook.to_owned(),
            hits: records,
            records,
            received,
            ..HookCounts::default()
        };
        let integrity = Integrity::of(&[counts("resume", 10, 10), counts("phase", 4, 3)]);
        assert_eq!((integrity.sent, integrity.received), (14, 13));
        assert_eq!(integrity.differences, ["phase: 4 sent, 3 received"]);
    }
}
