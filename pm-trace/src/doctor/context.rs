//! The facts that the checks look at, gathered once.

use crate::kernel::KernelError;
use crate::kernel::config::KernelConfig;
use crate::kernel::layout::{self, Layout};
use crate::kernel::machine::Machine;
use crate::kernel::sleep::SleepSupport;
use crate::kernel::symbols::Symbols;
use crate::kernel::system::System;

/// Capabilities (include/uapi/linux/capability.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Capability {
    SysAdmin = 21,
    Syslog = 34,
    Perfmon = 38,
    Bpf = 39,
}

/// The capabilities in effect.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Capabilities(u64);

impl Capabilities {
    /// Reads the line `CapEff:` of `/proc/self/status`. Without one there are none.
    fn parse(status: &str) -> Self {
        let digits = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        Self(digits.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).unwrap_or(0))
    }

    pub(super) fn has(self, capability: Capability) -> bool {
        self.0 & 1 << capability as u32 != 0
    }
}

/// The facts.
pub(super) struct Context<'a> {
    pub(super) system: &'a dyn System,
    pub(super) capabilities: Capabilities,
    pub(super) layout: Result<Layout, KernelError>,
    pub(super) config: Result<KernelConfig, KernelError>,
    pub(super) symbols: Result<Symbols, KernelError>,
    pub(super) sleep: SleepSupport,
    pub(super) machine: Machine,
}

impl<'a> Context<'a> {
    pub(super) fn gather(system: &'a dyn System) -> Self {
        Self {
            system,
            capabilities: Capabilities::parse(&system.text("/proc/self/status").unwrap_or_default()),
            layout: layout::resolve(system),
            config: KernelConfig::load(system),
            symbols: Symbols::load(system),
            sleep: SleepSupport::probe(system),
            machine: Machine::probe(system),
        }
    }

    /// Whether an option was configured; `None` if the configuration is unknown.
    pub(super) fn configured(&self, option: &str) -> Option<bool> {
        self.config.as_ref().ok().map(|config| config.enabled(option))
    }

    /// "the kernel was built without CONFIG_X", or a weaker sentence if the configuration does not say so.
    pub(super) fn why_absent(&self, option: &str) -> String {
        match self.configured(option) {
            Some(false) => format!("the kernel was built without {option}"),
            Some(true) => format!("not there, although the kernel was built with {option}"),
            None => format!("not there ({option})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read() {
        let some = Capabilities::parse("Name:\tx\nCapPrm:\tff\nCapEff:\t0000004000200000\nCapBnd:\t0\n");
        assert!(some.has(Capability::SysAdmin) && some.has(Capability::Perfmon));
        assert!(!some.has(Capability::Bpf) && !some.has(Capability::Syslog));
        assert!(!Capabilities::parse("CapEff:\tnonsense").has(Capability::SysAdmin));
    }
}
