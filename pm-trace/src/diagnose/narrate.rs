//! Events in words.

use super::describe::{Namer, step_words};
use crate::event::{AtaOp, Body, CommandStage, Event, ScsiOp, TaskRef};
use crate::model::Model;

/// What the event says, in one line; names come from the model.
pub fn narrate(model: &Model, event: &Event) -> String {
    let namer = Namer::new(model);
    pm(&namer, &event.body)
        .or_else(|| waits(&namer, &event.body))
        .or_else(|| work(&namer, &event.body))
        .unwrap_or_else(|| rest(&namer, &event.body))
}

fn pm(namer: &Namer<'_>, body: &Body) -> Option<String> {
    Some(match body {
        Body::Phase { action, value, start } => {
            format!("{action}({value}) {}", if *start { "begins" } else { "ends" })
        }
        Body::Device(info) => {
            let parent =
                info.parent.map(|dev| format!(", child of {}", namer.device(dev))).unwrap_or_default();
            format!("device {}: bus {}, driver {}{parent}", info.name, dash(&info.bus), dash(&info.driver))
        }
        Body::Link { supplier, consumer, .. } => {
            format!("device link: {} is supplier of {}", namer.device(*supplier), namer.device(*consumer))
        }
        Body::StepStart { dev, step, is_async, .. } => {
            let how = if *is_async { ", asynchronously" } else { "" };
            format!("{} of {} begins{how}", step_words(*step), namer.device_full(*dev))
        }
        Body::StepEnd { dev, .. } => format!("step of {} ends", namer.device_full(*dev)),
        Body::CallbackStart { dev, ops, .. } => {
            format!("{} callback of {} begins", ops.trim(), namer.device(*dev))
        }
        Body::CallbackEnd { dev, error: 0 } => format!("callback of {} returns", namer.device(*dev)),
        Body::CallbackEnd { dev, error } => format!("callback of {} fails with {error}", namer.device(*dev)),
        Body::DeviceWait { dev, target, why } => {
            use crate::event::DeviceWaitKind::{Explicit, Subordinate, Superior};
            let whom = match (why, target) {
                (Explicit, Some(target)) => namer.device(*target),
                (Explicit, None) => "another device".to_owned(),
                (Superior, _) => "its parent and suppliers".to_owned(),
                (Subordinate, _) => "its children and consumers".to_owned(),
            };
            format!("{} waits for {whom}, if they are not done", namer.device(*dev))
        }
        _ => return None,
    })
}

fn waits(namer: &Namer<'_>, body: &Body) -> Option<String> {
    let owner = |owner: &Option<TaskRef>| owner.map(|owner| format!(", held by {owner}")).unwrap_or_default();
    Some(match body {
        Body::LockWait { lock, owner: who, .. } => format!("waits for {}{}", namer.lock(*lock).0, owner(who)),
        Body::LockWaitEnd { lock, acquired: true } => format!("has {}", namer.lock(*lock).0),
        Body::LockWaitEnd { lock, .. } => format!("gives up on {}", namer.lock(*lock).0),
        Body::CompletionWait { completion, timeout, .. } => {
            let limit = timeout.map(|jiffies| format!(", at most {jiffies} jiffies")).unwrap_or_default();
            format!("waits for {}{limit}", completion_name(namer, *completion))
        }
        Body::Completed { completion, .. } => format!("completes {}", completion_name(namer, *completion)),
        Body::QueueWait { queue, dev, pm_only, freeze_depth, .. } => {
            let of = dev.map_or_else(|| format!("#{}", queue.0), |dev| format!("of {}", namer.device(dev)));
            format!("enters request queue {of} (pm_only={pm_only}, frozen={freeze_depth})")
        }
        Body::RuntimePm { dev, resume, status, .. } => {
            const STATUS: &[&str] = &["active", "resuming", "suspended", "suspending"];
            let what = if *resume { "resume" } else { "suspend" };
            let status =
                usize::try_from(*status).ok().and_then(|status| STATUS.get(status)).unwrap_or(&"unknown");
            format!("asks for the runtime {what} of {}, which is {status}", namer.device(*dev))
        }
        Body::RuntimePmEnd { dev, result } => {
            format!("runtime PM of {} answers {result}", namer.device(*dev))
        }
        Body::FlushWork { function, .. } => format!("waits for work {}", namer.function(*function)),
        Body::AsyncWait { domain: None, .. } => "waits for all asynchronous calls".to_owned(),
        Body::AsyncWait { .. } => "waits for asynchronous calls of a domain".to_owned(),
        Body::Blocked { duration, .. } => format!("was blocked for {}", super::seconds(*duration)),
        Body::TaskSnapshot { stack, owner: who, .. } => {
            let place = namer.place(stack).map(|place| format!(" in {place}")).unwrap_or_default();
            format!("seen blocked{place}{}", owner(who))
        }
        Body::SnapshotEnd { tasks, .. } => format!("all blocked tasks were looked at: {tasks}"),
        _ => return None,
    })
}

/// Words for what an interrupt did in the name of the task that it interrupted.
fn interrupted(by_interrupt: Option<bool>) -> &'static str {
    if by_interrupt == Some(true) { "is interrupted; the interrupt " } else { "" }
}

fn work(namer: &Namer<'_>, body: &Body) -> Option<String> {
    Some(match body {
        Body::WorkQueued { function, workqueue, interrupt, .. } => {
            let by = interrupted(*interrupt);
            format!("{by}queues work {} on {}", namer.function(*function), dash(workqueue))
        }
        Body::WorkDelayed { function, delay, interrupt, .. } => {
            let by = interrupted(*interrupt);
            let work = namer.function(*function);
            // schedule_delayed_work() without a delay queues at once, and the event of that follows.
            match delay {
                0 => format!("{by}asks for work {work} without delay"),
                _ => format!("{by}puts off work {work} by {delay} jiffies"),
            }
        }
        Body::WorkStart { function, .. } => format!("work {} begins", namer.function(*function)),
        Body::WorkEnd { function, .. } => format!("work {} ends", namer.function(*function)),
        Body::AsyncRun { function, data, .. } => {
            let of = data.map(|dev| format!(" for {}", namer.device(dev))).unwrap_or_default();
            format!("asynchronous call {}{of}", namer.function(*function))
        }
        _ => return None,
    })
}

fn rest(namer: &Namer<'_>, body: &Body) -> String {
    match body {
        Body::Symbol { name, module, .. } if module.is_empty() => format!("function {name} gets its number"),
        Body::Symbol { name, module, .. } => format!("function {name} of {module} gets its number"),
        Body::Lost { records, hook } => format!("{records} records of {hook} were lost"),
        Body::Undecoded { records, reason } => format!("{records} records cannot be read: {reason}"),
        Body::Tracer => "this thread is one of pm-trace's own".to_owned(),
        Body::Ata(port) => format!("{}: {}", namer.port(port.port), ata(port.what)),
        Body::AtaEhEnd { port } => format!("{}: error handling ends", namer.port(*port)),
        Body::AtaReset { port, hard, result } => {
            let what = if *hard { "hard reset" } else { "soft reset" };
            match result {
                None => format!("{}: {what} of a link begins", namer.port(*port)),
                Some(0) => format!("{}: {what} of a link ends", namer.port(*port)),
                Some(error) => format!("{}: {what} of a link fails with {error}", namer.port(*port)),
            }
        }
        Body::WakeupSource { name, active } => {
            format!("wakeup source {name} is {}", if *active { "activated" } else { "deactivated" })
        }
        Body::Scsi(device) => {
            let what = match device.what {
                ScsiOp::Rescan => "scsi_rescan_device",
                ScsiOp::Quiesce => "scsi_device_quiesce",
                ScsiOp::Resume => "scsi_device_resume",
                ScsiOp::ResumeDevice => "scsi_resume_device",
            };
            format!("{what}({}), pm_only={}", namer.sdev(device.sdev), device.pm_only)
        }
        Body::ScsiCommand { stage, sdev, opcode, result, .. } => {
            let sdev = namer.sdev(*sdev);
            match stage {
                CommandStage::Execute => format!("command {opcode:#04x} is asked for on {sdev}"),
                CommandStage::Dispatch => format!("command {opcode:#04x} is sent to {sdev}"),
                CommandStage::Done => format!("command {opcode:#04x} of {sdev} came back: {result:#x}"),
                CommandStage::Timeout => format!("command {opcode:#04x} of {sdev} timed out"),
            }
        }
        Body::ScsiEhWakeup { host_no } => format!("error handler of SCSI host {host_no} is woken"),
        // Told by the others, or by a newer version of the recorder.
        _ => "something else".to_owned(),
    }
}

fn ata(what: AtaOp) -> &'static str {
    match what {
        AtaOp::PortResume => "ata_port_pm_resume",
        AtaOp::PortSuspend => "ata_port_pm_suspend",
        AtaOp::RequestPm => "ata_port_request_pm: error handling is asked to change the power state",
        AtaOp::Eh => "error handling begins",
        AtaOp::EhPortResume => "error handling resumes the port",
        AtaOp::EhRecover => "error handling recovers the links",
        AtaOp::Revalidate => "error handling revalidates a device",
        AtaOp::Rescan => "ata_scsi_dev_rescan",
        AtaOp::WaitEh => "waits for error handling, if it is under way",
    }
}

fn completion_name(namer: &Namer<'_>, completion: crate::event::ObjId) -> String {
    match namer.model.device_of_completion(completion) {
        Some(dev) => format!("the PM completion of {}", namer.device(dev)),
        None => format!("completion #{}", completion.0),
    }
}

fn dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// Names of an event's kernel stack, innermost function first.
pub fn stack_of(model: &Model, event: &Event) -> Vec<String> {
    match &event.body {
        Body::LockWait { stack, .. }
        | Body::CompletionWait { stack, .. }
        | Body::QueueWait { stack, .. }
        | Body::FlushWork { stack, .. }
        | Body::AsyncWait { stack, .. }
        | Body::RuntimePm { stack, .. }
        | Body::TaskSnapshot { stack, .. } => Namer::new(model).stack(stack),
        _ => Vec::new(),
    }
}
