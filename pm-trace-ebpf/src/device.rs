//! PM state and identity of a device.

use crate::emit::{Hit, enter_again, failure};
use crate::kernel::{
    container, embedded, pointer, power_address, power_missing, power_place, read, same, string, try_read,
    word,
};
use crate::maps::DESCRIBED;
use aya_ebpf::helpers::generated::bpf_loop;
use core::ffi::c_void;
use pm_trace_common::control::MAX_LINKS;
use pm_trace_common::header::kind_types;
use pm_trace_common::hook::Hook;
use pm_trace_common::member::{Member, POWER_BITS, PowerPlaces};
use pm_trace_common::pm;

/// Reads the bits of `dev->power`; `UNKNOWN` if one that diagnosis rests on cannot be read.
#[inline(always)]
pub fn power(dev: u64) -> u32 {
    let (word, error) = try_read::<u64>(power_address(dev));
    // Without branches, as in `crate::kernel`.
    let mut bits = (error >> 63) as u32 & pm::power::UNKNOWN | power_missing();
    let mut number = 0;
    while number < POWER_BITS.len() {
        let place = power_place(number);
        let bit = word.wrapping_shr(place) as u32 & place >> PowerPlaces::PRESENT;
        bits |= bit * POWER_BITS[number].1;
        number += 1;
    }
    bits
}

/// Sends the identity of a device and its links, once for each window.
#[inline(always)]
pub fn describe(dev: u64, hit: Hit) {
    describe_in(dev, hit.window(), hit.hook());
}

/// A function of its own, not inlined: many programs call it, and each has the verifier's limits to itself.
#[inline(never)]
fn describe_in(dev: u64, window: u32, hook: Hook) -> u32 {
    // SAFETY: the value is a plain number, whoever writes it meanwhile.
    if unsafe { DESCRIBED.get(dev) }.copied() == Some(window) {
        return 0;
    }
    let Some(hit) = enter_again(hook) else { return 0 };
    // Without the note it will be described again.
    hit.failed(failure(DESCRIBED.insert(dev, window, 0)));
    let more = links(dev, hook);
    hit.emit::<kind_types::DeviceInfo>(|to| {
        // SAFETY: `emit` hands out memory of the payload's type.
        unsafe {
            (*to).dev = dev;
            (*to).parent = pointer(dev, Member::DeviceParent);
            (*to).power = power(dev);
            (*to).links_left = more;
            string(&raw mut (*to).name, pointer(dev, Member::DeviceName));
            string(&raw mut (*to).bus, pointer(pointer(dev, Member::DeviceBus), Member::BusName));
            string(&raw mut (*to).class, pointer(pointer(dev, Member::DeviceClass), Member::ClassName));
            string(&raw mut (*to).driver, pointer(pointer(dev, Member::DeviceDriver), Member::DriverName));
        }
    });
    1
}

/// A walk along a device's list of suppliers.
#[repr(C)]
struct Walk {
    consumer: u64,
    head: u64,
    node: u64,
    hook: Hook,
}

/// Sends the device links of which `dev` is the consumer; returns 1 if there were too many.
#[inline(always)]
fn links(dev: u64, hook: Hook) -> u32 {
    let head = embedded(dev, Member::DeviceSuppliers);
    let mut walk = Walk { consumer: dev, head, node: read(head), hook };
    let step: unsafe extern "C" fn(u32, *mut Walk) -> i64 = link;
    // SAFETY: the callback has the type the helper calls (kernel/bpf/bpf_iter.c, bpf_loop), and the walk
    // outlives the loop. A loop of the helper's is verified once, however often it runs.
    unsafe { bpf_loop(MAX_LINKS, step as *mut c_void, (&raw mut walk).cast(), 0) };
    1 - (same(walk.node, 0) | same(walk.node, head)) as u32
}

/// One step of the walk; returns 1 at its end.
unsafe extern "C" fn link(_: u32, walk: *mut Walk) -> i64 {
    // SAFETY: the helper passes on what `links` gave it.
    let walk = unsafe { &mut *walk };
    if walk.node == 0 || walk.node == walk.head {
        return 1;
    }
    let Some(link) = container(walk.node, Member::LinkSupplierNode) else { return 1 };
    let Some(hit) = enter_again(walk.hook) else { return 1 };
    hit.send::<kind_types::DeviceLink>(pm::DeviceLink {
        supplier: pointer(link, Member::LinkSupplier),
        consumer: walk.consumer,
        flags: word(link, Member::LinkFlags),
        status: word(link, Member::LinkStatus),
    });
    walk.node = read(walk.node);
    0
}
