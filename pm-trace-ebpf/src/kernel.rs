//! Reading the kernel's structures through the members user space resolved.
//!
//! What cannot be read is 0: the helpers clear the memory they are given when they fail (`bpf_probe_read_kernel_common`
//! in kernel/trace/bpf_trace.c), and NULL plus an offset is no address of the kernel's. So nothing here branches on
//! whether a read went well. Each branch would double the paths that the verifier walks, at every start. Nor does it
//! branch on whether the kernel has a member: the kernel removes what is never reached, and with each such place moves
//! the rest of the program. And nothing is cleared that is written anyway: beyond a few bytes the compiler calls a
//! function for it, byte by byte, each of which the verifier walks.

use aya_ebpf::helpers::generated::{bpf_get_stack, bpf_probe_read_kernel, bpf_probe_read_kernel_str};
use core::hint::black_box;
use core::mem::MaybeUninit;
use core::ptr::read_volatile;
use pm_trace_common::member::{Handed, MISSING, Member, PowerPlaces, Reach};
use pm_trace_common::{Stack, lock};

/// Written by user space before the programs are loaded, read-only afterwards.
#[unsafe(no_mangle)]
static FACTS: Handed = Handed {
    members: [Reach::NONE; Member::COUNT],
    request_size: 0,
    rescan_takes_sdev: 0,
    power: PowerPlaces::NONE,
};

/// Address of what is that far from `base`; NULL if it is missing.
#[inline(always)]
fn at(base: u64, reach: &'static Reach) -> u64 {
    // SAFETY: a static is always readable; volatile because user space changes it before the load.
    let (offset, there) =
        unsafe { (read_volatile(&raw const reach.offset), read_volatile(&raw const reach.there)) };
    base.wrapping_add(offset.into()).wrapping_mul(there.into())
}

/// Address of the 8 bytes that hold the bits of a device's `power`.
#[inline(always)]
pub fn power_address(dev: u64) -> u64 {
    at(dev, &FACTS.power.base)
}

/// Of [`PowerPlaces::bits`], the one with this number.
#[inline(always)]
pub fn power_place(number: usize) -> u32 {
    // SAFETY: as in `at`.
    unsafe { read_volatile(&raw const FACTS.power.bits[number]) }
}

/// [`PowerPlaces::missing`]
#[inline(always)]
pub fn power_missing() -> u32 {
    // SAFETY: as in `at`.
    unsafe { read_volatile(&raw const FACTS.power.missing) }
}

/// Whether `scsi_rescan_device` takes a `struct scsi_device *`.
#[inline(always)]
pub fn rescan_takes_sdev() -> bool {
    // SAFETY: as in `at`.
    unsafe { read_volatile(&raw const FACTS.rescan_takes_sdev) != 0 }
}

/// Size of `struct request`; `None` if it is unknown.
#[inline(always)]
pub fn request_size() -> Option<u64> {
    // SAFETY: as in `at`.
    let size = unsafe { read_volatile(&raw const FACTS.request_size) };
    if size == 0 { None } else { Some(u64::from(size)) }
}

/// A number that the kernel's memory may hold, whatever its bits.
pub trait Number: Copy {}
impl Number for u8 {}
impl Number for u32 {}
impl Number for u64 {}

/// Reads a number of the kernel's, and says with a 0 that it could be read.
#[inline(always)]
pub fn try_read<T: Number>(address: u64) -> (T, i64) {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper checks the address and writes all of the value in any case, and every value is one of `T`.
    unsafe {
        let error =
            bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const _);
        (value.assume_init(), error)
    }
}

/// Reads a number of the kernel's; 0 if it cannot be read.
#[inline(always)]
pub fn read<T: Number>(address: u64) -> T {
    try_read(address).0
}

/// Address of an embedded member; NULL if the member is missing. That of NULL cannot be read, like NULL.
#[inline(always)]
pub fn embedded(base: u64, member: Member) -> u64 {
    at(base, &FACTS.members[member as usize])
}

/// The structure in which `address` is the member; `None` if the member is missing.
#[inline(always)]
pub fn container(address: u64, member: Member) -> Option<u64> {
    // SAFETY: as in `at`.
    let offset = unsafe { read_volatile(&raw const FACTS.members[member as usize].offset) };
    if offset == MISSING { None } else { Some(address.wrapping_sub(u64::from(offset))) }
}

/// A pointer or 8-byte member; 0 if it cannot be had.
#[inline(always)]
pub fn pointer(base: u64, member: Member) -> u64 {
    read(embedded(base, member))
}

/// A 4-byte member; 0 if it cannot be had.
#[inline(always)]
pub fn word(base: u64, member: Member) -> u32 {
    read(embedded(base, member))
}

/// 1 if two numbers are the same, without a branch. The black boxes keep the compiler from seeing a comparison, of which
/// it would make one.
#[inline(always)]
pub fn same(one: u64, other: u64) -> u64 {
    let differs = one ^ other;
    1 - black_box((differs | black_box(differs.wrapping_neg())) >> 63)
}

/// Copies a NUL-terminated string; an empty one if it cannot be read.
///
/// # Safety
/// `to` must be valid for writes of `N` bytes.
#[inline(always)]
pub unsafe fn string<const N: usize>(to: *mut [u8; N], from: u64) {
    // SAFETY: `to` is valid by contract, the helper checks `from`.
    unsafe {
        bpf_probe_read_kernel_str(to.cast(), N as u32, from as *const _);
    }
}

/// The kernel stack of the current task.
///
/// # Safety
/// `to` must be valid for writes, `context` must be the context of the running program.
#[inline(always)]
pub unsafe fn stack(to: *mut Stack, context: *mut core::ffi::c_void) {
    // SAFETY: by contract; the size is the size of the array.
    unsafe {
        let frames = &raw mut (*to).frames;
        (*to).len = bpf_get_stack(context.cast(), frames.cast(), size_of_val(&*frames) as u32, 0);
    }
}

/// Address the traced function returns to; 0 if the stack cannot be walked.
///
/// # Safety
/// `context` must be the context of the running kprobe program.
#[inline(always)]
pub unsafe fn caller(context: *mut core::ffi::c_void) -> u64 {
    let mut frames = MaybeUninit::<[u64; 2]>::uninit();
    // SAFETY: by contract; the helper writes all of the array in any case, zeroes where there is nothing
    // (kernel/bpf/stackmap.c, `__bpf_get_stack`).
    unsafe {
        bpf_get_stack(context.cast(), frames.as_mut_ptr().cast(), size_of::<[u64; 2]>() as u32, 0);
        frames.assume_init()[1]
    }
}

/// Who holds a lock for which the task `waiter` waits: the task, 0 if none is known, and what else its owner word says.
///
/// The owner word holds flags in its low bits (kernel/locking/mutex.c, rwsem.c, rtmutex.c). For an rwsem held by
/// readers the task is only a hint, or none, which [`lock::READER_OWNED`] says.
#[inline(always)]
fn held_by(address: u64, flags: u32, waiter: u32) -> (u64, u32) {
    const POINTER: u64 = !7;
    let shared = flags & (lock::flags::READ | lock::flags::WRITE) != 0;
    let word = if flags & lock::flags::MUTEX != 0 {
        pointer(address, Member::MutexOwner)
    } else if flags & lock::flags::RT != 0 {
        // An rwsem of an RT kernel has its rt_mutex inside; others are one.
        let inner = if shared { embedded(address, Member::RwbaseMutex) } else { address };
        let task = pointer(inner, Member::RtMutexOwner) & POINTER;
        // A writer owns that rt_mutex already while it waits for readers to leave (kernel/locking/rwbase_rt.c).
        if shared && word(task, Member::TaskTid) == waiter { lock::READER_OWNED.into() } else { task }
    } else if shared && flags & lock::flags::PERCPU == 0 {
        pointer(address, Member::RwsemOwner)
    } else {
        0
    };
    (word & POINTER, (word & !POINTER) as u32)
}

/// The task that holds a lock for itself alone; 0 if none is known.
#[inline(always)]
pub fn holder(address: u64, flags: u32, waiter: u32) -> u64 {
    let (task, bits) = held_by(address, flags, waiter);
    let shared = flags & (lock::flags::READ | lock::flags::WRITE) != 0;
    if shared && bits & lock::READER_OWNED != 0 { 0 } else { task }
}

/// Writes who holds a lock for which the task `waiter` waits.
///
/// # Safety
/// `to` must be valid for writes.
#[inline(always)]
pub unsafe fn owner(to: *mut lock::Owner, address: u64, flags: u32, waiter: u32) {
    let (task, bits) = held_by(address, flags, waiter);
    // SAFETY: `to` is valid by contract, the helpers check what they read.
    unsafe {
        (*to).bits = bits;
        (*to).tid = word(task, Member::TaskTid);
        string(&raw mut (*to).comm, embedded(task, Member::TaskComm));
    }
}

/// Copies bytes of the kernel's; zeroes if they cannot be read.
///
/// # Safety
/// `to` must be valid for writes of `N` bytes.
#[inline(always)]
pub unsafe fn bytes<const N: usize>(to: *mut [u8; N], from: u64) {
    // SAFETY: `to` is valid by contract, the helper checks `from`.
    unsafe {
        bpf_probe_read_kernel(to.cast(), N as u32, from as *const _);
    }
}
