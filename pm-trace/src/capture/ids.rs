//! Small numbers for kernel addresses: the one place where addresses end.

use crate::event::{ObjId, SymId};
use crate::kernel::symbols::Symbols;

/// Tables that are asked several times for each event.
type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// Most objects told apart. A machine has a few thousand that matter; what comes after gets no id.
const MAX_OBJECTS: usize = 1 << 22;

/// Gives each address a small id.
#[derive(Debug, Default)]
pub struct ObjectIds {
    ids: HashMap<u64, ObjId>,
}

impl ObjectIds {
    /// Id of the object at an address; `None` for NULL.
    pub fn id(&mut self, address: u64) -> Option<ObjId> {
        if address == 0 {
            return None;
        }
        if let Some(&id) = self.ids.get(&address) {
            return Some(id);
        }
        if self.ids.len() >= MAX_OBJECTS {
            return None;
        }
        let id = ObjId(u32::try_from(self.ids.len()).ok()? + 1);
        self.ids.insert(address, id);
        Some(id)
    }

    /// Id of what is embedded in the object at `base`, `offset` bytes in.
    pub fn member(&mut self, base: u64, offset: Option<u32>) -> Option<ObjId> {
        if base == 0 {
            return None;
        }
        self.id(base.wrapping_add(u64::from(offset?)))
    }
}

/// A kernel function, as the symbol table names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Name.
    pub name: String,
    /// Module; empty for the kernel image.
    pub module: String,
    /// Address of its first byte.
    pub start: u64,
}

/// Finds the function an address lies in.
pub trait Symbolise: Send {
    /// The function, or `None` if the address lies in none.
    fn function(&self, address: u64) -> Option<Function>;
}

impl Symbolise for Symbols {
    fn function(&self, address: u64) -> Option<Function> {
        let symbol = self.lookup(address)?;
        Some(Function {
            start: address - symbol.offset,
            name: symbol.name.to_owned(),
            module: symbol.module.to_owned(),
        })
    }
}

/// For a kernel that hides its symbols.
pub struct NoSymbols;

impl Symbolise for NoSymbols {
    fn function(&self, _: u64) -> Option<Function> {
        None
    }
}

/// Gives each function a small id.
#[derive(Debug, Default)]
pub struct SymbolIds {
    ids: HashMap<u64, SymId>,
}

impl SymbolIds {
    /// Id of a function, and whether it is new.
    pub fn id(&mut self, function: &Function) -> (SymId, bool) {
        let next = SymId(u32::try_from(self.ids.len()).unwrap_or(u32::MAX).saturating_add(1));
        let mut new = false;
        let id = *self.ids.entry(function.start).or_insert_with(|| {
            new = true;
            next
        });
        (id, new)
    }
}
