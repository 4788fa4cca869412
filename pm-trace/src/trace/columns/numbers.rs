//! Columns numbered in the order in which they appear, so that what is known of them stands in a list.

use super::HashMap;
use super::streams::Column;

/// Columns that are found without a search: an event has some ten, a block some hundred. A power of two.
const RECENT: usize = 256;

/// In place of a column; none has this number.
const NONE: Column = Column::MAX;

/// Numbers of columns, from 0 on.
pub(super) struct Numbers {
    /// By the lower bits of a column: one of those that have them, and its number.
    recent: [(Column, u32); RECENT],
    all: HashMap<Column, u32>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { recent: [(NONE, 0); RECENT], all: HashMap::default() }
    }
}

impl Numbers {
    /// The number of a column; it gets the next one if it is new.
    pub(super) fn of(&mut self, column: Column) -> usize {
        // What differs between columns that are asked for together: variant, field, place in it.
        let at = (column ^ column >> 5 ^ column >> 13) as usize % RECENT;
        if self.recent[at].0 != column {
            let next = self.all.len() as u32;
            self.recent[at] = (column, *self.all.entry(column).or_insert(next));
        }
        self.recent[at].1 as usize
    }
}
