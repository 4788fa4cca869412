//! Events taken apart into values, and put together again.

use super::super::block::MAX_EVENT;
use super::{Fault, HashMap};

/// Most fields of an event, and of a structure in one.
const MAX_FIELDS: usize = 200;
/// Deepest nesting looked into.
const DEPTH: usize = 8;

/// Major types of CBOR.
const UINT: u8 = 0;
const NINT: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const SIMPLE: u8 = 7;

/// A value in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) enum Value {
    /// None yet; in no column.
    #[default]
    Nothing,
    /// An unsigned integer.
    Uint(u64),
    /// A negative integer, -1 minus this.
    Nint(u64),
    /// `false`, `true`, `null` and the like.
    Simple(u8),
    /// The beginning of a structure with so many values.
    Array(u8),
    /// A text, a stack, or something else kept whole: its number among the items of the block.
    Item(u32),
}

impl Value {
    /// The value as two numbers, different for each.
    pub(super) fn parts(self) -> (u8, u64) {
        match self {
            Self::Nothing => (0, 0),
            Self::Uint(number) => (1, number),
            Self::Nint(number) => (2, number),
            Self::Simple(number) => (3, number.into()),
            Self::Array(length) => (4, length.into()),
            Self::Item(number) => (5, number.into()),
        }
    }

    pub(super) fn uint(self) -> Option<u64> {
        if let Self::Uint(number) = self { Some(number) } else { None }
    }
}

/// What is kept whole, each once a block, as CBOR.
#[derive(Default)]
pub(super) struct Items {
    list: Vec<Vec<u8>>,
    numbers: HashMap<Vec<u8>, u32>,
}

impl Items {
    pub(super) fn get(&self, number: u32) -> Option<&[u8]> {
        self.list.get(number as usize).map(Vec::as_slice)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The item's number; it gets the next one if it is new.
    fn number(&mut self, item: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(item) {
            return *number;
        }
        let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.numbers.insert(item.to_vec(), number);
        self.list.push(item.to_vec());
        number
    }

    /// Takes in the one with this number, which is there already or the next.
    pub(super) fn take_in(&mut self, number: u32, item: Vec<u8>) {
        if self.list.len() == number as usize {
            self.list.push(item);
        }
    }

    /// Takes in the next one.
    pub(super) fn push(&mut self, item: Vec<u8>) {
        self.list.push(item);
    }
}

/// A field: a value, or a structure of values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Field {
    pub(super) head: Value,
    /// Values of the structure, if the head is [`Value::Array`].
    pub(super) inner: Vec<Value>,
}

/// An event taken apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Flat {
    pub(super) time: u64,
    pub(super) cpu: u64,
    pub(super) tid: u64,
    pub(super) comm: Vec<u8>,
    pub(super) variant: u16,
    pub(super) fields: Vec<Field>,
    /// The whole event, if it has not this shape.
    pub(super) whole: Option<u32>,
}

impl Flat {
    /// As if new, but with the memory it has.
    pub(super) fn clear(&mut self) {
        (self.time, self.cpu, self.tid, self.variant, self.whole) = (0, 0, 0, 0, None);
        self.comm.clear();
        for field in &mut self.fields {
            field.head = Value::Nothing;
        }
    }

    /// Takes an encoded event apart.
    pub(super) fn take_apart(event: &[u8], items: &mut Items) -> Self {
        let known = items.len();
        Self::of(event, items).unwrap_or_else(|| {
            // What was taken in for nothing is not used by any event; it must not be, since others count on the order.
            for item in items.list.drain(known..) {
                items.numbers.remove(&item);
            }
            Self { whole: Some(items.number(event)), ..Self::default() }
        })
    }

    fn of(event: &[u8], items: &mut Items) -> Option<Self> {
        let mut cbor = Cbor(event);
        let mut flat = Self::default();
        cbor.expect(ARRAY, 4)?;
        flat.time = cbor.take(UINT)?;
        flat.cpu = cbor.take(UINT)?;
        cbor.expect(ARRAY, 2)?;
        flat.tid = cbor.take(UINT)?;
        flat.comm = cbor.bytes()?.to_vec();
        cbor.expect(ARRAY, 2)?;
        flat.variant = u16::try_from(cbor.take(UINT)?).ok().filter(|&variant| variant < u16::MAX)?;
        let fields = usize::try_from(cbor.take(ARRAY)?).ok().filter(|&count| count <= MAX_FIELDS)?;
        for _ in 0..fields {
            flat.fields.push(cbor.field(items)?);
        }
        cbor.0.is_empty().then_some(flat)
    }

    /// Puts the event together.
    pub(super) fn put(&self, items: &Items, out: &mut Vec<u8>) -> Result<(), Fault> {
        let most = out.len() + MAX_EVENT;
        if let Some(whole) = self.whole {
            return put_value(Value::Item(whole), items, out);
        }
        put_head(ARRAY, 4, out);
        put_head(UINT, self.time, out);
        put_head(UINT, self.cpu, out);
        put_head(ARRAY, 2, out);
        put_head(UINT, self.tid, out);
        put_head(BYTES, self.comm.len() as u64, out);
        out.extend_from_slice(&self.comm);
        put_head(ARRAY, 2, out);
        put_head(UINT, self.variant.into(), out);
        put_head(ARRAY, self.fields.len() as u64, out);
        for field in &self.fields {
            put_value(field.head, items, out)?;
            for value in &field.inner {
                put_value(*value, items, out)?;
                // A few bytes can name an item any number of times.
                if out.len() > most {
                    return Err("an event is too large");
                }
            }
        }
        Ok(())
    }
}

fn put_value(value: Value, items: &Items, out: &mut Vec<u8>) -> Result<(), Fault> {
    match value {
        Value::Uint(number) => put_head(UINT, number, out),
        Value::Nint(number) => put_head(NINT, number, out),
        Value::Simple(number) => put_head(SIMPLE, number.into(), out),
        Value::Array(length) => put_head(ARRAY, length.into(), out),
        Value::Item(number) => out.extend_from_slice(items.get(number).ok_or("an item is not there")?),
        Value::Nothing => return Err("a value is not there"),
    }
    Ok(())
}

/// The head of an item, in its shortest form.
pub(super) fn put_head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    // Each conversion follows a comparison.
    match argument {
        0..24 => out.push(major | argument as u8),
        24..0x100 => out.extend_from_slice(&[major | 24, argument as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}

/// A text as an item.
pub(super) fn text_item(text: &[u8]) -> Vec<u8> {
    let mut item = Vec::with_capacity(text.len() + 3);
    put_head(TEXT, text.len() as u64, &mut item);
    item.extend_from_slice(text);
    item
}

/// The text that an item is; `None` if it is something else, or has a NUL in it.
pub(super) fn text_of(item: &[u8]) -> Option<&[u8]> {
    let mut cbor = Cbor(item);
    let length = usize::try_from(cbor.take(TEXT)?).ok()?;
    (cbor.0.len() == length && !cbor.0.contains(&0)).then_some(cbor.0)
}

/// A stack as an item: an array of pairs of unsigned integers.
pub(super) fn stack_item(frames: &[(u64, u64)]) -> Vec<u8> {
    let mut item = Vec::new();
    put_head(ARRAY, frames.len() as u64, &mut item);
    for (symbol, offset) in frames {
        put_head(ARRAY, 2, &mut item);
        put_head(UINT, *symbol, &mut item);
        put_head(UINT, *offset, &mut item);
    }
    item
}

/// The frames of an item that is a stack, of one frame at least.
pub(super) fn stack_of(item: &[u8]) -> Option<Vec<(u64, u64)>> {
    let mut cbor = Cbor(item);
    let count = cbor.take(ARRAY).filter(|&count| count > 0)?;
    let mut frames = Vec::new();
    for _ in 0..count {
        cbor.expect(ARRAY, 2)?;
        frames.push((cbor.take(UINT)?, cbor.take(UINT)?));
    }
    cbor.0.is_empty().then_some(frames)
}

/// CBOR being read. `None` means that it is not what a writer of traces makes.
struct Cbor<'a>(&'a [u8]);

impl<'a> Cbor<'a> {
    /// Major type and argument; only in the shortest form, so that the way back is unambiguous.
    fn head(&mut self) -> Option<(u8, u64)> {
        let (&first, rest) = self.0.split_first()?;
        let (argument, least, rest) = match first & 31 {
            small @ 0..24 => (u64::from(small), 0, rest),
            size @ 24..28 => {
                let width = 1 << (size - 24);
                let (bytes, rest) = rest.split_at_checked(width)?;
                let argument = bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
                (argument, if width == 1 { 24 } else { 1_u64 << (width * 4) }, rest)
            }
            _ => return None,
        };
        self.0 = rest;
        (argument >= least).then_some((first >> 5, argument))
    }

    fn take(&mut self, major: u8) -> Option<u64> {
        self.head().filter(|head| head.0 == major).map(|head| head.1)
    }

    fn expect(&mut self, major: u8, argument: u64) -> Option<()> {
        (self.take(major)? == argument).then_some(())
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.take(BYTES)?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Passes an item.
    fn pass(&mut self, depth: usize) -> Option<()> {
        let (major, argument) = self.head()?;
        match major {
            UINT | NINT => {}
            SIMPLE if argument < 24 => {}
            BYTES | TEXT => self.0 = self.0.split_at_checked(usize::try_from(argument).ok()?)?.1,
            ARRAY if depth < DEPTH => (0..argument).try_for_each(|_| self.pass(depth + 1))?,
            _ => return None,
        }
        Some(())
    }

    /// A field: structures of values are looked into, arrays of arrays (stacks) are kept whole.
    fn field(&mut self, items: &mut Items) -> Option<Field> {
        let before = self.0;
        let (major, argument) = self.head()?;
        let few = (1..=MAX_FIELDS as u64).contains(&argument);
        let structure = major == ARRAY && few && self.0.first().is_some_and(|first| first >> 5 != ARRAY);
        if !structure {
            self.0 = before;
            return Some(Field { head: self.value(items)?, inner: Vec::new() });
        }
        let inner = (0..argument).map(|_| self.value(items)).collect::<Option<_>>()?;
        // At most MAX_FIELDS.
        Some(Field { head: Value::Array(argument as u8), inner })
    }

    fn value(&mut self, items: &mut Items) -> Option<Value> {
        let before = self.0;
        let (major, argument) = self.head()?;
        Some(match major {
            UINT => Value::Uint(argument),
            NINT => Value::Nint(argument),
            // At most 23.
            SIMPLE if argument < 24 => Value::Simple(argument as u8),
            ARRAY if argument == 0 => Value::Array(0),
            _ => {
                self.0 = before;
                self.pass(0)?;
                Value::Item(items.number(&before[..before.len() - self.0.len()]))
            }
        })
    }
}
