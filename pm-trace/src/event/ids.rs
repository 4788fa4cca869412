//! Identities: objects, symbols, tasks, stacks.

use minicbor::{Decode, Encode};
use schemars::JsonSchema;
use serde::Serialize;

/// Nanoseconds of `CLOCK_BOOTTIME`: since boot, sleep included.
pub type Nanos = u64;

/// Identity of an object in kernel memory: a device, lock, queue, work, ... The same object has the same id
/// throughout a trace; two objects of different type may share an address and so an id (a structure and
/// its first member).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, JsonSchema)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct ObjId(#[n(0)] pub u32);

/// A kernel function, named by a [`Body::Symbol`](super::Body::Symbol) event earlier in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, JsonSchema)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct SymId(#[n(0)] pub u32);

/// `TASK_COMM_LEN` bytes of a task's name, as the kernel gave them; shown through [`Comm::as_str`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, JsonSchema)]
#[schemars(with = "String")]
pub struct Comm(pub [u8; pm_trace_common::COMM_LEN]);

/// A thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Encode, Decode, Serialize, JsonSchema)]
pub struct TaskRef {
    /// Thread id.
    #[n(0)]
    pub tid: u32,
    /// Name at that time.
    #[n(1)]
    pub comm: Comm,
}

/// A frame of a kernel stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, JsonSchema)]
pub struct Frame {
    /// The function.
    #[n(0)]
    pub symbol: SymId,
    /// Bytes into it.
    #[n(1)]
    pub offset: u32,
}

/// A kernel stack, innermost frame first; empty if it could not be taken.
pub type Stack = Vec<Frame>;

/// The `power` bits of a device, `pm_trace_common::pm::power`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, JsonSchema)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct Power(#[n(0)] pub u32);

impl Comm {
    /// The name, with what is no printable character replaced by `?`.
    pub fn as_str(&self) -> String {
        self.0
            .iter()
            .take_while(|&&b| b != 0)
            .map(|&b| if (0x20..0x7f).contains(&b) { char::from(b) } else { '?' })
            .collect()
    }

    /// From a string, cut to what a `comm` holds.
    pub fn new(name: &str) -> Self {
        let mut comm = [0; pm_trace_common::COMM_LEN];
        let len = name.len().min(comm.len() - 1);
        comm[..len].copy_from_slice(&name.as_bytes()[..len]);
        Self(comm)
    }
}

impl std::fmt::Debug for Comm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl Serialize for Comm {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.as_str())
    }
}

impl<C> Encode<C> for Comm {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let len = self.0.iter().position(|&b| b == 0).unwrap_or(self.0.len());
        e.bytes(&self.0[..len])?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Comm {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let bytes = d.bytes()?;
        let mut comm = [0; pm_trace_common::COMM_LEN];
        let len = bytes.len().min(comm.len());
        comm[..len].copy_from_slice(&bytes[..len]);
        Ok(Self(comm))
    }
}

impl std::fmt::Display for TaskRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]", self.comm.as_str(), self.tid)
    }
}

impl Power {
    /// The bits, or `None` if they could not be read.
    pub fn bits(self) -> Option<u32> {
        (self.0 & pm_trace_common::pm::power::UNKNOWN == 0).then_some(self.0)
    }

    /// Whether all of these bits are set; `None` if they could not be read.
    pub fn has(self, mask: u32) -> Option<bool> {
        self.bits().map(|bits| bits & mask == mask)
    }
}
