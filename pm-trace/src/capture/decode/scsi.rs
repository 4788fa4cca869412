//! SCSI.

use super::{DecodeError, Decoder, payload};
use crate::event::{Body, CommandStage, Power, ScsiDevice, ScsiOp};
use pm_trace_common::header::Kind;
use pm_trace_common::member::Member;
use pm_trace_common::scsi;

impl Decoder {
    pub(super) fn scsi(&mut self, what: ScsiOp, kind: Kind, bytes: &[u8]) -> Result<Body, DecodeError> {
        let p: scsi::ScsiDevice = payload(bytes)?;
        Ok(Body::Scsi(ScsiDevice {
            what,
            sdev: self.needed(kind, p.sdev)?,
            dev: self.member(p.sdev, Member::SdevDevice),
            queue: self.object(p.queue),
            state: p.state,
            power: Power(p.power),
            pm_only: p.pm_only,
        }))
    }

    pub(super) fn command(
        &mut self,
        stage: CommandStage,
        kind: Kind,
        bytes: &[u8],
    ) -> Result<Body, DecodeError> {
        let p: scsi::ScsiCommand = payload(bytes)?;
        Ok(Body::ScsiCommand {
            stage,
            command: self.object(p.command),
            sdev: self.needed(kind, p.sdev)?,
            dev: self.member(p.sdev, Member::SdevDevice),
            // Operation codes have 8 bits.
            opcode: (p.opcode & 0xff) as u8,
            result: p.result,
            timeout: (p.timeout != 0).then(|| u64::from(p.timeout).saturating_mul(self.jiffy)),
        })
    }
}
