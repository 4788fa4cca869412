//! A map that refuses to grow without end.

use std::collections::BTreeMap;

/// Most entries of a table. Large machines have some ten thousand devices and tasks; a hostile file has as
/// many as it likes.
const CAP: usize = 1 << 16;

/// An ordered map of at most [`CAP`] entries that counts what it refused.
#[derive(Debug)]
pub(crate) struct Bounded<K, V> {
    map: BTreeMap<K, V>,
    refused: u64,
}

impl<K, V> Default for Bounded<K, V> {
    fn default() -> Self {
        Self { map: BTreeMap::new(), refused: 0 }
    }
}

impl<K: Ord + Copy, V> Bounded<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.map.get_mut(key)
    }

    /// The entry, made if it is missing; `None` if there is no room.
    pub(crate) fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> Option<&mut V> {
        if self.map.len() >= CAP && !self.map.contains_key(&key) {
            self.refused += 1;
            return None;
        }
        Some(self.map.entry(key).or_insert_with(make))
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.map.remove(key);
    }

    pub(crate) fn clear(&mut self) {
        self.map.clear();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.map.iter()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.map.values_mut()
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }
}

/// Inserts into a map of names, unless it is full.
pub(crate) fn insert_capped<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V) {
    if map.len() < CAP || map.contains_key(&key) {
        map.insert(key, value);
    }
}

/// A string from an event, cut to a size that a table can afford.
pub(crate) fn short(text: &str) -> String {
    const LEN: usize = 128;
    crate::text::cut(text, LEN).to_owned()
}
