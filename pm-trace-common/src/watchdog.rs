//! What the watchdog in the kernel prints: lines of text, since what takes them in (a console, the kernel log of
//! a panic, a trace buffer in reserved memory) keeps nothing else.
//!
//! A report begins with a `stall` line and ends with an `end` line; the lines between follow the chain of waits
//! from the oldest step that has not ended. Lines of one report are numbered from 0, so that one that got lost
//! shows. Every line stands for itself: `TAG REPORT.LINE WORD key=value ...`. A value that is a name is in
//! quotes; a number before the quotes tells apart what has equal names (thread ids; for devices, a hash of the
//! address). Times are seconds of `CLOCK_BOOTTIME`.
//!
//! The formats are those of `bpf_trace_vprintk`, which takes at most twelve values. `pm-trace/src/watchdog/`
//! reads the lines. A change that an older reader would misunderstand gets another [`TAG`].

use crate::COMM_LEN;
use crate::pm::LABEL_LEN;

/// What every line begins with, and the version of the format.
pub const TAG: &str = "pm-trace-wd1";

/// Most values of a line.
pub const MAX_VALUES: usize = 12;

/// Most waits followed in one report.
pub const MAX_HOPS: u32 = 10;

/// Nanoseconds between two looks of the watchdog.
pub const PERIOD_NS: u64 = 500_000_000;

macro_rules! formats {
    ($( $(#[$doc:meta])* $name:ident = $format:literal ; )+) => {
        $( $(#[$doc])* pub const $name: &str = concat!("pm-trace-wd1 %u.%u ", $format, "\0"); )+

        /// Every format, NUL-terminated as the helper wants them.
        pub const FORMATS: &[&str] = &[$( $name ),+];
    };
}

formats! {
    /// A transition makes no progress: which stall since arming, how often it has been told, when, for how long
    /// nothing has moved, in which phase, who drives the transition, how many steps of devices are open.
    STALL = "stall episode=%u times=%u now=%llu.%03llu quiet=%llu.%03llu phase=\"%s\" driver=%u\"%s\" open=%u";
    /// A step that has not ended, and who carries it out. `callback`: a [`callback`] value.
    STEP = "step kind=%s dev=%04x\"%s\" bus=\"%s\" drv=\"%s\" task=%u\"%s\" since=%llu.%03llu callback=%u";
    /// The devices above a device, the nearest first.
    PATH = "path dev=%04x\"%s\" up=\"%s\" up=\"%s\" up=\"%s\" up=\"%s\" up=\"%s\"";
    /// A task waits for a lock. `of`: the device whose lock it is, 0 if it is none's. `work`: what the waiting
    /// task was carrying out.
    LOCK = "wait task=%u\"%s\" on=%s of=%04x\"%s\" owner=%u\"%s\" since=%llu.%03llu work=\"%ps\"";
    /// A task waits to enter a request queue. `suspended`: whether `power.is_suspended` of the device is set.
    QUEUE = "wait task=%u\"%s\" on=queue of=%04x\"%s\" pm_only=%d frozen=%d suspended=%u since=%llu.%03llu work=\"%ps\"";
    /// A task waits for something else: the step of a device, a completion, asynchronous calls.
    OTHER = "wait task=%u\"%s\" on=%s of=%04x\"%s\" since=%llu.%03llu work=\"%ps\"";
    /// A task waits for a work to finish; `runner` carries that out, 0 if nobody does.
    WORK = "wait task=%u\"%s\" on=work func=\"%ps\" runner=%u\"%s\" since=%llu.%03llu work=\"%ps\"";
    /// The end of the chain: a task that waits for nothing the watchdog knows. `blocked`: 1 if it sleeps
    /// uninterruptibly, since `since`.
    TASK = "task task=%u\"%s\" blocked=%u since=%llu.%03llu work=\"%ps\"";
    /// The end of a report. `code`: a letter for each link ([`code`]). `back`: the line to which the last link
    /// leads back, which closes a cycle; 0 if it does not.
    END = "end episode=%u code=%s back=%u";
    /// The transition moves again.
    OVER = "over episode=%u now=%llu.%03llu lasted=%llu.%03llu";
}

/// The words of the formats' `%s` for what is waited for.
pub mod on {
    /// A `struct mutex`.
    pub const MUTEX: &str = "mutex";
    /// A `struct rw_semaphore`.
    pub const RWSEM: &str = "rwsem";
    /// Any other sleeping lock.
    pub const LOCK: &str = "lock";
    /// A step of a device.
    pub const STEP: &str = "step";
    /// A completion that is no device's.
    pub const COMPLETION: &str = "completion";
    /// Asynchronous calls.
    pub const ASYNC: &str = "async";
}

/// Whether a step's callback runs.
pub mod callback {
    /// It has not been called.
    pub const NOT_CALLED: u32 = 0;
    /// It is running.
    pub const RUNNING: u32 = 1;
    /// It has returned.
    pub const RETURNED: u32 = 2;
}

/// The letters of a chain's code.
pub mod code {
    /// A step of a device.
    pub const STEP: u8 = b'S';
    /// A lock.
    pub const LOCK: u8 = b'L';
    /// A request queue.
    pub const QUEUE: u8 = b'Q';
    /// A completion.
    pub const COMPLETION: u8 = b'C';
    /// A work.
    pub const WORK: u8 = b'W';
    /// Asynchronous calls.
    pub const ASYNC: u8 = b'A';
    /// A task of which no wait is known.
    pub const TASK: u8 = b'T';
}

/// Words for the steps, by number of [`crate::pm::Step`].
pub const STEP_NAMES: [&str; 7] =
    ["step", "suspend", "suspend_late", "suspend_noirq", "resume_noirq", "resume_early", "resume"];

/// The watchdog's state, the one element of the map `WATCHDOG`. The programs that see progress write it, the
/// watchdog reads it; user space sets `stall_after` before anything is attached.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// Nanoseconds without progress that are a stall; 0 switches the watchdog off.
    pub stall_after: u64,
    /// When something last moved, in nanoseconds of `CLOCK_MONOTONIC`, which stands still while the machine
    /// sleeps.
    pub progress: u64,
    /// Looks taken so far.
    pub looks: u64,
    /// 1 while devices are being suspended or resumed.
    pub active: u32,
    /// 1 while the machine sleeps (`machine_suspend`).
    pub asleep: u32,
    /// Stalls so far.
    pub episode: u32,
    /// How often this stall has been told; 0 if there is none.
    pub told: u32,
    /// Reports so far.
    pub report: u32,
    /// Thread that drives the transition.
    pub driver: u32,
    /// The step that devices go through in this phase ([`crate::pm::Step`]); 0 for none.
    pub step: u32,
    /// Always 0.
    pub reserved: u32,
    /// `progress` when the stall was told first.
    pub stuck_since: u64,
    /// Name of the thread that drives the transition.
    pub driver_comm: [u8; COMM_LEN],
    /// The last phase that began.
    pub phase: [u8; LABEL_LEN],
}
