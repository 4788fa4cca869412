//! The table of hooks.
//!
//! A hook is a meaning with a list of places. Kernels rename, inline and re-sign functions, so the places
//! are tried in order and the first that exists is taken; where a function is inlined everywhere, a
//! substitute is stated. Loading, `pm-trace probes`, the head of a trace and the documentation all read this one table.

use pm_trace_common::hook::Hook;
use pm_trace_common::member::Member;

/// Where a program can be put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A kprobe at the entry of a function.
    Function(&'static str),
    /// A kprobe at the entry of another function, that is called when and only when the hook's meaning holds
    /// or that the meaning shows through: for functions that compilers inline.
    Substitute(&'static str),
    /// A raw tracepoint.
    Tracepoint(&'static str),
    /// An iterator over tasks, run by the collector.
    TaskIterator,
}

impl Place {
    /// Name of the function or tracepoint.
    pub const fn name(self) -> &'static str {
        match self {
            Place::Function(name) | Place::Substitute(name) | Place::Tracepoint(name) => name,
            Place::TaskIterator => "iter/task",
        }
    }

    /// Whether it is the entry of a function.
    pub const fn is_function(self) -> bool {
        matches!(self, Place::Function(_) | Place::Substitute(_))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Function(name) => f.write_str(name),
            Place::Substitute(name) => write!(f, "{name} (substitute)"),
            Place::Tracepoint(name) => write!(f, "tracepoint {name}"),
            Place::TaskIterator => f.write_str("iterator over tasks"),
        }
    }
}

/// One hook.
#[derive(Clone, Copy, Debug)]
pub struct HookSpec {
    /// Which.
    pub hook: Hook,
    /// Subject it belongs to; names the file of its program and of its wire type.
    pub subject: &'static str,
    /// What it sees.
    pub meaning: &'static str,
    /// Places in order of preference.
    pub places: &'static [Place],
    /// Members without which its records say nothing; the hook is left out if one is missing.
    pub needs: &'static [Member],
    /// What is lost when it cannot be put anywhere.
    pub lost: &'static str,
    /// Tracing makes no sense without it.
    pub required: bool,
}

macro_rules! hook {
    ($hook:ident, $subject:literal, $meaning:literal, [$($place:ident $name:literal),+], [$($member:ident),*],
     $lost:literal $(, $required:ident)?) => {
        HookSpec {
            hook: Hook::$hook,
            subject: $subject,
            meaning: $meaning,
            places: &[$( hook!(@place $place $name) ),+],
            needs: &[$( Member::$member ),*],
            lost: $lost,
            required: hook!(@required $($required)?),
        }
    };
    (@place f $name:literal) => { Place::Function($name) };
    (@place s $name:literal) => { Place::Substitute($name) };
    (@place t $name:literal) => { Place::Tracepoint($name) };
    (@place i $name:literal) => { Place::TaskIterator };
    (@required required) => { true };
    (@required) => { false };
}

/// Every hook, in the order of [`Hook::ALL`].
pub const HOOKS: [HookSpec; Hook::COUNT] = [
    hook!(Phase, "pm", "phases of the transition (dpm_suspend, dpm_resume, CPU_OFF, ...)",
        [t "suspend_resume"], [], "when a transition starts, ends and in which phase it is", required),
    hook!(Suspend, "pm", "suspend of a device starts",
        [f "device_suspend", f "__device_suspend"], [DevicePmCompletion],
        "which devices are being suspended", required),
    // Where both exist, `device_resume` only decides whether the other runs asynchronously.
    hook!(Resume, "pm", "resume of a device starts",
        [f "__device_resume", f "device_resume"], [DevicePmCompletion],
        "which devices are being resumed: lockups of resume are not found", required),
    hook!(CallbackStart, "pm", "PM callback of a device starts",
        [t "device_pm_callback_start"], [], "which callback runs, and for how long"),
    hook!(CallbackEnd, "pm", "PM callback of a device returns",
        [t "device_pm_callback_end"], [], "which callback returned, and with what error"),
    // What each step does first, unless its device was left out of the phase before. So these two also stand for
    // the starts of the four steps between suspend and resume: a kprobe for each would cost its time at every
    // start, and tell nothing more.
    hook!(WaitSuperior, "pm",
        "a device waits for its parent and suppliers, if it has to: its noirq, early or normal resume starts",
        [f "dpm_wait_for_superior"], [DevicePmCompletion],
        "which devices are in noirq and early resume, and why a resume waits for another device"),
    hook!(WaitSubordinate, "pm",
        "a device waits for its children and consumers, if it has to: its normal, late or noirq suspend starts",
        [f "dpm_wait_for_subordinate"], [DevicePmCompletion],
        "which devices are in late and noirq suspend, and why a suspend waits for another device"),
    hook!(WaitForDev, "pm", "a driver waits for another device",
        [f "device_pm_wait_for_dev"], [], "explicit orders between devices"),
    hook!(LockBegin, "lock", "a task starts to sleep for a lock",
        [t "contention_begin"], [TaskTid],
        "waits for locks and who holds them: lockups on locks are not found", required),
    hook!(LockEnd, "lock", "a task stops waiting for a lock",
        [t "contention_end"], [], "when waits for locks end", required),
    hook!(WaitCompletion, "wait", "a task waits for a completion",
        [f "wait_for_completion"], [], "waits for completions, and for other devices' steps"),
    hook!(WaitCompletionTimeout, "wait", "a task waits for a completion, not for ever",
        [f "wait_for_completion_timeout"], [], "waits for completions with a timeout"),
    hook!(WaitCompletionIo, "wait", "a task waits for I/O to complete",
        [f "wait_for_completion_io"], [], "waits for I/O"),
    hook!(WaitCompletionIoTimeout, "wait", "a task waits for I/O to complete, not for ever",
        [f "wait_for_completion_io_timeout"], [], "waits for I/O with a timeout"),
    hook!(Complete, "wait", "a completion is completed for one waiter",
        [f "complete"], [], "who ends waits for completions"),
    hook!(CompleteAll, "wait", "a completion is completed for all: end of a device's step",
        [f "complete_all"], [DevicePmCompletion], "when a device's step ends", required),
    hook!(QueueEnter, "wait", "a request enters a quiesced queue",
        [f "blk_queue_enter"], [QueuePmOnly, QueueFreezeDepth], "waits on quiesced request queues"),
    hook!(BioQueueEnter, "wait", "a bio enters a quiesced queue",
        [f "__bio_queue_enter"], [QueuePmOnly, QueueFreezeDepth], "waits of bios on quiesced request queues"),
    hook!(FlushWork, "wait", "a task waits for a work to finish",
        [f "__flush_work"], [WorkFunction], "waits for works"),
    // Every async_synchronize_*() ends up in it; the stack tells which one was called.
    hook!(AsyncSynchronize, "wait", "a task waits for asynchronous calls (async_synchronize_full, ...)",
        [s "async_synchronize_cookie_domain"], [], "waits for asynchronous calls"),
    hook!(WorkQueue, "work", "a work is queued",
        [t "workqueue_queue_work"], [WorkFunction], "who queued a work"),
    hook!(WorkDelay, "work", "a work is queued with a delay",
        [f "queue_delayed_work_on"], [DelayedWork, WorkFunction], "which works put themselves off"),
    hook!(WorkStart, "work", "a worker starts a work",
        [t "workqueue_execute_start"], [WorkFunction], "which work a worker runs"),
    hook!(WorkEnd, "work", "a worker finishes a work",
        [t "workqueue_execute_end"], [], "when a worker finishes a work"),
    hook!(AsyncRun, "work", "a worker runs an asynchronous call",
        [f "async_run_entry_fn"], [AsyncFunction, AsyncData], "which asynchronous call a worker runs"),
    hook!(AtaPortResume, "ata", "resume of an ATA port (ata_port_pm_resume)",
        [f "ata_port_pm_resume"], [PortDevice], "when ATA ports are resumed"),
    hook!(AtaRequestPm, "ata", "an ATA port asks its error handler to change power state (ata_port_request_pm)",
        [f "ata_port_request_pm"], [PortDevice], "whether a port's resume waits for error handling"),
    hook!(AtaEh, "ata", "ATA error handling of a port runs (ata_scsi_port_error_handler)",
        [f "ata_scsi_port_error_handler"], [PortDevice], "when ATA error handling runs"),
    // ata_acpi_on_resume() is called from ata_eh_handle_port_resume() alone, which compilers inline.
    hook!(AtaEhPortResume, "ata", "ATA error handling resumes a port (ata_eh_handle_port_resume)",
        [f "ata_eh_handle_port_resume", s "ata_acpi_on_resume"], [PortDevice],
        "when error handling resumes a port"),
    hook!(AtaEhRecover, "ata", "ATA error handling resets and revalidates (ata_eh_recover)",
        [f "ata_eh_recover"], [PortDevice], "when error handling recovers a port"),
    // ata_eh_revalidate_and_attach() is inlined; it calls this for each device it revalidates.
    hook!(AtaRevalidate, "ata", "ATA error handling revalidates a device (ata_eh_revalidate_and_attach)",
        [s "ata_dev_revalidate"], [AtaDeviceLink, AtaLinkPort], "which device's revalidation asks for a rescan"),
    hook!(AtaRescan, "ata", "rescan after revalidation runs (ata_scsi_dev_rescan)",
        [f "ata_scsi_dev_rescan"], [PortRescanTask], "when an ATA port's devices are rescanned"),
    hook!(AtaWaitEh, "ata", "a task waits for ATA error handling to end (ata_port_wait_eh)",
        [f "ata_port_wait_eh"], [PortDevice], "waits for ATA error handling"),
    hook!(ScsiRescan, "scsi", "a SCSI device is rescanned, under its device lock (scsi_rescan_device)",
        [f "scsi_rescan_device"], [SdevDevice], "which device a rescan holds the lock of"),
    hook!(ScsiQuiesce, "scsi", "a SCSI device's queue is quiesced (PM-only from here)",
        [f "scsi_device_quiesce"], [SdevDevice], "when queues are quiesced"),
    hook!(ScsiResume, "scsi", "a SCSI device's queue is opened again",
        [f "scsi_device_resume"], [SdevDevice], "when queues are opened"),
    hook!(ScsiResumeDevice, "scsi", "libata resumes a SCSI device's driver (scsi_resume_device)",
        [f "scsi_resume_device"], [SdevDevice], "resumes of disks outside of the PM core"),
    hook!(ScsiExecute, "scsi", "a SCSI command is asked for",
        [f "scsi_execute_cmd", f "__scsi_execute"], [SdevDevice], "which commands a driver sends"),
    hook!(ScsiDispatch, "scsi", "a SCSI command goes to the host",
        [t "scsi_dispatch_cmd_start"], [CommandDevice], "commands in flight"),
    hook!(ScsiDone, "scsi", "a SCSI command comes back",
        [t "scsi_dispatch_cmd_done"], [CommandDevice], "commands in flight"),
    hook!(ScsiTimeout, "scsi", "a SCSI command times out",
        [t "scsi_dispatch_cmd_timeout"], [CommandDevice], "commands that time out"),
    hook!(ScsiEhWakeup, "scsi", "a SCSI host's error handler is woken",
        [t "scsi_eh_wakeup"], [ScsiHostNumber], "when SCSI error handling starts"),
    hook!(SchedSwitch, "task", "a task was blocked for long; ATA error handling of a port ends",
        [t "sched_switch"], [TaskState, TaskTid], "long sleeps that no other hook explains, and the end of ATA error handling"),
    hook!(TaskSnapshot, "task", "a look at all blocked tasks, while stuck",
        [i "iter/task"], [TaskState, TaskTid, TaskComm], "a verdict is not checked against the tasks' state"),
    hook!(RuntimeResume, "runtime", "a device's runtime resume is asked for",
        [t "rpm_resume"], [DeviceRuntimeStatus], "waits for runtime PM, and who resumes a device"),
    hook!(RuntimeSuspend, "runtime", "a device's runtime suspend is asked for",
        [t "rpm_suspend"], [DeviceRuntimeStatus], "waits for runtime PM, and who suspends a device"),
    hook!(RuntimeReturn, "runtime", "runtime PM of a device was asked for and has answered",
        [t "rpm_return_int"], [DeviceRuntimeStatus], "when runtime PM of a device has ended"),
    // Where flush_work() has __flush_work() inlined, cancel_work_sync() and its like still call that.
    hook!(FlushWorkOuter, "wait", "a task waits for a work to finish (flush_work)",
        [f "flush_work"], [WorkFunction], "waits for works by flush_work()"),
    hook!(AtaHardresetBegin, "ata", "a hard reset of an ATA link starts",
        [t "ata_link_hardreset_begin"], [AtaLinkPort], "how long hard resets of ATA links take"),
    hook!(AtaHardresetEnd, "ata", "a hard reset of an ATA link ends",
        [t "ata_link_hardreset_end"], [AtaLinkPort], "how long hard resets of ATA links take"),
    hook!(AtaSoftresetBegin, "ata", "a soft reset of an ATA link starts",
        [t "ata_link_softreset_begin"], [AtaLinkPort], "how long soft resets of ATA links take"),
    hook!(AtaSoftresetEnd, "ata", "a soft reset of an ATA link ends",
        [t "ata_link_softreset_end"], [AtaLinkPort], "how long soft resets of ATA links take"),
    hook!(WakeupActivate, "pm", "a wakeup source is activated",
        [t "wakeup_source_activate"], [], "which wakeup source aborted a suspend"),
    hook!(WakeupDeactivate, "pm", "a wakeup source is deactivated",
        [t "wakeup_source_deactivate"], [], "until when a wakeup source was active"),
];

/// The entry of a hook.
pub const fn spec(hook: Hook) -> &'static HookSpec {
    &HOOKS[hook as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_hooks() {
        for (hook, spec) in Hook::ALL.iter().zip(&HOOKS) {
            assert_eq!(*hook, spec.hook);
            assert!(!spec.places.is_empty(), "{hook:?} has no place");
        }
    }
}
