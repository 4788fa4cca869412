//! Steps of the PM core, in text and in CBOR.

use pm_trace_common::pm::Step;

pub(super) fn step_name<S: serde::Serializer>(step: &Step, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(step_label(*step))
}

/// The step's name as the kernel's phases call it, without `dpm_`.
pub const fn step_label(step: Step) -> &'static str {
    match step {
        Step::Suspend => "suspend",
        Step::SuspendLate => "suspend_late",
        Step::SuspendNoirq => "suspend_noirq",
        Step::ResumeNoirq => "resume_noirq",
        Step::ResumeEarly => "resume_early",
        Step::Resume => "resume",
    }
}

/// The step that the devices go through in a phase of this name (`power:suspend_resume`, drivers/base/power/main.c).
pub fn step_of_phase(action: &str) -> Option<Step> {
    let label = action.strip_prefix("dpm_")?;
    Step::ALL.iter().copied().find(|&step| step_label(step) == label)
}

/// The step with this number on the wire and in files.
pub fn step_from_number(number: u16) -> Option<Step> {
    Step::ALL.iter().copied().find(|&step| step as u16 == number)
}

pub(super) mod step_cbor {
    use super::{Step, step_from_number};
    use minicbor::encode::Write;
    use minicbor::{Decoder, Encoder};

    pub fn encode<C, W: Write>(
        step: &Step,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u16(*step as u16)?.ok()
    }

    pub fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Step, minicbor::decode::Error> {
        let number = d.u16()?;
        step_from_number(number).ok_or_else(|| minicbor::decode::Error::message("no such step"))
    }
}
