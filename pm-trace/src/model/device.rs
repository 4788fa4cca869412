//! Devices: who they are and which steps the PM core took with them.

use super::At;
use crate::event::{DeviceInfo, ObjId, Power, Step, TaskRef};
use std::sync::Arc;

/// Most sightings of `power` kept per device and transition; the first and the last always are.
pub(crate) const SIGHTINGS: usize = 16;
/// Most device links kept per device.
pub(crate) const LINKS: usize = 64;

/// A `struct device`. What is large in it is shared with copies of it until it changes: the model is copied often, and
/// most devices change between two copies.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// Its identity, once described.
    pub info: Option<Arc<DeviceInfo>>,
    /// Its device links to suppliers.
    pub links: Vec<Link>,
    /// Number of the transition that `steps` and `sightings` are about.
    pub(crate) transition: u32,
    /// Its last run of each step in this transition, in the order of [`Step::ALL`].
    pub(crate) steps: [Option<Arc<StepRun>>; 6],
    /// The step that started last, until it ended.
    pub current: Option<Step>,
    /// Since when it is suspended: its suspend step ended and its resume step did not yet.
    pub suspended: Option<At>,
    /// The PM callback that runs.
    pub callback: Option<CallbackRun>,
    /// What its PM bits were when they were read in this transition, oldest first.
    pub sightings: Vec<Sighting>,
}

/// A PM callback that started.
#[derive(Clone, Debug)]
pub struct CallbackRun {
    /// Whose: `bus`, `driver`, ...
    pub ops: Arc<str>,
    /// Its start.
    pub start: At,
    /// The task that runs it.
    pub task: TaskRef,
}

/// A device link, seen from its consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The device that is resumed first.
    pub supplier: ObjId,
    /// `DL_FLAG_*`
    pub flags: u32,
    /// `enum device_link_state`
    pub status: u32,
}

/// `DL_FLAG_*` (include/linux/device.h); numbers that have not changed since Linux 5.4.
mod link_flag {
    pub(super) const STATELESS: u32 = 1 << 0;
    pub(super) const PM_RUNTIME: u32 = 1 << 2;
    pub(super) const MANAGED: u32 = 1 << 6;
}

/// `DL_STATE_DORMANT`
const DORMANT: u32 = 0;

impl Link {
    /// Whoever made it removes it (`DL_FLAG_STATELESS`); the presence of drivers is not tracked.
    pub fn is_stateless(self) -> bool {
        self.flags & link_flag::STATELESS != 0
    }

    /// The driver core looks after it (`DL_FLAG_MANAGED`).
    pub fn is_managed(self) -> bool {
        self.flags & link_flag::MANAGED != 0
    }

    /// Runtime PM keeps the order too (`DL_FLAG_PM_RUNTIME`).
    pub fn orders_runtime_pm(self) -> bool {
        self.flags & link_flag::PM_RUNTIME != 0
    }

    /// Neither driver is there: `dpm_wait_for_suppliers()` passes it over.
    pub fn is_dormant(self) -> bool {
        self.status == DORMANT
    }
}

/// A run of a step.
#[derive(Clone, Debug)]
pub struct StepRun {
    /// The task that runs it.
    pub task: TaskRef,
    /// It runs asynchronously.
    pub is_async: bool,
    /// Its start.
    pub start: At,
    /// Its end: `complete_all(&dev->power.completion)`.
    pub end: Option<At>,
    /// Start of its first callback.
    pub callback: Option<At>,
    /// A callback of it returned.
    pub callback_end: Option<At>,
    /// What the callback returned.
    pub error: i32,
}

/// PM bits of a device as somebody read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// When.
    pub at: At,
    /// The bits.
    pub power: Power,
    /// At which place.
    pub place: &'static str,
}

impl Device {
    /// Its parent.
    pub fn parent(&self) -> Option<ObjId> {
        self.info.as_ref()?.parent
    }

    /// Its last run of a step in the current transition.
    pub fn step(&self, step: Step) -> Option<&StepRun> {
        self.steps[index(step)].as_deref()
    }

    pub(crate) fn step_mut(&mut self, step: Step) -> Option<&mut StepRun> {
        self.steps[index(step)].as_mut().map(Arc::make_mut)
    }

    /// A step starts, perhaps again.
    pub(crate) fn start(&mut self, step: Step, run: StepRun) {
        self.steps[index(step)] = Some(Arc::new(run));
    }

    /// The run of the step that started last, until it ended.
    pub fn current_run(&self) -> Option<(Step, &StepRun)> {
        let step = self.current?;
        Some((step, self.step(step)?))
    }

    /// Forgets what belongs to another transition.
    pub(crate) fn enter(&mut self, transition: u32) {
        if self.transition == transition {
            return;
        }
        self.transition = transition;
        self.steps = Default::default();
        self.current = None;
        self.suspended = None;
        self.callback = None;
        self.sightings.clear();
    }

    /// Notes what its PM bits were.
    pub(crate) fn sighted(&mut self, at: At, power: Power, place: &'static str) {
        if power.bits().is_none() {
            return;
        }
        if self.sightings.len() >= SIGHTINGS {
            self.sightings.remove(SIGHTINGS / 2);
        }
        self.sightings.push(Sighting { at, power, place });
    }
}

fn index(step: Step) -> usize {
    usize::from(step as u16) - 1
}
