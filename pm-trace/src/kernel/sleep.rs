//! How this machine can sleep and wake, and whether it can be watched from inside while it does.

use serde::Serialize;

use super::system::System;

/// A choice in a sysfs file: words, of which the one in brackets is taken (`s2idle [deep]`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// All words, without brackets.
    pub words: Vec<String>,
    /// The one in brackets.
    pub chosen: Option<String>,
}

impl Choice {
    /// Reads such a line.
    pub fn parse(text: &str) -> Self {
        let mut choice = Self::default();
        for word in text.split_whitespace() {
            let inner = word.strip_prefix('[').and_then(|word| word.strip_suffix(']'));
            if let Some(inner) = inner {
                choice.chosen = Some(inner.to_owned());
            }
            choice.words.push(inner.unwrap_or(word).to_owned());
        }
        choice
    }

    /// Whether the word is among them.
    pub fn has(&self, word: &str) -> bool {
        self.words.iter().any(|known| known == word)
    }
}

/// Kernel lockdown (security/lockdown/lockdown.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Lockdown {
    /// Not in force.
    None,
    /// Root cannot change the kernel: no hibernation, so no live mode.
    Integrity,
    /// Root cannot read the kernel's memory either: no kprobes, no BPF reads.
    Confidentiality,
    /// The file does not exist or is not understood.
    Unknown,
}

/// A clock that can wake the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WakeClock {
    /// `rtc0`
    pub name: String,
    /// Its alarm file, e.g. `/sys/class/rtc/rtc0/wakealarm`.
    pub alarm: String,
}

/// What keeps [`SleepSupport::live_blockers`] from being empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum LiveBlocker {
    /// `/dev/snapshot` does not exist.
    #[error("there is no /dev/snapshot (CONFIG_HIBERNATION_SNAPSHOT_DEV)")]
    NoDevice,
    /// Hibernation was switched off on the kernel's command line.
    #[error("hibernation is switched off on the kernel's command line (nohibernate)")]
    NoHibernate,
    /// Lockdown forbids hibernation.
    #[error("the kernel is locked down (usually by Secure Boot), which forbids hibernation")]
    LockedDown,
    /// The kernel says that hibernation is not available, for another reason.
    #[error("the kernel says that hibernation is not available (/sys/power/disk: [disabled])")]
    Disabled,
    /// The machine has no S3, and `SNAPSHOT_S2RAM` enters nothing else.
    #[error(
        "the machine has no S3 (no \"deep\" in /sys/power/mem_sleep), and nothing else can be entered that way"
    )]
    NoDeep,
}

/// How the machine can sleep and wake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SleepSupport {
    /// `/sys/power/state`: `freeze`, `standby`, `mem`, `disk`.
    pub states: Vec<String>,
    /// `/sys/power/mem_sleep`: what `mem` means, `s2idle`, `shallow` or `deep`. Empty if there is no file.
    pub mem_sleep: Choice,
    /// `/sys/power/disk`
    pub disk: Choice,
    /// `/sys/power/pm_test`; empty if there is no file (CONFIG_PM_DEBUG).
    pub pm_test: Choice,
    /// `/sys/power/pm_async`
    pub pm_async: Option<bool>,
    /// Whether `/dev/snapshot` exists.
    pub snapshot_device: bool,
    /// Whether the kernel's command line switches hibernation off.
    pub nohibernate: bool,
    /// Kernel lockdown.
    pub lockdown: Lockdown,
    /// Clocks that can wake the machine.
    pub wake_clocks: Vec<WakeClock>,
}

impl SleepSupport {
    /// Asks the system. What cannot be read counts as absent.
    pub fn probe(system: &dyn System) -> Self {
        let choice = |path| Choice::parse(&system.text(path).unwrap_or_default());
        let cmdline = system.text("/proc/cmdline").unwrap_or_default();
        Self {
            states: choice("/sys/power/state").words,
            mem_sleep: choice("/sys/power/mem_sleep"),
            disk: choice("/sys/power/disk"),
            pm_test: choice("/sys/power/pm_test"),
            pm_async: system.text("/sys/power/pm_async").map(|text| text == "1"),
            snapshot_device: system.exists("/dev/snapshot"),
            // Both switch it off: kernel/power/hibernate.c, hibernate_setup() and nohibernate_setup().
            nohibernate: cmdline
                .split_whitespace()
                .any(|word| matches!(word, "nohibernate" | "hibernate=no")),
            lockdown: lockdown(system),
            wake_clocks: wake_clocks(system),
        }
    }

    /// Whether the machine can enter a state, a word of `/sys/power/state`.
    pub fn can(&self, state: &str) -> bool {
        self.states.iter().any(|known| known == state)
    }

    /// Why live mode cannot be had; empty if it can. The conditions are those of `snapshot_open()` and
    /// `SNAPSHOT_S2RAM` (kernel/power/user.c).
    pub fn live_blockers(&self) -> Vec<LiveBlocker> {
        let mut blockers = Vec::new();
        if !self.snapshot_device {
            blockers.push(LiveBlocker::NoDevice);
        }
        if self.nohibernate {
            blockers.push(LiveBlocker::NoHibernate);
        }
        if matches!(self.lockdown, Lockdown::Integrity | Lockdown::Confidentiality) {
            blockers.push(LiveBlocker::LockedDown);
        }
        if blockers.is_empty() && self.disk.has("disabled") {
            blockers.push(LiveBlocker::Disabled);
        }
        if !self.mem_sleep.has("deep") {
            blockers.push(LiveBlocker::NoDeep);
        }
        blockers
    }
}

fn lockdown(system: &dyn System) -> Lockdown {
    let text = system.text("/sys/kernel/security/lockdown").unwrap_or_default();
    match Choice::parse(&text).chosen.as_deref() {
        Some("none") => Lockdown::None,
        Some("integrity") => Lockdown::Integrity,
        Some("confidentiality") => Lockdown::Confidentiality,
        _ => Lockdown::Unknown,
    }
}

fn wake_clocks(system: &dyn System) -> Vec<WakeClock> {
    let clocks = system.list("/sys/class/rtc").unwrap_or_default();
    let with_alarm = clocks.into_iter().filter_map(|name| {
        let alarm = format!("/sys/class/rtc/{name}/wakealarm");
        system.exists(&alarm).then_some(WakeClock { name, alarm })
    });
    with_alarm.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::{KERNELS, recorded};

    fn support() -> SleepSupport {
        SleepSupport {
            states: vec!["freeze".to_owned(), "mem".to_owned()],
            mem_sleep: Choice::parse("s2idle [deep]"),
            disk: Choice::parse("[platform] shutdown reboot suspend test_resume"),
            pm_test: Choice::parse("[none] core processors platform devices freezer"),
            pm_async: Some(true),
            snapshot_device: true,
            nohibernate: false,
            lockdown: Lockdown::None,
            wake_clocks: Vec::new(),
        }
    }

    #[test]
    fn choices_are_read() {
        let choice = Choice::parse("s2idle [deep]\n");
        assert_eq!(choice.words, ["s2idle", "deep"]);
        assert_eq!(choice.chosen.as_deref(), Some("deep"));
        assert_eq!(Choice::parse(""), Choice::default());
        assert_eq!(Choice::parse("[ a]").words, ["[", "a]"]);
    }

    #[test]
    fn recorded_machines_sleep_and_wake() {
        for kernel in KERNELS {
            let sleep = SleepSupport::probe(&recorded(kernel));
            assert!(sleep.can("mem") && sleep.can("freeze") && !sleep.can("standby"));
            assert_eq!(sleep.mem_sleep, Choice::parse("s2idle [deep]"));
            assert_eq!(sleep.pm_test.chosen.as_deref(), Some("none"));
            assert_eq!(
                (sleep.pm_async, sleep.lockdown, sleep.nohibernate),
                (Some(true), Lockdown::None, false)
            );
            let alarm = "/sys/class/rtc/rtc0/wakealarm".to_owned();
            assert_eq!(sleep.wake_clocks, [WakeClock { name: "rtc0".to_owned(), alarm }]);
            assert_eq!(sleep.live_blockers(), []);
        }
    }

    #[test]
    fn live_mode_needs_the_device_and_deep_sleep() {
        assert_eq!(support().live_blockers(), []);
        let blockers = |change: fn(&mut SleepSupport)| {
            let mut support = support();
            change(&mut support);
            support.live_blockers()
        };
        assert_eq!(blockers(|s| s.snapshot_device = false), [LiveBlocker::NoDevice]);
        assert_eq!(blockers(|s| s.mem_sleep = Choice::parse("[s2idle]")), [LiveBlocker::NoDeep]);
        assert_eq!(blockers(|s| s.disk = Choice::parse("[disabled]")), [LiveBlocker::Disabled]);
        let secure_boot = blockers(|s| {
            s.lockdown = Lockdown::Integrity;
            s.disk = Choice::parse("[disabled]");
        });
        assert_eq!(secure_boot, [LiveBlocker::LockedDown]);
        assert_eq!(blockers(|s| s.nohibernate = true), [LiveBlocker::NoHibernate]);
    }
}
