//! Words for the lines, as addresses that `%s` takes.
//!
//! No table of `&str`: that is a table of addresses, which would have to be relocated in a data section.

use pm_trace_common::watchdog::{STEP_NAMES, on};

const LEN: usize = 16;

pub(super) const fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let mut place = 0;
    while place < text.len() {
        bytes[place] = text.as_bytes()[place];
        place += 1;
    }
    bytes
}

macro_rules! words {
    ($( $name:ident = $text:expr ; )+) => {
        $(
            #[inline(always)]
            pub fn $name() -> u64 {
                static WORD: [u8; LEN] = padded($text);
                &raw const WORD as u64
            }
        )+
    };
}

words! {
    mutex = on::MUTEX;
    rwsem = on::RWSEM;
    any_lock = on::LOCK;
    step_word = on::STEP;
    completion = on::COMPLETION;
    async_calls = on::ASYNC;
}

/// The word for a step, by its number.
#[inline(always)]
pub fn step(number: u16) -> u64 {
    static WORDS: [[u8; LEN]; 8] = {
        let mut words = [[0; LEN]; 8];
        let mut place = 0;
        while place < STEP_NAMES.len() {
            words[place] = padded(STEP_NAMES[place]);
            place += 1;
        }
        words
    };
    &raw const WORDS[usize::from(number) & 7] as u64
}
