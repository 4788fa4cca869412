//! What *this* kernel offers: structure layouts, symbols, configuration, sleep states, the machine.
//!
//! Nothing here touches BPF, and everything asks through [`system::System`], so a recorded kernel
//! (`tests/data/kernels`) is an input like the running one.
//!
//! | module | answers | from |
//! |---|---|---|
//! | [`system`] | reads the machine or a recording of one | |
//! | [`btf`] | types in the kernel's own description of itself | `/sys/kernel/btf/*` |
//! | [`layout`] | where the members are that the programs read | [`btf`] |
//! | [`symbols`] | which function an address is in | `/proc/kallsyms` |
//! | [`config`] | what the kernel was built with | `/proc/config.gz`, `/boot/config-*` |
//! | [`evidence`] | where what the kernel prints while it is stuck ends up | tracefs, `/proc/cmdline` |
//! | [`sleep`] | how it can sleep and wake, and whether live mode can be had | `/sys/power`, `/dev/snapshot` |
//! | [`machine`] | what a trace says about the machine | DMI, `/proc` |
//! | [`clock`] | what time it is, by three clocks | |

pub mod btf;
pub mod clock;
pub mod config;
pub mod evidence;
pub mod kmsg;
pub mod layout;
pub mod machine;
pub mod sleep;
pub mod symbols;
pub mod system;
#[cfg(test)]
pub(crate) mod testing;

use std::io;

/// What keeps pm-trace from knowing this kernel.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// A file of the system could not be read.
    #[error("cannot read {path}: {source}; without it {lost}; {remedy}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
        /// What cannot be done without it.
        lost: &'static str,
        /// What to try.
        remedy: &'static str,
    },
    /// The kernel's type information is not usable.
    #[error(
        "the type information in {path} is not usable: {source}; without it no structure of the kernel can \
         be read; try another kernel, or rebuild this one with a current pahole"
    )]
    Btf {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: btf::BtfError,
    },
    /// The kernel shows every symbol at address zero.
    #[error(
        "/proc/kallsyms shows no addresses (kptr_restrict); without them stacks have no function names; run as \
         root with CAP_SYSLOG, or: sysctl kernel.kptr_restrict=1"
    )]
    SymbolsHidden,
    /// No symbol of code was found.
    #[error(
        "/proc/kallsyms names no function; without it stacks have no function names; CONFIG_KALLSYMS=y is needed"
    )]
    NoSymbols,
}
