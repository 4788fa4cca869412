//! Names that callers still use for what `kernel` reads.

use super::Session;
use crate::event::Clocks;
use crate::kernel::machine::Machine;
use crate::kernel::{clock, system};

/// [`Session::new`] of the running system.
pub fn this_machine(command: Vec<String>) -> Session {
    Session::new(command, &Machine::probe(&system::Live), clock::now())
}

/// [`clock::now`]
pub fn clocks_now() -> Clocks {
    clock::now()
}

/// [`Clocks::utc`]
pub(crate) fn utc(realtime: u64) -> String {
    Clocks { realtime, ..Clocks::default() }.utc()
}
