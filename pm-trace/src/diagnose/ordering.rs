//! What orders what: the question that decides how a race is to be mended.
//!
//! The PM core resumes a parent before its children and, for a device link that is not dormant, the supplier
//! before the consumer. A driver can wait for another device with `device_pm_wait_for_dev()`. Nothing else
//! orders anything: not the order in which works were queued, nor how long something usually takes.

use super::cycle::Cycle;
use super::describe::Namer;
use super::finding::{DeviceLink, Order, Ordering, Relation};
use super::graph::Node;
use super::{actors, nodes};
use crate::event::{DeviceWaitKind, ObjId};
use crate::model::{Link, Model, Task, Transition, Wait, WaitOn};
use pm_trace_common::pm::power;

/// How two devices stand to each other.
struct Standing {
    /// Everything that connects them, what would guarantee the order first.
    relations: Vec<Order>,
    /// The device link between them: consumer and link.
    link: Option<(ObjId, Link)>,
    /// The upper of the two has `power.ignore_children` set. drivers/base/power/main.c keeps the order of parent
    /// and child all the same.
    ignores_children: bool,
}

/// How `dev` stands to `other` in a transition: an explicit wait holds for the one that it was seen in.
fn standing(model: &Model, transition: Option<&Transition>, dev: ObjId, other: ObjId) -> Standing {
    if dev == other {
        return Standing { relations: vec![Order::Same], link: None, ignores_children: false };
    }
    let waited = transition
        .is_some_and(|transition| transition.explicit_waits.contains(&(other, dev)))
        .then_some(Order::ExplicitWait);
    let link_of = |consumer: ObjId, supplier: ObjId| {
        let links = &model.device(consumer)?.links;
        links.iter().find(|link| link.supplier == supplier).map(|link| (consumer, *link))
    };
    let (supplies, consumes) = (link_of(other, dev), link_of(dev, other));
    let is_above = |above: ObjId, below: ObjId| model.ancestors(below).any(|ancestor| ancestor == above);
    let in_force = |link: Option<(ObjId, Link)>| link.is_some_and(|(_, link)| !link.is_dormant());
    let mut relations: Vec<Order> = [
        waited,
        in_force(supplies).then_some(Order::Consumer),
        is_above(dev, other).then_some(Order::Ancestor),
        in_force(consumes).then_some(Order::Supplier),
        is_above(other, dev).then_some(Order::Descendant),
    ]
    .into_iter()
    .flatten()
    .collect();
    if relations.is_empty() {
        relations.push(Order::Nothing);
    }
    let upper = if is_above(dev, other) { dev } else { other };
    let info = model.device(upper).and_then(|device| device.info.as_ref());
    let ignores = info.and_then(|info| info.power.has(power::IGNORE_CHILDREN)) == Some(true);
    let related = is_above(dev, other) || is_above(other, dev);
    Standing { relations, link: supplies.or(consumes), ignores_children: ignores && related }
}

impl Standing {
    fn has(&self, order: Order) -> bool {
        self.relations.contains(&order)
    }

    /// What makes the device of the port come after `dev`, so that all it sets going does, too.
    fn guarantees(&self) -> bool {
        self.has(Order::ExplicitWait) || self.has(Order::Consumer) || self.has(Order::Ancestor)
    }

    /// How `dev` stands to the port of this name, as the end of a sentence about `dev`.
    fn text(&self, port: &str) -> String {
        if self.has(Order::Same) {
            return format!("the device of {port} itself");
        }
        let link = self.link.map(|(_, link)| link_words(link)).unwrap_or_default();
        let mut parts = Vec::new();
        let mut both =
            |by_parent: bool, kin: &str, by_link: bool, role: &str, when: &str| match (by_parent, by_link) {
                (true, true) => parts.push(format!("{kin} of {port} and, by {link}, its {role} ({when})")),
                (true, false) => parts.push(format!("{kin} of {port} ({when})")),
                (false, true) => parts.push(format!("by {link} a {role} of {port} ({when})")),
                (false, false) => {}
            };
        let (before, after) = ("resumed before it", "resumed after it");
        both(self.has(Order::Ancestor), "an ancestor", self.has(Order::Consumer), "supplier", before);
        both(self.has(Order::Descendant), "a descendant", self.has(Order::Supplier), "consumer", after);
        if parts.is_empty() {
            parts.push(format!("no relative of {port} that is known"));
        }
        match self.link {
            None => parts.push("no device link between them".to_owned()),
            Some((_, link)) if link.is_dormant() => {
                parts.push(format!("{} between them is dormant and orders nothing", link_words(link)));
            }
            Some(_) => {}
        }
        if self.ignores_children {
            parts.push(
                "ignore_children is set above it (it concerns runtime PM and wakeup, not this order)"
                    .to_owned(),
            );
        }
        parts.push(match self.has(Order::ExplicitWait) {
            true => format!("{port} waited for it with device_pm_wait_for_dev()"),
            false => "no device_pm_wait_for_dev()".to_owned(),
        });
        parts.join(", ")
    }
}

/// `a device link (stateless, PM runtime)`
fn link_words(link: Link) -> String {
    let kind = match (link.is_stateless(), link.is_managed()) {
        (true, _) => "stateless",
        (false, true) => "managed",
        (false, false) => "unmanaged",
    };
    let runtime = if link.orders_runtime_pm() { "PM runtime" } else { "not for runtime PM" };
    format!("a device link ({kind}, {runtime})")
}

/// Whether anything makes the task's rescan of the port come after the resume of `dev`.
pub(crate) fn of_rescan(namer: &Namer<'_>, task: &Task, dev: ObjId) -> Option<Ordering> {
    let model = namer.model;
    let port_id = task.rescans_port()?;
    let port = model.port(port_id)?;
    let standing = port.dev.map_or_else(
        || Standing { relations: vec![Order::Nothing], link: None, ignores_children: false },
        |port_dev| standing(model, model.transition(), dev, port_dev),
    );
    let (name, device) = (namer.port(port_id), namer.device(dev));
    let mut text = Vec::new();
    if let Some(returned) = port.resume_returned {
        let left = match last_error_handling(port) >= Some(returned) {
            true => " and left error handling running",
            false => "",
        };
        text.push(format!("{name}'s resume returned at {}{left}.", namer.clock.at(returned)));
    }
    let guaranteed = standing.guarantees();
    let verdict = match guaranteed {
        true => format!("the rescan that the port's resume sets going comes after the resume of {device}"),
        false => format!("nothing orders the rescan after the resume of {device}"),
    };
    text.push(format!("{device} is {}: {verdict}.", standing.text(&name)));
    let (first, then) = (format!("resume of {device}"), format!("rescan of {name}"));
    Some(ordering(namer, standing, first, then, guaranteed, text.join(" ")))
}

/// What orders the devices of a cycle: of whose step another one's callback waits, or whose callbacks hold what
/// the other wants.
pub(crate) fn of_cycle(namer: &Namer<'_>, cycle: &Cycle) -> Option<Ordering> {
    let model = namer.model;
    let next = |place: usize| cycle.nodes[(place + 1) % cycle.nodes.len()].0;
    // The PM core's own wait for parents and suppliers is the right way round; a driver's is what is in question.
    let waits =
        cycle.nodes.iter().enumerate().filter_map(|(place, (node, edge))| match (node, next(place)) {
            (Node::Task(tid), Node::Step(waited, _)) if edge.relation == Relation::WaitsFor => {
                let waiter = actors::device_of(model, *tid).filter(|waiter| *waiter != waited)?;
                let by_core = model.task(*tid)?.wait.as_ref().is_some_and(is_of_pm_core);
                (!by_core).then_some((waiter, waited))
            }
            _ => None,
        });
    if let Some((waiter, waited)) = waits.into_iter().next() {
        return Some(of_wait(namer, waiter, waited));
    }
    let mut devices: Vec<ObjId> = Vec::new();
    for (node, _) in &cycle.nodes {
        if let Node::Task(tid) = node
            && let Some(dev) = actors::device_of(model, *tid)
            && !devices.contains(&dev)
        {
            devices.push(dev);
        }
    }
    let [one, other, ..] = devices.as_slice() else { return None };
    Some(of_pair(namer, *one, *other))
}

fn is_of_pm_core(wait: &Wait) -> bool {
    let WaitOn::Completion { within: Some(within), .. } = &wait.on else { return false };
    within.why != DeviceWaitKind::Explicit
}

/// A callback of `waiter` waits for the step of `waited`.
fn of_wait(namer: &Namer<'_>, waiter: ObjId, waited: ObjId) -> Ordering {
    let standing = standing(namer.model, namer.model.transition(), waited, waiter);
    let (a, b) = (namer.device(waiter), namer.device(waited));
    let verdict = if standing.has(Order::Descendant) || standing.has(Order::Supplier) {
        format!(
            "the PM core lets the resume of {b} begin only when that of {a} has ended, so a callback of {a} that \
             waits for {b} waits the wrong way round and never returns"
        )
    } else {
        format!("nothing but this wait makes {a} come after {b}, and {b} comes after {a} by another way")
    };
    let text = format!("{b} is {}: {verdict}.", standing.text(&a));
    ordering(namer, standing, format!("resume of {b}"), format!("resume of {a}"), false, text)
}

/// Two devices whose callbacks run at the same time.
fn of_pair(namer: &Namer<'_>, one: ObjId, other: ObjId) -> Ordering {
    let standing = standing(namer.model, namer.model.transition(), one, other);
    let (a, b) = (namer.device(other), namer.device(one));
    let both = [one, other].iter().all(|&dev| nodes::is_async(namer.model, dev) == Some(true));
    let how = if both { ", both of them asynchronous" } else { "" };
    let guaranteed =
        standing.guarantees() || standing.has(Order::Descendant) || standing.has(Order::Supplier);
    let verdict = if guaranteed {
        "what the one leaves running overlaps with the other all the same".to_owned()
    } else {
        format!("nothing orders the callbacks of {b} and {a}{how}: they may run at the same time")
    };
    let text = format!("{b} is {}: {verdict}.", standing.text(&a));
    ordering(namer, standing, format!("resume of {b}"), format!("resume of {a}"), guaranteed, text)
}

/// Whether anything made what was set going in the name of `initiator` come after the resume of `dev` in a
/// transition.
pub(crate) fn of_touch(
    namer: &Namer<'_>,
    transition: &Transition,
    dev: ObjId,
    initiator: ObjId,
    what: &str,
) -> Ordering {
    let standing = standing(namer.model, Some(transition), dev, initiator);
    let (name, by) = (namer.device(dev), namer.device(initiator));
    let guaranteed = standing.guarantees() || standing.has(Order::Same);
    let verdict = match guaranteed {
        true => format!("{what} comes after the resume of {name}"),
        false => format!("nothing orders {what} after the resume of {name}"),
    };
    let text = format!("{name} is {}: {verdict}.", standing.text(&by));
    ordering(namer, standing, format!("resume of {name}"), what.to_owned(), guaranteed, text)
}

fn ordering(
    namer: &Namer<'_>,
    standing: Standing,
    first: String,
    then: String,
    guaranteed: bool,
    text: String,
) -> Ordering {
    Ordering {
        first,
        then,
        relation: standing.relations.first().copied().unwrap_or(Order::Nothing),
        link: standing.link.map(|(consumer, link)| DeviceLink {
            supplier: namer.device_ref(link.supplier),
            consumer: namer.device_ref(consumer),
            stateless: link.is_stateless(),
            managed: link.is_managed(),
            pm_runtime: link.orders_runtime_pm(),
            dormant: link.is_dormant(),
            flags: link.flags,
        }),
        relations: standing.relations,
        guaranteed,
        text,
    }
}

fn last_error_handling(port: &crate::model::Port) -> Option<crate::model::At> {
    [port.eh, port.eh_resume, port.recover, port.revalidated].iter().flatten().map(|acted| acted.at).max()
}
