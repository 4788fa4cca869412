//! Runtime PM.

use super::At;
use crate::event::TaskRef;

/// A task carries out the runtime resume or suspend of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeRun {
    /// Who.
    pub task: TaskRef,
    /// Since when.
    pub at: At,
    /// Resume, not suspend.
    pub resume: bool,
}
