//! Looking for many names in one pass.

use super::Btf;

/// Names that are looked for, in buckets by how they begin: of the tens of thousands that a kernel's BTF has, few
/// begin as one of these does, and only those are compared.
pub(super) struct Names<'a> {
    names: &'a [&'a str],
    /// Positions in `names`, by [`bucket`].
    buckets: Vec<Vec<usize>>,
}

/// The bucket of a name that begins with these two bytes; the second of a shorter name is 0.
fn bucket([first, second]: [u8; 2]) -> usize {
    usize::from(first.wrapping_mul(37).wrapping_add(second))
}

impl<'a> Names<'a> {
    pub(super) fn new(names: &'a [&'a str]) -> Self {
        let mut buckets = vec![Vec::new(); usize::from(u8::MAX) + 1];
        for (position, name) in names.iter().enumerate() {
            let mut bytes = name.bytes();
            let mut next = || bytes.next().unwrap_or(0);
            buckets[bucket([next(), next()])].push(position);
        }
        Self { names, buckets }
    }

    /// Positions of the names that are the string at `offset`.
    pub(super) fn at(&self, btf: &Btf, offset: u32) -> impl Iterator<Item = usize> {
        let same_start = self.buckets.get(bucket(btf.beginning(offset))).map_or(&[][..], Vec::as_slice);
        same_start.iter().copied().filter(move |&place| {
            self.names.get(place).is_some_and(|name| btf.is_named(offset, name.as_bytes()))
        })
    }
}
