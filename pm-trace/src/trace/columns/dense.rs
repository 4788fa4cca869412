//! The columns as bits: what was seen in a column tells how likely each guess is, and how large its numbers are.

use super::super::block::{MAX_EVENT, MAX_ROWS};
use super::Fault;
use super::item::{Items, Value, stack_item, stack_of, text_item, text_of};
use super::numbers::Numbers;
use super::range::{Chance, Side};
use super::streams::{Coder, Column, FRAMES, FUNCTIONS, OFFSETS, Stacks, tag, unzigzag, zigzag};

/// What a number is. Numbers of different roles have nothing to do with each other.
#[derive(Clone, Copy)]
enum Role {
    /// The first of a value: a tag or a difference. Or the only one.
    First,
    /// What follows it.
    Rest,
}

/// How many lengths a number can have: that of 1 is 0, that of 2^64 is 64.
const LENGTHS: usize = 65;
/// Bits behind the first one that are not taken for even chances.
const HIGH_BITS: usize = 3;
/// Chances of a length: whether it is longer, and those of the high bits by what is before them.
type OfLength = [Chance; 1 << HIGH_BITS];

/// What was learned about a column.
#[derive(Default)]
struct Learned {
    /// The last unsigned integer that nobody guessed.
    last: u64,
    /// Whether the first guess was right, the last time in bit 0, the time before in bit 1.
    failed: usize,
    guesses: Vec<Chance>,
    numbers: Vec<OfLength>,
}

/// The chance at a place; all begin even.
fn at<T: Clone + Default>(chances: &mut Vec<T>, place: usize) -> &mut T {
    if place >= chances.len() {
        chances.resize(place + 1, T::default());
    }
    &mut chances[place]
}

/// Columns in one direction.
pub(super) struct Dense<S> {
    pub(super) side: S,
    /// What is kept whole. Items up to `known` are in the columns.
    pub(super) items: Items,
    known: usize,
    /// Bytes of the items that were new: at least so many are in the rows.
    stored: usize,
    numbers: Numbers,
    columns: Vec<Learned>,
    stacks: Stacks,
}

impl<S: Side> Dense<S> {
    pub(super) fn new(side: S) -> Self {
        Self {
            side,
            items: Items::default(),
            known: 0,
            stored: 0,
            numbers: Numbers::default(),
            columns: Vec::new(),
            stacks: Stacks::default(),
        }
    }

    fn column(&mut self, column: Column) -> (&mut Learned, &mut S) {
        let place = self.numbers.of(column);
        if place == self.columns.len() {
            self.columns.push(Learned::default());
        }
        (&mut self.columns[place], &mut self.side)
    }

    /// A number: how many bits the number above it has, then those behind the first.
    fn figure(&mut self, column: Column, role: Role, number: u64) -> Result<u64, Fault> {
        let (learned, side) = self.column(column);
        let first = role as usize * LENGTHS;
        let above = u128::from(number) + 1;
        let given = above.ilog2() as usize;
        let mut length = 0;
        while length + 1 < LENGTHS
            && side.bit(&mut at(&mut learned.numbers, first + length)[0], length < given)?
        {
            length += 1;
        }
        let mut read = 1_u128;
        for behind in 0..length {
            let bit = above >> (length - 1 - behind) & 1 == 1;
            let bit = if behind < HIGH_BITS {
                // Below 1 << HIGH_BITS, and not 0.
                side.bit(&mut at(&mut learned.numbers, first + length)[read as usize], bit)?
            } else {
                side.even(bit)?
            };
            read = read << 1 | u128::from(bit);
        }
        u64::try_from(read - 1).map_err(|_| "a number is too large")
    }

    /// A value that nobody guessed.
    fn literal(&mut self, column: Column, value: Value) -> Result<Value, Fault> {
        let last = self.column(column).0.last;
        let (tag, rest) = self.parts(value, last);
        let tag = self.figure(column, Role::First, tag)?;
        let small = |number: u64| u8::try_from(number).map_err(|_| "a value is too large");
        let number = match tag {
            tag::UINT.. => last.wrapping_add(unzigzag(tag - tag::UINT)),
            tag::LARGE => self.figure(column, Role::Rest, rest)?,
            tag::NINT => return Ok(Value::Nint(self.figure(column, Role::Rest, rest)?)),
            tag::SIMPLE => return Ok(Value::Simple(small(self.figure(column, Role::Rest, rest)?)?)),
            tag::ARRAY => return Ok(Value::Array(small(self.figure(column, Role::Rest, rest)?)?)),
            tag::ITEM => {
                let distance = self.figure(column, Role::Rest, rest)?;
                let number = (self.known as u64).checked_sub(1).and_then(|n| n.checked_sub(distance));
                let number = number.and_then(|number| u32::try_from(number).ok());
                return number.map(Value::Item).ok_or("an item is not there");
            }
            tag => return self.item(column, tag),
        };
        self.column(column).0.last = number;
        Ok(Value::Uint(number))
    }

    /// The tag of a value that is given, and what follows.
    fn parts(&self, value: Value, last: u64) -> (u64, u64) {
        match value {
            Value::Uint(number) => {
                let difference = zigzag(number.wrapping_sub(last)).checked_add(tag::UINT);
                difference.map_or((tag::LARGE, number), |tag| (tag, 0))
            }
            Value::Nint(number) => (tag::NINT, number),
            Value::Simple(number) => (tag::SIMPLE, number.into()),
            Value::Array(length) => (tag::ARRAY, length.into()),
            Value::Item(number) if (number as usize) < self.known => {
                (tag::ITEM, (self.known - 1 - number as usize) as u64)
            }
            Value::Item(number) => {
                let item = self.items.get(number).unwrap_or_default();
                let is_text = text_of(item).is_some();
                let tag = if stack_of(item).is_some() { tag::STACK } else { tag::OTHER };
                (if is_text { tag::TEXT } else { tag }, 0)
            }
            // Reading.
            Value::Nothing => (0, 0),
        }
    }

    /// The next new item.
    fn item(&mut self, column: Column, tag: u64) -> Result<Value, Fault> {
        let number = u32::try_from(self.known).map_err(|_| "there are too many items")?;
        // Empty when reading.
        let given = self.items.get(number).unwrap_or_default().to_vec();
        let item = match tag {
            tag::TEXT => text_item(&self.side.text(None, text_of(&given).unwrap_or_default())?),
            tag::STACK => stack_item(&self.stack(&stack_of(&given).unwrap_or_default())?),
            _ => self.texts(column, Role::Rest, &given)?,
        };
        self.stored += item.len();
        if self.stored > MAX_ROWS {
            return Err("there is more in it than a block may hold");
        }
        self.known += 1;
        self.items.take_in(number, item);
        Ok(Value::Item(number))
    }

    /// Bytes of any kind: their length is a number.
    fn texts(&mut self, column: Column, role: Role, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let length = self.figure(column, role, bytes.len() as u64)?;
        let length = usize::try_from(length).map_err(|_| "a text is missing")?;
        self.side.text(Some(length), bytes)
    }

    fn stack(&mut self, given: &[(u64, u64)]) -> Result<Vec<(u64, u64)>, Fault> {
        let length = self.figure(FRAMES, Role::First, given.len() as u64)?;
        // Each takes three bytes of an event.
        let length = usize::try_from(length).ok().filter(|length| *length <= MAX_EVENT / 3);
        let length = length.ok_or("a stack is too deep")?;
        let mut frames = Vec::new();
        let mut before = None;
        for place in 0..length {
            let given = given.get(place).copied();
            let number = given.map_or(0, |frame| self.stacks.number(before, frame));
            let number = self.figure(FRAMES, Role::Rest, number)?;
            let frame = if number == Stacks::NEW {
                let (function, offset) = given.unwrap_or_default();
                let step = zigzag(function.wrapping_sub(self.stacks.function));
                let step = unzigzag(self.figure(FUNCTIONS, Role::First, step)?);
                let function = self.stacks.function.wrapping_add(step);
                let frame = (function, self.figure(OFFSETS, Role::First, offset)?);
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

impl<S: Side> Coder for Dense<S> {
    /// Is the first guess right? Otherwise the next one that says something else? And so on. How likely that is depends on
    /// how many of the others say the same, and on how the guesses did here before.
    fn value(&mut self, column: Column, guesses: &[Value], value: Value) -> Result<Value, Fault> {
        let (learned, side) = self.column(column);
        let failed = learned.failed & 3;
        for (place, guess) in guesses.iter().enumerate() {
            let (before, behind) = guesses.split_at(place);
            if *guess == Value::Nothing || before.contains(guess) {
                continue;
            }
            let agree =
                behind.iter().skip(1).rev().fold(0, |bits, other| bits << 1 | usize::from(other == guess));
            let chance = at(&mut learned.guesses, (agree << 3 | place) << 2 | failed);
            if side.bit(chance, *guess == value)? {
                learned.failed = failed << 1 | usize::from(place > 0);
                return Ok(*guess);
            }
        }
        learned.failed = failed << 1 | 1;
        self.literal(column, value)
    }

    fn number(&mut self, column: Column, number: u64) -> Result<u64, Fault> {
        self.figure(column, Role::First, number)
    }

    fn bytes(&mut self, column: Column, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        self.texts(column, Role::First, bytes)
    }
}
