//! PM core: phases of a transition, devices, callbacks, waits between devices.

/// Bytes kept of a device's name.
pub const NAME_LEN: usize = 48;
/// Bytes kept of the name of a bus, class or driver, of an action or a callback.
pub const LABEL_LEN: usize = 24;

/// `power:suspend_resume`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    /// Name of the action, NUL-terminated: `dpm_resume`, `CPU_OFF`, ...
    pub action: [u8; LABEL_LEN],
    /// Argument of the action: a PM event, a sleep state or a CPU.
    pub value: i32,
    /// 1 at its start, 0 at its end.
    pub start: u32,
}

/// Bits of `power`, read from `struct dev_pm_info` (include/linux/pm.h).
pub mod power {
    /// `is_prepared`
    pub const PREPARED: u32 = 1 << 0;
    /// `is_suspended`
    pub const SUSPENDED: u32 = 1 << 1;
    /// `is_late_suspended`
    pub const LATE_SUSPENDED: u32 = 1 << 2;
    /// `is_noirq_suspended`
    pub const NOIRQ_SUSPENDED: u32 = 1 << 3;
    /// `async_suspend`
    pub const ASYNC: u32 = 1 << 4;
    /// `direct_complete`
    pub const DIRECT_COMPLETE: u32 = 1 << 5;
    /// `ignore_children`
    pub const IGNORE_CHILDREN: u32 = 1 << 6;
    /// `syscore`
    pub const SYSCORE: u32 = 1 << 7;
    /// The bits could not be read: a member is missing, or the read faulted.
    pub const UNKNOWN: u32 = 1 << 31;
}

/// Identity of a device.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DeviceInfo {
    /// `struct device *`
    pub dev: u64,
    /// `dev->parent`
    pub parent: u64,
    /// [`power`] bits.
    pub power: u32,
    /// Device links of which it is the consumer that were not sent, because there were too many.
    pub links_left: u32,
    /// `dev->kobj.name`
    pub name: [u8; NAME_LEN],
    /// `dev->bus->name`, empty if none.
    pub bus: [u8; LABEL_LEN],
    /// `dev->class->name`, empty if none.
    pub class: [u8; LABEL_LEN],
    /// `dev->driver->name`, empty if none.
    pub driver: [u8; LABEL_LEN],
}

/// `struct device_link` (include/linux/device.h).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DeviceLink {
    /// `struct device *` that must be resumed first.
    pub supplier: u64,
    /// `struct device *` that waits for it.
    pub consumer: u64,
    /// `DL_FLAG_*`
    pub flags: u32,
    /// `enum device_link_state`
    pub status: u32,
}

/// A step of the PM core for one device: the function it runs, in the order of a transition.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// `device_suspend`
    Suspend = 1,
    /// `device_suspend_late`
    SuspendLate = 2,
    /// `device_suspend_noirq`
    SuspendNoirq = 3,
    /// `device_resume_noirq`
    ResumeNoirq = 4,
    /// `device_resume_early`
    ResumeEarly = 5,
    /// `device_resume`
    Resume = 6,
}

impl Step {
    /// Every step, in the order of a transition.
    pub const ALL: &'static [Step] = &[
        Step::Suspend,
        Step::SuspendLate,
        Step::SuspendNoirq,
        Step::ResumeNoirq,
        Step::ResumeEarly,
        Step::Resume,
    ];
}

/// The PM core starts a step of a device.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct StepStart {
    /// `struct device *`
    pub dev: u64,
    /// [`power`] bits as the step found them.
    pub power: u32,
    /// A [`Step`].
    pub step: u16,
    /// 1 if the step runs asynchronously.
    pub is_async: u16,
}

/// The PM core has ended a step of a device.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct StepEnd {
    /// `struct device *`
    pub dev: u64,
    /// [`power`] bits as the step left them.
    pub power: u32,
    /// Always 0.
    pub reserved: u32,
}

/// `power:device_pm_callback_start`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CallbackStart {
    /// `struct device *`
    pub dev: u64,
    /// `PM_EVENT_*`
    pub event: i32,
    /// Always 0.
    pub reserved: u32,
    /// Whose callback it is: `bus `, `noirq driver `, ...
    pub ops: [u8; LABEL_LEN],
}

/// `power:device_pm_callback_end`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CallbackEnd {
    /// `struct device *`
    pub dev: u64,
    /// What the callback returned.
    pub error: i32,
    /// Always 0.
    pub reserved: u32,
}

/// Why a device's step waits for other devices.
pub mod device_wait {
    /// `dpm_wait_for_superior`: for its parent and its suppliers.
    pub const SUPERIOR: u32 = 1;
    /// `dpm_wait_for_subordinate`: for its children and its consumers.
    pub const SUBORDINATE: u32 = 2;
    /// `device_pm_wait_for_dev`: a driver waits for one other device.
    pub const EXPLICIT: u32 = 3;
}

/// What runtime PM is asked for.
pub mod runtime_op {
    /// `rpm_resume`
    pub const RESUME: u32 = 1;
    /// `rpm_suspend`
    pub const SUSPEND: u32 = 2;
}

/// A task enters `rpm_resume` or `rpm_suspend` of a device whose status is not already what it asks for.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RuntimePm {
    /// `struct device *`
    pub dev: u64,
    /// A [`runtime_op`] value.
    pub op: u32,
    /// `enum rpm_status` as it was found.
    pub status: u32,
    /// `RPM_*` flags of the call (include/linux/pm_runtime.h).
    pub flags: u32,
    /// [`power`] bits as they were found.
    pub power: u32,
    /// Who asks.
    pub stack: crate::Stack,
}

/// The task leaves the function that [`RuntimePm`] told of.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RuntimePmEnd {
    /// `struct device *`
    pub dev: u64,
    /// What the function returns.
    pub result: i32,
    /// Always 0.
    pub reserved: u32,
}

/// A device is about to wait for others.
///
/// Waiting for superiors or subordinates is also the first thing that each step does: `device_suspend_late`,
/// `device_suspend_noirq`, `device_resume_noirq` and `device_resume_early` have no hook of their own.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DeviceWait {
    /// `struct device *` that waits.
    pub dev: u64,
    /// `struct device *` it waits for; 0 unless the wait is explicit.
    pub target: u64,
    /// A [`device_wait`] value.
    pub why: u32,
    /// 1 if the waiting step is asynchronous (0 for an explicit wait).
    pub is_async: u32,
    /// [`power`] bits of `dev`; 0 for an explicit wait.
    pub power: u32,
    /// Always 0.
    pub reserved: u32,
}

/// `power:wakeup_source_activate` and `_deactivate`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct WakeupSource {
    /// 1 if it was activated, 0 if deactivated.
    pub active: u32,
    /// Always 0.
    pub reserved: u32,
    /// `ws->name`, NUL-terminated.
    pub name: [u8; NAME_LEN],
}
