//! Events of every kind with arbitrary content.

use crate::event::*;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

fn id() -> impl Strategy<Value = ObjId> {
    any::<u32>().prop_map(ObjId)
}

fn symbol() -> impl Strategy<Value = SymId> {
    any::<u32>().prop_map(SymId)
}

fn text() -> impl Strategy<Value = String> {
    ".{0,24}"
}

fn power() -> impl Strategy<Value = Power> {
    any::<u32>().prop_map(Power)
}

fn task() -> impl Strategy<Value = TaskRef> {
    // Bytes behind the first NUL are no part of a name.
    (any::<u32>(), vec(1_u8.., 0..16)).prop_map(|(tid, bytes)| {
        let mut comm = Comm::default();
        comm.0[..bytes.len()].copy_from_slice(&bytes);
        TaskRef { tid, comm }
    })
}

fn stack() -> impl Strategy<Value = Stack> {
    vec((symbol(), any::<u32>()).prop_map(|(symbol, offset)| Frame { symbol, offset }), 0..20)
}

fn step() -> impl Strategy<Value = Step> {
    select(Step::ALL)
}

fn file_bodies() -> impl Strategy<Value = Body> {
    prop_oneof![
        (symbol(), text(), text()).prop_map(|(id, name, module)| Body::Symbol { id, name, module }),
        (any::<u64>(), text()).prop_map(|(records, hook)| Body::Lost { records, hook }),
        (any::<u64>(), text()).prop_map(|(records, reason)| Body::Undecoded { records, reason }),
        Just(Body::Tracer),
    ]
}

fn pm_bodies() -> impl Strategy<Value = Body> {
    let device = (id(), of(id()), text(), text(), text(), text(), power(), of(id()), of(id()), any::<u32>());
    let kinds = vec![DeviceWaitKind::Superior, DeviceWaitKind::Subordinate, DeviceWaitKind::Explicit];
    prop_oneof![
        (text(), any::<i32>(), any::<bool>()).prop_map(|(action, value, start)| Body::Phase {
            action,
            value,
            start
        }),
        device.prop_map(|(dev, parent, name, bus, class, driver, power, lock, completion, links_left)| {
            Body::Device(DeviceInfo {
                dev,
                parent,
                name,
                bus,
                class,
                driver,
                power,
                lock,
                completion,
                links_left,
            })
        }),
        (id(), id(), any::<u32>(), any::<u32>()).prop_map(|(supplier, consumer, flags, status)| Body::Link {
            supplier,
            consumer,
            flags,
            status
        }),
        (id(), step(), any::<bool>(), power()).prop_map(|(dev, step, is_async, power)| Body::StepStart {
            dev,
            step,
            is_async,
            power
        }),
        (id(), power()).prop_map(|(dev, power)| Body::StepEnd { dev, power }),
        (id(), any::<i32>(), text()).prop_map(|(dev, event, ops)| Body::CallbackStart { dev, event, ops }),
        (id(), any::<i32>()).prop_map(|(dev, error)| Body::CallbackEnd { dev, error }),
        (id(), of(id()), select(kinds)).prop_map(|(dev, target, why)| Body::DeviceWait { dev, target, why }),
    ]
}

fn wait_bodies() -> impl Strategy<Value = Body> {
    let locks = vec![
        LockKind::Mutex,
        LockKind::RwsemRead,
        LockKind::RwsemWrite,
        LockKind::RtMutex,
        LockKind::PercpuRwsem,
        LockKind::Other,
    ];
    let queue = ((id(), of(id()), of(id())), any::<(bool, bool, bool, i32, i32)>(), (power(), stack()));
    prop_oneof![
        (id(), select(locks), of(task()), stack(), any::<bool>()).prop_map(
            |(lock, lock_kind, owner, stack, shared)| Body::LockWait {
                lock,
                lock_kind,
                owner,
                stack,
                shared
            }
        ),
        (id(), any::<(bool, u32, u32)>(), power(), stack()).prop_map(
            |(dev, (resume, status, flags), power, stack)| Body::RuntimePm {
                dev,
                resume,
                status,
                flags,
                power,
                stack
            }
        ),
        (id(), any::<i32>()).prop_map(|(dev, result)| Body::RuntimePmEnd { dev, result }),
        (id(), any::<bool>()).prop_map(|(lock, acquired)| Body::LockWaitEnd { lock, acquired }),
        (id(), any::<Option<u64>>(), any::<bool>(), stack()).prop_map(|(completion, timeout, io, stack)| {
            Body::CompletionWait { completion, timeout, io, stack }
        }),
        (id(), any::<bool>()).prop_map(|(completion, all)| Body::Completed { completion, all }),
        queue.prop_map(|((queue, sdev, dev), (pm, nowait, bio, pm_only, freeze_depth), (power, stack))| {
            Body::QueueWait { queue, sdev, dev, pm, nowait, bio, pm_only, freeze_depth, power, stack }
        }),
        (id(), of(symbol()), stack()).prop_map(|(work, function, stack)| Body::FlushWork {
            work,
            function,
            stack
        }),
        (of(id()), any::<bool>(), stack()).prop_map(|(domain, all, stack)| Body::AsyncWait {
            domain,
            all,
            stack
        }),
    ]
}

fn work_bodies() -> impl Strategy<Value = Body> {
    prop_oneof![
        (id(), of(symbol()), text(), any::<u32>(), of(id()), of(any::<u32>()), of(any::<bool>())).prop_map(
            |(work, function, workqueue, wq_flags, queue, max_active, interrupt)| Body::WorkQueued {
                work,
                function,
                workqueue,
                wq_flags,
                queue,
                max_active,
                interrupt
            }
        ),
        (id(), of(symbol()), any::<u64>(), of(any::<bool>())).prop_map(
            |(work, function, delay, interrupt)| Body::WorkDelayed { work, function, delay, interrupt }
        ),
        (id(), of(symbol())).prop_map(|(work, function)| Body::WorkStart { work, function }),
        (id(), of(symbol())).prop_map(|(work, function)| Body::WorkEnd { work, function }),
        (id(), of(symbol()), of(id()), of(id())).prop_map(|(work, function, data, domain)| Body::AsyncRun {
            work,
            function,
            data,
            domain
        }),
    ]
}

fn driver_bodies() -> impl Strategy<Value = Body> {
    let ata_ops = vec![
        AtaOp::PortResume,
        AtaOp::PortSuspend,
        AtaOp::RequestPm,
        AtaOp::Eh,
        AtaOp::EhPortResume,
        AtaOp::EhRecover,
        AtaOp::Revalidate,
        AtaOp::Rescan,
        AtaOp::WaitEh,
    ];
    let ata = (
        (select(ata_ops), id(), of(id()), of(id()), any::<u32>(), any::<u32>()),
        (of(id()), of(id()), of(id()), any::<i32>(), any::<bool>(), of(symbol())),
    );
    let scsi_ops = vec![ScsiOp::Rescan, ScsiOp::Quiesce, ScsiOp::Resume, ScsiOp::ResumeDevice];
    let stages =
        vec![CommandStage::Execute, CommandStage::Dispatch, CommandStage::Done, CommandStage::Timeout];
    prop_oneof![
        ata.prop_map(|((what, port, dev, controller, print_id, pflags), rest)| {
            let (scan_mutex, rescan_work, sdev, event, is_async, caller) = rest;
            Body::Ata(AtaPort {
                what,
                port,
                dev,
                controller,
                print_id,
                pflags,
                scan_mutex,
                rescan_work,
                sdev,
                event,
                is_async,
                caller,
            })
        }),
        (select(scsi_ops), id(), of(id()), of(id()), any::<u32>(), power(), any::<i32>()).prop_map(
            |(what, sdev, dev, queue, state, power, pm_only)| {
                Body::Scsi(ScsiDevice { what, sdev, dev, queue, state, power, pm_only })
            }
        ),
        (select(stages), of(id()), id(), of(id()), any::<u8>(), any::<i32>(), of(any::<u64>())).prop_map(
            |(stage, command, sdev, dev, opcode, result, timeout)| {
                Body::ScsiCommand { stage, command, sdev, dev, opcode, result, timeout }
            }
        ),
        any::<u32>().prop_map(|host_no| Body::ScsiEhWakeup { host_no }),
        id().prop_map(|port| Body::AtaEhEnd { port }),
        (id(), any::<bool>(), of(any::<i32>())).prop_map(|(port, hard, result)| Body::AtaReset {
            port,
            hard,
            result
        }),
        (text(), any::<bool>()).prop_map(|(name, active)| Body::WakeupSource { name, active }),
    ]
}

fn task_bodies() -> impl Strategy<Value = Body> {
    prop_oneof![
        any::<(u64, u64)>().prop_map(|(since, duration)| Body::Blocked { since, duration }),
        (any::<(u32, Option<u64>, bool)>(), of(id()), of(task()), stack()).prop_map(
            |((state, since, shared), lock, owner, stack)| Body::TaskSnapshot {
                state,
                since,
                lock,
                owner,
                stack,
                shared
            }
        ),
        any::<(u64, u32)>().prop_map(|(began, tasks)| Body::SnapshotEnd { began, tasks }),
    ]
}

/// Any event.
pub(super) fn event() -> impl Strategy<Value = Event> {
    let body =
        prop_oneof![file_bodies(), pm_bodies(), wait_bodies(), work_bodies(), driver_bodies(), task_bodies()];
    (any::<u64>(), any::<u16>(), task(), body).prop_map(|(time, cpu, task, body)| Event {
        time,
        cpu,
        task,
        body,
    })
}

/// A few events of any kind.
pub(in super::super) fn events() -> impl Strategy<Value = Vec<Event>> {
    vec(event(), 0..60)
}
