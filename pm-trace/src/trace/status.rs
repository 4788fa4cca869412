//! How writing a trace goes.

/// How writing goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Events appended so far.
    pub events: u64,
    /// Blocks made so far.
    pub blocks: u32,
    /// Bytes in memory that are not in the file yet, the block being filled not counted.
    pub waiting: usize,
    /// Blocks that the file lacks for good, because too much waited.
    pub dropped: u64,
    /// Why the file cannot be written at present.
    pub trouble: Option<String>,
    /// The second output, if there is one.
    pub tee: Option<TeeStatus>,
}

/// How the second output goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TeeStatus {
    /// Blocks it did not get.
    pub dropped: u64,
    /// Bytes that wait for it.
    pub waiting: usize,
    /// Why it cannot be written at present.
    pub trouble: Option<String>,
}
