//! What a reader found wrong with a trace.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Most notes kept.
const MAX_NOTES: usize = 200;

/// Most kinds of unknown block that are told apart.
const MAX_KINDS: usize = 32;

/// Something about a trace that its reader wants known: what is damaged, and what is lost by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Where in the file, in bytes.
    pub offset: u64,
    /// How many bytes it concerns; 0 if none.
    pub length: u64,
    /// What.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Problem {
    /// The file header is damaged; the blocks behind it are read as the current version.
    FileHeader,
    /// The trace does not begin where the file does.
    LeadingBytes,
    /// Bytes that are no block, or blocks that are missing.
    Damaged {
        /// Blocks lost, if the block behind the damage tells.
        blocks: Option<u32>,
    },
    /// Events are missing.
    EventsLost {
        /// How many.
        events: u64,
    },
    /// The file ends within a block.
    Truncated,
    /// No clean end: the machine or the recorder stopped before it could close the trace.
    NotClosed,
    /// The session is missing or cannot be decoded.
    NoSession {
        /// Why.
        reason: String,
    },
    /// Blocks of a kind this version does not know.
    UnknownBlocks {
        /// The kind.
        kind: u16,
        /// How many.
        count: u64,
    },
    /// A block whose content cannot be decoded though its checksum is right.
    BadBlock {
        /// What it is.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// Events that cannot be decoded, most likely of a newer version.
    Undecoded {
        /// How many.
        events: u64,
        /// Why the first could not.
        reason: String,
    },
    /// Another trace follows in the same file; it is not read.
    AnotherTrace,
    /// Reading failed; the trace counts as ending there.
    ReadFailed {
        /// Why.
        reason: String,
    },
    /// There is more to note than is kept.
    More {
        /// How many notes were left out.
        notes: u64,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offset, length) = (self.offset, self.length);
        match &self.problem {
            Problem::FileHeader => write!(f, "the file header is damaged; the rest is read as usual"),
            Problem::LeadingBytes => {
                write!(f, "the first {length} bytes are no part of the trace and were skipped")
            }
            Problem::Damaged { blocks } => {
                if length == 0 {
                    write!(f, "at byte {offset}")?;
                } else {
                    write!(f, "bytes {offset} to {} are damaged", offset.saturating_add(length))?;
                }
                match blocks {
                    Some(blocks) => write!(f, ": {blocks} block(s) are lost"),
                    None => write!(f, ": the number of blocks lost is unknown"),
                }
            }
            Problem::EventsLost { events } => write!(f, "{events} event(s) before byte {offset} are lost"),
            Problem::Truncated => {
                write!(
                    f,
                    "the file ends within a block: its last {length} bytes, from byte {offset} on, are lost"
                )
            }
            Problem::NotClosed => write!(
                f,
                "the trace was not closed: the machine or the recorder stopped first; it is whole up to byte {offset}"
            ),
            Problem::NoSession { reason } => {
                write!(f, "machine, kernel and probes are unknown: {reason}")
            }
            Problem::UnknownBlocks { kind, count } => {
                write!(f, "{count} block(s) of kind {kind} are unknown to this version and were skipped")
            }
            Problem::BadBlock { what, reason } => {
                write!(f, "the {what} at byte {offset} cannot be decoded: {reason}")
            }
            Problem::Undecoded { events, reason } => {
                write!(
                    f,
                    "{events} event(s) cannot be decoded by this version, the first at byte {offset}: {reason}"
                )
            }
            Problem::AnotherTrace => {
                write!(f, "another trace begins at byte {offset}; only the first is read")
            }
            Problem::ReadFailed { reason } => write!(f, "reading failed at byte {offset}: {reason}"),
            Problem::More { notes } => write!(f, "{notes} further note(s) were left out"),
        }
    }
}

/// Notes as they are collected: bounded, with like ones counted together.
#[derive(Debug, Default)]
pub(super) struct Notes {
    list: Vec<Note>,
    left_out: u64,
    /// For each kind of unknown block the offset of the first, and how many.
    unknown: BTreeMap<u16, (u64, u64)>,
    undecoded: Option<Note>,
}

impl Notes {
    pub(super) fn list(&self) -> &[Note] {
        &self.list
    }

    pub(super) fn add(&mut self, offset: u64, length: u64, problem: Problem) {
        if self.list.len() < MAX_NOTES {
            self.list.push(Note { offset, length, problem });
        } else {
            self.left_out += 1;
        }
    }

    /// Notes once that there is no session.
    pub(super) fn session_missing(&mut self, reason: &str) {
        if !self.list.iter().any(|note| matches!(note.problem, Problem::NoSession { .. })) {
            self.add(0, 0, Problem::NoSession { reason: reason.to_owned() });
        }
    }

    pub(super) fn unknown_block(&mut self, kind: u16, offset: u64) {
        if self.unknown.len() < MAX_KINDS || self.unknown.contains_key(&kind) {
            self.unknown.entry(kind).or_insert((offset, 0)).1 += 1;
        } else {
            self.left_out += 1;
        }
    }

    pub(super) fn undecoded(&mut self, offset: u64, why: &str) {
        let first = || Problem::Undecoded { events: 0, reason: why.to_owned() };
        let note = self.undecoded.get_or_insert_with(|| Note { offset, length: 0, problem: first() });
        if let Problem::Undecoded { events, .. } = &mut note.problem {
            *events += 1;
        }
    }

    /// Adds what was counted. Nothing may be added after it.
    pub(super) fn complete(&mut self) {
        for (kind, (offset, count)) in std::mem::take(&mut self.unknown) {
            self.list.push(Note { offset, length: 0, problem: Problem::UnknownBlocks { kind, count } });
        }
        self.list.extend(self.undecoded.take());
        if self.left_out > 0 {
            self.list.push(Note { offset: 0, length: 0, problem: Problem::More { notes: self.left_out } });
        }
    }
}
