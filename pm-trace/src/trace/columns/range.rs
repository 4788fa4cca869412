//! Arithmetic coding of bits: each as long as its chance deserves, and back.

use super::Fault;

/// How likely a bit is set, learned from the bits that it was said of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance {
    /// In 65,536ths.
    set: u16,
    /// How many bits it was learned from, at most [`Chance::MEMORY`].
    seen: u8,
}

impl Default for Chance {
    fn default() -> Self {
        Self { set: 1 << 15, seen: 0 }
    }
}

impl Chance {
    /// How many bits count: what was longer ago fades.
    const MEMORY: u8 = 60;
    /// The least chance, so that what was never seen can still be told.
    const LEAST: u32 = 32;

    fn of_set(self) -> u32 {
        u32::from(self.set).clamp(Self::LEAST, (1 << 16) - Self::LEAST)
    }

    fn learn(&mut self, bit: bool) {
        let (set, target) = (i32::from(self.set), if bit { i32::from(u16::MAX) } else { 0 });
        let set = set + (target - set) * 2 / (2 * i32::from(self.seen) + 3);
        // Between what it was and the target.
        self.set = set as u16;
        self.seen = (self.seen + 1).min(Self::MEMORY);
    }
}

/// One direction: writing takes the bits and texts it is given, reading ignores them and gives those it reads.
pub(super) trait Side {
    /// A bit with its chance, which learns from it.
    fn bit(&mut self, chance: &mut Chance, bit: bool) -> Result<bool, Fault>;
    /// A bit about which nothing is known.
    fn even(&mut self, bit: bool) -> Result<bool, Fault>;
    /// Bytes of a text; without a length, up to a NUL, which they do not hold.
    fn text(&mut self, length: Option<usize>, text: &[u8]) -> Result<Vec<u8>, Fault>;
}

const EVEN: u32 = 1 << 15;

/// What is left of all numbers of 32 bits: the lower part if the next bit is set, otherwise the upper. Bytes that both
/// ends have in common are decided.
#[derive(Clone, Copy)]
struct Interval {
    low: u32,
    high: u32,
}

impl Interval {
    const ALL: Self = Self { low: 0, high: u32::MAX };

    /// The last number of the lower part.
    fn split(self, set: u32) -> u32 {
        // Less than the difference.
        self.low + ((u64::from(self.high - self.low) * u64::from(set)) >> 16) as u32
    }

    fn take(&mut self, split: u32, bit: bool) {
        if bit {
            self.high = split;
        } else {
            self.low = split + 1;
        }
    }

    /// The next byte, if it is decided.
    fn decided(&mut self) -> Option<u8> {
        let byte = (self.high >> 24) as u8;
        if (self.low ^ self.high) >> 24 != 0 {
            return None;
        }
        self.low <<= 8;
        self.high = self.high << 8 | 0xff;
        Some(byte)
    }
}

/// Writes.
pub(super) struct Encoder {
    interval: Interval,
    bytes: Vec<u8>,
    texts: Vec<u8>,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self { interval: Interval::ALL, bytes: Vec::new(), texts: Vec::new() }
    }

    /// The bits, and the texts.
    pub(super) fn finish(mut self) -> (Vec<u8>, Vec<u8>) {
        // Followed by zeros this is within the interval: its ends differ in the first byte.
        self.bytes.push((self.interval.high >> 24) as u8);
        (self.bytes, self.texts)
    }

    fn put(&mut self, set: u32, bit: bool) {
        let split = self.interval.split(set);
        self.interval.take(split, bit);
        while let Some(byte) = self.interval.decided() {
            self.bytes.push(byte);
        }
    }
}

impl Side for Encoder {
    fn bit(&mut self, chance: &mut Chance, bit: bool) -> Result<bool, Fault> {
        self.put(chance.of_set(), bit);
        chance.learn(bit);
        Ok(bit)
    }

    fn even(&mut self, bit: bool) -> Result<bool, Fault> {
        self.put(EVEN, bit);
        Ok(bit)
    }

    fn text(&mut self, length: Option<usize>, text: &[u8]) -> Result<Vec<u8>, Fault> {
        self.texts.extend_from_slice(text);
        if length.is_none() {
            self.texts.push(0);
        }
        Ok(text.to_vec())
    }
}

/// Reads.
pub(super) struct Decoder<'a> {
    interval: Interval,
    number: u32,
    bytes: &'a [u8],
    texts: &'a [u8],
    /// Zeros that were read behind the end: the reader is ahead of the writer.
    ahead: usize,
}

impl<'a> Decoder<'a> {
    /// Bytes of the number under way, less the one that the writer ends with.
    const AHEAD: usize = 3;

    pub(super) fn new(bytes: &'a [u8], texts: &'a [u8]) -> Self {
        let mut decoder = Self { interval: Interval::ALL, number: 0, bytes, texts, ahead: 0 };
        for _ in 0..4 {
            decoder.shift();
        }
        decoder
    }

    /// Nothing is left.
    pub(super) fn is_used_up(&self) -> bool {
        self.bytes.is_empty() && self.ahead == Self::AHEAD && self.texts.is_empty()
    }

    fn shift(&mut self) {
        let byte = if let Some((&byte, rest)) = self.bytes.split_first() {
            self.bytes = rest;
            byte
        } else {
            self.ahead += 1;
            0
        };
        self.number = self.number << 8 | u32::from(byte);
    }

    fn take(&mut self, set: u32) -> Result<bool, Fault> {
        let split = self.interval.split(set);
        let bit = self.number <= split;
        self.interval.take(split, bit);
        while self.interval.decided().is_some() {
            self.shift();
        }
        if self.ahead > Self::AHEAD { Err("it ends early") } else { Ok(bit) }
    }
}

impl Side for Decoder<'_> {
    fn bit(&mut self, chance: &mut Chance, _: bool) -> Result<bool, Fault> {
        let bit = self.take(chance.of_set())?;
        chance.learn(bit);
        Ok(bit)
    }

    fn even(&mut self, _: bool) -> Result<bool, Fault> {
        self.take(EVEN)
    }

    fn text(&mut self, length: Option<usize>, _: &[u8]) -> Result<Vec<u8>, Fault> {
        let ends = length.or_else(|| self.texts.iter().position(|&byte| byte == 0));
        let cut = ends.and_then(|ends| self.texts.split_at_checked(ends));
        let (text, rest) = cut.ok_or("a text is missing")?;
        // The NUL, if it ends with one.
        self.texts = rest.get(usize::from(length.is_none())..).unwrap_or_default();
        Ok(text.to_vec())
    }
}
