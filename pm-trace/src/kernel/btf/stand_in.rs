//! Type information that says one thing: which number a type has.

use super::raw::Kind;

/// Bytes of the header.
const HEADER: u32 = 24;

/// BTF in which the typedef `name` has the number `id`, and every number before is taken by something nameless.
///
/// For a library that asks no more of a kernel's types than the number of one: reading all of them would take
/// hundreds of milliseconds on a slow machine.
pub fn stand_in(name: &str, id: u32) -> Vec<u8> {
    let before = id.saturating_sub(1);
    // A pointer to `void` is the shortest type there is: twelve bytes, like a typedef.
    let types = (before + 1) * super::raw::TYPE_HEADER as u32;
    let strings = name.len() as u32 + 2;
    let mut data = Vec::with_capacity((HEADER + types + strings) as usize);
    data.extend(0xeb9f_u16.to_ne_bytes());
    data.extend([1, 0]);
    for word in [HEADER, 0, types, types, strings] {
        data.extend(word.to_ne_bytes());
    }
    let kind = |kind: Kind| (kind as u32) << 24;
    for _ in 0..before {
        data.extend([0, kind(Kind::Ptr), 0].into_iter().flat_map(u32::to_ne_bytes));
    }
    data.extend([1, kind(Kind::Typedef), 0].into_iter().flat_map(u32::to_ne_bytes));
    data.push(0);
    data.extend(name.as_bytes());
    data.push(0);
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::btf::Btf;

    #[test]
    fn a_typedef_is_found_under_its_number() {
        for id in [1, 2, 90_000] {
            let data = stand_in("btf_trace_x", id);
            assert_eq!(Btf::parse(data.clone()).unwrap().typedef("btf_trace_x"), Some(id));
            assert!(Btf::parse(data.clone()).unwrap().typedef("btf_trace_y").is_none());
            // The library that it is made for.
            assert!(aya::Btf::parse(&data, aya::Endianness::default()).is_ok());
        }
    }
}
