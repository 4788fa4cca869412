use super::*;
use crate::kernel::system::System;
use crate::kernel::testing::recorded;
use pm_trace_common::member::{Member as TableMember, Shape};
use proptest::prelude::*;

/// Makes BTF by hand.
struct Builder {
    types: Vec<u8>,
    strings: Vec<u8>,
    next: u32,
}

const BOOL: u32 = 4 << 24;

impl Builder {
    fn new() -> Self {
        Self { types: Vec::new(), strings: vec![0], next: 1 }
    }

    fn name(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let offset = u32::try_from(self.strings.len()).unwrap();
        self.strings.extend(name.as_bytes());
        self.strings.push(0);
        offset
    }

    fn add(&mut self, name: &str, kind: Kind, bits: u32, size_or_type: u32, extra: &[u32]) -> u32 {
        let name = self.name(name);
        for word in [name, (kind as u32) << 24 | bits, size_or_type].iter().chain(extra) {
            self.types.extend(word.to_ne_bytes());
        }
        self.next += 1;
        self.next - 1
    }

    fn int(&mut self, size: u32, encoding: u32) -> u32 {
        self.add("int", Kind::Int, 0, size, &[encoding])
    }

    /// Members: (name, type, place in bits, width or 0). Widths are told only if there are some.
    fn record(&mut self, name: &str, kind: Kind, size: u32, members: &[(&str, u32, u32, u32)]) -> u32 {
        let flag = u32::from(members.iter().any(|member| member.3 != 0)) << 31;
        let extra: Vec<u32> = members
            .iter()
            .flat_map(|&(name, ty, bits, width)| [self.name(name), ty, bits | width << 24])
            .collect();
        self.add(name, kind, flag | u32::try_from(members.len()).unwrap(), size, &extra)
    }

    fn finish(&self) -> Vec<u8> {
        let length = |part: &[u8]| u32::try_from(part.len()).unwrap();
        let mut data = 0xeb9f_u16.to_ne_bytes().to_vec();
        data.extend([1, 0]);
        let numbers = [24, 0, length(&self.types), length(&self.types), length(&self.strings)];
        data.extend(numbers.iter().flat_map(|number| number.to_ne_bytes()));
        data.extend(&self.types);
        data.extend(&self.strings);
        data
    }

    fn btf(&self) -> Btf {
        Btf::parse(self.finish()).unwrap()
    }
}

fn wrong(found: &str) -> Result<u32, LookupError> {
    Err(LookupError::WrongShape { found: found.to_owned() })
}

#[test]
fn bits_come_in_all_encodings() {
    let mut b = Builder::new();
    let (word, boolean, byte) = (b.int(4, 32), b.int(1, 8 | BOOL), b.int(1, 8));
    // The older encoding: the integer itself has a width of one bit, at bit 5.
    let old = b.int(4, 1 | 5 << 16);
    let widths = [("a", word, 3, 1), ("b", boolean, 9, 1), ("wide", word, 16, 2), ("whole", boolean, 32, 0)];
    let new_way = b.record("s", Kind::Struct, 8, &widths);
    let old_way = b.record("t", Kind::Struct, 8, &[("a", old, 32, 0), ("byte", byte, 0, 0)]);
    let btf = b.btf();
    assert_eq!(btf.offset(new_way, "a", Shape::Bit), Ok(3));
    assert_eq!(btf.offset(new_way, "b", Shape::Bit), Ok(9));
    assert_eq!(btf.offset(new_way, "whole", Shape::Bit), Ok(32));
    assert_eq!(btf.offset(new_way, "wide", Shape::Bit), wrong("a bit field of 2 bits"));
    assert_eq!(btf.offset(new_way, "a", Shape::Word), wrong("a bit field of 1 bits"));
    assert_eq!(btf.offset(old_way, "a", Shape::Bit), Ok(37));
    assert_eq!(btf.offset(old_way, "a", Shape::Word), wrong("an integer of 4 bytes"));
    assert_eq!(btf.offset(old_way, "byte", Shape::Bit), wrong("an integer of 1 bytes"));
}

#[test]
fn shapes_are_told_apart() {
    let mut b = Builder::new();
    let (int, long, byte) = (b.int(4, 32), b.int(8, 64), b.int(1, 8));
    let atomic = b.record("", Kind::Struct, 4, &[("counter", int, 0, 0)]);
    let atomic = b.add("atomic_t", Kind::Typedef, 0, atomic, &[]);
    let constant = b.add("", Kind::Const, 0, atomic, &[]);
    let pointer = b.add("", Kind::Ptr, 0, 0, &[]);
    let text = b.add("", Kind::Array, 0, 0, &[byte, int, 16]);
    let words = b.add("", Kind::Array, 0, 0, &[int, int, 16]);
    let choice = b.add("state", Kind::Enum, 0, 4, &[]);
    let pair = b.record("pair", Kind::Struct, 8, &[("a", int, 0, 0), ("b", int, 32, 0)]);
    let members = [
        ("atomic", constant, 0, 0),
        ("choice", choice, 32, 0),
        ("long", long, 64, 0),
        ("pointer", pointer, 128, 0),
        ("text", text, 192, 0),
        ("pair", pair, 320, 0),
        ("words", words, 384, 0),
        ("outside", long, 896, 0),
    ];
    let id = b.record("s", Kind::Struct, 112, &members);
    let btf = b.btf();
    let offset = |name, shape| btf.offset(id, name, shape);
    assert_eq!(offset("atomic", Shape::Word), Ok(0));
    assert_eq!(offset("choice", Shape::Word), Ok(4));
    assert_eq!(offset("long", Shape::Long), Ok(8));
    assert_eq!(offset("pointer", Shape::Pointer), Ok(16));
    assert_eq!(offset("text", Shape::Bytes(16)), Ok(24));
    assert_eq!(offset("text", Shape::Bytes(1)), Ok(24));
    assert_eq!(offset("pair", Shape::Embedded), Ok(40));
    assert_eq!(offset("pair.b", Shape::Word), Ok(44));
    assert_eq!(offset("text", Shape::Bytes(17)), wrong("an array of 16 elements"));
    assert_eq!(offset("words", Shape::Bytes(4)), wrong("an array of 16 elements"));
    assert_eq!(offset("pair", Shape::Long), wrong("a structure of 8 bytes"));
    assert_eq!(offset("long", Shape::Pointer), wrong("an integer of 8 bytes"));
    assert_eq!(offset("pointer", Shape::Long), wrong("a pointer"));
    assert_eq!(
        offset("outside", Shape::Long),
        wrong("an integer of 8 bytes"),
        "it ends behind the structure"
    );
    assert_eq!(offset("nothing", Shape::Word), Err(LookupError::NoMember));
    assert_eq!(offset("long.x", Shape::Word), Err(LookupError::NoMember));
    assert_eq!(offset("", Shape::Word), Err(LookupError::NoMember));
}

#[test]
fn anonymous_members_are_looked_through() {
    let mut b = Builder::new();
    let int = b.int(4, 32);
    let inner = b.record("", Kind::Struct, 8, &[("a", int, 0, 0), ("deep", int, 32, 0)]);
    let middle = b.record("", Kind::Union, 8, &[("other", int, 0, 0), ("", inner, 0, 0)]);
    let outer = b.record("s", Kind::Struct, 16, &[("first", int, 0, 0), ("", middle, 64, 0)]);
    assert_eq!(b.btf().offset(outer, "deep", Shape::Word), Ok(12));
}

#[test]
fn functions_tell_what_they_take() {
    let mut b = Builder::new();
    let int = b.int(4, 32);
    let device = b.add("device", Kind::Fwd, 0, 0, &[]);
    let constant = b.add("", Kind::Const, 0, device, &[]);
    let pointer = b.add("", Kind::Ptr, 0, constant, &[]);
    let proto = b.add("", Kind::FuncProto, 2, 0, &[0, pointer, 0, int]);
    let function = b.add("rescan", Kind::Func, 0, proto, &[]);
    let strange = b.add("strange", Kind::Func, 0, 999, &[]);
    let btf = b.btf();
    assert_eq!(btf.functions("rescan"), [function]);
    assert_eq!(btf.argument_struct(function, 0).unwrap().as_deref(), Some("device"));
    assert_eq!(btf.argument_struct(function, 1), Ok(None));
    assert_eq!(btf.argument_struct(function, 2), Ok(None));
    assert_eq!(btf.argument_struct(int, 0), Ok(None));
    assert_eq!(btf.argument_struct(strange, 0), Err(BtfError::NoType { id: 999 }));
}

/// Names of one letter and of none, and names that only begin alike, are told apart.
#[test]
fn functions_are_counted_by_name() {
    let mut b = Builder::new();
    for name in ["r", "rescan", "rescan_all", "resume", "rescan", ""] {
        b.add(name, Kind::Func, 0, 0, &[]);
    }
    b.add("resume", Kind::Typedef, 0, 0, &[]);
    let names = ["rescan", "r", "re", "resume", "rescan", ""];
    let mut counts = vec![0; names.len()];
    let image = Arc::new(b.btf());
    image.count_functions(&names, &mut counts);
    assert_eq!(counts, [2, 1, 0, 1, 2, 1]);

    // A module's, whose names may be strings of the image.
    let mut module = Builder::new();
    module.strings.clear();
    module.next = b.next;
    let end = u32::try_from(b.strings.len()).unwrap();
    let of_image =
        u32::try_from(b.strings.windows(7).position(|bytes| bytes == b"resume\0").unwrap()).unwrap();
    module.strings.extend(b"re\0");
    for offset in [of_image, end, 999] {
        for word in [offset, (Kind::Func as u32) << 24, 0] {
            module.types.extend(word.to_ne_bytes());
        }
    }
    let module = Btf::parse_split(module.finish(), image).unwrap();
    module.count_functions(&names, &mut counts);
    assert_eq!(counts, [2, 1, 1, 2, 2, 1]);
}

#[test]
fn circles_and_nests_end() {
    let mut b = Builder::new();
    let circle = b.add("loop", Kind::Typedef, 0, 1, &[]);
    let itself = b.record("s", Kind::Struct, 8, &[("", 2, 0, 0), ("c", circle, 0, 0)]);
    // Each holds the next twice: two to the power of the depth members, if nobody counts.
    let first = b.next;
    for next in first + 1..first + 23 {
        b.record("", Kind::Struct, 8, &[("", next, 0, 0), ("", next, 0, 0)]);
    }
    b.int(4, 32);
    let btf = b.btf();
    assert_eq!(btf.strip(circle).unwrap_err(), BtfError::TooDeep { id: circle });
    assert!(matches!(btf.member(itself, "x"), Err(LookupError::Btf(BtfError::TooDeep { .. }))));
    assert!(matches!(btf.member(first, "x"), Err(LookupError::Btf(BtfError::TooDeep { .. }))));
}

#[test]
fn split_types_continue_those_of_the_image() {
    let mut b = Builder::new();
    let int = b.int(4, 32);
    b.record("device", Kind::Struct, 8, &[("id", int, 32, 0)]);
    let image = Arc::new(b.btf());
    let (types, strings) = (b.next, u32::try_from(b.strings.len()).unwrap());
    let mut data = Builder::new();
    data.strings.clear();
    data.strings.extend(b"port\0dev\0");
    for word in [strings, (Kind::Struct as u32) << 24 | 1, 16, strings + 5, 2, 64] {
        data.types.extend(word.to_ne_bytes());
    }
    let split = Btf::parse_split(data.finish(), Arc::clone(&image)).unwrap();
    assert_eq!(split.structs(&["device", "port"]), [(1, types)]);
    assert_eq!(split.offset(types, "dev.id", Shape::Word), Ok(12));
    assert_eq!(split.string(strings + 5), Ok(&b"dev"[..]));
    assert_eq!(split.ty(types + 1).unwrap_err(), BtfError::NoType { id: types + 1 });
    assert_eq!((split.first_id(), split.end_id()), (types, types + 1));
    assert!(split.base().is_some() && image.base().is_none());
}

#[test]
fn damage_is_named() {
    let whole = { Builder::new() }.finish();
    assert!(matches!(Btf::parse(Vec::new()), Err(BtfError::Truncated { what: "the header", .. })));
    assert!(matches!(Btf::parse(b"\x7fELF".repeat(8)), Err(BtfError::Magic { .. })));
    let mut newer = whole.clone();
    newer[2] = 2;
    assert_eq!(Btf::parse(newer).unwrap_err(), BtfError::Version { found: 2 });
    let mut b = Builder::new();
    b.types.extend([0; 12]);
    assert_eq!(Btf::parse(b.finish()).unwrap_err(), BtfError::UnknownKind { id: 1, kind: 0 });
    let mut b = Builder::new();
    b.types.extend([0, 0, 0, 0, 9, 0, 0, Kind::Struct as u8, 0, 0, 0, 0]);
    assert!(matches!(Btf::parse(b.finish()), Err(BtfError::Truncated { what: "a type", .. })));
}

/// Asks everything that can be asked.
fn ask(btf: &Btf) {
    for &member in TableMember::ALL {
        let place = member.place();
        for (_, id) in btf.structs(&[place.structure]) {
            let _ = btf.offset(id, place.path, place.shape);
        }
    }
    for name in ["scsi_rescan_device", "ata_eh_recover"] {
        for id in btf.functions(name) {
            let _ = btf.argument_struct(id, 0);
        }
    }
    let _ = (btf.string(u32::MAX), btf.ty(u32::MAX), btf.ty(0));
}

proptest! {
    #[test]
    fn any_bytes_are_no_panic(body in proptest::collection::vec(any::<u8>(), 0..600), types in 0..600_u32) {
        let mut data = 0xeb9f_u16.to_ne_bytes().to_vec();
        data.extend([1, 0]);
        let strings = u32::try_from(body.len()).unwrap().saturating_sub(types);
        data.extend([24, 0, types, types, strings].iter().flat_map(|number: &u32| number.to_ne_bytes()));
        data.extend(&body);
        for data in [data, body] {
            if let Ok(btf) = Btf::parse(data) {
                ask(&btf);
            }
        }
    }

    #[test]
    fn damaged_types_are_no_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..30),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let system = recorded("debian-6.12");
        let damage = |path| {
            let mut data = system.read(path).unwrap();
            for (at, byte) in &changes {
                let at = at.index(data.len());
                data[at] = *byte;
            }
            if let Some(cut) = &cut {
                data.truncate(cut.index(data.len()));
            }
            data
        };
        let whole = Arc::new(Btf::parse(system.read("/sys/kernel/btf/vmlinux").unwrap()).unwrap());
        if let Ok(btf) = Btf::parse_split(damage("/sys/kernel/btf/libata"), whole) {
            ask(&btf);
        }
        if let Ok(btf) = Btf::parse(damage("/sys/kernel/btf/vmlinux")) {
            ask(&btf);
            if let Ok(split) = Btf::parse_split(system.read("/sys/kernel/btf/libata").unwrap(), Arc::new(btf)) {
                ask(&split);
            }
        }
    }
}
