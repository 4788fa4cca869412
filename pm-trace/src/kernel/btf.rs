//! BTF, the kernel's description of its own types (Documentation/bpf/btf.rst), read lazily.
//!
//! Arming has a budget of one second on machines twenty times slower than this year's, and the kernel's BTF
//! has 130,000 types in 5 MB. So one pass over the type section notes where each type starts and which of
//! them are structures or functions; names are compared and members decoded only for what is asked for.
//!
//! The crates that read BTF were tried first. `btf` 0.5.1 makes an owned string of every name and flattens
//! every type: 250 to 380 ms for this kernel's BTF where this module needs about 3 (most of it the kernel's
//! own copying), knows no split BTF (types of modules), and keeps types of different kinds and equal names in
//! one table (`struct device`, a function `device`). aya-obj's lookup is private to its relocations.
//!
//! Input is not trusted: every length, index and name is checked when it is used, chains and nests of types
//! are followed a bounded number of times, and the answer to nonsense is a [`BtfError`].

mod lookup;
mod names;
mod raw;
mod stand_in;

use std::sync::Arc;

pub use lookup::{Found, LookupError};
pub use raw::{Kind, Member, Type};
pub use stand_in::stand_in;

use names::Names;
use raw::{Header, TYPE_HEADER, extra_len, word};

/// What is wrong with BTF data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BtfError {
    /// The data ends before what its header or a type announces.
    #[error("it is cut short: {what} ends at byte {end} of {len}")]
    Truncated {
        /// What did not fit.
        what: &'static str,
        /// Where it would end.
        end: u64,
        /// Bytes there are.
        len: usize,
    },
    /// The data does not begin with the magic number of this machine's byte order.
    #[error("it does not begin as BTF does (magic {found:#06x})")]
    Magic {
        /// What stands there.
        found: u16,
    },
    /// A version of the format that nobody has seen yet.
    #[error("it has version {found}, and only version 1 is known")]
    Version {
        /// The version.
        found: u8,
    },
    /// A type of a kind unknown to this program; the length of such a type is unknown too.
    #[error("type {id} is of kind {kind}, which is unknown")]
    UnknownKind {
        /// Number of the type.
        id: u32,
        /// Number of the kind.
        kind: u8,
    },
    /// A reference to a type that does not exist.
    #[error("there is no type {id}")]
    NoType {
        /// Number of the type.
        id: u32,
    },
    /// A name outside of the strings.
    #[error("there is no string at {offset}")]
    NoString {
        /// Offset of the name.
        offset: u32,
    },
    /// Types refer to each other in a circle, or nest deeper than any kernel's.
    #[error("type {id} is nested too deeply")]
    TooDeep {
        /// Number of the type where it began.
        id: u32,
    },
}

/// Types of the kernel image, or of a module on top of those of the kernel image (split BTF).
#[derive(Clone, Debug)]
pub struct Btf {
    data: Vec<u8>,
    header: Header,
    base: Option<Arc<Btf>>,
    /// Number of the first type in here; type 0 is `void` and stands in no section.
    first_id: u32,
    /// Offset of the first string in here.
    first_string: u32,
    /// Where each type starts, in bytes of the type section.
    starts: Vec<u32>,
    /// Named structures and unions: (offset of the name, number of the type).
    structs: Vec<(u32, u32)>,
    /// Functions, likewise.
    functions: Vec<(u32, u32)>,
    /// Typedefs, likewise.
    typedefs: Vec<(u32, u32)>,
}

impl Btf {
    /// Indexes the BTF of a kernel image.
    ///
    /// # Errors
    /// The data is no whole BTF of this machine's byte order.
    pub fn parse(data: Vec<u8>) -> Result<Self, BtfError> {
        Self::index(data, None)
    }

    /// Indexes the BTF of a module, whose types build on those of the image `base`.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_split(data: Vec<u8>, base: Arc<Btf>) -> Result<Self, BtfError> {
        Self::index(data, Some(base))
    }

    fn index(data: Vec<u8>, base: Option<Arc<Btf>>) -> Result<Self, BtfError> {
        let header = Header::read(&data)?;
        let (first_id, first_string) =
            base.as_ref().map_or((1, 0), |base| (base.end_id(), base.end_string()));
        let types = &data[header.types.clone()];
        // Types have 20 to 30 bytes on average.
        let mut starts = Vec::with_capacity(types.len() / 20);
        let (mut structs, mut functions, mut typedefs) = (Vec::new(), Vec::new(), Vec::new());
        let (mut at, mut id) = (0_usize, first_id);
        while at < types.len() {
            let Some(head) = types.get(at..at + TYPE_HEADER) else {
                return Err(BtfError::Truncated {
                    what: "a type",
                    end: (at + TYPE_HEADER) as u64,
                    len: types.len(),
                });
            };
            let (name, info) = (word(head, 0), word(head, 4));
            let kind = Kind::from_info(info, id)?;
            match kind {
                Kind::Struct | Kind::Union if name != 0 => structs.push((name, id)),
                Kind::Func => functions.push((name, id)),
                Kind::Typedef => typedefs.push((name, id)),
                _ => {}
            }
            // The section is at most u32::MAX bytes long, and `at` is inside it.
            starts.push(u32::try_from(at).unwrap_or(u32::MAX));
            at += TYPE_HEADER + extra_len(kind, info);
            id = id.wrapping_add(1);
        }
        if at > types.len() {
            return Err(BtfError::Truncated { what: "a type", end: at as u64, len: types.len() });
        }
        Ok(Self { data, header, base, first_id, first_string, starts, structs, functions, typedefs })
    }

    /// The types of the kernel image, if these are a module's.
    pub fn base(&self) -> Option<&Arc<Btf>> {
        self.base.as_ref()
    }

    /// Number of the first type that is in here and not in the base.
    pub fn first_id(&self) -> u32 {
        self.first_id
    }

    /// One more than the number of the last type.
    pub fn end_id(&self) -> u32 {
        self.first_id.saturating_add(u32::try_from(self.starts.len()).unwrap_or(u32::MAX))
    }

    fn end_string(&self) -> u32 {
        self.first_string.saturating_add(u32::try_from(self.header.strings.len()).unwrap_or(u32::MAX))
    }

    /// The type with this number, in here or in the base. Type 0, `void`, is no type.
    ///
    /// # Errors
    /// There is none.
    pub fn ty(&self, id: u32) -> Result<Type<'_>, BtfError> {
        let none = BtfError::NoType { id };
        let Some(index) = id.checked_sub(self.first_id) else {
            return self.base.as_ref().ok_or(none)?.ty(id);
        };
        let start = *self.starts.get(index as usize).ok_or(none)?;
        Ok(Type::read(&self.data[self.header.types.clone()], start as usize, id))
    }

    /// The string at this offset, in here or in the base, without its end mark.
    ///
    /// # Errors
    /// There is none.
    pub fn string(&self, offset: u32) -> Result<&[u8], BtfError> {
        let none = BtfError::NoString { offset };
        let Some(index) = offset.checked_sub(self.first_string) else {
            return self.base.as_ref().ok_or(none)?.string(offset);
        };
        let rest = self.strings().get(index as usize..).ok_or(none.clone())?;
        let end = rest.iter().position(|&byte| byte == 0).ok_or(none)?;
        Ok(&rest[..end])
    }

    fn strings(&self) -> &[u8] {
        &self.data[self.header.strings.clone()]
    }

    /// Whether the string at `offset` is `name`; cheaper than comparing with [`Self::string`].
    fn is_named(&self, offset: u32, name: &[u8]) -> bool {
        let Some(index) = offset.checked_sub(self.first_string) else {
            return self.base.as_ref().is_some_and(|base| base.is_named(offset, name));
        };
        let rest = self.strings().get(index as usize..).unwrap_or_default();
        rest.get(name.len()) == Some(&0) && rest.starts_with(name)
    }

    /// The first two bytes of the string at `offset`, its end mark among them; zeroes if there is none.
    fn beginning(&self, offset: u32) -> [u8; 2] {
        let Some(index) = offset.checked_sub(self.first_string) else {
            return self.base.as_ref().map_or([0; 2], |base| base.beginning(offset));
        };
        match self.strings().get(index as usize..) {
            Some(&[0, ..]) | Some(&[]) | None => [0; 2],
            Some(&[only]) => [only, 0],
            Some(&[first, second, ..]) => [first, second],
        }
    }

    /// The structures and unions called one of `names` that are defined in here (not in the base), as pairs
    /// of the position in `names` and the number of the type. A name may have several definitions.
    pub fn structs(&self, names: &[&str]) -> Vec<(usize, u32)> {
        let names = Names::new(names);
        self.structs
            .iter()
            .flat_map(|&(offset, id)| names.at(self, offset).map(move |position| (position, id)))
            .collect()
    }

    /// Adds to `counts` how many functions of each of `names` are defined in here (not in the base).
    pub fn count_functions(&self, names: &[&str], counts: &mut [usize]) {
        let names = Names::new(names);
        for &(offset, _) in &self.functions {
            for position in names.at(self, offset) {
                if let Some(count) = counts.get_mut(position) {
                    *count += 1;
                }
            }
        }
    }

    /// The numbers of the functions called `name` that are defined in here (not in the base). Several static
    /// functions may share a name.
    pub fn functions(&self, name: &str) -> Vec<u32> {
        let named = |&&(offset, _): &&(u32, u32)| self.is_named(offset, name.as_bytes());
        self.functions.iter().filter(named).map(|&(_, id)| id).collect()
    }

    /// The number of the type that is called `name` by a typedef in here (not in the base).
    pub fn typedef(&self, name: &str) -> Option<u32> {
        self.typedefs.iter().find(|&&(offset, _)| self.is_named(offset, name.as_bytes())).map(|&(_, id)| id)
    }
}

#[cfg(test)]
mod tests;
