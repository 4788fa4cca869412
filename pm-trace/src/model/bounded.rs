//! A map that refuses to grow without end.

use crate::event::{ObjId, SymId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most entries of a table. Large machines have some ten thousand devices and tasks; a hostile file has as
/// many as it likes.
const CAP: usize = 1 << 16;

/// What entries are found by: a number.
pub(crate) trait Key: Ord + Copy {
    fn number(self) -> u32;
}

impl Key for u32 {
    fn number(self) -> u32 {
        self
    }
}

impl Key for ObjId {
    fn number(self) -> u32 {
        self.0
    }
}

impl Key for SymId {
    fn number(self) -> u32 {
        self.0
    }
}

/// So many numbers in a row are a page.
const PAGE: u32 = 64;

/// In the order of the keys. A tree of so few entries would take longer to look through, and be copied in pieces.
type Page<K, V> = Vec<(K, Arc<V>)>;

/// Where the key is in a page, or would be.
fn place<K: Key, V>(page: &Page<K, V>, key: K) -> Result<usize, usize> {
    page.binary_search_by_key(&key, |(key, _)| *key)
}

/// An ordered map of at most [`CAP`] entries that counts what it refused.
///
/// Copies share their pages until one of them changes an entry, and the other entries even then: a copy of the model
/// costs little time and hardly any memory, which is what lets a trace be looked at as it was at any moment.
#[derive(Clone, Debug)]
pub(crate) struct Bounded<K, V> {
    /// None of them is empty.
    pages: BTreeMap<u32, Arc<Page<K, V>>>,
    entries: usize,
    refused: u64,
}

impl<K, V> Default for Bounded<K, V> {
    fn default() -> Self {
        Self { pages: BTreeMap::new(), entries: 0, refused: 0 }
    }
}

impl<K: Key, V: Clone> Bounded<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let page = self.pages.get(&(key.number() / PAGE))?;
        place(page, *key).ok().map(|place| page[place].1.as_ref())
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let page = self.pages.get_mut(&(key.number() / PAGE))?;
        // A page that is shared is copied for an entry that is there only.
        let place = place(page, *key).ok()?;
        Some(Arc::make_mut(&mut Arc::make_mut(page)[place].1))
    }

    /// The entry, made if it is missing; `None` if there is no room.
    pub(crate) fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> Option<&mut V> {
        if self.entries >= CAP && self.get(&key).is_none() {
            self.refused += 1;
            return None;
        }
        let page = Arc::make_mut(self.pages.entry(key.number() / PAGE).or_default());
        let place = place(page, key).unwrap_or_else(|place| {
            self.entries += 1;
            page.insert(place, (key, Arc::new(make())));
            place
        });
        Some(Arc::make_mut(&mut page[place].1))
    }

    pub(crate) fn remove(&mut self, key: &K) {
        let number = key.number() / PAGE;
        let Some(page) = self.pages.get_mut(&number) else { return };
        let Ok(place) = place(page, *key) else { return };
        let page = Arc::make_mut(page);
        page.remove(place);
        self.entries -= 1;
        if page.is_empty() {
            self.pages.remove(&number);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.pages.clear();
        self.entries = 0;
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.pages.values().flat_map(|page| page.iter()).map(|(key, value)| (key, value.as_ref()))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.pages.values_mut().flat_map(Arc::make_mut).map(|(_, value)| Arc::make_mut(value))
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
pub(crate) fn short(text: &str) -> &str {
    const LEN: usize = 128;
    crate::text::cut(text, LEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever looks at a copy must see what was there when it was made.
    #[test]
    fn a_copy_stays_as_it_was() {
        let mut map = Bounded::default();
        for key in 0..200_u32 {
            map.entry(key, || key);
        }
        let copy = map.clone();
        *map.get_mut(&70).unwrap() = 0;
        map.remove(&71);
        map.entry(1 << 31, || 1);
        let pairs =
            |map: &Bounded<u32, u32>| map.iter().map(|(&key, &value)| (key, value)).collect::<Vec<_>>();
        assert_eq!(pairs(&copy), (0..200).map(|key| (key, key)).collect::<Vec<_>>());
        let changed = (0..200).filter(|key| *key != 71).map(|key| (key, if key == 70 { 0 } else { key }));
        assert_eq!(pairs(&map), changed.chain([(1 << 31, 1)]).collect::<Vec<_>>());
    }

    /// Keys that are far apart must not take more than others: a hostile file chooses them.
    #[test]
    fn what_does_not_fit_is_counted_and_room_is_found_again() {
        let mut map = Bounded::default();
        for key in 0..CAP as u32 + 10 {
            map.entry(key.wrapping_mul(0x9e37_79b1), || ());
        }
        assert_eq!((map.iter().count(), map.refused()), (CAP, 10));
        map.remove(&0);
        assert!(map.entry(7, || ()).is_some());
        map.clear();
        assert_eq!(map.iter().count(), 0);
        assert!(map.entry(8, || ()).is_some());
    }
}
