//! What orders what: the question that decides how a race is to be mended.
//!
//! The PM core resumes a parent before its children and, for a device link, the supplier before the
//! consumer. A driver can wait for another device with `device_pm_wait_for_dev()`. Nothing else orders
//! anything: not the order in which works were queued, nor how long something usually takes.

use super::describe::Namer;
use super::finding::{Order, Ordering};
use crate::event::ObjId;
use crate::model::{Model, Task};

/// How `dev` stands to `other`.
pub(crate) fn relation(model: &Model, dev: ObjId, other: ObjId) -> Order {
    if dev == other {
        return Order::Same;
    }
    let waited = |waits: ObjId, target: ObjId| {
        model.transition().is_some_and(|transition| transition.explicit_waits.contains(&(waits, target)))
    };
    if waited(other, dev) {
        return Order::ExplicitWait;
    }
    let linked = |consumer: ObjId, supplier: ObjId| {
        model.device(consumer).is_some_and(|device| device.links.iter().any(|link| link.supplier == supplier))
    };
    if linked(dev, other) {
        Order::Supplier
    } else if linked(other, dev) {
        Order::Consumer
    } else if model.ancestors(dev).any(|ancestor| ancestor == other) {
        Order::Descendant
    } else if model.ancestors(other).any(|ancestor| ancestor == dev) {
        Order::Ancestor
    } else {
        Order::Nothing
    }
}

/// Whether anything makes the task's rescan of the port come after the resume of `dev`.
pub(crate) fn of_rescan(namer: &Namer<'_>, task: &Task, dev: ObjId) -> Option<Ordering> {
    let model = namer.model;
    let port_id = task.rescans_port()?;
    let port = model.port(port_id)?;
    let port_dev = port.dev;
    let relation = port_dev.map_or(Order::Nothing, |port_dev| relation(model, dev, port_dev));
    let (name, device) = (namer.port(port_id), namer.device(dev));
    let mut text = Vec::new();
    match (port.resume_returned, port.eh) {
        (Some(returned), _) if last_error_handling(port) >= Some(returned) => {
            let at = namer.clock.at(returned);
            text.push(format!("{name}'s resume returned at {at} and left error handling running."));
        }
        (Some(returned), _) => {
            text.push(format!("{name}'s resume returned at {}.", namer.clock.at(returned)));
        }
        _ => {}
    }
    let (facts, guaranteed) = match relation {
        // The port waits for the device, or comes after it.
        Order::ExplicitWait => (format!("{name} waited for it with device_pm_wait_for_dev()"), true),
        Order::Consumer => (format!("a device link makes {name} its consumer (resumed after it)"), true),
        Order::Ancestor => (format!("an ancestor of {name} (resumed before it)"), true),
        Order::Descendant => (
            format!(
                "a descendant of {name} (resumed after it), no device link between them, no device_pm_wait_for_dev()"
            ),
            false,
        ),
        Order::Supplier => (
            format!("a consumer of {name} by a device link (resumed after it), no device_pm_wait_for_dev()"),
            false,
        ),
        Order::Same => (format!("the device of {name} itself"), false),
        Order::Nothing => (
            format!(
                "no relative of {name} that is known, no device link between them, no device_pm_wait_for_dev()"
            ),
            false,
        ),
    };
    let verdict = if guaranteed {
        format!("the rescan that the port's resume sets going comes after the resume of {device}")
    } else {
        format!("nothing orders the rescan after the resume of {device}")
    };
    text.push(format!("{device} is {facts}: {verdict}."));
    Some(Ordering {
        first: format!("resume of {device}"),
        then: format!("rescan of {name}"),
        relation,
        guaranteed,
        text: text.join(" "),
    })
}

fn last_error_handling(port: &crate::model::Port) -> Option<crate::model::At> {
    [port.eh, port.eh_resume, port.recover, port.revalidated].iter().flatten().map(|acted| acted.at).max()
}
