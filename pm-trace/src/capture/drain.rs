//! The ring buffer into a stream of events.

use super::decode::{DecodeError, Decoder};
use crate::event::{Body, Event, Nanos, TaskRef};
use crate::trace::HookCounts;
use aya::maps::{MapData, RingBuf};
use pm_trace_common::control::Counters;
use pm_trace_common::hook::Hook;

/// Records taken at once before the events are handed on: bounds the memory a full ring buffer takes.
const BATCH: usize = 4096;

/// The receiving end of the programs' records.
pub struct Drain {
    ring: RingBuf<MapData>,
    decoder: Decoder,
    received: Vec<u64>,
    told_lost: Vec<u64>,
    undecoded: u64,
    told_undecoded: u64,
    first_error: Option<DecodeError>,
}

impl Drain {
    /// Receives from `ring` and decodes with `decoder`.
    pub fn new(ring: RingBuf<MapData>, decoder: Decoder) -> Self {
        Self {
            ring,
            decoder,
            received: vec![0; Hook::COUNT],
            told_lost: vec![0; Hook::COUNT],
            undecoded: 0,
            told_undecoded: 0,
            first_error: None,
        }
    }

    /// The ring buffer's file descriptor, to wait on.
    pub fn ring(&self) -> &RingBuf<MapData> {
        &self.ring
    }

    /// Takes up to some thousand records; false if the ring buffer is empty now.
    pub fn take(&mut self, out: &mut Vec<Event>) -> bool {
        for _ in 0..BATCH {
            let Some(record) = self.ring.next() else { return false };
            match self.decoder.decode(&record, out) {
                Ok(hook) => self.received[hook as usize] += 1,
                Err(error) => {
                    self.undecoded += 1;
                    self.first_error.get_or_insert(error);
                }
            }
        }
        true
    }

    /// Events that say what was lost or not decoded since the last call, given the programs' counters.
    pub fn losses(&mut self, counters: &[Counters], time: Nanos, out: &mut Vec<Event>) {
        let event = |body| Event { time, cpu: 0, task: TaskRef::default(), body };
        for ((hook, counters), told) in Hook::ALL.iter().zip(counters).zip(&mut self.told_lost) {
            if counters.lost > *told {
                let records = counters.lost - *told;
                *told = counters.lost;
                out.push(event(Body::Lost { records, hook: hook.program().to_owned() }));
            }
        }
        if self.undecoded > self.told_undecoded {
            let records = self.undecoded - self.told_undecoded;
            self.told_undecoded = self.undecoded;
            let reason = self.first_error.as_ref().map(ToString::to_string).unwrap_or_default();
            out.push(event(Body::Undecoded { records, reason }));
        }
    }

    /// The programs' counters with what arrived, of hooks that ran.
    pub fn counts(&self, counters: &[Counters]) -> Vec<HookCounts> {
        let rows = Hook::ALL.iter().zip(counters).zip(&self.received);
        rows.filter(|((_, counters), received)| **counters != Counters::default() || **received > 0)
            .map(|((hook, counters), &received)| HookCounts {
                hook: hook.program().to_owned(),
                hits: counters.hits,
                records: counters.records,
                lost: counters.lost,
                errors: counters.errors,
                received,
            })
            .collect()
    }
}
