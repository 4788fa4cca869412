//! libata and SCSI.

use super::sync::{asked, queue_opened, sighted};
use super::{begin_wait, eh, is_error_handling, task, touch, transition_number};
use crate::event::{AtaOp, AtaPort, Body, CommandStage, ObjId, ScsiDevice, ScsiOp, Step, TaskRef};
use crate::model::bounded::insert_capped;
use crate::model::transition::TIMED_OUT;
use crate::model::{
    Acted, At, CommandAsked, Context, InFlight, Model, Port, PowerRequest, Quiesced, TimedOut, TouchKind,
    Transition, Wait, WaitOn,
};

/// `ATA_PFLAG_EH_PENDING | ATA_PFLAG_EH_IN_PROGRESS` (include/linux/libata.h).
const EH_UNDER_WAY: u32 = 1 << 0 | 1 << 1;
/// Commands whose timeout is unknown have at least this one, in nanoseconds.
const SHORTEST_TIMEOUT: u64 = 5_000_000_000;

pub(super) fn ata(model: &mut Model, who: TaskRef, event: &AtaPort, at: At) {
    identify_port(model, event);
    let Some(port) = model.ports.get_mut(&event.port) else { return };
    let acted = Acted { task: who, at };
    match event.what {
        AtaOp::PortResume => port.resume_called = Some(at),
        AtaOp::RequestPm => {
            let request = PowerRequest { by: acted, event: event.event, is_async: event.is_async };
            port.power_request = Some(request);
        }
        AtaOp::Eh => port.eh = Some(acted),
        AtaOp::EhPortResume => port.eh_resume = Some(acted),
        AtaOp::EhRecover => port.recover = Some(acted),
        AtaOp::Revalidate => port.revalidated = Some(acted),
        AtaOp::Rescan => port.rescan = Some(acted),
        AtaOp::PortSuspend | AtaOp::WaitEh => {}
    }
    match event.what {
        AtaOp::Eh => eh::begun(model, event.port, at),
        what if is_error_handling(what) => eh::goes_on(model, event.port, at),
        _ => {}
    }
    if is_error_handling(event.what) {
        enter_error_handling(model, who, event, at);
    }
    match event.what {
        AtaOp::Rescan => {
            if let Some(task) = task(model, who) {
                task.leave(|context| matches!(context, Context::AtaRescan { .. }));
                task.enter(Context::AtaRescan { port: event.port }, at);
            }
        }
        AtaOp::WaitEh if event.pflags & EH_UNDER_WAY != 0 => {
            let on = WaitOn::AtaEh { port: event.port };
            begin_wait(model, who, Wait { on, at, stack: Vec::new(), confirmed: None });
        }
        _ => {}
    }
}

fn identify_port(model: &mut Model, event: &AtaPort) {
    let number = transition_number(model);
    let Some(port) = model.ports.entry(event.port, Port::default) else { return };
    port.enter(number);
    if event.print_id != 0 {
        port.print_id = event.print_id;
    }
    port.dev = event.dev.or(port.dev);
    port.controller = event.controller.or(port.controller);
    port.scan_mutex = event.scan_mutex.or(port.scan_mutex);
    port.rescan_work = event.rescan_work.or(port.rescan_work);
    let id = event.port;
    if let Some(dev) = event.dev {
        insert_capped(&mut model.port_devices, dev, id);
    }
    if let Some(mutex) = event.scan_mutex {
        insert_capped(&mut model.scan_mutexes, mutex, id);
    }
    if let Some(work) = event.rescan_work {
        insert_capped(&mut model.rescan_works, work, id);
    }
}

/// Error handling does not say when it ends; its thread is in it until it begins anew.
fn enter_error_handling(model: &mut Model, who: TaskRef, event: &AtaPort, at: At) {
    let Some(task) = task(model, who) else { return };
    if event.what != AtaOp::Eh && task.handles_port() == Some(event.port) {
        return;
    }
    task.leave(|context| matches!(context, Context::AtaEh { .. }));
    task.enter(Context::AtaEh { port: event.port }, at);
}

pub(super) fn scsi(model: &mut Model, who: TaskRef, event: &ScsiDevice, at: At) {
    if let Some(sdev) = model.sdevs.entry(event.sdev, Default::default) {
        sdev.dev = event.dev.or(sdev.dev);
        sdev.queue = event.queue.or(sdev.queue);
        sdev.state = event.state;
        if event.what == ScsiOp::Rescan {
            sdev.rescanned = Some(at);
        }
    }
    let suspends = suspended_by(model, who);
    if let Some(queue) = event.queue.and_then(|queue| model.queues.entry(queue, Default::default)) {
        queue.sdev = Some(event.sdev);
        queue.dev = event.dev.or(queue.dev);
        queue.pm_only = event.pm_only;
        match event.what {
            ScsiOp::Quiesce => queue.quiesced = Some(Quiesced { at, task: who, in_suspend_of: suspends }),
            ScsiOp::Resume => queue.quiesced = None,
            ScsiOp::Rescan | ScsiOp::ResumeDevice => {}
        }
    }
    let place = match event.what {
        ScsiOp::Rescan => "scsi_rescan_device",
        ScsiOp::Quiesce => "scsi_device_quiesce",
        ScsiOp::Resume => "scsi_device_resume",
        ScsiOp::ResumeDevice => "scsi_resume_device",
    };
    sighted(model, event.dev, event.power, at, place);
    match event.what {
        ScsiOp::Rescan => {
            if let Some(dev) = event.dev {
                touch::touched(model, who, dev, TouchKind::Rescan, at);
            }
            if let Some(task) = task(model, who) {
                task.leave(|context| matches!(context, Context::ScsiRescan { .. }));
                task.enter(Context::ScsiRescan { sdev: event.sdev, dev: event.dev }, at);
            }
        }
        ScsiOp::Resume => {
            if let Some(queue) = event.queue {
                queue_opened(model, queue);
            }
        }
        ScsiOp::ResumeDevice => touch::made_ready(model, who, at),
        ScsiOp::Quiesce => {}
    }
}

/// The device in whose suspend step the task is.
fn suspended_by(model: &Model, who: TaskRef) -> Option<ObjId> {
    model.task(who.tid)?.contexts.iter().rev().find_map(|entered| match entered.context {
        Context::Step { dev, step: Step::Suspend | Step::SuspendLate | Step::SuspendNoirq } => Some(dev),
        _ => None,
    })
}

pub(super) fn command(model: &mut Model, who: TaskRef, body: &Body, at: At) {
    let Body::ScsiCommand { stage, command, sdev, dev, opcode, timeout, .. } = body else { return };
    if let (Some(dev), Some(entry)) = (dev, model.sdevs.entry(*sdev, Default::default)) {
        entry.dev = Some(*dev);
    }
    match (stage, command) {
        (CommandStage::Execute, _) => {
            let dev = dev.or_else(|| model.sdev(*sdev)?.dev);
            asked(model, who, CommandAsked { sdev: *sdev, dev, opcode: *opcode, at });
        }
        (CommandStage::Dispatch, Some(command)) => {
            let sent = InFlight { sdev: *sdev, opcode: *opcode, sent: at, timeout: *timeout };
            if let Some(entry) = model.commands.entry(*command, || sent) {
                *entry = sent;
            }
        }
        (CommandStage::Done, Some(command)) => model.commands.remove(command),
        (CommandStage::Timeout, Some(command)) => {
            let sent = model.commands.get(command).copied();
            model.commands.remove(command);
            let command =
                sent.unwrap_or(InFlight { sdev: *sdev, opcode: *opcode, sent: at, timeout: *timeout });
            // libata hands a command to its error handling by letting it time out at once (blk_abort_request()).
            let lasted = at.time.saturating_sub(command.sent.time);
            let expired = lasted >= command.timeout.or(*timeout).unwrap_or(SHORTEST_TIMEOUT);
            let room = |transition: &&mut Transition| expired && transition.timed_out.len() < TIMED_OUT;
            if let Some(transition) = model.transitions.last_mut().filter(room) {
                transition.timed_out.push(TimedOut { command, at });
            }
        }
        (_, None) => {}
    }
}
