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

/// A context and what was seen there.
struct Slot {
    key: Key,
    value: Value,
}

/// Values by context.
pub(super) struct Seen {
    /// What makes the order of entries unforeseeable: nobody can write a file that is slow to read.
    seeds: [u64; 2],
    /// Open addressing: the upper half of the hash, and the number of the slot from 1 on; 0 where nothing is. At most half
    /// of it is used.
    table: Vec<u64>,
    slots: Vec<Slot>,
}

impl Default for Seen {
    fn default() -> Self {
        let state = foldhash::fast::RandomState::default();
        Self {
            seeds: [state.hash_one(0_u64) | 1, state.hash_one(1_u64) | 1],
            table: vec![0; LEAST],
            slots: Vec::with_capacity(LEAST / 2),
        }
    }
}

impl Seen {
    /// Forgets everything, and keeps the memory: a table that grows anew for each block is a third of the work.
    pub(super) fn clear(&mut self) {
        self.table.fill(0);
        self.slots.clear();
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
    pub(super) fn places(&mut self, keys: &[Key], places: &mut [usize]) {
        let mask = self.table.len() - 1;
        let mut entries = [(0, 0); MAX_GUESSES];
        for (entry, key) in entries.iter_mut().zip(keys) {
            let hash = self.hash(*key);
            *entry = (hash, self.table[hash as usize & mask]);
        }
        for ((place, key), (hash, entry)) in places.iter_mut().zip(keys).zip(entries) {
            let first = (entry as u32).wrapping_sub(1) as usize;
            let is_it =
                entry >> 32 == hash >> 32 && self.slots.get(first).is_some_and(|slot| slot.key == *key);
            *place = if is_it { first } else { self.search(*key, hash) };
        }
    }

    /// Where the value of a context is.
    pub(super) fn place(&mut self, key: Key) -> usize {
        self.search(key, self.hash(key))
    }

    fn search(&mut self, key: Key, hash: u64) -> usize {
        let mask = self.table.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let entry = self.table[at];
            if entry == 0 {
                break;
            }
            let place = (entry as u32 - 1) as usize;
            if entry >> 32 == hash >> 32 && self.slots[place].key == key {
                return place;
            }
            at = (at + 1) & mask;
        }
        let place = self.slots.len();
        self.slots.push(Slot { key, value: Value::Nothing });
        // Less than 2^32: a block has at most 4 MiB of rows.
        self.table[at] = (hash >> 32) << 32 | (place as u64 + 1);
        if self.slots.len() * 2 > self.table.len() {
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
            self.table[at] = (hash >> 32) << 32 | (place as u64 + 1);
        }
    }

    pub(super) fn get(&self, place: usize) -> Value {
        self.slots[place].value
    }

    pub(super) fn set(&mut self, place: usize, value: Value) {
        self.slots[place].value = value;
    }
}
