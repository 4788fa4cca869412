//! The columns as bytes (blocks of kind 5, of version 2 of the format, which are read only), and what they have in
//! common with those of kind 6.

use super::item::{Items, Value, stack_item, text_item};
use super::{Fault, HashMap, PARTS};

/// Which column. See `walk` for the numbers.
pub(super) type Column = u32;

/// Most guesses at a value.
pub(super) const MAX_GUESSES: usize = 8;

/// Columns of stacks: frames of each by number, and functions and offsets of new frames.
pub(super) const FRAMES: Column = 8;
pub(super) const FUNCTIONS: Column = 9;
pub(super) const OFFSETS: Column = 10;

/// What a value that nobody guessed is, at its beginning; unsigned integers are what is greater.
pub(super) mod tag {
    /// An unsigned integer whose difference is too large: eight bytes follow.
    pub const LARGE: u64 = 0;
    /// A negative integer.
    pub const NINT: u64 = 1;
    /// `false`, `true`, `null`, ...
    pub const SIMPLE: u64 = 2;
    /// The beginning of a structure.
    pub const ARRAY: u64 = 3;
    /// An item that was there before: its distance from the newest follows.
    pub const ITEM: u64 = 4;
    /// A new text, in the column's texts, with a NUL behind it.
    pub const TEXT: u64 = 5;
    /// A new stack.
    pub const STACK: u64 = 6;
    /// A new item of another kind: length and bytes follow.
    pub const OTHER: u64 = 7;
    /// First of the unsigned integers: the difference to the one before in the column.
    pub const UINT: u64 = 8;
}

/// Code of one direction: the writer puts the values it is given, the reader ignores them and gives those it reads.
pub(super) trait Coder {
    /// A value, with guesses at it.
    fn value(&mut self, column: Column, guesses: &[Value], value: Value) -> Result<Value, Fault>;
    /// A number that nobody guesses.
    fn number(&mut self, column: Column, number: u64) -> Result<u64, Fault>;
    /// Bytes.
    fn bytes(&mut self, column: Column, bytes: &[u8]) -> Result<Vec<u8>, Fault>;
}

/// Frames of stacks as they were seen, the same in both directions. The number of a frame: 0 if it called the one before
/// it last time too, 1 if it is new, otherwise how long ago it was new.
#[derive(Default)]
pub(super) struct Stacks {
    frames: Vec<(u64, u64)>,
    numbers: HashMap<(u64, u64), usize>,
    /// Which frame called which, last time.
    callers: HashMap<Option<(u64, u64)>, (u64, u64)>,
    /// That of the newest frame.
    pub(super) function: u64,
}

impl Stacks {
    const SAME: u64 = 0;
    pub(super) const NEW: u64 = 1;
    const AGO: u64 = 2;

    /// Takes in a frame that is new.
    pub(super) fn add(&mut self, frame: (u64, u64)) {
        self.numbers.insert(frame, self.frames.len());
        self.frames.push(frame);
        self.function = frame.0;
    }

    /// The number of a frame behind another.
    pub(super) fn number(&self, before: Option<(u64, u64)>, frame: (u64, u64)) -> u64 {
        match self.numbers.get(&frame) {
            _ if self.callers.get(&before) == Some(&frame) => Self::SAME,
            None => Self::NEW,
            Some(number) => Self::AGO + (self.frames.len() - 1 - number) as u64,
        }
    }

    /// The frame with a number, if it is not new.
    pub(super) fn frame(&self, before: Option<(u64, u64)>, number: u64) -> Result<(u64, u64), Fault> {
        let frame = match number.checked_sub(Self::AGO) {
            None => self.callers.get(&before),
            Some(ago) => {
                let ago = usize::try_from(ago).ok();
                let place = ago.and_then(|ago| self.frames.len().checked_sub(1)?.checked_sub(ago));
                place.and_then(|place| self.frames.get(place))
            }
        };
        frame.copied().ok_or("a frame is not there")
    }

    /// This frame stands behind that one.
    pub(super) fn follow(&mut self, before: Option<(u64, u64)>, frame: (u64, u64)) {
        self.callers.insert(before, frame);
    }
}

struct Input<'a> {
    symbols: &'a [u8],
    literals: &'a [u8],
    texts: &'a [u8],
    last: u64,
}

/// Columns being read.
pub(super) struct Reader<'a> {
    /// What is kept whole, as far as it was read.
    pub(super) items: Items,
    places: HashMap<Column, usize>,
    columns: Vec<Input<'a>>,
    stacks: Stacks,
}

impl<'a> Reader<'a> {
    /// The columns, how many events they hold, and the unit of their times.
    pub(super) fn new([mut first, literals, texts]: [&'a [u8]; PARTS]) -> Result<(Self, u64, u64), Fault> {
        let mut header = || take_number(&mut first);
        let (events, unit, count) = (header()?, header()?, header()?);
        // Each has three lengths of a byte at least.
        let count = usize::try_from(count).ok().filter(|&count| count <= first.len() / PARTS);
        let count = count.ok_or("it has more columns than bytes")?;
        let mut lengths: [Vec<usize>; PARTS] = Default::default();
        for lengths in &mut lengths {
            let mut length = 0_u64;
            for _ in 0..count {
                length = length.wrapping_add(unzigzag(take_number(&mut first)?));
                lengths.push(usize::try_from(length).map_err(|_| SHORT)?);
            }
        }
        let mut rest = [first, literals, texts];
        let mut columns = Vec::with_capacity(count);
        for place in 0..count {
            let mut cut = [&[][..]; PARTS];
            for ((cut, rest), lengths) in cut.iter_mut().zip(&mut rest).zip(&lengths) {
                *cut = take_bytes(rest, lengths.get(place).copied().unwrap_or_default())?;
            }
            let [symbols, literals, texts] = cut;
            columns.push(Input { symbols, literals, texts, last: 0 });
        }
        if rest.iter().any(|rest| !rest.is_empty()) {
            return Err("there is more behind its columns");
        }
        let reader =
            Self { items: Items::default(), places: HashMap::default(), columns, stacks: Stacks::default() };
        Ok((reader, events, unit))
    }

    /// Nothing is left.
    pub(super) fn is_used_up(&self) -> bool {
        let left = |c: &Input<'_>| c.symbols.len() + c.literals.len() + c.texts.len();
        self.columns.iter().all(|column| left(column) == 0)
    }

    fn column(&mut self, column: Column) -> Result<&mut Input<'a>, Fault> {
        let next = self.places.len();
        let place = *self.places.entry(column).or_insert(next);
        self.columns.get_mut(place).ok_or("a column is missing")
    }

    fn literal_number(&mut self, column: Column) -> Result<u64, Fault> {
        take_number(&mut self.column(column)?.literals)
    }

    fn literal(&mut self, column: Column) -> Result<Value, Fault> {
        let input = self.column(column)?;
        let first = take_number(&mut input.literals)?;
        let small = |number: u64| u8::try_from(number).map_err(|_| "a value is too large");
        match first {
            tag::UINT.. => {
                input.last = input.last.wrapping_add(unzigzag(first - tag::UINT));
                Ok(Value::Uint(input.last))
            }
            tag::LARGE => {
                let bytes = take_bytes(&mut input.literals, 8)?;
                input.last = bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
                Ok(Value::Uint(input.last))
            }
            tag::NINT => Ok(Value::Nint(take_number(&mut input.literals)?)),
            tag::SIMPLE => Ok(Value::Simple(small(take_number(&mut input.literals)?)?)),
            tag::ARRAY => Ok(Value::Array(small(take_number(&mut input.literals)?)?)),
            tag::ITEM => {
                let distance = take_number(&mut input.literals)?;
                let number = (self.items.len() as u64).checked_sub(1).and_then(|n| n.checked_sub(distance));
                let number = number.and_then(|number| u32::try_from(number).ok());
                number.map(Value::Item).ok_or("an item is not there")
            }
            kind => {
                let item = self.item(column, kind)?;
                let number = u32::try_from(self.items.len()).map_err(|_| "there are too many items")?;
                self.items.push(item);
                Ok(Value::Item(number))
            }
        }
    }

    fn item(&mut self, column: Column, kind: u64) -> Result<Vec<u8>, Fault> {
        if kind == tag::STACK {
            return Ok(stack_item(&self.stack()?));
        }
        let input = self.column(column)?;
        if kind == tag::TEXT {
            let length = input.texts.iter().position(|&byte| byte == 0).ok_or(SHORT)?;
            let text = take_bytes(&mut input.texts, length)?;
            take_bytes(&mut input.texts, 1)?;
            return Ok(text_item(text));
        }
        let length = usize::try_from(take_number(&mut input.literals)?).map_err(|_| SHORT)?;
        take_bytes(&mut input.literals, length).map(<[u8]>::to_vec)
    }

    fn stack(&mut self) -> Result<Vec<(u64, u64)>, Fault> {
        let length = self.literal_number(FRAMES)?;
        let mut frames = Vec::new();
        let mut before = None;
        for _ in 0..length {
            let number = self.literal_number(FRAMES)?;
            let frame = if number == Stacks::NEW {
                let step = unzigzag(self.literal_number(FUNCTIONS)?);
                let frame = (self.stacks.function.wrapping_add(step), self.literal_number(OFFSETS)?);
                self.stacks.add(frame);
                frame
            } else {
                self.stacks.frame(before, number)?
            };
            self.stacks.follow(before, frame);
            before = Some(frame);
            frames.push(frame);
        }
        Ok(frames)
    }
}

impl Coder for Reader<'_> {
    fn value(&mut self, column: Column, guesses: &[Value], _: Value) -> Result<Value, Fault> {
        let input = self.column(column)?;
        let symbol = take_bytes(&mut input.symbols, 1)?.first().copied().unwrap_or_default();
        match guesses.get(usize::from(symbol)) {
            Some(Value::Nothing) => Err("a value is not there"),
            Some(value) => Ok(*value),
            None if usize::from(symbol) == guesses.len() => self.literal(column),
            None => Err("a symbol means nothing"),
        }
    }

    fn number(&mut self, column: Column, _: u64) -> Result<u64, Fault> {
        self.literal_number(column)
    }

    fn bytes(&mut self, column: Column, _: &[u8]) -> Result<Vec<u8>, Fault> {
        let length = usize::try_from(self.literal_number(column)?).map_err(|_| SHORT)?;
        take_bytes(&mut self.column(column)?.texts, length).map(<[u8]>::to_vec)
    }
}

const SHORT: Fault = "it ends early";

/// Small for numbers near 0 on both sides.
pub(super) const fn zigzag(difference: u64) -> u64 {
    let signed = difference.cast_signed();
    ((signed << 1) ^ (signed >> 63)).cast_unsigned()
}

pub(super) const fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

fn take_number(bytes: &mut &[u8]) -> Result<u64, Fault> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take_bytes(bytes, 1)?.first().copied().unwrap_or_default();
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err("a number is too long")
}

fn take_bytes<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], Fault> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or(SHORT)?;
    *bytes = rest;
    Ok(taken)
}
