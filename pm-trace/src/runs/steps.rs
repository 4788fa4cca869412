//! The PM callbacks of every device over many cycles.

use super::stats::Spread;
use crate::event::{Body, Event, Nanos, ObjId, Step, step_label};
use std::collections::{BTreeMap, HashMap};

/// Names a device across machines and boots: ids differ, and names alone are shared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DeviceName {
    /// `dev_name()`
    pub name: String,
    /// Its bus, or else its class; empty if it has neither.
    pub sort: String,
}

impl std::fmt::Display for DeviceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.sort.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{} ({})", self.name, self.sort)
        }
    }
}

/// What the steps of one device took, and where it stood among the others.
#[derive(Debug, Default)]
struct Runs {
    callbacks: Vec<Nanos>,
    /// Places in the order of starts, one for each cycle.
    places: Vec<Nanos>,
}

/// Collects callbacks of devices while events go by.
#[derive(Debug, Default)]
pub(super) struct Steps {
    names: HashMap<ObjId, DeviceName>,
    /// The step of a device, and the start of its callback.
    open: HashMap<ObjId, (Step, Option<Nanos>, Nanos)>,
    /// How many devices have begun the step in this cycle.
    begun: HashMap<u16, Nanos>,
    runs: BTreeMap<(DeviceName, u16), Runs>,
}

impl Steps {
    /// Takes in an event.
    pub(super) fn take(&mut self, event: &Event) {
        match &event.body {
            Body::Device(info) => {
                let sort = if info.bus.is_empty() { &info.class } else { &info.bus };
                self.names.insert(info.dev, DeviceName { name: info.name.clone(), sort: sort.clone() });
            }
            Body::Phase { start: true, action, .. } => {
                if let Some(step) = crate::event::step_of_phase(action) {
                    self.begun.insert(step as u16, 0);
                }
            }
            Body::StepStart { dev, step, .. } => {
                self.end(*dev);
                self.open.insert(*dev, (*step, None, 0));
                let place = self.begun.entry(*step as u16).or_default();
                *place += 1;
                let place = *place;
                if let Some(name) = self.names.get(dev) {
                    self.runs.entry((name.clone(), *step as u16)).or_default().places.push(place);
                }
            }
            Body::CallbackStart { dev, .. } => {
                if let Some((_, start, _)) = self.open.get_mut(dev) {
                    *start = Some(event.time);
                }
            }
            Body::CallbackEnd { dev, .. } => {
                if let Some((_, start, took)) = self.open.get_mut(dev)
                    && let Some(start) = start.take()
                {
                    *took += event.time.saturating_sub(start);
                }
            }
            Body::StepEnd { dev, .. } => self.end(*dev),
            _ => {}
        }
    }

    fn end(&mut self, dev: ObjId) {
        if let Some((step, _, took)) = self.open.remove(&dev)
            && took > 0
            && let Some(name) = self.names.get(&dev)
        {
            self.runs.entry((name.clone(), step as u16)).or_default().callbacks.push(took);
        }
    }

    /// Ready for another trace: ids are those of one.
    pub(super) fn next_trace(mut self) -> Self {
        self.names.clear();
        self.open.clear();
        self.begun.clear();
        self
    }

    /// Device, step and durations of its callbacks, in nanoseconds, one for each cycle.
    pub(super) fn callbacks(&self) -> impl Iterator<Item = (&DeviceName, &'static str, &[Nanos])> {
        self.runs.iter().filter_map(|((device, step), runs)| {
            let label = step_label(crate::event::step_from_number(*step)?);
            (!runs.callbacks.is_empty()).then_some((device, label, runs.callbacks.as_slice()))
        })
    }

    /// The durations of one.
    pub(super) fn callback(&self, device: &DeviceName, step: &str) -> Option<&[Nanos]> {
        let step = Step::ALL.iter().find(|known| step_label(**known) == step)?;
        Some(self.runs.get(&(device.clone(), *step as u16))?.callbacks.as_slice())
    }

    /// Devices in the order in which the PM core began a step with them: the middle of their places over the cycles.
    pub(super) fn order(&self, step: Step) -> Vec<&DeviceName> {
        let of_step = self.runs.iter().filter(|((_, other), _)| *other == step as u16);
        let mut order: Vec<(Nanos, &DeviceName)> = of_step
            .filter_map(|((device, _), runs)| Some((Spread::of(runs.places.clone())?.median, device)))
            .collect();
        order.sort();
        order.into_iter().map(|(_, device)| device).collect()
    }
}
