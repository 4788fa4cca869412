//! What orders what: the question that decides how a race is to be mended.
//!
//! The PM core resumes a parent before its children and, for a device link that is not dormant, the supplier
//! before the consumer. A driver can wait for another device with `device_pm_wait_for_dev()`. Nothing else
//! orders anything: not the order in which works were queued, nor how long something usually takes.

use super::describe::Namer;
use super::finding::{DeviceLink, Order, Ordering};
use crate::event::ObjId;
use crate::model::{Link, Model, Task};

/// How two devices stand to each other.
struct Standing {
    /// Everything that connects them, what would guarantee the order first.
    relations: Vec<Order>,
    /// The device link between them: consumer and link.
    link: Option<(ObjId, Link)>,
}

/// How `dev` stands to `other`.
fn standing(model: &Model, dev: ObjId, other: ObjId) -> Standing {
    if dev == other {
        return Standing { relations: vec![Order::Same], link: None };
    }
    let waited = model
        .transition()
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
    Standing { relations, link: supplies.or(consumes) }
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
        || Standing { relations: vec![Order::Nothing], link: None },
        |port_dev| standing(model, dev, port_dev),
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
    Some(Ordering {
        first: format!("resume of {device}"),
        then: format!("rescan of {name}"),
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
        text: text.join(" "),
    })
}

fn last_error_handling(port: &crate::model::Port) -> Option<crate::model::At> {
    [port.eh, port.eh_resume, port.recover, port.revalidated].iter().flatten().map(|acted| acted.at).max()
}
