//! Which function an address of kernel code is in (`/proc/kallsyms`).
//!
//! The file has 150,000 to 300,000 lines, and the kernel makes each of them anew for every reader, which costs
//! more than reading them does: load it once, and not before it is needed.

use pm_trace_common::control::PerCpu;

use super::KernelError;
use super::system::System;

/// The file.
pub const KALLSYMS: &str = "/proc/kallsyms";

/// The array of what has to be added to the address of a CPU's own variable, and the variables that hold the preempt
/// count: by itself, or since Linux 6.2 as a member (`Member::PreemptCount`).
const PER_CPU_OFFSET: &str = "__per_cpu_offset";
const PREEMPT_COUNT: &str = "__preempt_count";
const PCPU_HOT: &str = "pcpu_hot";

/// No function is larger: an address further behind a symbol is in none.
const MAX_FUNCTION: u64 = 1 << 20;

/// A place in a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Name of the function.
    pub name: &'a str,
    /// Its module; empty for the kernel image.
    pub module: &'a str,
    /// How far behind the start of the function, in bytes.
    pub offset: u64,
}

/// One function. 16 bytes, of which a large kernel has 200,000.
#[derive(Clone, Copy, Debug)]
struct Entry {
    address: u64,
    /// Offset of the name in the names.
    name: u32,
    /// Length of the name in bytes.
    length: u16,
    /// Position of the module in the modules.
    module: u16,
}

/// The functions of a running kernel and its modules. Of data symbols there are only those that lead to the preempt
/// count.
#[derive(Clone, Debug)]
pub struct Symbols {
    /// Data of the kernel image: [`PER_CPU_OFFSET`], [`PREEMPT_COUNT`], [`PCPU_HOT`].
    data: Vec<(&'static str, u64)>,
    /// Sorted by address; of equal addresses, in the order of the file.
    entries: Vec<Entry>,
    names: String,
    modules: Vec<String>,
}

impl Symbols {
    /// Loads the symbols of a system.
    ///
    /// # Errors
    /// The file cannot be read, names no function, or hides the addresses.
    pub fn load(system: &dyn System) -> Result<Self, KernelError> {
        let text = system.read(KALLSYMS).map_err(|source| KernelError::Read {
            path: KALLSYMS.to_owned(),
            source,
            lost: "stacks have no function names",
            remedy: "a kernel with CONFIG_KALLSYMS=y and a mounted /proc have it",
        })?;
        Self::parse(&text)
    }

    /// Reads lines `ADDRESS TYPE NAME [MODULE]`. Lines that are none are left out.
    ///
    /// # Errors
    /// There is no function, or all of them are at address zero.
    pub fn parse(text: &[u8]) -> Result<Self, KernelError> {
        let (data, modules) = (Vec::new(), vec![String::new()]);
        let mut all = Self { data, entries: Vec::new(), names: String::new(), modules };
        // A line of a function has 40 to 50 bytes, and about 60 % of the symbols are functions.
        all.entries.reserve(text.len() / 70);
        all.names.reserve(text.len() / 3);
        let mut seen = false;
        let mut rest = text;
        while !rest.is_empty() {
            let line;
            (line, rest) = split_at_byte(rest, b'\n');
            let Some((address, name, module)) = code_symbol(line) else {
                all.data.extend(data_symbol(line));
                continue;
            };
            seen = true;
            if address != 0 {
                all.push(address, name, module);
            }
        }
        if all.entries.is_empty() {
            return Err(if seen { KernelError::SymbolsHidden } else { KernelError::NoSymbols });
        }
        all.entries.sort_by_key(|entry| entry.address);
        all.entries.shrink_to_fit();
        all.names.shrink_to_fit();
        Ok(all)
    }

    /// Adds a function, unless the tables are full (4 GB of names, 65,535 modules).
    fn push(&mut self, address: u64, name: &[u8], module: &[u8]) {
        let Some(module) = self.module_index(module) else { return };
        // Names in the kernel are ASCII; anything else (a damaged recording) is left out.
        let Ok(name) = std::str::from_utf8(name) else { return };
        let (Ok(start), Ok(length)) = (u32::try_from(self.names.len()), u16::try_from(name.len())) else {
            return;
        };
        self.names.push_str(name);
        self.entries.push(Entry { address, name: start, length, module });
    }

    /// The position of a module. The symbols of one stand together, so the last one is the likely answer.
    fn module_index(&mut self, module: &[u8]) -> Option<u16> {
        if module.is_empty() {
            return Some(0);
        }
        if let Some(index) = self.modules.iter().rposition(|known| known.as_bytes() == module) {
            return u16::try_from(index).ok();
        }
        let index = u16::try_from(self.modules.len()).ok()?;
        self.modules.push(std::str::from_utf8(module).ok()?.to_owned());
        Some(index)
    }

    /// Where the kernel counts what a CPU is inside of; `member` is the offset of the count in `pcpu_hot`, where the
    /// kernel has such a structure. `None` if that cannot be told: no address, or more than one.
    pub fn preempt_count(&self, member: Option<u32>) -> Option<PerCpu> {
        let only = |wanted: &str| {
            let mut found = self.data.iter().filter(|(name, _)| *name == wanted).map(|&(_, address)| address);
            found.next().filter(|&address| address != 0 && found.next().is_none())
        };
        let hot = || only(PCPU_HOT)?.checked_add(u64::from(member?));
        let preempt_count = only(PREEMPT_COUNT).or_else(hot)?;
        Some(PerCpu { offsets: only(PER_CPU_OFFSET)?, preempt_count })
    }

    /// How many functions there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none; never true for symbols that were loaded.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The function that an address is in. Of several names for one function, the kernel's first.
    pub fn lookup(&self, address: u64) -> Option<Symbol<'_>> {
        let after = self.entries.partition_point(|entry| entry.address <= address);
        let found = self.entries.get(after.checked_sub(1)?)?;
        let offset = address - found.address;
        // The function's end is not known; the end of the image's code is a symbol of its own.
        if offset >= MAX_FUNCTION || self.name(found) == "_etext" {
            return None;
        }
        let first = self.entries[..after].partition_point(|entry| entry.address < found.address);
        let entry = self.entries.get(first)?;
        Some(Symbol { name: self.name(entry), module: self.module(entry), offset })
    }

    /// The addresses of every function of this name, in ascending order: more than one if the name is
    /// ambiguous (static functions), none if there is no such function. Goes through all names: 1 ms natively;
    /// ask for several names with [`Self::find_each`].
    pub fn find(&self, name: &str) -> Vec<u64> {
        let named = self.entries.iter().filter(|entry| self.name(entry) == name);
        let mut found: Vec<u64> = named.map(|entry| entry.address).collect();
        found.dedup();
        found
    }

    /// As [`Self::find`], for many names in one pass; the answers are in the order of the names.
    pub fn find_each(&self, names: &[&str]) -> Vec<Vec<u64>> {
        let mut found = vec![Vec::new(); names.len()];
        let mut wanted: std::collections::HashMap<&str, Vec<usize>> = std::collections::HashMap::new();
        for (position, name) in names.iter().enumerate() {
            wanted.entry(name).or_default().push(position);
        }
        for entry in &self.entries {
            for &position in wanted.get(self.name(entry)).into_iter().flatten() {
                if found[position].last() != Some(&entry.address) {
                    found[position].push(entry.address);
                }
            }
        }
        found
    }

    fn name(&self, entry: &Entry) -> &str {
        let start = entry.name as usize;
        self.names.get(start..start + usize::from(entry.length)).unwrap_or_default()
    }

    fn module(&self, entry: &Entry) -> &str {
        self.modules.get(usize::from(entry.module)).map_or("", String::as_str)
    }
}

/// The address and name in a line, if it is one about data that is wanted.
fn data_symbol(line: &[u8]) -> Option<(&'static str, u64)> {
    let wanted = [PER_CPU_OFFSET, PREEMPT_COUNT, PCPU_HOT];
    let name = wanted.into_iter().find(|name| line.ends_with(name.as_bytes()))?;
    let (digits, rest) = split_at_byte(line, b' ');
    let (_, found) = split_at_byte(rest, b' ');
    (found == name.as_bytes()).then_some(())?;
    Some((name, hexadecimal(digits)?))
}

/// The address, name and module in a line, if it is one about code.
fn code_symbol(line: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    let (digits, rest) = split_at_byte(line, b' ');
    let (kind, rest) = split_at_byte(rest, b' ');
    // Text, global or local, and weak; `nm` has upper case for global symbols.
    if !matches!(kind, b"T" | b"t" | b"W" | b"w") {
        return None;
    }
    let (name, module) = split_at_byte(rest, b'\t');
    let module = module.strip_prefix(b"[").and_then(|m| m.strip_suffix(b"]")).unwrap_or_default();
    if name.is_empty() {
        return None;
    }
    Some((hexadecimal(digits)?, name, module))
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let mut number = 0_u64;
    for &digit in digits {
        number = number << 4 | u64::from((digit as char).to_digit(16)?);
    }
    Some(number)
}

/// What stands before and after the first `byte`; without one, everything and nothing.
fn split_at_byte(bytes: &[u8], byte: u8) -> (&[u8], &[u8]) {
    match bytes.iter().position(|&b| b == byte) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}

#[cfg(test)]
mod tests;
