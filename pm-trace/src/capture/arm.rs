//! What makes a verdict of the watchdog in the kernel survive: switches that can be set now, and words for the
//! kernel command line for what cannot.

use crate::kernel::evidence::{
    EVENT, TP_PRINTK, TRACEFS, TpPrintk, can_persist, persistent_instances, tp_printk,
};
use crate::kernel::system::System;
use std::fs;
use std::io;
use std::path::Path;

/// Where it is written down what to undo; a reboot empties it as it does the switches.
pub const STATE: &str = "/run/pm-trace/armed";

/// Most bytes of that file.
const MAX_STATE: usize = 64 << 10;

/// The level of messages that the console shows, first word of it (Documentation/core-api/printk-basics.rst).
const PRINTK: &str = "/proc/sys/kernel/printk";
/// Trace events in the kernel log have the level of messages that name none, 4: a console shows what is below its
/// own level.
const CONSOLE_LEVEL: u32 = 5;

/// A switch that `arm` sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Its file.
    pub path: String,
    /// What it holds now.
    pub before: String,
    /// What it is to hold; the same if nothing has to be done.
    pub value: String,
    /// What it is good for.
    pub why: &'static str,
}

/// A word for the kernel command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word, or several that belong together.
    pub word: &'static str,
    /// What it is good for.
    pub why: &'static str,
}

/// The switches of this machine, also those that are set already.
pub fn switches(system: &dyn System) -> Vec<Switch> {
    let mut switches = Vec::new();
    let mut add = |path: &str, wanted: &dyn Fn(&str) -> String, why| {
        if let Some(before) = system.text(path) {
            let before = squeezed(&before);
            switches.push(Switch { path: path.to_owned(), value: wanted(&before), before, why });
        }
    };
    let is = |value: &'static str| move |_: &str| value.to_owned();
    add("/sys/module/printk/parameters/console_suspend", &is("N"), "consoles stay on while devices sleep");
    add(PRINTK, &louder, "the console shows trace events also on a kernel that boots quietly");
    if tp_printk(system) != TpPrintk::Impossible {
        add(TP_PRINTK, &is("1"), "trace events, and with them the watchdog's lines, go to the kernel log");
    }
    add("/sys/power/pm_debug_messages", &is("1"), "the kernel log says how far a transition got");
    for instance in persistent_instances(system) {
        let at = |file: &str| format!("{TRACEFS}/instances/{instance}/{file}");
        add(&at(EVENT), &is("1"), "the watchdog's lines go to memory that a reset does not clear");
        add(&at("tracing_on"), &is("1"), "that memory takes them");
    }
    switches
}

/// A console level that shows trace events.
fn louder(before: &str) -> String {
    let mut words: Vec<String> = before.split_whitespace().map(str::to_owned).collect();
    if let Some(first) = words.first_mut()
        && first.parse::<u32>().is_ok_and(|level| level < CONSOLE_LEVEL)
    {
        *first = CONSOLE_LEVEL.to_string();
    }
    words.join(" ")
}

/// What has to go on the kernel command line for what cannot be set now.
pub fn words(system: &dyn System) -> Vec<Word> {
    let mut words = Vec::new();
    if tp_printk(system) == TpPrintk::Impossible {
        words.push(Word {
            word: "tp_printk",
            why: "the watchdog's lines go to the kernel log, so to every console, netconsole and, in a panic, \
                  pstore",
        });
    }
    if persistent_instances(system).is_empty() && can_persist(system) != Some(false) {
        words.push(Word {
            word: "reserve_mem=12M:4096:pmtrace trace_instance=pmtrace@pmtrace",
            why: "they also go to memory that a warm reset does not clear (Linux 6.12)",
        });
    }
    let backend = system.text("/sys/module/pstore/parameters/backend").unwrap_or_default();
    if matches!(backend.as_str(), "" | "(null)") && !system.exists("/sys/firmware/efi") {
        words.push(Word {
            word: "ramoops.mem_address=ADDRESS ramoops.mem_size=0x100000 ramoops.ecc=1 memmap=0x100000$ADDRESS",
            why: "the kernel log of a panic is kept in memory over a warm reset (choose an ADDRESS of usable RAM from \
                  /proc/iomem)",
        });
    }
    words
}

/// Sets a switch.
///
/// # Errors
/// The kernel refuses it, or ignores it.
pub fn set(switch: &Switch) -> io::Result<()> {
    if switch.before == switch.value {
        return Ok(());
    }
    fs::write(&switch.path, &switch.value)?;
    let now = fs::read_to_string(&switch.path)?;
    if squeezed(&now) == squeezed(&switch.value) {
        Ok(())
    } else {
        Err(io::Error::other("the kernel ignores it"))
    }
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes down what to undo, before anything is set. What an earlier `arm` wrote down stays.
///
/// # Errors
/// There is no room for it.
pub fn write_down(switches: &[Switch]) -> io::Result<()> {
    let state = Path::new(STATE);
    if let Some(directory) = state.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut known = written_down().unwrap_or_default();
    for switch in switches.iter().filter(|switch| switch.before != switch.value) {
        if !known.iter().any(|(path, _)| *path == switch.path) {
            known.push((switch.path.clone(), switch.before.clone()));
        }
    }
    let lines: String = known.iter().map(|(path, value)| format!("{path}={value}\n")).collect();
    fs::write(state, lines)
}

/// What an earlier `arm` wrote down: files and what they held.
///
/// # Errors
/// Nothing is armed ([`io::ErrorKind::NotFound`]), or the file cannot be read.
pub fn written_down() -> io::Result<Vec<(String, String)>> {
    let text = fs::read_to_string(STATE)?;
    Ok(parse(crate::text::cut(&text, MAX_STATE)))
}

fn parse(text: &str) -> Vec<(String, String)> {
    let entries = text.lines().filter_map(|line| line.split_once('='));
    let of_kernel =
        |path: &str| (path.starts_with("/sys/") || path.starts_with("/proc/sys/")) && !path.contains("/../");
    entries
        .filter(|(path, _)| of_kernel(path))
        .map(|(path, value)| (path.to_owned(), value.to_owned()))
        .collect()
}

/// Undoes one switch.
///
/// # Errors
/// The kernel refuses it.
pub fn undo(path: &str, value: &str) -> io::Result<()> {
    fs::write(path, value)
}

/// Forgets what was written down.
///
/// # Errors
/// The file cannot be removed.
pub fn forget() -> io::Result<()> {
    fs::remove_file(STATE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::machine;

    #[test]
    fn an_old_kernel_without_words_is_told_the_words_it_can_use() {
        let (_folder, system) = machine(&[
            ("/proc/cmdline", "ro quiet"),
            (PRINTK, "3\t4\t1\t7\n"),
            ("/proc/kallsyms", "0 T x\n"),
        ]);
        let words: Vec<_> = words(&system).into_iter().map(|word| word.word).collect();
        assert!(words[0] == "tp_printk" && words[1].starts_with("ramoops."), "{words:?}");
        // What cannot be set without a word is not tried.
        let switches = switches(&system);
        let printk = [(PRINTK, "5 4 1 7")];
        assert!(switches.iter().map(|switch| (switch.path.as_str(), switch.value.as_str())).eq(printk));
    }

    #[test]
    fn a_trace_in_reserved_memory_is_switched_on() {
        let (_folder, system) = machine(&[
            ("/proc/cmdline", "ro tp_printk"),
            (TP_PRINTK, "1\n"),
            ("/sys/kernel/tracing/instances/boot/last_boot_info", ""),
            ("/sys/kernel/tracing/instances/boot/tracing_on", "0\n"),
            ("/sys/kernel/tracing/instances/boot/events/bpf_trace/bpf_trace_printk/enable", "0\n"),
            ("/sys/module/pstore/parameters/backend", "ramoops\n"),
        ]);
        assert!(words(&system).is_empty());
        let changed = switches(&system).into_iter().filter(|switch| switch.before != switch.value);
        let paths: Vec<_> = changed.map(|switch| switch.path).collect();
        assert_eq!(
            paths,
            [
                "/sys/kernel/tracing/instances/boot/events/bpf_trace/bpf_trace_printk/enable",
                "/sys/kernel/tracing/instances/boot/tracing_on"
            ]
        );
    }

    #[test]
    fn nothing_but_switches_of_the_kernel_is_undone() {
        let text = "/proc/sys/kernel/printk=4 4 1 7\n/etc/passwd=x\n/sys/../etc/passwd=x\nnonsense\n";
        assert_eq!(parse(text), [(PRINTK.to_owned(), "4 4 1 7".to_owned())]);
    }
}
