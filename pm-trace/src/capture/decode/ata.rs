//! libata.

use super::{DecodeError, Decoder, payload};
use crate::event::{AtaOp, AtaPort, Body, Event};
use pm_trace_common::ata;
use pm_trace_common::header::Kind;
use pm_trace_common::member::Member;

impl Decoder {
    pub(super) fn ata(
        &mut self,
        what: AtaOp,
        kind: Kind,
        bytes: &[u8],
        at: &Event,
        out: &mut Vec<Event>,
    ) -> Result<Body, DecodeError> {
        let p: ata::AtaPort = payload(bytes)?;
        Ok(Body::Ata(AtaPort {
            what,
            port: self.needed(kind, p.port)?,
            dev: self.member(p.port, Member::PortDevice),
            controller: self.object(p.controller),
            print_id: p.print_id,
            pflags: p.pflags,
            scan_mutex: self.member(p.port, Member::PortScanMutex),
            rescan_work: self.member(p.port, Member::PortRescanTask),
            sdev: self.object(p.sdev),
            event: p.event,
            is_async: p.is_async != 0,
            caller: self.symbol(p.caller, at, out),
        }))
    }
}
