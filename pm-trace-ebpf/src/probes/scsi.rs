//! SCSI devices and commands.

use crate::device::power;
use crate::emit::enter;
use crate::kernel::{container, embedded, pointer, read, request_size, rescan_takes_sdev, word};
use aya_ebpf::macros::{kprobe, raw_tracepoint};
use aya_ebpf::programs::{ProbeContext, RawTracePointContext};
use pm_trace_common::header::{KindOf, kind_types};
use pm_trace_common::hook::Hook;
use pm_trace_common::member::Member;
use pm_trace_common::scsi::{ScsiCommand, ScsiDevice, ScsiHost};

#[inline(always)]
fn device<K: KindOf<Payload = ScsiDevice>>(hook: Hook, sdev: Option<u64>) -> u32 {
    let Some(hit) = enter(hook) else { return 0 };
    let Some(sdev) = sdev else { return 0 };
    let queue = pointer(sdev, Member::SdevQueue);
    hit.emit::<K>(|to| {
        // SAFETY: `emit` hands out memory of the payload's type.
        unsafe {
            (*to).sdev = sdev;
            (*to).queue = queue;
            (*to).state = word(sdev, Member::SdevState);
            (*to).power = power(embedded(sdev, Member::SdevDevice));
            (*to).pm_only = word(queue, Member::QueuePmOnly) as i32;
            (*to).reserved = 0;
        }
    });
    0
}

/// `scsi_rescan_device(struct scsi_device *sdev)`, before 6.6 `(struct device *dev)`
#[kprobe]
pub fn scsi_rescan(ctx: ProbeContext) -> u32 {
    let sdev = match ctx.arg::<u64>(0) {
        Some(sdev) if rescan_takes_sdev() => Some(sdev),
        Some(dev) => container(dev, Member::SdevDevice),
        None => None,
    };
    device::<kind_types::ScsiRescan>(Hook::ScsiRescan, sdev)
}

/// `scsi_device_quiesce(struct scsi_device *sdev)`
#[kprobe]
pub fn scsi_quiesce(ctx: ProbeContext) -> u32 {
    device::<kind_types::ScsiQuiesce>(Hook::ScsiQuiesce, ctx.arg(0))
}

/// `scsi_device_resume(struct scsi_device *sdev)`
#[kprobe]
pub fn scsi_resume(ctx: ProbeContext) -> u32 {
    device::<kind_types::ScsiResume>(Hook::ScsiResume, ctx.arg(0))
}

/// `scsi_resume_device(struct scsi_device *sdev)`
#[kprobe]
pub fn scsi_resume_device(ctx: ProbeContext) -> u32 {
    device::<kind_types::ScsiResumeDevice>(Hook::ScsiResumeDevice, ctx.arg(0))
}

/// `scsi_execute_cmd(struct scsi_device *sdev, const unsigned char *cmd, ...)`, before 6.2
/// `__scsi_execute` with the same first arguments
#[kprobe]
pub fn scsi_execute(ctx: ProbeContext) -> u32 {
    let Some(hit) = enter(Hook::ScsiExecute) else { return 0 };
    let sdev = ctx.arg::<u64>(0).unwrap_or(0);
    let opcode = read::<u8>(ctx.arg::<u64>(1).unwrap_or(0));
    hit.send::<kind_types::ScsiExecute>(ScsiCommand {
        command: 0,
        sdev,
        opcode: u32::from(opcode),
        result: 0,
        timeout: 0,
        reserved: 0,
    });
    0
}

/// Where a command is.
#[derive(Clone, Copy)]
enum Stage {
    Under,
    Done,
}

#[inline(always)]
fn command<K: KindOf<Payload = ScsiCommand>>(hook: Hook, command: u64, stage: Stage) -> i32 {
    let Some(hit) = enter(hook) else { return 0 };
    let opcode = read::<u8>(embedded(command, Member::CommandBytes));
    hit.send::<K>(ScsiCommand {
        command,
        sdev: pointer(command, Member::CommandDevice),
        opcode: u32::from(opcode),
        result: match stage {
            Stage::Done => word(command, Member::CommandResult) as i32,
            Stage::Under => 0,
        },
        timeout: match (stage, request_size()) {
            // The command stands behind its request (`blk_mq_rq_to_pdu()`).
            (Stage::Under, Some(size)) => word(command.wrapping_sub(size), Member::RequestTimeout),
            _ => 0,
        },
        reserved: 0,
    });
    0
}

/// `trace_scsi_dispatch_cmd_start(struct scsi_cmnd *cmd)`
#[raw_tracepoint(tracepoint = "scsi_dispatch_cmd_start")]
pub fn scsi_dispatch(ctx: RawTracePointContext) -> i32 {
    command::<kind_types::ScsiDispatch>(Hook::ScsiDispatch, ctx.arg(0), Stage::Under)
}

/// `trace_scsi_dispatch_cmd_done(struct scsi_cmnd *cmd)`
#[raw_tracepoint(tracepoint = "scsi_dispatch_cmd_done")]
pub fn scsi_done(ctx: RawTracePointContext) -> i32 {
    command::<kind_types::ScsiDone>(Hook::ScsiDone, ctx.arg(0), Stage::Done)
}

/// `trace_scsi_dispatch_cmd_timeout(struct scsi_cmnd *cmd)`
#[raw_tracepoint(tracepoint = "scsi_dispatch_cmd_timeout")]
pub fn scsi_timeout(ctx: RawTracePointContext) -> i32 {
    command::<kind_types::ScsiTimeout>(Hook::ScsiTimeout, ctx.arg(0), Stage::Under)
}

/// `trace_scsi_eh_wakeup(struct Scsi_Host *shost)`
#[raw_tracepoint(tracepoint = "scsi_eh_wakeup")]
pub fn scsi_eh_wakeup(ctx: RawTracePointContext) -> i32 {
    let Some(hit) = enter(Hook::ScsiEhWakeup) else { return 0 };
    let host = ctx.arg::<u64>(0);
    hit.send::<kind_types::ScsiEhWakeup>(ScsiHost {
        host,
        host_no: word(host, Member::ScsiHostNumber),
        reserved: 0,
    });
    0
}
