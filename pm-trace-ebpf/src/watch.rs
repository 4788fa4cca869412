//! What the watchdog needs to know of what happened so far: the last progress, the steps, waits and works that
//! are open. The programs that see these things note them here; nothing is sent.

use crate::kernel::{embedded, string};
use crate::maps::{
    DEVICE_LOCKS, OPEN_STEPS, OPEN_WAITS, OPEN_WORKS, OpenStep, OpenWait, OpenWork, WATCHDOG, wait_kind,
};
use aya_ebpf::helpers::generated::{
    bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns, bpf_ktime_get_ns,
};
use core::ptr::{read_volatile, write_volatile};
use pm_trace_common::COMM_LEN;
use pm_trace_common::member::Member;
use pm_trace_common::pm::LABEL_LEN;
use pm_trace_common::pm::Step;
use pm_trace_common::watchdog::{State, callback};

/// The thread that runs.
#[inline(always)]
pub fn tid() -> u32 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_get_current_pid_tgid() as u32 }
}

#[inline(always)]
fn boottime() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// Something moved. Writers on several CPUs may overtake each other by what a look of the watchdog does not
/// notice.
#[inline(always)]
pub fn progress() {
    if let Some(state) = WATCHDOG.get_ptr_mut(0) {
        // SAFETY: the element is valid; the helper has no preconditions.
        unsafe { write_volatile(&raw mut (*state).progress, bpf_ktime_get_ns()) };
    }
}

/// A phase begins or ends; `action` is the address of its name. The watchdog looks from the preparation of the
/// devices until user space is thawed, but not while the machine sleeps: in suspend-to-idle its clock may go on.
#[inline(always)]
pub fn phase(action: u64, start: bool) {
    const PREPARE: u64 = u64::from_ne_bytes(*b"dpm_prep");
    const THAW: u64 = u64::from_ne_bytes(*b"thaw_pro");
    const SLEEP: u64 = u64::from_ne_bytes(*b"machine_");
    progress();
    let Some(state) = WATCHDOG.get_ptr_mut(0) else { return };
    // SAFETY: the element is valid; only phases, which come one after the other, write what is written here.
    unsafe {
        let mut name = [0; LABEL_LEN];
        string(&raw mut name, action);
        let beginning = u64::from_ne_bytes(*name.as_ptr().cast::<[u8; 8]>());
        if beginning == SLEEP {
            write_volatile(&raw mut (*state).asleep, u32::from(start));
        } else if start && beginning == PREPARE {
            drives(state);
            write_volatile(&raw mut (*state).asleep, 0);
            write_volatile(&raw mut (*state).active, 1);
        } else if start && beginning == THAW {
            write_volatile(&raw mut (*state).active, 0);
        }
        let step = step_of(&name);
        if start {
            // What is told is the last phase that began.
            (*state).phase = name;
            (*state).step = step;
        } else if step != 0 {
            (*state).step = 0;
        }
    }
}

/// The step ([`Step`]) that devices go through in the phase of this name; 0 for none.
///
/// Names are compared by 8 bytes at a time: byte by byte, the verifier walks thousands of paths.
#[inline(always)]
fn step_of(phase: &[u8; LABEL_LEN]) -> u32 {
    const STEPS: [(&[u8; 16], Step); 6] = [
        (b"dpm_suspend\0\0\0\0\0", Step::Suspend),
        (b"dpm_suspend_late", Step::SuspendLate),
        (b"dpm_suspend_noir", Step::SuspendNoirq),
        (b"dpm_resume\0\0\0\0\0\0", Step::Resume),
        (b"dpm_resume_early", Step::ResumeEarly),
        (b"dpm_resume_noirq", Step::ResumeNoirq),
    ];
    // SAFETY: the array is longer than that, and any bytes are a number.
    let name = unsafe { phase.as_ptr().cast::<[u64; 2]>().read_unaligned() };
    let mut step = 0;
    for (known, value) in STEPS {
        // SAFETY: the sizes are the same, and any bytes are a number.
        let known: [u64; 2] = unsafe { core::mem::transmute(*known) };
        // Without branches, as in `crate::kernel`.
        let differs = (name[0] ^ known[0]) | (name[1] ^ known[1]);
        let is_same = 1 - ((differs | differs.wrapping_neg()) >> 63);
        step |= value as u64 * is_same;
    }
    step as u32
}

/// The current task drives the transition.
///
/// # Safety
/// `state` must be valid for writes.
#[inline(always)]
unsafe fn drives(state: *mut State) {
    // SAFETY: by contract; the size is the array's.
    unsafe {
        (*state).driver = tid();
        bpf_get_current_comm((&raw mut (*state).driver_comm).cast(), COMM_LEN as u32);
    }
}

/// A device waits for others, which is the first thing that its step of this phase does. Where the beginning of
/// the step has a program of its own, that has noted it. Returns whether its end will be known.
#[inline(always)]
pub fn step_of_phase_begins(dev: u64) -> bool {
    let Some(state) = WATCHDOG.get_ptr(0) else { return true };
    // SAFETY: the element is valid.
    let step = unsafe { (*state).step };
    if step == 0 || step == Step::Suspend as u32 || step == Step::Resume as u32 {
        return true;
    }
    opens(dev, step as u16)
}

/// A step of a device begins. Returns whether its end will be known.
#[inline(always)]
pub fn step_begins(dev: u64, step: Step) -> bool {
    opens(dev, step as u16)
}

#[inline(always)]
fn opens(dev: u64, step: u16) -> bool {
    progress();
    let mut open = OpenStep {
        since: boottime(),
        tid: tid(),
        step,
        callback: callback::NOT_CALLED as u16,
        comm: [0; COMM_LEN],
    };
    // SAFETY: the size is the array's.
    unsafe { bpf_get_current_comm(open.comm.as_mut_ptr().cast(), COMM_LEN as u32) };
    let locked =
        embedded(dev, Member::DeviceMutex).is_none_or(|lock| DEVICE_LOCKS.insert(lock, dev, 0).is_ok());
    OPEN_STEPS.insert(dev, open, 0).is_ok() && locked
}

/// A step of a device has ended.
#[inline(always)]
pub fn step_ends(dev: u64) {
    progress();
    // One that was not open is none to forget.
    let _ = OPEN_STEPS.remove(dev);
}

/// A callback of a device begins or returns (a [`callback`] value).
#[inline(always)]
pub fn callback_is(dev: u64, state: u32) {
    progress();
    if let Some(open) = OPEN_STEPS.get_ptr_mut(dev) {
        // SAFETY: the entry is valid, and only the task that carries out the step writes this.
        unsafe { (*open).callback = state as u16 };
    }
}

/// The current task is about to wait for `object` ([`wait_kind`]). Returns whether there was room to note it.
#[inline(always)]
pub fn waits(kind: u32, object: u64) -> bool {
    OPEN_WAITS.insert(tid(), OpenWait { since: boottime(), object, kind, reserved: 0 }, 0).is_ok()
}

/// The current task is about to wait for a completion.
#[inline(always)]
pub fn waits_for_completion(completion: u64, timed: bool) -> bool {
    waits(if timed { wait_kind::TIMED } else { wait_kind::COMPLETION }, completion)
}

/// The current task carries out a work from here on.
#[inline(always)]
pub fn works(work: u64, function: u64) {
    // A worker whose note finds no room merely has no work to its name.
    let _ = OPEN_WORKS.insert(tid(), OpenWork { work, function }, 0);
}

/// The current task has carried out its work.
#[inline(always)]
pub fn works_no_more() {
    let _ = OPEN_WORKS.remove(tid());
}

/// Reads a member of the state that other programs write meanwhile.
///
/// # Safety
/// `member` must point into the state.
#[inline(always)]
pub unsafe fn current<T: Copy>(member: *const T) -> T {
    // SAFETY: by contract.
    unsafe { read_volatile(member) }
}
