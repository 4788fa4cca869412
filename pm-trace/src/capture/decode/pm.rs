//! PM core.

use super::{DecodeError, Decoder, payload, text};
use crate::event::{Body, DeviceInfo, DeviceWaitKind, Event, Power, step_from_number, step_of_phase};
use pm_trace_common::header::Kind;
use pm_trace_common::member::Member;
use pm_trace_common::pm::{self, Step};

impl Decoder {
    pub(super) fn runtime(
        &mut self,
        bytes: &[u8],
        at: &Event,
        out: &mut Vec<Event>,
    ) -> Result<Body, DecodeError> {
        let kind = Kind::RuntimePm;
        let p: pm::RuntimePm = payload(bytes)?;
        let resume = match p.op {
            pm::runtime_op::RESUME => true,
            pm::runtime_op::SUSPEND => false,
            op => {
                return Err(DecodeError::BadValue { kind: kind.name(), field: "op", value: op.into() });
            }
        };
        Ok(Body::RuntimePm {
            dev: self.needed(kind, p.dev)?,
            resume,
            status: p.status,
            flags: p.flags,
            power: Power(p.power),
            stack: self.stack(&p.stack, at, out),
        })
    }

    pub(super) fn pm(
        &mut self,
        kind: Kind,
        bytes: &[u8],
        at: &Event,
        out: &mut Vec<Event>,
    ) -> Result<Body, DecodeError> {
        Ok(match kind {
            Kind::Phase => {
                let p: pm::Phase = payload(bytes)?;
                let action = text(&p.action);
                self.between = step_of_phase(&action)
                    .filter(|&step| p.start != 0 && !matches!(step, Step::Suspend | Step::Resume));
                Body::Phase { action, value: p.value, start: p.start != 0 }
            }
            Kind::DeviceInfo => {
                let p: pm::DeviceInfo = payload(bytes)?;
                Body::Device(DeviceInfo {
                    dev: self.needed(kind, p.dev)?,
                    parent: self.object(p.parent),
                    name: text(&p.name),
                    bus: text(&p.bus),
                    class: text(&p.class),
                    driver: text(&p.driver),
                    power: Power(p.power),
                    lock: self.member(p.dev, Member::DeviceMutex),
                    completion: self.member(p.dev, Member::DevicePmCompletion),
                    links_left: p.links_left,
                })
            }
            Kind::DeviceLink => {
                let p: pm::DeviceLink = payload(bytes)?;
                Body::Link {
                    supplier: self.needed(kind, p.supplier)?,
                    consumer: self.needed(kind, p.consumer)?,
                    flags: p.flags,
                    status: p.status,
                }
            }
            Kind::StepStart => {
                let p: pm::StepStart = payload(bytes)?;
                let step = step_from_number(p.step).ok_or(DecodeError::BadValue {
                    kind: kind.name(),
                    field: "step",
                    value: p.step.into(),
                })?;
                Body::StepStart {
                    dev: self.needed(kind, p.dev)?,
                    step,
                    is_async: p.is_async != 0,
                    power: Power(p.power),
                }
            }
            Kind::StepEnd => {
                let p: pm::StepEnd = payload(bytes)?;
                Body::StepEnd { dev: self.needed(kind, p.dev)?, power: Power(p.power) }
            }
            Kind::CallbackStart => {
                let p: pm::CallbackStart = payload(bytes)?;
                Body::CallbackStart {
                    dev: self.needed(kind, p.dev)?,
                    event: p.event,
                    ops: text(&p.ops).trim_end().to_owned(),
                }
            }
            Kind::CallbackEnd => {
                let p: pm::CallbackEnd = payload(bytes)?;
                Body::CallbackEnd { dev: self.needed(kind, p.dev)?, error: p.error }
            }
            Kind::RuntimePmEnd => {
                let p: pm::RuntimePmEnd = payload(bytes)?;
                Body::RuntimePmEnd { dev: self.needed(kind, p.dev)?, result: p.result }
            }
            _ => self.device_wait(kind, payload(bytes)?, at, out)?,
        })
    }

    /// A wait of a device, and before it the start of the step that begins with it.
    fn device_wait(
        &mut self,
        kind: Kind,
        p: pm::DeviceWait,
        at: &Event,
        out: &mut Vec<Event>,
    ) -> Result<Body, DecodeError> {
        let why = match p.why {
            pm::device_wait::SUPERIOR => DeviceWaitKind::Superior,
            pm::device_wait::SUBORDINATE => DeviceWaitKind::Subordinate,
            pm::device_wait::EXPLICIT => DeviceWaitKind::Explicit,
            why => {
                return Err(DecodeError::BadValue { kind: kind.name(), field: "why", value: why.into() });
            }
        };
        let dev = self.needed(kind, p.dev)?;
        if let (Some(step), false) = (self.between, why == DeviceWaitKind::Explicit) {
            let body = Body::StepStart { dev, step, is_async: p.is_async != 0, power: Power(p.power) };
            out.push(Event { body, ..at.clone() });
        }
        Ok(Body::DeviceWait { dev, target: self.object(p.target), why })
    }
}
