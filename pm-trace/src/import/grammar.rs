//! What is read of which event: one table, and how the kernel prints each of them.
//!
//! The formats are those of the `TP_printk` in include/trace/events (power.h, lock.h, sched.h, workqueue.h), of
//! trace-cmd's own printing of `sched_switch`, and of the kprobes that sleepgraph sets up.

use super::devices::Named;
use super::lines::{rsplit_once, split_once};
use crate::event::Step;
use pm_trace_common::hook::Hook;
use pm_trace_common::lock::flags;

/// What an event of a log says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// A phase begins or ends.
    Phase { action: &'a str, value: i32, start: bool },
    /// A PM callback of a device is called: whose (`noirq bus`), the number of the PM event, and the step it is called
    /// for; `None` for `prepare` and `complete`, which are no steps.
    CallbackStart { device: Named<'a>, ops: &'a str, event: i32, step: Option<Step> },
    /// It returned this.
    CallbackEnd { driver: &'a str, name: &'a str, error: i32 },
    /// The task begins to wait for a lock.
    LockWait { lock: u64, flags: u32 },
    /// It has the lock, or not.
    LockWaitEnd { lock: u64, acquired: bool },
    /// The task begins to wait for a mutex that is not named.
    MutexWait,
    /// It has it.
    MutexWaitEnd,
    /// A task leaves the CPU to another.
    Switch { from: u32, blocked: bool, to: u32, to_comm: &'a str },
    /// A work is queued.
    WorkQueued { work: u64, function: Function<'a>, workqueue: &'a str },
    /// A worker begins a work.
    WorkStart { work: u64, function: Function<'a> },
    /// A worker has done a work.
    WorkEnd { work: u64, function: Function<'a> },
    /// The task waits for all asynchronous calls.
    AsyncWait,
}

/// A function of the kernel: its name and, if it has one, its module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Function<'a> {
    /// Its name; empty if the log has an address in its place.
    pub(super) name: &'a str,
    /// Its module, empty for the kernel image.
    pub(super) module: &'a str,
}

/// An event that is read.
pub(super) struct Grammar {
    /// Its name in logs.
    pub(super) event: &'static str,
    /// The hooks of pm-trace that it stands for.
    pub(super) hooks: &'static [Hook],
    /// Reads what the kernel printed.
    pub(super) read: for<'a> fn(&'a str) -> Option<Said<'a>>,
}

/// Every event that is read. What of it stands for the start and the end of a device's step does so for devices with a
/// callback only.
pub(super) const EVENTS: &[Grammar] = &[
    Grammar { event: "suspend_resume", hooks: &[Hook::Phase], read: phase },
    Grammar {
        event: "device_pm_callback_start",
        hooks: &[Hook::CallbackStart, Hook::Suspend, Hook::Resume],
        read: callback_start,
    },
    Grammar {
        event: "device_pm_callback_end",
        hooks: &[Hook::CallbackEnd, Hook::CompleteAll],
        read: callback_end,
    },
    Grammar { event: "contention_begin", hooks: &[Hook::LockBegin], read: contention_begin },
    Grammar { event: "contention_end", hooks: &[Hook::LockEnd], read: contention_end },
    Grammar { event: "sched_switch", hooks: &[Hook::SchedSwitch], read: switch },
    Grammar { event: "workqueue_queue_work", hooks: &[Hook::WorkQueue], read: queue_work },
    Grammar { event: "workqueue_execute_start", hooks: &[Hook::WorkStart], read: work_start },
    Grammar { event: "workqueue_execute_end", hooks: &[Hook::WorkEnd], read: work_end },
    // Kprobes of sleepgraph -dev: NAME_cal at the entry, NAME_ret at the return.
    Grammar { event: "mutex_lock_slowpath_cal", hooks: &[Hook::LockBegin], read: |_| Some(Said::MutexWait) },
    Grammar { event: "mutex_lock_slowpath_ret", hooks: &[Hook::LockEnd], read: |_| Some(Said::MutexWaitEnd) },
    Grammar {
        event: "async_synchronize_full_cal",
        hooks: &[Hook::AsyncSynchronize],
        read: |_| Some(Said::AsyncWait),
    },
];

/// The place of an event in [`EVENTS`].
pub(super) fn place(event: &str) -> Option<usize> {
    EVENTS.iter().position(|grammar| grammar.event == event)
}

/// `ACTION[VALUE] begin`; the value is printed without a sign.
fn phase(text: &str) -> Option<Said<'_>> {
    let (rest, start) = match rsplit_once(text, " ")? {
        (rest, "begin") => (rest, true),
        (rest, "end") => (rest, false),
        _ => return None,
    };
    let (action, value) = rsplit_once(rest.strip_suffix(']')?, "[")?;
    Some(Said::Phase { action, value: value.parse::<u32>().ok()?.cast_signed(), start })
}

/// `PM_EVENT_*` by the words of `pm_verb` (include/linux/pm.h, include/trace/events/power.h).
const VERBS: &[(&str, i32)] = &[
    ("freeze", 1),
    ("suspend", 2),
    ("hibernate", 4),
    ("quiesce", 8),
    ("resume", 16),
    ("thaw", 32),
    ("restore", 64),
    ("recover", 128),
];

/// `PM_EVENT_*` of a word.
pub(super) fn verb(word: &str) -> Option<i32> {
    VERBS.iter().find(|(name, _)| *name == word).map(|(_, event)| *event)
}

/// The step that the PM core takes with this PM event, in a phase that it calls `late`, `noirq`, `early`, or nothing.
pub(super) fn step(event: i32, part: &str) -> Option<Step> {
    let is_down = event & (1 | 2 | 4 | 8) != 0;
    match (part, is_down) {
        ("", true) => Some(Step::Suspend),
        ("late", true) => Some(Step::SuspendLate),
        ("noirq", true) => Some(Step::SuspendNoirq),
        ("noirq", false) => Some(Step::ResumeNoirq),
        ("early", false) => Some(Step::ResumeEarly),
        ("", false) => Some(Step::Resume),
        _ => None,
    }
}

/// `DRIVER NAME, parent: PARENT, OPS[VERB]`, where OPS begins with the part of the phase, and is empty for `prepare`
/// and `complete`.
fn callback_start(text: &str) -> Option<Said<'_>> {
    let (device, rest) = split_once(text, ", parent: ")?;
    let (rest, word) = rsplit_once(rest.strip_suffix(']')?, "[")?;
    let (parent, ops) = rsplit_once(rest, ", ")?;
    let event = verb(word)?;
    let (driver, name) = driver_and_name(device)?;
    let device = Named { driver, name, parent: (parent != "none").then_some(parent) };
    let ops = ops.trim_ascii_end();
    let first = split_once(ops, " ").map_or(ops, |(first, _)| first);
    let part = if matches!(first, "late" | "noirq" | "early") { first } else { "" };
    let step = if ops.is_empty() { None } else { step(event, part) };
    Some(Said::CallbackStart { device, ops, event, step })
}

/// `DRIVER NAME, err=ERROR`
fn callback_end(text: &str) -> Option<Said<'_>> {
    let (device, error) = rsplit_once(text, ", err=")?;
    let (driver, name) = driver_and_name(device)?;
    Some(Said::CallbackEnd { driver, name, error: error.parse().ok()? })
}

/// Names of drivers have blanks now and then, names of devices hardly ever.
pub(super) fn driver_and_name(text: &str) -> Option<(&str, &str)> {
    let (driver, name) = rsplit_once(text, " ").unwrap_or(("", text));
    (!name.is_empty()).then(|| (driver.trim_ascii(), name))
}

/// `LCB_F_*` by the words of `contention_begin` (include/trace/events/lock.h).
const FLAGS: &[(&str, u32)] = &[
    ("SPIN", flags::SPIN),
    ("READ", flags::READ),
    ("WRITE", flags::WRITE),
    ("RT", flags::RT),
    ("PERCPU", flags::PERCPU),
    ("MUTEX", flags::MUTEX),
];

/// `ADDRESS (flags=MUTEX|SPIN)`
fn contention_begin(text: &str) -> Option<Said<'_>> {
    let (lock, rest) = split_once(text, " ")?;
    let words = rest.strip_prefix("(flags=")?.strip_suffix(')')?;
    let flag = |word: &str| FLAGS.iter().find(|(name, _)| *name == word).map_or(0, |(_, flag)| *flag);
    Some(Said::LockWait {
        lock: address(lock)?,
        flags: words.split('|').map(flag).fold(0, |all, one| all | one),
    })
}

/// `ADDRESS (ret=0)`
fn contention_end(text: &str) -> Option<Said<'_>> {
    let (lock, rest) = split_once(text, " ")?;
    let result: i32 = rest.strip_prefix("(ret=")?.strip_suffix(')')?.parse().ok()?;
    Some(Said::LockWaitEnd { lock: address(lock)?, acquired: result == 0 })
}

/// The kernel's `prev_comm=sh prev_pid=153 ... prev_state=D ==> next_comm=x next_pid=15 ...`, or trace-cmd's
/// `sh:153 [120] D ==> x:15 [120]`.
fn switch(text: &str) -> Option<Said<'_>> {
    let (from, to) = split_once(text, " ==> ")?;
    if let Some(rest) = from.strip_prefix("prev_comm=") {
        let (_, rest) = rsplit_once(rest, " prev_pid=")?;
        let (pid, state) = (rest.split(' ').next()?, rsplit_once(rest, "prev_state=")?.1);
        let (comm, rest) = to.strip_prefix("next_comm=")?.rsplit_once(" next_pid=")?;
        let next = rest.split(' ').next()?;
        return Some(Said::Switch {
            from: pid.parse().ok()?,
            blocked: state.starts_with('D'),
            to: next.parse().ok()?,
            to_comm: comm,
        });
    }
    let (task, state) = rsplit_once(from, " ")?;
    let pid = |task: &str| -> Option<u32> { rsplit_once(rsplit_once(task, " [")?.0, ":")?.1.parse().ok() };
    let to_comm = rsplit_once(rsplit_once(to, " [")?.0, ":")?.0;
    Some(Said::Switch { from: pid(task)?, blocked: state.starts_with('D'), to: pid(to)?, to_comm })
}

/// `work struct=ADDRESS function=FUNCTION workqueue=NAME req_cpu=8192 cpu=1`; older kernels print the workqueue's address.
fn queue_work(text: &str) -> Option<Said<'_>> {
    let (work, rest) = text.strip_prefix("work struct=")?.split_once(" function=")?;
    let (function, rest) = split_once(rest, " workqueue=")?;
    let workqueue = rsplit_once(rest, " req_cpu=")?.0;
    let is_address = workqueue.len() >= 8 && address(workqueue).is_some();
    Some(Said::WorkQueued {
        work: address(work)?,
        function: self::function(function),
        workqueue: if is_address { "" } else { workqueue },
    })
}

fn work_start(text: &str) -> Option<Said<'_>> {
    work(text).map(|(work, function)| Said::WorkStart { work, function })
}

fn work_end(text: &str) -> Option<Said<'_>> {
    work(text).map(|(work, function)| Said::WorkEnd { work, function })
}

/// `work struct ADDRESS: function FUNCTION`; older kernels say no function at the end.
fn work(text: &str) -> Option<(u64, Function<'_>)> {
    let rest = text.strip_prefix("work struct ")?;
    let (work, rest) = split_once(rest, ": function ").unwrap_or((rest, ""));
    Some((address(work)?, function(rest)))
}

/// `NAME`, `NAME+0x0/0x10` or `NAME [MODULE]`
fn function(text: &str) -> Function<'_> {
    let (name, module) = match text.strip_suffix(']').and_then(|text| split_once(text, " [")) {
        Some((name, module)) => (name, module),
        None => (text, ""),
    };
    let name = name.split('+').next().unwrap_or_default().trim();
    if name.starts_with("0x") || name.is_empty() { Function::default() } else { Function { name, module } }
}

/// A hexadecimal address, or the hash that the kernel prints in its place; 0 is none.
fn address(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u64::from_str_radix(digits, 16).ok()).flatten().filter(|&address| address != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(event: &str, text: &'static str) -> Option<Said<'static>> {
        (EVENTS[place(event).unwrap()].read)(text)
    }

    #[test]
    fn callbacks_name_their_device() {
        let said = |driver, name, parent, ops, step| {
            Some(Said::CallbackStart { device: Named { driver, name, parent }, ops, event: 2, step })
        };
        let read = |text| read("device_pm_callback_start", text);
        assert_eq!(
            read("rtc_cmos 00:04, parent: pnp0, noirq bus [suspend]"),
            said("rtc_cmos", "00:04", Some("pnp0"), "noirq bus", Some(Step::SuspendNoirq))
        );
        assert_eq!(
            read("i8042 kbd 00:00, parent: pnp0, bus [suspend]"),
            said("i8042 kbd", "00:00", Some("pnp0"), "bus", Some(Step::Suspend))
        );
        assert_eq!(read("edac, parent: none, [suspend]"), said("", "edac", None, "", None));
        assert_eq!(read("edac, parent: none, bus [sleep]"), None);
        assert_eq!(read(", parent: none, bus [suspend]"), None);
        let end = self::read("device_pm_callback_end", "i8042 kbd 00:00, err=-16");
        assert_eq!(end, Some(Said::CallbackEnd { driver: "i8042 kbd", name: "00:00", error: -16 }));
    }

    #[test]
    fn phases_have_a_signed_value() {
        let phase = |action, value, start| Some(Said::Phase { action, value, start });
        assert_eq!(read("suspend_resume", "dpm_resume[16] begin"), phase("dpm_resume", 16, true));
        assert_eq!(read("suspend_resume", "x[4294967295] end"), phase("x", -1, false));
        assert_eq!(read("suspend_resume", "x[1]"), None);
    }

    #[test]
    fn both_ways_to_print_a_switch_are_read() {
        let expected = Some(Said::Switch { from: 153, blocked: true, to: 22, to_comm: "kworker/1:0" });
        let kernel = "prev_comm=a prev_pid=1 prev_pid=153 prev_prio=120 prev_state=D ==> next_comm=kworker/1:0 \
                      next_pid=22 next_prio=120";
        assert_eq!(read("sched_switch", kernel), expected);
        assert_eq!(read("sched_switch", "a:1:153 [120] D ==> kworker/1:0:22 [120]"), expected);
    }

    #[test]
    fn works_and_locks_are_read() {
        let function = Function { name: "ata_scsi_dev_rescan", module: "libata" };
        assert_eq!(
            read(
                "workqueue_queue_work",
                "work struct=00000000a09ad55e function=ata_scsi_dev_rescan [libata] workqueue=events req_cpu=8192 cpu=1"
            ),
            Some(Said::WorkQueued { work: 0xa09a_d55e, function, workqueue: "events" })
        );
        assert_eq!(
            read(
                "workqueue_execute_start",
                "work struct 0xa: function ata_scsi_dev_rescan+0x0/0x10 [libata]"
            ),
            Some(Said::WorkStart { work: 10, function })
        );
        assert_eq!(
            read("workqueue_execute_end", "work struct 0xa"),
            Some(Said::WorkEnd { work: 10, function: Function::default() })
        );
        assert_eq!(
            read("contention_begin", "00000000000000ab (flags=MUTEX|SPIN)"),
            Some(Said::LockWait { lock: 0xab, flags: flags::MUTEX | flags::SPIN })
        );
        assert_eq!(
            read("contention_end", "00000000000000ab (ret=-4)"),
            Some(Said::LockWaitEnd { lock: 0xab, acquired: false })
        );
        assert_eq!(read("contention_end", "(null) (ret=0)"), None);
    }
}
