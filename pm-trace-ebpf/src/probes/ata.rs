//! libata: ports, error handling, rescan.

use crate::emit::{Hit, enter, failure};
use crate::kernel::{caller, container, pointer, word};
use crate::maps::EH_TASKS;
use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::generated::bpf_get_current_pid_tgid;
use aya_ebpf::macros::{kprobe, raw_tracepoint};
use aya_ebpf::programs::{ProbeContext, RawTracePointContext};
use pm_trace_common::ata;
use pm_trace_common::header::{KindOf, kind_types};
use pm_trace_common::hook::Hook;
use pm_trace_common::member::Member;

/// What is known of a place beyond the port.
#[derive(Clone, Copy)]
struct Extra {
    sdev: u64,
    event: i32,
    is_async: u32,
}

const NOTHING: Extra = Extra { sdev: 0, event: 0, is_async: 0 };

#[inline(always)]
fn port<K>(ctx: &ProbeContext, hit: Hit, port: Option<u64>, extra: Extra) -> u32
where
    K: KindOf<Payload = ata::AtaPort>,
{
    let Some(port) = port else { return 0 };
    hit.emit::<K>(|to| {
        // SAFETY: `emit` hands out memory of the payload's type; `ctx` is this program's context.
        unsafe {
            (*to).port = port;
            (*to).controller = pointer(pointer(port, Member::PortHost), Member::AtaHostDevice);
            (*to).sdev = extra.sdev;
            (*to).print_id = word(port, Member::PortNumber);
            (*to).pflags = word(port, Member::PortFlags);
            (*to).event = extra.event;
            (*to).is_async = extra.is_async;
            (*to).caller = caller(ctx.as_ptr());
        }
    });
    0
}

/// The port whose `tdev` is the first argument.
#[inline(always)]
fn from_device(ctx: &ProbeContext) -> Option<u64> {
    container(ctx.arg(0)?, Member::PortDevice)
}

/// `ata_port_pm_resume(struct device *dev)`
#[kprobe]
pub fn ata_port_resume(ctx: ProbeContext) -> u32 {
    let Some(hit) = enter(Hook::AtaPortResume) else { return 0 };
    port::<kind_types::AtaPortResume>(&ctx, hit, from_device(&ctx), NOTHING)
}

/// `ata_port_request_pm(struct ata_port *ap, pm_message_t mesg, unsigned int action, unsigned int ehi_flags,
/// bool async)`
#[kprobe]
pub fn ata_request_pm(ctx: ProbeContext) -> u32 {
    let Some(hit) = enter(Hook::AtaRequestPm) else { return 0 };
    let extra = Extra {
        event: ctx.arg::<u64>(1).unwrap_or(0) as i32,
        is_async: u32::from(ctx.arg::<u64>(4).unwrap_or(0) as u8),
        ..NOTHING
    };
    port::<kind_types::AtaRequestPm>(&ctx, hit, ctx.arg(0), extra)
}

/// `ata_scsi_port_error_handler(struct Scsi_Host *host, struct ata_port *ap)`
#[kprobe]
pub fn ata_eh(ctx: ProbeContext) -> u32 {
    // SAFETY: the helper has no preconditions.
    let tid = unsafe { bpf_get_current_pid_tgid() } as u32;
    let Some(hit) = enter(Hook::AtaEh) else { return 0 };
    // One that finds no room is not told to end.
    hit.failed(failure(EH_TASKS.insert(tid, ctx.arg::<u64>(1).unwrap_or(0), 0)));
    port::<kind_types::AtaEh>(&ctx, hit, ctx.arg(1), NOTHING)
}

/// `ata_eh_handle_port_resume(struct ata_port *ap)`, or `ata_acpi_on_resume(struct ata_port *ap)`, which
/// only it calls.
#[kprobe]
pub fn ata_eh_port_resume(ctx: ProbeContext) -> u32 {
    let Some(hit) = enter(Hook::AtaEhPortResume) else { return 0 };
    port::<kind_types::AtaEhPortResume>(&ctx, hit, ctx.arg(0), NOTHING)
}

/// `ata_eh_recover(struct ata_port *ap, ...)`
#[kprobe]
pub fn ata_eh_recover(ctx: ProbeContext) -> u32 {
    let Some(hit) = enter(Hook::AtaEhRecover) else { return 0 };
    port::<kind_types::AtaEhRecover>(&ctx, hit, ctx.arg(0), NOTHING)
}

/// `ata_dev_revalidate(struct ata_device *dev, ...)`
#[kprobe]
pub fn ata_revalidate(ctx: ProbeContext) -> u32 {
    let Some(hit) = enter(Hook::AtaRevalidate) else { return 0 };
    let dev = ctx.arg::<u64>(0).unwrap_or(0);
    let ap = pointer(pointer(dev, Member::AtaDeviceLink), Member::AtaLinkPort);
    let extra = Extra { sdev: pointer(dev, Member::AtaDeviceSdev), ..NOTHING };
    port::<kind_types::AtaRevalidate>(&ctx, hit, (ap != 0).then_some(ap), extra)
}

/// `ata_scsi_dev_rescan(struct work_struct *work)`
#[kprobe]
pub fn ata_rescan(ctx: ProbeContext) -> u32 {
    let Some(hit) = enter(Hook::AtaRescan) else { return 0 };
    // The work stands first in a delayed work, so this holds whichever of the two `scsi_rescan_task` is.
    let ap = ctx.arg::<u64>(0).and_then(|work| container(work, Member::PortRescanTask));
    port::<kind_types::AtaRescan>(&ctx, hit, ap, NOTHING)
}

/// `ata_port_wait_eh(struct ata_port *ap)`
#[kprobe]
pub fn ata_wait_eh(ctx: ProbeContext) -> u32 {
    let Some(hit) = enter(Hook::AtaWaitEh) else { return 0 };
    port::<kind_types::AtaWaitEh>(&ctx, hit, ctx.arg(0), NOTHING)
}

/// A link is reset: start or end.
#[inline(always)]
fn reset(ctx: &RawTracePointContext, hook: Hook, hard: bool, end: bool) -> i32 {
    let Some(hit) = enter(hook) else { return 0 };
    let port = pointer(ctx.arg::<u64>(0), Member::AtaLinkPort);
    if port == 0 {
        hit.failed(1);
        return 0;
    }
    hit.send::<kind_types::AtaReset>(ata::AtaReset {
        port,
        print_id: word(port, Member::PortNumber),
        hard: u32::from(hard),
        end: u32::from(end),
        result: if end { ctx.arg::<u64>(2) as i32 } else { 0 },
    });
    0
}

/// `trace_ata_link_hardreset_begin(struct ata_link *link, unsigned int *class, unsigned long deadline)`
#[raw_tracepoint(tracepoint = "ata_link_hardreset_begin")]
pub fn ata_hardreset_begin(ctx: RawTracePointContext) -> i32 {
    reset(&ctx, Hook::AtaHardresetBegin, true, false)
}

/// `trace_ata_link_hardreset_end(struct ata_link *link, unsigned int *class, int rc)`
#[raw_tracepoint(tracepoint = "ata_link_hardreset_end")]
pub fn ata_hardreset_end(ctx: RawTracePointContext) -> i32 {
    reset(&ctx, Hook::AtaHardresetEnd, true, true)
}

/// `trace_ata_link_softreset_begin(struct ata_link *link, unsigned int *class, unsigned long deadline)`
#[raw_tracepoint(tracepoint = "ata_link_softreset_begin")]
pub fn ata_softreset_begin(ctx: RawTracePointContext) -> i32 {
    reset(&ctx, Hook::AtaSoftresetBegin, false, false)
}

/// `trace_ata_link_softreset_end(struct ata_link *link, unsigned int *class, int rc)`
#[raw_tracepoint(tracepoint = "ata_link_softreset_end")]
pub fn ata_softreset_end(ctx: RawTracePointContext) -> i32 {
    reset(&ctx, Hook::AtaSoftresetEnd, false, true)
}
