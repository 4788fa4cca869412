//! The trace file (`.pmtrace`): append-only, checksummed, readable up to the last whole block.
//!
//! A file header is followed by blocks. Every block stands for itself (own magic, number, length and
//! checksums), so a reader goes on behind a damaged or missing one, and the same bytes can be sent to a
//! second place ([`Writer::tee`]) that may lose some of them. `docs/trace-format.md` describes every byte.
//!
//! - [`Writer`] stores a [`Session`] durably, then events, and closes with [`Totals`].
//! - [`Trace`] gives back the session and, as an iterator, the events. What it could not read it says in
//!   [`Trace::notes`]; it never panics and never holds more than a few blocks in memory.
//!
//! Events are stored in `columns`, made by the thread that writes them.
//!
//! Numbers of block kinds, CBOR indices of the types stored and variants of `Event` are never reused;
//! readers skip and count what they do not know.

mod ahead;
mod block;
mod columns;
mod error;
mod file;
pub mod keep;
mod note;
mod output;
mod packet;
mod reader;
mod scan;
mod session;
mod sink;
mod status;
mod window;
mod writer;

#[cfg(test)]
mod tests;

pub use crate::event::Clocks;
pub use block::{FORMAT_VERSION, MAX_EVENT, MAX_PAYLOAD};
pub use error::{Error, Result};
pub use file::Overwrite;
pub(crate) use file::give_to_sudo_user;
pub use note::{Note, Problem};
pub use reader::{Summary, Trace};
pub use session::{
    Checkpoint, HookCounts, ImportedFrom, Kernel, MissingMember, Mode, ProbeRecord, Session, Totals,
};
pub use status::{Status, TeeStatus};
pub use writer::Writer;
