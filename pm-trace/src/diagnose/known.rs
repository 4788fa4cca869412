//! Problems of the kernel that are already known, for those who have no finding of `diagnose` to compare.

use super::finding::{Finding, KnownIssue};
use super::rules::Rules;

/// What a cycle looks like, as far as the advice depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// A task in `scsi_rescan_device` holds the lock of the device that it rescans.
    pub(crate) rescan_holds_device_lock: bool,
    /// That rescan came from `ata_scsi_dev_rescan`.
    pub(crate) rescan_by_libata: bool,
    /// It waits for the device's own queue, which is PM-only.
    pub(crate) waits_for_pm_only_queue: bool,
    /// The device's resume waits for the device lock.
    pub(crate) resume_waits_for_device_lock: bool,
}

/// The known issue of this shape.
pub(crate) fn issue(shape: Shape) -> Option<KnownIssue> {
    let is_rescan = shape.rescan_holds_device_lock
        && shape.rescan_by_libata
        && shape.waits_for_pm_only_queue
        && shape.resume_waits_for_device_lock;
    if is_rescan { Rules::default().named("kernel bug 217530") } else { None }
}

/// Names the known issue that each finding looks like, on a kernel of this release (empty if unknown).
pub(crate) fn recognise(findings: &mut [Finding], release: &str) {
    Rules::default().recognise(findings, release);
}

/// The known issue whose id a text begins with.
pub(crate) fn by_id(text: &str) -> Option<KnownIssue> {
    Rules::default().begun_by(text)
}
