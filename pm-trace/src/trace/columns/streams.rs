//! The columns as bytes.

use super::item::{Items, Value, stack_item, stack_of, text_item, text_of};
use super::{Fault, PARTS};
use std::collections::HashMap;

/// Which column. See `walk` for the numbers.
pub(super) type Column = u32;

/// Most guesses at a value.
pub(super) const MAX_GUESSES: usize = 8;

/// Columns of stacks: frames of each by number, and functions and offsets of new frames.
const FRAMES: Column = 8;
const FUNCTIONS: Column = 9;
const OFFSETS: Column = 10;

/// What a value that nobody guessed is, at its beginning; unsigned integers are what is greater.
mod tag {
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

/// Frames of stacks as they were seen, the same in both directions.
#[derive(Default)]
struct Stacks {
    frames: Vec<(u64, u64)>,
    numbers: HashMap<(u64, u64), usize>,
    /// Which frame called which, last time.
    callers: HashMap<Option<(u64, u64)>, (u64, u64)>,
    function: u64,
}

impl Stacks {
    fn add(&mut self, frame: (u64, u64)) {
        self.numbers.insert(frame, self.frames.len());
        self.frames.push(frame);
        self.function = frame.0;
    }
}

#[derive(Default)]
struct Output {
    symbols: Vec<u8>,
    literals: Vec<u8>,
    texts: Vec<u8>,
    last: u64,
}

/// Columns being filled.
#[derive(Default)]
pub(super) struct Writer {
    /// What is kept whole. Items up to `known` are in the columns.
    pub(super) items: Items,
    known: usize,
    places: HashMap<Column, usize>,
    columns: Vec<Output>,
    stacks: Stacks,
}

impl Writer {
    fn column(&mut self, column: Column) -> &mut Output {
        let next = self.columns.len();
        let place = *self.places.entry(column).or_insert(next);
        if place == next {
            self.columns.push(Output::default());
        }
        &mut self.columns[place]
    }

    /// The columns as bytes.
    pub(super) fn finish(self, events: u64, unit: u64) -> [Vec<u8>; PARTS] {
        let mut bytes = Vec::new();
        put_all(&[events, unit, self.columns.len() as u64], &mut bytes);
        let mut parts: [Vec<u8>; PARTS] = Default::default();
        let of: [fn(&Output) -> &Vec<u8>; PARTS] = [|c| &c.symbols, |c| &c.literals, |c| &c.texts];
        for (of, part) in of.iter().zip(&mut parts) {
            let mut before = 0;
            for column in &self.columns {
                // Columns of the same kind of event are of the same length.
                let length = of(column).len() as u64;
                put_number(zigzag(length.wrapping_sub(before)), &mut bytes);
                before = length;
                part.extend_from_slice(of(column));
            }
        }
        bytes.append(&mut parts[0]);
        parts[0] = bytes;
        parts
    }

    fn literal(&mut self, column: Column, value: Value) {
        let out = self.column(column);
        match value {
            Value::Uint(number) => {
                let difference = zigzag(number.wrapping_sub(out.last));
                out.last = number;
                match difference.checked_add(tag::UINT) {
                    Some(difference) => put_number(difference, &mut out.literals),
                    None => {
                        put_number(tag::LARGE, &mut out.literals);
                        out.literals.extend_from_slice(&number.to_le_bytes());
                    }
                }
            }
            Value::Nint(number) => put_all(&[tag::NINT, number], &mut out.literals),
            Value::Simple(number) => put_all(&[tag::SIMPLE, number.into()], &mut out.literals),
            Value::Array(length) => put_all(&[tag::ARRAY, length.into()], &mut out.literals),
            Value::Nothing => debug_assert!(false, "an event has all its values"),
            Value::Item(number) => {
                let number = number as usize;
                if number < self.known {
                    let distance = (self.known - 1 - number) as u64;
                    put_all(&[tag::ITEM, distance], &mut self.column(column).literals);
                } else {
                    self.known = number + 1;
                    let item = self.items.get(value_number(value)).unwrap_or_default().to_vec();
                    self.item(column, &item);
                }
            }
        }
    }

    fn item(&mut self, column: Column, item: &[u8]) {
        let out = self.column(column);
        if let Some(text) = text_of(item) {
            put_number(tag::TEXT, &mut out.literals);
            out.texts.extend_from_slice(text);
            out.texts.push(0);
        } else if let Some(frames) = stack_of(item) {
            put_number(tag::STACK, &mut out.literals);
            self.stack(&frames);
        } else {
            put_all(&[tag::OTHER, item.len() as u64], &mut out.literals);
            out.literals.extend_from_slice(item);
        }
    }

    /// Each frame: 0 if it called the one before it last time too, 1 if it is new, otherwise how long ago it was new.
    fn stack(&mut self, frames: &[(u64, u64)]) {
        put_number(frames.len() as u64, &mut self.column(FRAMES).literals);
        let mut before = None;
        for &frame in frames {
            let guessed = self.stacks.callers.insert(before, frame) == Some(frame);
            before = Some(frame);
            let number = match self.stacks.numbers.get(&frame) {
                _ if guessed => 0,
                None => 1,
                Some(number) => 2 + (self.stacks.frames.len() - 1 - number) as u64,
            };
            put_number(number, &mut self.column(FRAMES).literals);
            if number == 1 {
                let step = zigzag(frame.0.wrapping_sub(self.stacks.function));
                put_number(step, &mut self.column(FUNCTIONS).literals);
                put_number(frame.1, &mut self.column(OFFSETS).literals);
                self.stacks.add(frame);
            }
        }
    }
}

impl Coder for Writer {
    fn value(&mut self, column: Column, guesses: &[Value], value: Value) -> Result<Value, Fault> {
        let right = guesses.iter().position(|guess| *guess == value);
        // At most MAX_GUESSES.
        self.column(column).symbols.push(right.unwrap_or(guesses.len()) as u8);
        if right.is_none() {
            self.literal(column, value);
        }
        Ok(value)
    }

    fn number(&mut self, column: Column, number: u64) -> Result<u64, Fault> {
        put_number(number, &mut self.column(column).literals);
        Ok(number)
    }

    fn bytes(&mut self, column: Column, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let out = self.column(column);
        put_number(bytes.len() as u64, &mut out.literals);
        out.texts.extend_from_slice(bytes);
        Ok(bytes.to_vec())
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
            Self { items: Items::default(), places: HashMap::new(), columns, stacks: Stacks::default() };
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
            let frame = match self.literal_number(FRAMES)? {
                0 => *self.stacks.callers.get(&before).ok_or("a frame is not there")?,
                1 => {
                    let step = unzigzag(self.literal_number(FUNCTIONS)?);
                    let frame = (self.stacks.function.wrapping_add(step), self.literal_number(OFFSETS)?);
                    self.stacks.add(frame);
                    frame
                }
                ago => {
                    let place = usize::try_from(ago - 2).ok();
                    let place = place.and_then(|ago| self.stacks.frames.len().checked_sub(1 + ago));
                    place
                        .and_then(|place| self.stacks.frames.get(place))
                        .copied()
                        .ok_or("a frame is not there")?
                }
            };
            self.stacks.callers.insert(before, frame);
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

fn value_number(value: Value) -> u32 {
    if let Value::Item(number) = value { number } else { u32::MAX }
}

/// Small for numbers near 0 on both sides.
pub(super) const fn zigzag(difference: u64) -> u64 {
    let signed = difference.cast_signed();
    ((signed << 1) ^ (signed >> 63)).cast_unsigned()
}

pub(super) const fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

fn put_all(numbers: &[u64], out: &mut Vec<u8>) {
    numbers.iter().for_each(|number| put_number(*number, out));
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
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
