//! What to do about a cycle: the kernel's own remedy for each way to get into one, and what it does not cover.

use super::actors;
use super::cycle::Cycle;
use super::finding::{Order, Ordering, Relation};
use super::graph::Node;
use crate::model::Model;

/// How a cycle came about, as far as the remedy depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A callback waits for a device that the PM core resumes only after it.
    Backward,
    /// A callback waits for another device that waits for it, and neither is above the other.
    MutualWait,
    /// A work is waited for by somebody who holds what the work needs.
    Flush,
    /// The same, and the work stands behind another one.
    FlushBehind,
    /// Runtime PM is waited for by somebody who holds what its callback needs.
    RuntimePm,
    /// Asynchronous calls are waited for by one of them.
    Async,
    /// Locks, taken in different orders.
    Locks,
    /// Anything else.
    Other,
}

/// What kind of cycle it is.
pub(crate) fn cause(model: &Model, cycle: &Cycle, ordering: Option<&Ordering>) -> Cause {
    let has = |wanted: &dyn Fn(&Node) -> bool| cycle.nodes.iter().any(|(node, _)| wanted(node));
    let waits_for_step = cycle.nodes.iter().enumerate().any(|(place, (node, edge))| {
        let next = cycle.nodes[(place + 1) % cycle.nodes.len()].0;
        let in_callback = matches!(node, Node::Task(tid) if actors::device_of(model, *tid).is_some());
        in_callback && edge.relation == Relation::WaitsFor && matches!(next, Node::Step(..))
    });
    let works = cycle.nodes.iter().filter(|(node, _)| matches!(node, Node::Work(_))).count();
    if has(&|node| matches!(node, Node::Queue(_) | Node::AtaEh(_))) {
        Cause::Other
    } else if works > 0 {
        if works > 1 { Cause::FlushBehind } else { Cause::Flush }
    } else if has(&|node| matches!(node, Node::Runtime(_))) {
        Cause::RuntimePm
    } else if has(&|node| matches!(node, Node::Async(_))) {
        Cause::Async
    } else if waits_for_step {
        let below = |ordering: &Ordering| {
            ordering.relations.iter().any(|order| matches!(order, Order::Descendant | Order::Supplier))
        };
        if ordering.is_some_and(below) { Cause::Backward } else { Cause::MutualWait }
    } else if has(&|node| matches!(node, Node::Lock(_))) {
        Cause::Locks
    } else {
        Cause::Other
    }
}

impl Cause {
    /// What to do, in sentences.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Cause::Backward => {
                "Do not wait in a resume callback for a child or consumer: the PM core resumes it only afterwards. \
                 Let the later device do the work in its own callback, or put it off: to .complete(), or to a work \
                 on a freezable workqueue (system_freezable_wq), which runs after all devices are resumed. \
                 device_pm_wait_for_dev() is for the other direction, the later device waiting for the earlier \
                 one; it orders system sleep, not runtime PM."
            }
            Cause::MutualWait => {
                "Two devices that wait for each other have no order. Decide which comes first and tell the PM core \
                 once: device_link_add(consumer, supplier, DL_FLAG_STATELESS), with DL_FLAG_PM_RUNTIME if runtime \
                 PM must keep the order too; device_pm_wait_for_dev() in the later one orders system sleep only."
            }
            Cause::Flush => {
                "Do not wait for a work (flush_work(), cancel_work_sync()) while holding a lock that the work \
                 takes: drop the lock before, or let the work try the lock (mutex_trylock()) and queue itself \
                 again. A device link or device_pm_wait_for_dev() does not help: they order devices, not works."
            }
            Cause::FlushBehind => {
                "The work that is waited for stands behind another one on a workqueue that runs one at a time, and \
                 that one needs what the waiter holds: drop the lock before the wait, or give the two works \
                 different workqueues. Ordering devices does not help."
            }
            Cause::RuntimePm => {
                "Do not call pm_runtime_get_sync() or its like with a lock held that the device's runtime PM \
                 callback takes: get the device before taking the lock, or take the lock in neither callback. A \
                 device link without DL_FLAG_PM_RUNTIME and device_pm_wait_for_dev() do not order runtime PM."
            }
            Cause::Async => {
                "An asynchronous call must not wait for all calls of its own domain: use a domain of its own \
                 (ASYNC_DOMAIN_EXCLUSIVE), or async_synchronize_cookie() with the call's own cookie."
            }
            Cause::Locks => {
                "Take the locks in one order everywhere, or drop the first before the second is wanted. If the two \
                 callbacks must not overlap at all, order the devices: device_link_add(consumer, supplier, \
                 DL_FLAG_STATELESS) resumes the supplier first, with DL_FLAG_PM_RUNTIME for runtime PM too; \
                 device_pm_wait_for_dev() in the later one orders system sleep only."
            }
            Cause::Other => {
                "Break one of the links: drop the lock before the wait, or let what waits run only after the device \
                 is resumed (device link, device_pm_wait_for_dev(), or deferred work)."
            }
        }
    }
}
