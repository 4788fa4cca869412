//! The sentences of a finding.

use super::finding::{Link, PartyKind, Relation};
use super::known::Shape;

/// What happens in a cycle.
pub(crate) fn deadlock(chain: &[Link], lasted: Option<String>) -> String {
    let mut sentences = Vec::new();
    for link in chain.iter().filter(|link| link.in_cycle) {
        let (waiter, object) = (&link.waiter.label, &link.object.label);
        sentences.push(match link.relation {
            Relation::WaitsFor => format!("{waiter} waits for the {object}."),
            Relation::HeldBy => format!("The {waiter} is held by {object}."),
            Relation::PerformedBy => format!("The {waiter} is carried out by {object}."),
            Relation::EndsOnlyWhen if link.object.kind == PartyKind::DeviceStep => {
                format!("The {waiter} opens only in the {object}.")
            }
            Relation::EndsOnlyWhen => format!("The {waiter} ends only with the {object}."),
            Relation::QueuedBehind => format!("The {waiter} is queued behind the {object}."),
            Relation::QueuedBy => format!("{waiter} was queued by {object}."),
        });
    }
    let since = lasted.map_or(" It".to_owned(), |lasted| format!(" It has lasted for {lasted} and"));
    format!("{} Each waits for the next.{since} cannot end by itself.", sentences.join(" "))
}

/// What to do about a cycle.
pub(crate) fn advice(shape: Shape) -> String {
    if shape.rescan_holds_device_lock && shape.waits_for_pm_only_queue {
        "Issue no commands under the device lock while the device is suspended: test for it and come back \
         later, or queue the rescan only after the device's resume. The PM core's own order cannot make a \
         parent or supplier wait; device_pm_wait_for_dev() would, for system sleep, not for runtime PM."
            .to_owned()
    } else {
        "Break one of the links: drop the lock before the wait, or let what waits run only after the \
         device is resumed (device link, device_pm_wait_for_dev(), or deferred work)."
            .to_owned()
    }
}
