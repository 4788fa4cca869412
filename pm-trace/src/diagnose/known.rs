//! Problems of the kernel that are already known.

use super::finding::KnownIssue;

/// What a cycle must look like to be a known issue.
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

struct Rule {
    matches: fn(Shape) -> bool,
    id: &'static str,
    title: &'static str,
    url: &'static str,
    fixed_by: &'static [(&'static str, &'static str)],
}

const RULES: &[Rule] = &[Rule {
    matches: |shape| {
        shape.rescan_holds_device_lock
            && shape.rescan_by_libata
            && shape.waits_for_pm_only_queue
            && shape.resume_waits_for_device_lock
    },
    id: "kernel bug 217530",
    title: "libata rescans a SCSI device during resume before the device is resumed",
    url: "https://bugzilla.kernel.org/show_bug.cgi?id=217530",
    fixed_by: &[
        ("6aa0365a3c85", "ata: libata-scsi: Avoid deadlock on rescan after device resume"),
        ("8b4d9469d0b0", "ata: libata-scsi: Fix delayed scsi_rescan_device() execution"),
        ("ff48b37802e5", "scsi: Do not attempt to rescan suspended devices"),
    ],
}];

/// The known issue of this shape.
pub(crate) fn issue(shape: Shape) -> Option<KnownIssue> {
    RULES.iter().find(|rule| (rule.matches)(shape)).map(|rule| KnownIssue {
        id: rule.id.to_owned(),
        title: rule.title.to_owned(),
        url: rule.url.to_owned(),
        fixed_by: rule.fixed_by.iter().map(|(commit, title)| format!("{commit} (\"{title}\")")).collect(),
    })
}
