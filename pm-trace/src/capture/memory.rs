//! Memory that does not depend on a suspended disk, and does not have to grow while everything is frozen.

use nix::sys::mman::{MlockAllFlags, mlockall, munlockall};
use std::hint::black_box;

/// Heap that is there before everything is frozen. What waits for a disk that is stuck has to fit: see
/// [`FILE_BACKLOG`].
const RESERVE: usize = 64 << 20;
/// Pieces that the reserve is made of.
const PIECE: usize = 64 << 10;
/// Most bytes that may wait for the trace file while everything is frozen.
pub const FILE_BACKLOG: usize = 32 << 20;
/// And for the second output.
pub const TEE_BACKLOG: usize = 8 << 20;

/// Memory locked in place: a page that has to come from a suspended disk would stop the collector. Unlocked on
/// drop.
pub struct Locked(());

impl Locked {
    /// Locks everything that is there and everything to come.
    pub fn lock() -> Self {
        reserve();
        if let Err(error) = mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE) {
            log::warn!(
                "cannot lock memory ({error}): pm-trace may stop if its pages are on a suspended disk"
            );
        }
        Self(())
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        if let Err(error) = munlockall() {
            log::debug!("cannot unlock memory: {error}");
        }
    }
}

/// Has every thread allocate from one heap that never shrinks. To be called before other threads are there.
pub fn one_heap() {
    #[cfg(target_env = "gnu")]
    {
        use nix::libc::{M_ARENA_MAX, M_MMAP_MAX, M_TRIM_THRESHOLD, mallopt};
        // SAFETY: mallopt() takes numbers, and changes how the allocator goes on from here.
        let set =
            unsafe { [mallopt(M_ARENA_MAX, 1), mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, i32::MAX)] };
        if set.contains(&0) {
            log::debug!("the allocator keeps its own ways; memory may grow during a suspend");
        }
    }
}

/// Takes memory from the kernel and gives it back to the allocator, which keeps it after [`one_heap`].
fn reserve() {
    let pieces: Vec<Vec<u8>> = (0..RESERVE / PIECE).map(|_| vec![1; PIECE]).collect();
    black_box(&pieces);
}

/// Memory of this process that is in RAM, in KiB (`VmRSS` in `/proc/self/status`); 0 if unknown.
pub fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_knows_its_size() {
        assert!(super::resident_kib() > 0);
    }
}
