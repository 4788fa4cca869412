//! What was seen where: the values that guesses are made from.
//!
//! This is asked some thirty times for each event, and a block has more contexts than a processor's nearest memory
//! holds. So the table that is searched at random is as small as can be, and what it leads to stands in the order in
//! which it was seen: the contexts of one event beside each other.

use super::item::Value;
use super::streams::MAX_GUESSES;
use std::hash::BuildHasher as _;

/// Column, kind of guess and context as numbers.
pub(super) type Key = [u64; 3];

/// Entries that the table begins with, a power of two.
const LEAST: usize = 1 << 10;

/// Bits of an entry that tell the slot.
const NUMBER: u32 = (1 << 22) - 1;

/// A context and what was seen there.
struct Slot {
    key: Key,
    value: Value,
}

/// Values of one context for several columns, beside each other: the fields of an event are guessed from the same contexts.
#[derive(Clone, Copy, Default)]
pub(super) struct Row {
    start: u32,
    width: u32,
}

impl Row {
    /// Most columns of a row; a column further behind is found by itself. A block may have a row for each value in it.
    const MOST: u32 = 16;

    /// Where the value of a column is, if the row has it. `number` counts the columns of this variant.
    pub(super) fn place(self, number: u32) -> Option<Place> {
        (number < self.width).then(|| Place((self.start as usize + number as usize) | Place::IN_ROW))
    }
}

/// Where a value is.
#[derive(Clone, Copy, Default)]
pub(super) struct Place(usize);

impl Place {
    /// Of the values of rows; otherwise of those that stand by themselves.
    const IN_ROW: usize = 1 << (usize::BITS - 1);
}

/// Values by context.
pub(super) struct Seen {
    /// What makes the order of entries unforeseeable: nobody can write a file that is slow to read.
    seeds: [u64; 2],
    /// Open addressing: bits of the hash, and below them the number of the slot from 1 on; 0 where nothing is. At most two
    /// thirds of it are used.
    table: Vec<u32>,
    slots: Vec<Slot>,
    /// Values of rows.
    rows: Vec<Value>,
}

impl Default for Seen {
    fn default() -> Self {
        let state = foldhash::fast::RandomState::default();
        Self {
            seeds: [state.hash_one(0_u64) | 1, state.hash_one(1_u64) | 1],
            table: vec![0; LEAST],
            slots: Vec::with_capacity(LEAST / 2),
            rows: Vec::new(),
        }
    }
}

impl Seen {
    /// Forgets everything, and keeps the memory: a table that grows anew for each block is a third of the work.
    pub(super) fn clear(&mut self) {
        self.table.fill(0);
        self.slots.clear();
        self.rows.clear();
    }

    fn hash(&self, [one, two, three]: Key) -> u64 {
        let fold = |one: u64, other: u64| {
            let product = u128::from(one) * u128::from(other);
            product as u64 ^ (product >> 64) as u64
        };
        let [first, second] = self.seeds;
        // The second seed keeps what is 0 from making all of it 0.
        fold(fold(one ^ first, two ^ second) ^ three, first.rotate_left(32) ^ second)
    }

    /// Where the values of contexts are; nothing is there if there was none yet. The table is read for all of them first:
    /// memory is slow to answer, but answers several questions at a time.
    pub(super) fn places(&mut self, keys: &[Key], places: &mut [Place]) {
        let mask = self.table.len() - 1;
        let mut entries = [(0, 0); MAX_GUESSES];
        for (entry, key) in entries.iter_mut().zip(keys) {
            let hash = self.hash(*key);
            *entry = (hash, self.table[hash as usize & mask]);
        }
        for ((place, key), (hash, entry)) in places.iter_mut().zip(keys).zip(entries) {
            *place = Place(self.holds(entry, hash, key).unwrap_or_else(|| self.search(*key, hash)));
        }
    }

    /// Where the value of a context is.
    pub(super) fn place(&mut self, key: Key) -> Place {
        Place(self.search(key, self.hash(key)))
    }

    /// The slot that an entry tells, if it is the context's.
    fn holds(&self, entry: u32, hash: u64, key: &Key) -> Option<usize> {
        let place = (entry & NUMBER).wrapping_sub(1) as usize;
        let is_it = (entry ^ above(hash)) & !NUMBER == 0
            && self.slots.get(place).is_some_and(|slot| slot.key == *key);
        is_it.then_some(place)
    }

    fn search(&mut self, key: Key, hash: u64) -> usize {
        let mask = self.table.len() - 1;
        let mut at = hash as usize & mask;
        while self.table[at] != 0 {
            if let Some(place) = self.holds(self.table[at], hash, &key) {
                return place;
            }
            at = (at + 1) & mask;
        }
        let place = self.slots.len();
        if place == NUMBER as usize {
            // Four million: a writer's block has not a tenth of it. What is new shares the last one, in both directions.
            return place - 1;
        }
        self.slots.push(Slot { key, value: Value::Nothing });
        self.table[at] = above(hash) & !NUMBER | (place as u32 + 1);
        if self.slots.len() * 3 > self.table.len() * 2 {
            self.grow();
        }
        place
    }

    fn grow(&mut self) {
        let mask = self.table.len() * 2 - 1;
        self.table = vec![0; mask + 1];
        for (place, slot) in self.slots.iter().enumerate() {
            let hash = self.hash(slot.key);
            let mut at = hash as usize & mask;
            while self.table[at] != 0 {
                at = (at + 1) & mask;
            }
            self.table[at] = above(hash) & !NUMBER | (place as u32 + 1);
        }
    }

    /// The row of a context, made for so many columns if there is none.
    pub(super) fn row(&mut self, key: Key, columns: u32) -> Row {
        let place = self.search(key, self.hash(key));
        if let Value::Uint(row) = self.slots[place].value {
            // Put together below.
            return Row { start: (row >> 32) as u32, width: row as u32 };
        }
        // Less than 2^32: a block has at most 4 MiB of rows, and an event takes several bytes of it.
        let row = Row { start: self.rows.len() as u32, width: columns.min(Row::MOST) };
        self.rows.resize(self.rows.len() + row.width as usize, Value::Nothing);
        self.slots[place].value = Value::Uint(u64::from(row.start) << 32 | u64::from(row.width));
        row
    }

    pub(super) fn get(&self, Place(place): Place) -> Value {
        if place & Place::IN_ROW == 0 {
            return self.slots[place].value;
        }
        // What shares the last place may be taken for a row that is not there.
        self.rows.get(place & !Place::IN_ROW).copied().unwrap_or_default()
    }

    pub(super) fn set(&mut self, Place(place): Place, value: Value) {
        if place & Place::IN_ROW == 0 {
            self.slots[place].value = value;
        } else if let Some(seen) = self.rows.get_mut(place & !Place::IN_ROW) {
            *seen = value;
        }
    }
}

/// The upper half of a hash.
fn above(hash: u64) -> u32 {
    (hash >> 32) as u32
}
