//! Where each device stands in the transition.

use crate::event::{Nanos, ObjId, Step};
use crate::model::{Device, Model};
use std::collections::BTreeMap;

/// PM state of a device, as far as the PM core's steps tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceState {
    /// A step failed, which ends the transition or leaves the device behind.
    Failed(Step),
    /// A step is under way.
    In(Step),
    /// Its noirq suspend ended.
    SuspendedNoirq,
    /// Its late suspend ended, or its noirq resume.
    SuspendedLate,
    /// Its suspend ended, or its early resume.
    Suspended,
    /// It was resumed in this transition.
    Resumed,
    /// It was not suspended in this transition.
    Active,
    /// It was removed while it was suspended, as devices of a CPU are that goes offline.
    Removed,
}

impl DeviceState {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::In(Step::Suspend) => "suspending",
            Self::In(Step::SuspendLate) => "suspending late",
            Self::In(Step::SuspendNoirq) => "suspending noirq",
            Self::In(Step::ResumeNoirq) => "resuming noirq",
            Self::In(Step::ResumeEarly) => "resuming early",
            Self::In(Step::Resume) => "resuming",
            Self::SuspendedNoirq => "suspended noirq",
            Self::SuspendedLate => "suspended late",
            Self::Suspended => "suspended",
            Self::Resumed => "resumed",
            Self::Active => "active",
            Self::Removed => "removed",
        }
    }

    /// It sleeps, or is on its way there or back.
    pub fn is_down(self) -> bool {
        !matches!(self, Self::Resumed | Self::Active | Self::Removed | Self::Failed(_))
    }
}

/// A device's place in the transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its PM state.
    pub state: DeviceState,
    /// Since when, in nanoseconds of `CLOCK_BOOTTIME`; `None` if it did nothing in this transition.
    pub since: Option<Nanos>,
    /// Longest time a callback of it took in this transition, up to now if it runs, in nanoseconds.
    pub callback: Nanos,
    /// A callback runs.
    pub in_callback: bool,
    /// Its last step ran asynchronously; `None` if none ran.
    pub is_async: Option<bool>,
}

/// Where the device stands at the time of the model's last event.
pub fn standing(model: &Model, device: &Device) -> Standing {
    let nothing =
        Standing { state: DeviceState::Active, since: None, callback: 0, in_callback: false, is_async: None };
    if model.transition().is_none_or(|transition| transition.number != device.transition) {
        return nothing;
    }
    let runs = || Step::ALL.iter().filter_map(|&step| Some((step, device.step(step)?)));
    let last_end = runs().filter_map(|(step, run)| Some((step, run, run.end?))).next_back();
    let failed = runs().find(|(step, run)| run.error != 0 && (*step as u16) <= Step::SuspendNoirq as u16);
    let (state, since) = match (device.current_run(), failed, last_end) {
        (Some((step, run)), ..) => (DeviceState::In(step), Some(run.start)),
        (None, Some((step, run)), last) if last.is_none_or(|(last, ..)| last == step) => {
            (DeviceState::Failed(step), run.end.or(run.callback_end))
        }
        (None, _, Some((step, _, end))) => (ended(step, device), Some(end)),
        (None, _, None) => return nothing,
    };
    let now = model.now();
    let times = runs().filter_map(|(_, run)| {
        let end = run.callback_end.map_or(now, |at| at.time);
        Some(end.saturating_sub(run.callback?.time))
    });
    Standing {
        state,
        since: since.map(|at| at.time),
        callback: times.max().unwrap_or_default(),
        in_callback: device.callback.is_some(),
        is_async: runs().next_back().map(|(_, run)| run.is_async),
    }
}

/// The state that a step leaves behind.
fn ended(step: Step, device: &Device) -> DeviceState {
    match step {
        // The late steps run for suspended devices only; what is none any more was removed.
        Step::SuspendLate | Step::SuspendNoirq if device.suspended.is_none() => DeviceState::Removed,
        // `direct_complete`: the PM core left it as it was.
        Step::Suspend if device.suspended.is_none() => DeviceState::Active,
        Step::SuspendNoirq => DeviceState::SuspendedNoirq,
        Step::SuspendLate | Step::ResumeNoirq => DeviceState::SuspendedLate,
        Step::Suspend | Step::ResumeEarly => DeviceState::Suspended,
        Step::Resume => DeviceState::Resumed,
    }
}

/// How many devices are in each state.
pub fn states(model: &Model) -> BTreeMap<DeviceState, u32> {
    let mut counts = BTreeMap::new();
    for (_, device) in model.devices().filter(|(_, device)| device.info.is_some()) {
        *counts.entry(standing(model, device).state).or_default() += 1;
    }
    counts
}

/// A device by its name and what tells it from others of that name: `1:0:0:0 (sr, on ata2)`.
pub fn device_name(model: &Model, dev: ObjId) -> String {
    super::describe::Namer::new(model).device_full(dev)
}
