//! The head of a trace: what it says about itself.

use super::arming::Placement;
use super::probes::Probes;
use super::recorder::RecordOptions;
use crate::kernel::clock;
use crate::kernel::layout::Layout;
use crate::kernel::machine::Machine;
use crate::kernel::system::System;
use crate::trace::{MissingMember, ProbeRecord, Session};

/// The head of the trace that a recording with these options writes.
pub fn session(system: &dyn System, layout: &Layout, probes: &Probes, options: &RecordOptions) -> Session {
    let probes = probes.placements().map(|(spec, placement)| {
        let (place, skipped) = match placement {
            Placement::At(place) => (Some(place.to_string()), None),
            Placement::Skipped(reason) => (None, Some(reason.clone())),
        };
        // Nothing is lost without a hook that is there.
        let lost = if place.is_none() { spec.lost } else { "" };
        ProbeRecord {
            hook: spec.hook.program().to_owned(),
            subject: spec.subject.to_owned(),
            meaning: spec.meaning.to_owned(),
            place,
            skipped,
            lost: lost.to_owned(),
        }
    });
    let missing = layout.missing.iter().map(|missing| {
        let place = missing.member.place();
        MissingMember { member: format!("{}.{}", place.structure, place.path), reason: missing.to_string() }
    });
    Session {
        probes: probes.collect(),
        missing: missing.collect(),
        ring_bytes: u64::from(options.buffer_mib) << 20,
        mode: options.mode,
        state: options.state.clone(),
        stall_after: options.stall_after.map(|after| u64::try_from(after.as_nanos()).unwrap_or(u64::MAX)),
        ..Session::new(options.command.clone(), &Machine::probe(system), clock::now())
    }
}
