//! The bytes of BTF: header, types and their variable parts (include/uapi/linux/btf.h).

use std::ops::Range;

use super::BtfError;

/// Bytes every type begins with: name, info, size or type.
pub(super) const TYPE_HEADER: usize = 12;
/// Bytes of the header that all versions have.
const HEADER: usize = 24;
const MAGIC: u16 = 0xeb9f;

/// The word at `at`. The caller has checked that it is there; what is not reads as zero.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    match bytes.get(at..at + 4) {
        Some(&[a, b, c, d]) => u32::from_ne_bytes([a, b, c, d]),
        _ => 0,
    }
}

/// Where the two sections are.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// Types, inside the data.
    pub(super) types: Range<usize>,
    /// Strings, inside the data.
    pub(super) strings: Range<usize>,
}

impl Header {
    pub(super) fn read(data: &[u8]) -> Result<Self, BtfError> {
        let Some(&[a, b, version, ..]) = data.get(..HEADER) else {
            return Err(BtfError::Truncated { what: "the header", end: HEADER as u64, len: data.len() });
        };
        let found = u16::from_ne_bytes([a, b]);
        if found != MAGIC {
            return Err(BtfError::Magic { found });
        }
        if version != 1 {
            return Err(BtfError::Version { found: version });
        }
        let start = u64::from(word(data, 4));
        let section = |what, offset, length| {
            let from = start + u64::from(word(data, offset));
            let end = from + u64::from(word(data, length));
            match (usize::try_from(from), usize::try_from(end)) {
                (Ok(from), Ok(to)) if to <= data.len() => Ok(from..to),
                _ => Err(BtfError::Truncated { what, end, len: data.len() }),
            }
        };
        Ok(Self {
            types: section("the type section", 8, 12)?,
            strings: section("the string section", 16, 20)?,
        })
    }
}

/// Kinds of types, with the numbers of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the format's description")]
#[repr(u8)]
pub enum Kind {
    Int = 1,
    Ptr,
    Array,
    Struct,
    Union,
    Enum,
    Fwd,
    Typedef,
    Volatile,
    Const,
    Restrict,
    Func,
    FuncProto,
    Var,
    Datasec,
    Float,
    DeclTag,
    TypeTag,
    Enum64,
}

impl Kind {
    const ALL: [Kind; 19] = [
        Kind::Int,
        Kind::Ptr,
        Kind::Array,
        Kind::Struct,
        Kind::Union,
        Kind::Enum,
        Kind::Fwd,
        Kind::Typedef,
        Kind::Volatile,
        Kind::Const,
        Kind::Restrict,
        Kind::Func,
        Kind::FuncProto,
        Kind::Var,
        Kind::Datasec,
        Kind::Float,
        Kind::DeclTag,
        Kind::TypeTag,
        Kind::Enum64,
    ];

    pub(super) fn from_info(info: u32, id: u32) -> Result<Self, BtfError> {
        let kind = (info >> 24 & 0x1f) as u8;
        let known = usize::from(kind).checked_sub(1).and_then(|index| Self::ALL.get(index));
        known.copied().ok_or(BtfError::UnknownKind { id, kind })
    }

    /// What C calls it.
    pub const fn describe(self) -> &'static str {
        match self {
            Kind::Int => "an integer",
            Kind::Ptr => "a pointer",
            Kind::Array => "an array",
            Kind::Struct => "a structure",
            Kind::Union => "a union",
            Kind::Enum | Kind::Enum64 => "an enum",
            Kind::Fwd => "a declaration",
            Kind::Func | Kind::FuncProto => "a function",
            Kind::Var | Kind::Datasec => "a variable",
            Kind::Float => "a floating-point number",
            Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::DeclTag | Kind::TypeTag => {
                "a qualifier"
            }
        }
    }
}

/// Bytes that follow the header of a type.
pub(super) fn extra_len(kind: Kind, info: u32) -> usize {
    let count = (info & 0xffff) as usize;
    match kind {
        Kind::Int | Kind::Var | Kind::DeclTag => 4,
        Kind::Array => 12,
        Kind::Struct | Kind::Union | Kind::Datasec | Kind::Enum64 => 12 * count,
        Kind::Enum | Kind::FuncProto => 8 * count,
        Kind::Ptr
        | Kind::Fwd
        | Kind::Typedef
        | Kind::Volatile
        | Kind::Const
        | Kind::Restrict
        | Kind::Func
        | Kind::Float
        | Kind::TypeTag => 0,
    }
}

/// A type as it stands in the data.
#[derive(Clone, Copy, Debug)]
pub struct Type<'a> {
    /// Its number.
    pub id: u32,
    /// Offset of its name; 0 for none.
    pub name: u32,
    /// Its kind.
    pub kind: Kind,
    /// What `kind_flag` means depends on the kind; for structures: members carry widths of bit fields.
    pub flag: bool,
    /// Size in bytes (integers, enums, structures) or number of the type it refers to (the others).
    pub size_or_type: u32,
    /// What follows the header: members, parameters, ...
    pub extra: &'a [u8],
}

/// A member of a structure or union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Offset of its name; 0 for an anonymous one.
    pub name: u32,
    /// Number of its type.
    pub ty: u32,
    /// Where it starts, in bits from the start of the structure.
    pub bits: u32,
    /// Width in bits if it is a bit field, otherwise 0.
    pub width: u32,
}

impl<'a> Type<'a> {
    /// Reads the type at `start`, which the index was made of: it is known to be whole and of a known kind.
    pub(super) fn read(types: &'a [u8], start: usize, id: u32) -> Self {
        let head = types.get(start..).unwrap_or_default();
        let info = word(head, 4);
        let kind = Kind::from_info(info, id).unwrap_or(Kind::Fwd);
        let extra = head.get(TYPE_HEADER..TYPE_HEADER + extra_len(kind, info)).unwrap_or_default();
        Self { id, name: word(head, 0), kind, flag: info >> 31 == 1, size_or_type: word(head, 8), extra }
    }

    /// The members of a structure or union; of other kinds, none.
    pub fn members(self) -> impl Iterator<Item = Member> + 'a {
        let is_record = matches!(self.kind, Kind::Struct | Kind::Union);
        let extra = if is_record { self.extra } else { &[] };
        extra.chunks_exact(12).map(move |part| {
            let place = word(part, 8);
            let (bits, width) = if self.flag { (place & 0xff_ffff, place >> 24) } else { (place, 0) };
            Member { name: word(part, 0), ty: word(part, 4), bits, width }
        })
    }

    /// The parameters of a prototype as (name, number of the type); of other kinds, none.
    pub fn parameters(self) -> impl Iterator<Item = (u32, u32)> + 'a {
        let extra = if self.kind == Kind::FuncProto { self.extra } else { &[] };
        extra.chunks_exact(8).map(|part| (word(part, 0), word(part, 4)))
    }

    /// The element type and the number of elements of an array.
    pub fn array(self) -> Option<(u32, u32)> {
        (self.kind == Kind::Array).then(|| (word(self.extra, 0), word(self.extra, 8)))
    }

    /// Of an integer: (offset in bits, width in bits, whether it is a `bool`).
    pub fn integer(self) -> Option<(u32, u32, bool)> {
        let encoding = word(self.extra, 0);
        (self.kind == Kind::Int).then_some((encoding >> 16 & 0xff, encoding & 0xff, encoding >> 24 & 4 != 0))
    }
}
