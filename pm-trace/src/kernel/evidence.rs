//! Where what the kernel prints while everything is stuck ends up: the console, or a trace buffer in memory that
//! a reset does not clear.
//!
//! `bpf_trace_printk` writes the trace event of the same name. `tp_printk` on the kernel command line sends
//! events to the kernel log as well (kernel/trace/trace.c, `output_printk`). A trace instance in reserved memory
//! (`reserve_mem=` and `trace_instance=NAME@...`, Linux 6.12) takes the event if it is switched on in there, and
//! shows after the next boot what it held.

use super::system::System;
use std::collections::BTreeSet;

/// Where tracefs is.
pub const TRACEFS: &str = "/sys/kernel/tracing";

/// The switch that sends trace events to the kernel log.
pub const TP_PRINTK: &str = "/proc/sys/kernel/tracepoint_printk";

/// The event of `bpf_trace_printk`, inside tracefs or one of its instances.
pub const EVENT: &str = "events/bpf_trace/bpf_trace_printk/enable";

/// Whether trace events go to the kernel log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TpPrintk {
    /// They do.
    On,
    /// They do not, but the kernel was booted so that they can.
    Off,
    /// They cannot before the next boot: without the word on the command line the kernel has no buffer for it
    /// and ignores the switch (kernel/trace/trace.c, `tracepoint_printk_sysctl`).
    Impossible,
}

/// Whether trace events go to the kernel log.
pub fn tp_printk(system: &dyn System) -> TpPrintk {
    if system.text(TP_PRINTK).as_deref() == Some("1") {
        return TpPrintk::On;
    }
    let cmdline = system.text("/proc/cmdline").unwrap_or_default();
    let named = cmdline.split_whitespace().any(|word| word == "tp_printk" || word.starts_with("tp_printk="));
    if named { TpPrintk::Off } else { TpPrintk::Impossible }
}

/// Trace instances in memory that a reset does not clear, by name.
pub fn persistent_instances(system: &dyn System) -> Vec<String> {
    let names = system.list(&format!("{TRACEFS}/instances")).unwrap_or_default();
    // The kernel makes this file for such instances only (kernel/trace/trace.c, `init_tracer_tracefs`).
    let persists = |name: &String| system.exists(&format!("{TRACEFS}/instances/{name}/last_boot_info"));
    names.into_iter().filter(persists).collect()
}

/// Whether this kernel can keep a trace instance in reserved memory; `None` if its symbols cannot be read.
pub fn can_persist(system: &dyn System) -> Option<bool> {
    has_functions(system, &["reserve_mem_find_by_name", "ring_buffer_last_boot_delta"])
}

/// Whether this kernel's BPF programs can have timers and print what the watchdog prints (Linux 5.16); `None` if
/// its symbols cannot be read.
pub fn can_have_timers(system: &dyn System) -> Option<bool> {
    has_functions(system, &["bpf_timer_start", "bpf_trace_vprintk"])
}

/// Whether this kernel's BPF programs can print what the watchdog prints; `None` if its symbols cannot be read.
pub fn can_print(system: &dyn System) -> Option<bool> {
    has_functions(system, &["bpf_trace_vprintk"])
}

/// Whether the kernel has all of these functions, whatever their addresses.
fn has_functions(system: &dyn System, names: &[&str]) -> Option<bool> {
    let symbols = system.read("/proc/kallsyms").ok().filter(|symbols| !symbols.is_empty())?;
    let lines = symbols.split(|&byte| byte == b'\n');
    let names_of = lines.filter_map(|line| line.split(|&byte| byte == b' ' || byte == b'\t').nth(2));
    let known: BTreeSet<&[u8]> =
        names_of.filter(|name| names.iter().any(|wanted| wanted.as_bytes() == *name)).collect();
    Some(known.len() == names.len())
}

/// Whether the event is on in an instance.
pub fn is_on(system: &dyn System, instance: &str) -> bool {
    system.text(&format!("{TRACEFS}/instances/{instance}/{EVENT}")).as_deref() == Some("1")
}

/// Where the watchdog's lines end up besides ordinary memory, in words.
pub fn places(system: &dyn System) -> Vec<String> {
    let console = (tp_printk(system) == TpPrintk::On).then(|| "on the console".to_owned());
    let instances = persistent_instances(system).into_iter().filter(|name| is_on(system, name));
    console.into_iter().chain(instances.map(|name| format!("in the trace instance {name}"))).collect()
}

/// What a trace instance holds from the boot before, or from this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Name of the instance.
    pub instance: String,
    /// Its contents as text, lines that begin with `#` left out.
    pub text: String,
    /// Why there is no text, if reading failed.
    pub trouble: Option<String>,
}

/// Reads the trace instances in memory that a reset does not clear. Reading changes nothing in them.
pub fn kept(system: &dyn System) -> Vec<Kept> {
    let read = |instance: String| {
        let path = format!("{TRACEFS}/instances/{instance}/trace");
        match system.read(&path) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let lines = text.lines().filter(|line| !line.starts_with('#'));
                let text = lines.map(|line| format!("{line}\n")).collect();
                Kept { instance, text, trouble: None }
            }
            Err(error) => {
                let trouble = Some(format!("cannot read {path}: {error}"));
                Kept { instance, text: String::new(), trouble }
            }
        }
    };
    persistent_instances(system).into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::machine;

    #[test]
    fn the_word_on_the_command_line_decides_whether_the_console_can_be_had() {
        let case = |switch: &str, cmdline: &str| {
            let (_folder, system) = machine(&[(TP_PRINTK, switch), ("/proc/cmdline", cmdline)]);
            tp_printk(&system)
        };
        assert_eq!(case("1\n", "ro tp_printk"), TpPrintk::On);
        assert_eq!(case("0\n", "ro tp_printk quiet"), TpPrintk::Off);
        assert_eq!(case("0\n", "ro quiet xtp_printk"), TpPrintk::Impossible);
    }

    #[test]
    fn only_instances_that_outlive_a_reset_count_and_are_read() {
        let (_folder, system) = machine(&[
            ("/sys/kernel/tracing/instances/mine/trace", "nothing\n"),
            ("/sys/kernel/tracing/instances/kept/last_boot_info", "0\n"),
            ("/sys/kernel/tracing/instances/kept/trace", "# tracer: nop\n x: bpf_trace_printk: a\n"),
            ("/sys/kernel/tracing/instances/kept/events/bpf_trace/bpf_trace_printk/enable", "1\n"),
        ]);
        assert_eq!(persistent_instances(&system), ["kept"]);
        assert_eq!(kept(&system)[0].text, " x: bpf_trace_printk: a\n");
        assert_eq!(places(&system), ["in the trace instance kept"]);
    }

    #[test]
    fn a_kernel_that_cannot_keep_a_trace_is_told_by_its_symbols() {
        let both = "ffffffff81 T reserve_mem_find_by_name\nffffffff82 T ring_buffer_last_boot_delta\n";
        assert_eq!(can_persist(&machine(&[("/proc/kallsyms", both)]).1), Some(true));
        assert_eq!(can_persist(&machine(&[("/proc/kallsyms", "0 T x\n")]).1), Some(false));
        assert_eq!(can_persist(&machine(&[]).1), None);
    }
}
