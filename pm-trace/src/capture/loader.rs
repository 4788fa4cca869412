//! The eBPF object, and getting it into the kernel without loss of time.

use aya::{Ebpf, EbpfError, EbpfLoader};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use pm_trace_common::member::{KernelFacts, PowerPlaces, Reach};

/// The eBPF object, built by the build script.
pub(super) static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/pm-trace-ebpf"));

/// Maps by device, lock or thread, that the kernel fills with all their elements when they are created: that takes the
/// longest of all maps.
const CACHES: [&str; 9] = [
    "DESCRIBED",
    "PM_COMPLETIONS",
    "WAITED_COMPLETIONS",
    "LOCK_WAITS",
    "RUNTIME_CALLS",
    "BLOCKED_SINCE",
    "OPEN_STEPS",
    "DEVICE_LOCKS",
    "OPEN_WAITS",
];
/// Elements of such a map on a small machine, which has some hundred devices. On others it has what the object says.
const FEW: u32 = 2048;

/// Whether this machine has little memory, and so few devices and threads.
pub fn is_small_machine() -> bool {
    nix::sys::sysinfo::sysinfo().is_ok_and(|info| info.ram_total() < 4 << 30)
}

/// The facts, and what follows from them, as the words of the programs' global
/// ([`pm_trace_common::member::Handed`]).
pub fn words(facts: &KernelFacts) -> Vec<u32> {
    let power = PowerPlaces::of(facts);
    let reach = |reach: Reach| [reach.offset, reach.there];
    let mut words: Vec<u32> = facts.members.iter().flat_map(|&offset| reach(Reach::of(offset))).collect();
    words.extend([facts.request_size, facts.rescan_takes_sdev]);
    words.extend(reach(power.base));
    words.extend(power.bits);
    words.push(power.missing);
    words
}

/// Creates the maps and hands over the facts. `buffer` is the ring buffer's size in bytes; with `log` the
/// programs send their own diagnostics.
///
/// # Errors
/// A map cannot be created.
pub fn load(words: &[u32], buffer: u32, log: bool) -> Result<Ebpf, EbpfError> {
    let log_level: u8 = if log { log::Level::Debug as u8 } else { 0 };
    let mut loader = loader_without_btf();
    loader
        .override_global("FACTS", words, true)
        .override_global("AYA_LOG_LEVEL", &log_level, false)
        .map_max_entries("EVENTS", buffer);
    if is_small_machine() {
        for cache in CACHES {
            loader.map_max_entries(cache, FEW);
        }
    }
    loader.load(OBJECT)
}

/// A loader that did not read the kernel's BTF.
///
/// `EbpfLoader::new` always parses all of it, to have it for relocations, of which rustc emits none. That
/// takes almost half of the time until the programs are loaded. It does without if the file cannot be opened,
/// so for this moment none can.
fn loader_without_btf() -> EbpfLoader<'static> {
    let _no_files = NoFiles::begin();
    let mut loader = EbpfLoader::new();
    loader.btf(None);
    loader
}

/// While it lives, this process opens no file.
struct NoFiles(Option<(u64, u64)>);

impl NoFiles {
    fn begin() -> Self {
        let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return Self(None) };
        // Descriptors that are open stay so.
        Self(setrlimit(Resource::RLIMIT_NOFILE, 0, hard).ok().map(|()| (soft, hard)))
    }
}

impl Drop for NoFiles {
    fn drop(&mut self) {
        if let Some((soft, hard)) = self.0
            && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, soft, hard)
        {
            log::warn!("cannot restore the limit of open files: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pm_trace_common::member::Handed;
    use std::mem::offset_of;

    #[test]
    fn the_words_handed_over_match_the_programs_global() {
        let facts = KernelFacts {
            members: [7; pm_trace_common::member::Member::COUNT],
            request_size: 272,
            rescan_takes_sdev: 1,
        };
        let words = words(&facts);
        assert_eq!(words.len() * size_of::<u32>(), size_of::<Handed>());
        let at = |offset: usize| words[offset / size_of::<u32>()];
        assert_eq!(at(offset_of!(Handed, rescan_takes_sdev)), 1);
        assert_eq!(at(offset_of!(Handed, power.missing)), 0);
        // Members that are all in one place.
        assert_eq!(at(offset_of!(Handed, power.bits)), 7 | 1 << PowerPlaces::PRESENT);
    }
}
