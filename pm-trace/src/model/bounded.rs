//! A map that refuses to grow without end.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Most entries of a table. Large machines have some ten thousand devices and tasks; a hostile file has as
/// many as it likes.
const CAP: usize = 1 << 16;

/// An ordered map of at most [`CAP`] entries that counts what it refused.
///
/// Copies share their entries until one of them changes an entry: a copy of the model costs little time and
/// hardly any memory, which is what lets a trace be looked at as it was at any moment.
#[derive(Clone, Debug)]
pub(crate) struct Bounded<K, V> {
    map: BTreeMap<K, Arc<V>>,
    refused: u64,
}

impl<K, V> Default for Bounded<K, V> {
    fn default() -> Self {
        Self { map: BTreeMap::new(), refused: 0 }
    }
}

impl<K: Ord + Copy, V: Clone> Bounded<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key).map(Arc::as_ref)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.map.get_mut(key).map(Arc::make_mut)
    }

    /// The entry, made if it is missing; `None` if there is no room.
    pub(crate) fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> Option<&mut V> {
        if self.map.len() >= CAP && !self.map.contains_key(&key) {
            self.refused += 1;
            return None;
        }
        Some(Arc::make_mut(self.map.entry(key).or_insert_with(|| Arc::new(make()))))
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.map.remove(key);
    }

    pub(crate) fn clear(&mut self) {
        self.map.clear();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.map.iter().map(|(key, value)| (key, value.as_ref()))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.map.values_mut().map(Arc::make_mut)
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
