//! PM state and identity of a device.

use crate::emit::{emit, failed, send};
use crate::kernel::{bit, container, embedded, pointer, pointer_at, string, word32};
use crate::maps::DESCRIBED;
use pm_trace_common::control::MAX_LINKS;
use pm_trace_common::header::kind_types;
use pm_trace_common::hook::Hook;
use pm_trace_common::member::Member;
use pm_trace_common::pm;

/// Reads the bits of `dev->power`; `UNKNOWN` if one that diagnosis rests on cannot be read.
#[inline(always)]
pub fn power(dev: u64) -> u32 {
    let mut bits = 0;
    macro_rules! add {
        ($member:ident, $bit:ident) => {
            match bit(dev, Member::$member) {
                Some(true) => bits |= pm::power::$bit,
                Some(false) => {}
                None => bits |= pm::power::UNKNOWN,
            }
        };
        // For bits that a kernel may have been built without.
        ($member:ident, $bit:ident, optional) => {
            if bit(dev, Member::$member) == Some(true) {
                bits |= pm::power::$bit;
            }
        };
    }
    add!(DeviceSuspended, SUSPENDED);
    add!(DeviceLateSuspended, LATE_SUSPENDED);
    add!(DeviceNoirqSuspended, NOIRQ_SUSPENDED);
    add!(DevicePrepared, PREPARED, optional);
    add!(DeviceAsync, ASYNC, optional);
    add!(DeviceDirectComplete, DIRECT_COMPLETE, optional);
    add!(DeviceIgnoreChildren, IGNORE_CHILDREN, optional);
    add!(DeviceSyscore, SYSCORE, optional);
    bits
}

/// Sends the identity of a device and its links, once for each window.
///
/// A function of its own, not inlined: many programs call it, and each has the verifier's limits to itself.
#[inline(never)]
pub fn describe(dev: u64, window: u32, hook: Hook) -> u32 {
    if dev == 0 {
        return 0;
    }
    // SAFETY: the value is a plain number, whoever writes it meanwhile.
    if unsafe { DESCRIBED.get(&dev) }.copied() == Some(window) {
        return 0;
    }
    if DESCRIBED.insert(&dev, &window, 0).is_err() {
        // Without the note it would be described again and again.
        failed(hook);
        return 0;
    }
    let more = links(dev, hook);
    emit::<kind_types::DeviceInfo>(hook, |to| {
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

/// Sends the device links of which `dev` is the consumer; returns 1 if there were too many.
#[inline(always)]
fn links(dev: u64, hook: Hook) -> u32 {
    let Some(head) = embedded(dev, Member::DeviceSuppliers) else { return 0 };
    let mut node = pointer_at(head);
    for _ in 0..MAX_LINKS {
        if node == 0 || node == head {
            return 0;
        }
        let Some(link) = container(node, Member::LinkSupplierNode) else { return 0 };
        send::<kind_types::DeviceLink>(
            hook,
            pm::DeviceLink {
                supplier: pointer(link, Member::LinkSupplier),
                consumer: dev,
                flags: word32(link, Member::LinkFlags),
                status: word32(link, Member::LinkStatus),
            },
        );
        node = pointer_at(node);
    }
    u32::from(node != 0 && node != head)
}
