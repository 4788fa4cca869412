//! Locks and completions that somebody waits for.

use super::At;
use crate::event::TaskRef;

/// A lock that somebody waits for.
#[derive(Clone, Debug, Default)]
pub struct Lock {
    /// Who holds it, as last known.
    pub owner: Option<Owned>,
    /// Thread ids of the tasks that wait for it.
    pub waiters: Vec<u32>,
}

/// Who holds a lock and how that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owned {
    /// The owner.
    pub task: TaskRef,
    /// When it was read or seen.
    pub at: At,
    /// When it was first read or seen, if it has been the owner at every look since.
    pub since: At,
    /// How it is known.
    pub from: OwnerFrom,
    /// Readers hold the lock; this is the one of them that took it last, and may have let go.
    pub shared: bool,
}

/// How the owner of a lock is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerFrom {
    /// Read from the lock when a task began to wait.
    Read,
    /// Read from the lock by a snapshot.
    Snapshot,
    /// It was seen to get the lock after it had waited.
    Acquired,
}

/// A completion that somebody waits for.
#[derive(Clone, Debug, Default)]
pub struct Completion {
    /// Thread ids of the tasks that wait for it, in the order in which they came.
    pub waiters: Vec<u32>,
}
