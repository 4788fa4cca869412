//! Questions about types: where a member is, what shape it has, what a function takes.

use pm_trace_common::member::Shape;

use super::{Btf, BtfError, Kind, Member, Type};

/// Longest chain of typedefs and qualifiers, deepest nest of structures followed.
const DEPTH: usize = 24;
/// Most members looked at for one path. `struct task_struct` has about 300 with everything in it.
const MEMBERS: usize = 100_000;

/// A member that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it starts, in bits from the start of the outermost structure.
    pub bits: u32,
    /// Width in bits if it is a bit field, otherwise 0.
    pub width: u32,
    /// Number of its type.
    pub ty: u32,
}

/// Why a member was not found, or not as expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// No such member.
    #[error("no such member")]
    NoMember,
    /// The member is something else.
    #[error("the member is {found}")]
    WrongShape {
        /// What it is.
        found: String,
    },
    /// The types make no sense.
    #[error(transparent)]
    Btf(#[from] BtfError),
}

impl Btf {
    /// Follows typedefs, qualifiers and type tags to what they stand for; `None` for `void`.
    ///
    /// # Errors
    /// A type does not exist, or they run in a circle.
    pub fn strip(&self, id: u32) -> Result<Option<Type<'_>>, BtfError> {
        let mut next = id;
        for _ in 0..DEPTH {
            if next == 0 {
                return Ok(None);
            }
            let ty = self.ty(next)?;
            match ty.kind {
                Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag => {
                    next = ty.size_or_type;
                }
                _ => return Ok(Some(ty)),
            }
        }
        Err(BtfError::TooDeep { id })
    }

    /// Finds the member with a dotted path in the structure `id`. Anonymous members are looked through.
    ///
    /// # Errors
    /// There is no such member, or the types make no sense.
    pub fn member(&self, id: u32, path: &str) -> Result<Found, LookupError> {
        let mut found = Found { bits: 0, width: 0, ty: id };
        let mut budget = MEMBERS;
        for name in path.split('.') {
            let outer = self.strip(found.ty)?.ok_or(LookupError::NoMember)?;
            let inner = self.direct(outer, name.as_bytes(), 0, &mut budget)?.ok_or(LookupError::NoMember)?;
            let bits = found.bits.checked_add(inner.bits).ok_or(BtfError::TooDeep { id })?;
            found = Found { bits, width: inner.width, ty: inner.ty };
        }
        Ok(found)
    }

    /// Finds a member by its own name, in `outer` or in the anonymous members of it.
    fn direct(
        &self,
        outer: Type<'_>,
        name: &[u8],
        depth: usize,
        budget: &mut usize,
    ) -> Result<Option<Member>, BtfError> {
        let too_deep = BtfError::TooDeep { id: outer.id };
        if depth > DEPTH {
            return Err(too_deep);
        }
        for member in outer.members() {
            *budget = budget.checked_sub(1).ok_or_else(|| too_deep.clone())?;
            if member.name != 0 {
                if self.is_named(member.name, name) {
                    return Ok(Some(member));
                }
                continue;
            }
            let Some(inner) = self.strip(member.ty)? else { continue };
            if let Some(mut found) = self.direct(inner, name, depth + 1, budget)? {
                found.bits = found.bits.checked_add(member.bits).ok_or(too_deep)?;
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The offset of a member in the unit of its shape (bits for [`Shape::Bit`], otherwise bytes), provided it
    /// has that shape and lies inside the structure.
    ///
    /// # Errors
    /// The structure `id` has no such member, or it is something else.
    pub fn offset(&self, id: u32, path: &str, shape: Shape) -> Result<u32, LookupError> {
        let found = self.member(id, path)?;
        let wrong = || LookupError::WrongShape { found: self.describe(found) };
        let Some(ty) = self.strip(found.ty)? else { return Err(wrong()) };
        let outer = self.strip(id)?.map_or(0, |outer| outer.size_or_type);
        if shape == Shape::Bit {
            return self.bit(found, ty).filter(|bit| bit / 8 < outer).ok_or_else(wrong);
        }
        let is_field = found.width != 0 || !found.bits.is_multiple_of(8) || is_part(ty);
        let size = if is_field { None } else { self.shaped(ty, shape)? };
        let offset = found.bits / 8;
        match size.and_then(|size| offset.checked_add(size)) {
            Some(end) if end <= outer => Ok(offset),
            _ => Err(wrong()),
        }
    }

    /// The bit of a bit field of one bit, or the lowest bit of a `bool`.
    fn bit(&self, found: Found, ty: Type<'_>) -> Option<u32> {
        match ty.integer() {
            Some((0, 8, true)) if found.width == 0 && found.bits.is_multiple_of(8) => Some(found.bits),
            Some((offset, 1, _)) if found.width == 0 => found.bits.checked_add(offset),
            Some(_) if found.width == 1 => Some(found.bits),
            None if found.width == 1 && ty.kind == Kind::Enum => Some(found.bits),
            _ => None,
        }
    }

    /// Bytes that a program may read of a member of this type, if it has the shape.
    fn shaped(&self, ty: Type<'_>, shape: Shape) -> Result<Option<u32>, BtfError> {
        Ok(match shape {
            Shape::Pointer => (ty.kind == Kind::Ptr).then_some(8),
            Shape::Word => self.is_number(ty, 4)?.then_some(4),
            Shape::Long => self.is_number(ty, 8)?.then_some(8),
            Shape::Embedded => matches!(ty.kind, Kind::Struct | Kind::Union).then_some(ty.size_or_type),
            Shape::Bytes(least) => {
                let Some((element, count)) = ty.array() else { return Ok(None) };
                let is_byte =
                    self.strip(element)?.is_some_and(|e| e.kind == Kind::Int && e.size_or_type == 1);
                (is_byte && count >= least).then_some(least)
            }
            Shape::Bit => None,
        })
    }

    /// Whether this is an integer or enum of `size` bytes, or a structure with only such a member (`atomic_t`).
    fn is_number(&self, ty: Type<'_>, size: u32) -> Result<bool, BtfError> {
        let mut ty = ty;
        for _ in 0..DEPTH {
            if ty.size_or_type != size {
                return Ok(false);
            }
            match ty.kind {
                Kind::Int => return Ok(!is_part(ty)),
                Kind::Enum | Kind::Enum64 => return Ok(true),
                Kind::Struct => {}
                _ => return Ok(false),
            }
            let mut members = ty.members();
            let (Some(only), None) = (members.next(), members.next()) else { return Ok(false) };
            match self.strip(only.ty)? {
                Some(inner) if only.width == 0 => ty = inner,
                _ => return Ok(false),
            }
        }
        Err(BtfError::TooDeep { id: ty.id })
    }

    /// What a member is, for a message.
    fn describe(&self, found: Found) -> String {
        if found.width != 0 {
            return format!("a bit field of {} bits", found.width);
        }
        match self.strip(found.ty) {
            Ok(Some(ty)) => match ty.kind {
                Kind::Int | Kind::Enum | Kind::Enum64 | Kind::Struct | Kind::Union => {
                    format!("{} of {} bytes", ty.kind.describe(), ty.size_or_type)
                }
                Kind::Array => format!("an array of {} elements", ty.array().map_or(0, |(_, count)| count)),
                kind => kind.describe().to_owned(),
            },
            Ok(None) => "void".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// The structure that argument `index` (from 0) of function `id` points to; `None` if it points to none.
    ///
    /// # Errors
    /// The types make no sense.
    pub fn argument_struct(&self, id: u32, index: usize) -> Result<Option<String>, BtfError> {
        let function = self.ty(id)?;
        if function.kind != Kind::Func {
            return Ok(None);
        }
        let Some((_, argument)) = self.ty(function.size_or_type)?.parameters().nth(index) else {
            return Ok(None);
        };
        let Some(pointer) = self.strip(argument)?.filter(|ty| ty.kind == Kind::Ptr) else { return Ok(None) };
        match self.strip(pointer.size_or_type)? {
            Some(ty) if matches!(ty.kind, Kind::Struct | Kind::Union | Kind::Fwd) && ty.name != 0 => {
                Ok(Some(String::from_utf8_lossy(self.string(ty.name)?).into_owned()))
            }
            _ => Ok(None),
        }
    }
}

/// Whether the integer is narrower than its bytes: the older way to write bit fields.
fn is_part(ty: Type<'_>) -> bool {
    ty.integer().is_some_and(|(offset, width, _)| offset != 0 || width != ty.size_or_type.saturating_mul(8))
}
