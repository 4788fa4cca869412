//! What the watchdog needs to know of what happened so far: the last progress, the steps, waits and works that
//! are open. The programs that see these things note them here; nothing is sent.

use crate::emit::failure;
use crate::kernel::{embedded, same, string};
use crate::maps::{
    DEVICE_LOCKS, OPEN_STEPS, OPEN_WAITS, OPEN_WORKS, OpenStep, OpenWait, OpenWork, WATCHDOG, wait_kind,
};
use aya_ebpf::helpers::generated::{
    bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns, bpf_ktime_get_ns,
};
use core::mem::MaybeUninit;
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

/// The state, of which there is one.
#[inline(always)]
fn state() -> Option<*mut State> {
    WATCHDOG.get_ptr_mut(0)
}

/// Something moved. Writers on several CPUs may overtake each other by what a look of the watchdog does not
/// notice.
///
/// # Safety
/// `state` must be the element of the map.
#[inline(always)]
unsafe fn progress(state: *mut State) {
    // SAFETY: by contract; the helper has no preconditions.
    unsafe { write_volatile(&raw mut (*state).progress, bpf_ktime_get_ns()) };
}

/// A phase begins (`start` is 1) or ends (0); `action` is the address of its name. The watchdog looks from the
/// preparation of the devices until user space is thawed, but not while the machine sleeps: in suspend-to-idle its
/// clock may go on.
#[inline(always)]
pub fn phase(action: u64, start: u32) {
    const PREPARE: u64 = u64::from_ne_bytes(*b"dpm_prep");
    const THAW: u64 = u64::from_ne_bytes(*b"thaw_pro");
    const SLEEP: u64 = u64::from_ne_bytes(*b"machine_");
    let Some(state) = state() else { return };
    // SAFETY: the element is valid; only phases, which come one after the other, write what is written here.
    unsafe {
        progress(state);
        let mut name = MaybeUninit::<[u8; LABEL_LEN]>::uninit();
        string(name.as_mut_ptr(), action);
        let name = name.assume_init();
        let beginning = u64::from_ne_bytes(*name.as_ptr().cast::<[u8; 8]>());
        let prepares = same(beginning, PREPARE) as u32 & start;
        let thaws = same(beginning, THAW) as u32 & start;
        let sleeps = same(beginning, SLEEP) as u32;
        // Without branches: the verifier would walk all that follows for each.
        let asleep = (current(&raw const (*state).asleep) & !sleeps & !prepares) | (sleeps & start);
        let active = (current(&raw const (*state).active) | prepares) & !thaws;
        write_volatile(&raw mut (*state).asleep, asleep);
        write_volatile(&raw mut (*state).active, active);
        // A phase of devices that ends leaves no step; one that begins is the last that began, as is told.
        let step = step_of(&name);
        let keeps = u32::from(start == 0) & same(step.into(), 0) as u32;
        (*state).step = step * start + (*state).step * keeps;
        if start != 0 {
            (*state).phase = name;
        }
        if prepares != 0 {
            drives(state);
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
        step |= value as u64 * (same(name[0], known[0]) & same(name[1], known[1]));
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
/// the step has a program of its own, that has noted it. Returns how much could not be noted: then the end of the step
/// will not be known.
#[inline(always)]
pub fn step_of_phase_begins(dev: u64) -> u64 {
    let Some(state) = state() else { return 1 };
    // SAFETY: the element is valid.
    let step = unsafe { (*state).step };
    if step == 0 || step == Step::Suspend as u32 || step == Step::Resume as u32 {
        return 0;
    }
    opens(state, dev, step as u16)
}

/// A step of a device begins. Returns what [`step_of_phase_begins`] does.
#[inline(always)]
pub fn step_begins(dev: u64, step: Step) -> u64 {
    let Some(state) = state() else { return 1 };
    opens(state, dev, step as u16)
}

#[inline(always)]
fn opens(state: *mut State, dev: u64, step: u16) -> u64 {
    let mut open = MaybeUninit::<OpenStep>::uninit();
    let to = open.as_mut_ptr();
    // SAFETY: `state` is the element of the map; every field is written, the size is the array's.
    let open = unsafe {
        progress(state);
        (*to).since = boottime();
        (*to).tid = tid();
        (*to).step = step;
        (*to).callback = callback::NOT_CALLED as u16;
        bpf_get_current_comm((&raw mut (*to).comm).cast(), COMM_LEN as u32);
        &*to
    };
    let locked = failure(DEVICE_LOCKS.insert(embedded(dev, Member::DeviceMutex), dev, 0));
    locked | failure(OPEN_STEPS.insert(dev, open, 0))
}

/// A step of a device has ended.
#[inline(always)]
pub fn step_ends(dev: u64) {
    let Some(state) = state() else { return };
    // SAFETY: the element is valid.
    unsafe { progress(state) };
    // One that was not open is none to forget.
    let _ = OPEN_STEPS.remove(dev);
}

/// A callback of a device begins or returns (a [`callback`] value).
#[inline(always)]
pub fn callback_is(dev: u64, now: u32) {
    let Some(state) = state() else { return };
    // SAFETY: the element is valid.
    unsafe { progress(state) };
    if let Some(open) = OPEN_STEPS.get_ptr_mut(dev) {
        // SAFETY: the entry is valid, and only the task that carries out the step writes this.
        unsafe { (*open).callback = now as u16 };
    }
}

/// The current task is about to wait for `object` ([`wait_kind`]). Returns 1 if that could not be noted.
#[inline(always)]
pub fn waits(kind: u32, object: u64) -> u64 {
    failure(OPEN_WAITS.insert(tid(), OpenWait { since: boottime(), object, kind, reserved: 0 }, 0))
}

/// The current task is about to wait for a completion.
#[inline(always)]
pub fn waits_for_completion(completion: u64, timed: bool) -> u64 {
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
