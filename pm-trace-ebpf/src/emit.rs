//! The way into the ring buffer, with its counters.

use crate::maps::{CONTROL, COUNTERS, EVENTS};
use aya_ebpf::helpers::generated::{
    bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_smp_processor_id, bpf_ktime_get_boot_ns,
};
use pm_trace_common::COMM_LEN;
use pm_trace_common::control::{Counters, armed};
use pm_trace_common::header::{Header, KindOf, Record};
use pm_trace_common::hook::Hook;

/// Number of the open window; `None` if programs are to do nothing.
#[inline(always)]
pub fn window() -> Option<u32> {
    let control = CONTROL.get(0)?;
    // SAFETY: `control` is valid; user space may write it at any time.
    unsafe {
        if core::ptr::read_volatile(&raw const control.armed) != armed::OPEN {
            return None;
        }
        Some(core::ptr::read_volatile(&raw const control.window))
    }
}

/// A hit of a hook while the window is open.
#[derive(Clone, Copy)]
pub struct Hit {
    hook: Hook,
    window: u32,
    /// The element of this CPU, which nothing else of this hook touches meanwhile.
    counters: *mut Counters,
}

/// Counts a hit of the hook, if the window is open. A program begins with this and ends where it says no.
#[inline(always)]
pub fn enter(hook: Hook) -> Option<Hit> {
    let window = window()?;
    // Every hook has counters. A program that would go on without them is walked twice by the verifier.
    let counters = COUNTERS.get_ptr_mut(hook as u32)?;
    // SAFETY: see [`Hit::counters`].
    unsafe { (*counters).hits += 1 };
    Some(Hit { hook, window, counters })
}

/// A hit that is counted already, for functions of their own: none can be handed to them.
#[inline(always)]
pub fn enter_again(hook: Hook) -> Option<Hit> {
    Some(Hit { hook, window: 0, counters: COUNTERS.get_ptr_mut(hook as u32)? })
}

/// 1 if a helper failed, without a branch: as in [`crate::kernel`], each would double the verifier's paths.
#[inline(always)]
pub fn failure(result: Result<(), i32>) -> u64 {
    match result {
        Ok(()) => 0,
        Err(error) => i64::from(error) as u64 >> 63,
    }
}

impl Hit {
    /// Number of the window.
    #[inline(always)]
    pub fn window(self) -> u32 {
        self.window
    }

    /// The hook.
    #[inline(always)]
    pub fn hook(self) -> Hook {
        self.hook
    }

    /// Counts what a program needed and was not to be had: a full map, a fault.
    #[inline(always)]
    pub fn failed(self, failures: u64) {
        // SAFETY: see [`Hit::counters`].
        unsafe { (*self.counters).errors += failures };
    }

    /// Sends a record of kind `K`, whose payload `fill` writes.
    ///
    /// `fill` gets uninitialised memory and must write every field; of arrays, as much as their own length
    /// or terminator says.
    #[inline(always)]
    pub fn emit<K: KindOf>(self, fill: impl FnOnce(*mut K::Payload))
    where
        K::Payload: 'static,
    {
        let Some(mut entry) = EVENTS.reserve::<Record<K::Payload>>(0) else {
            // SAFETY: see [`Hit::counters`].
            unsafe { (*self.counters).lost += 1 };
            return;
        };
        let record = entry.as_mut_ptr();
        // SAFETY: the slot has the size of the record; every field is written through raw pointers. The counters as
        // above.
        unsafe {
            let size = size_of::<Record<K::Payload>>() as u16;
            header(&raw mut (*record).header, self.hook, K::KIND as u16, size);
            fill(&raw mut (*record).payload);
            (*self.counters).records += 1;
        }
        entry.submit(0);
    }

    /// Sends a record whose payload is at hand. What has to be read for it is better read in [`Self::emit`]: here it
    /// is kept on the stack meanwhile.
    #[inline(always)]
    pub fn send<K: KindOf>(self, payload: K::Payload)
    where
        K::Payload: 'static,
    {
        self.emit::<K>(|to| {
            // SAFETY: `emit` hands out memory of the payload's type.
            unsafe { to.write(payload) }
        });
    }
}

/// # Safety
/// `to` must be valid for writes.
#[inline(always)]
unsafe fn header(to: *mut Header, hook: Hook, kind: u16, size: u16) {
    // SAFETY: `to` is valid by contract; the helpers have no preconditions.
    unsafe {
        // After the reservation, so that the order of times follows the order in the buffer.
        (*to).time = bpf_ktime_get_boot_ns();
        let ids = bpf_get_current_pid_tgid();
        (*to).tid = ids as u32;
        (*to).tgid = (ids >> 32) as u32;
        (*to).kind = kind;
        (*to).cpu = bpf_get_smp_processor_id() as u16;
        (*to).size = size;
        (*to).hook = hook as u16;
        bpf_get_current_comm((&raw mut (*to).comm).cast(), COMM_LEN as u32);
    }
}

/// The header of the record whose payload is `payload`, to name another task than the current one.
///
/// # Safety
/// `payload` must be what [`emit`] handed to `fill`.
#[inline(always)]
pub unsafe fn header_of<P>(payload: *mut P) -> *mut Header {
    // SAFETY: by contract the payload follows its header in a `Record`.
    unsafe { payload.byte_sub(core::mem::offset_of!(Record<P>, payload)).cast() }
}
