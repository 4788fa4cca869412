//! CBOR into memory.

use minicbor::Encode;
use minicbor::encode::Write;
use std::convert::Infallible;

/// Memory that an encoder writes to. `minicbor` has the same for vectors, in code that is not compiled with ours: an
/// event has some fifteen writes of a few bytes each, and calling one takes longer than doing it.
struct Bytes<'a>(&'a mut Vec<u8>);

impl Write for Bytes<'_> {
    type Error = Infallible;

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Appends a value in its encoded form.
pub(crate) fn encode<T: Encode<()>>(value: &T, bytes: &mut Vec<u8>) {
    let Ok(()) = minicbor::encode(value, Bytes(bytes)).map_err(|_| unreachable!("memory takes every byte"));
}
