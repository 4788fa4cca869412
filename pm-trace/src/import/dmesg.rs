//! The kernel log, where there is no ftrace log: phases, and callbacks if `/sys/power/pm_print_times` was on.
//!
//! ```text
//! [   21.364908] PM: suspend of devices complete after 20.147 msecs
//! [   21.371234] sd 0:0:0:0: calling scsi_bus_suspend+0x0/0xd0 [scsi_mod] @ 153, parent: target0:0:0
//! [   21.381234] sd 0:0:0:0: scsi_bus_suspend+0x0/0xd0 [scsi_mod] returned 0 after 9876 usecs
//! ```
//!
//! The log says when a phase has ended and how long it took, so its start is known only afterwards. [`Phases`] collects
//! them in a first reading of the file; [`Calls`] reads the callbacks in the second.

use super::devices::Named;
use super::ftrace::{Record, seconds};
use super::grammar::{Said, driver_and_name, step, verb};
use crate::event::{Comm, Nanos, Step, TaskRef, step_label};
use std::collections::HashMap;

/// Most phases, and most callbacks under way at one time.
const MOST: usize = 1 << 16;

/// A line of the kernel log: its time, the thread that wrote it if the log says that, and the message.
pub(super) fn line(text: &str) -> Option<(Nanos, u32, &str)> {
    // `<6>` where it comes from /dev/kmsg or `dmesg -r`.
    let text = match text.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        Some((level, rest)) if level.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => text,
    };
    let (time, message) = text.strip_prefix('[')?.split_once(']')?;
    let time = seconds(time.trim())?;
    // `[  T153]` or `[    C0]` with CONFIG_PRINTK_CALLER.
    let said_by = message.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (tid, message) = match said_by {
        Some((caller, rest)) => (caller.trim().strip_prefix('T').and_then(|tid| tid.parse().ok()), rest),
        None => (None, message),
    };
    Some((time, tid.unwrap_or(0), message.trim()))
}

/// The beginning or the end of a phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    /// When.
    pub(super) time: Nanos,
    /// In which thread; 0 if the log does not say.
    tid: u32,
    action: String,
    value: i32,
    start: bool,
}

/// The phases that a log tells of.
#[derive(Debug, Default)]
pub(super) struct Phases {
    edges: Vec<Edge>,
    /// The step of the next phase, by what ended last.
    next: Option<Step>,
    /// The first callback since then, and its thread.
    called: Option<(Nanos, u32)>,
    event: i32,
}

impl Phases {
    /// Takes in a message, and says whether it is about a callback.
    pub(super) fn take(&mut self, time: Nanos, tid: u32, message: &str) -> bool {
        if message.starts_with("PM: suspend entry")
            || message.starts_with("PM: hibernation: hibernation entry")
        {
            self.unended();
            self.edge(time, tid, "suspend_enter", 0, true);
            (self.next, self.event) = (Some(Step::Suspend), 2);
        } else if message.starts_with("Freezing user space processes") && !message.contains("completed") {
            self.edge(time, tid, "freeze_processes", 0, true);
        } else if message.starts_with("Freezing remaining freezable tasks") && message.contains("elapsed") {
            self.edge(time, tid, "freeze_processes", 0, false);
            self.edge(time, tid, "suspend_enter", 0, false);
        } else if message.starts_with("Restarting tasks") {
            self.unended();
            self.edge(time, tid, "thaw_processes", 0, true);
            self.edge(time, tid, "thaw_processes", 0, false);
            self.next = None;
        } else if message.starts_with("PM: Finishing wakeup") {
            self.completed(time, tid);
        } else if let Some((phase, took)) = message.strip_prefix("PM: ").and_then(phase_took) {
            self.took(time, tid, &phase, took);
        } else if call(message).is_some() {
            if self.next.is_some() {
                self.called.get_or_insert((time, tid));
            }
            return true;
        }
        false
    }

    /// Everything in the order of time.
    pub(super) fn into_edges(mut self) -> Vec<Edge> {
        self.unended();
        self.edges.sort_by_key(|edge| edge.time);
        self.edges
    }

    fn took(&mut self, time: Nanos, tid: u32, phase: &Phase, took: Nanos) {
        let began = time.saturating_sub(took);
        match phase {
            Phase::Down => {
                // Prepares and suspends: what comes before the suspend is the preparation.
                let suspend = self.edges.iter().rposition(|edge| edge.action == "dpm_suspend" && edge.start);
                let end = suspend.map_or(time, |place| self.edges[place].time).max(began);
                let after = self.edges.split_off(suspend.unwrap_or(self.edges.len()));
                self.edge(began, tid, "dpm_prepare", self.event, true);
                self.edge(end, tid, "dpm_prepare", self.event, false);
                self.edges.extend(after);
            }
            &Phase::Step(step, event) => {
                let action = format!("dpm_{}", step_label(step));
                self.edge(began, tid, &action, event, true);
                self.edge(time, tid, &action, event, false);
                (self.next, self.called) = (following(step), None);
                // After the suspend comes the resume.
                self.event = if self.next.is_some_and(is_up) && event == 2 { 16 } else { event };
            }
        }
    }

    /// `dpm_complete` has no message of its own: it lies between the resume and what comes next.
    fn completed(&mut self, time: Nanos, tid: u32) {
        let resumed = self.edges.iter().rev().find(|edge| edge.action == "dpm_resume" && !edge.start);
        if let Some((began, value)) = resumed.map(|edge| (edge.time, edge.value)) {
            self.edge(began, tid, "dpm_complete", value, true);
            self.edge(time, tid, "dpm_complete", value, false);
        }
    }

    /// A phase in which callbacks were called and that was not seen to end.
    fn unended(&mut self) {
        if let (Some((time, tid)), Some(step)) = (self.called.take(), self.next.take()) {
            self.edge(time, tid, &format!("dpm_{}", step_label(step)), self.event, true);
        }
    }

    fn edge(&mut self, time: Nanos, tid: u32, action: &str, value: i32, start: bool) {
        if self.edges.len() < MOST {
            self.edges.push(Edge { time, tid, action: action.to_owned(), value, start });
        }
    }
}

impl Edge {
    /// As an event of a log.
    pub(super) fn said(&self) -> (Record<'static>, Said<'_>) {
        let said = Said::Phase { action: &self.action, value: self.value, start: self.start };
        (record(self.time, self.tid), said)
    }

    /// It is a phase in which the PM core takes a step with devices.
    pub(super) fn is_of_steps(&self) -> bool {
        crate::event::step_of_phase(&self.action).is_some()
    }

    /// The step that devices take from here on.
    pub(super) fn step(&self) -> Option<(Step, i32)> {
        let step = crate::event::step_of_phase(&self.action)?;
        self.start.then_some((step, self.value))
    }
}

fn record(time: Nanos, tid: u32) -> Record<'static> {
    Record { time, is_bare: false, cpu: 0, task: TaskRef { tid, comm: Comm::default() }, name: "", text: "" }
}

/// What the PM core tells the duration of.
enum Phase {
    /// `dpm_prepare` and `dpm_suspend` together.
    Down,
    /// A step of all devices, and the PM event.
    Step(Step, i32),
}

/// `late suspend of devices complete after 2.822 msecs`
fn phase_took(message: &str) -> Option<(Phase, Nanos)> {
    let (what, rest) = message.split_once(" of devices ")?;
    let took = rest.split_once(" after ")?.1.strip_suffix(" msecs")?;
    let took = seconds(took)? / 1000;
    let (part, word) = what.rsplit_once(' ').unwrap_or(("", what));
    if part == "start" {
        return verb(word).map(|_| (Phase::Down, took));
    }
    let event = verb(word)?;
    Some((Phase::Step(step(event, part)?, event), took))
}

fn following(step: Step) -> Option<Step> {
    let place = Step::ALL.iter().position(|&one| one == step)?;
    Step::ALL.get(place + 1).copied()
}

fn is_up(step: Step) -> bool {
    matches!(step, Step::ResumeNoirq | Step::ResumeEarly | Step::Resume)
}

/// A callback as its first line tells it.
struct Call<'a> {
    /// Driver and name of the device.
    device: &'a str,
    function: &'a str,
    tid: u32,
    parent: &'a str,
}

/// `sd 0:0:0:0: calling scsi_bus_suspend+0x0/0xd0 [scsi_mod] @ 153, parent: target0:0:0`
fn call(message: &str) -> Option<Call<'_>> {
    let (device, rest) = message.split_once(": calling ")?;
    let (function, rest) = rest.split_once(" @ ")?;
    let (tid, parent) = rest.split_once(", parent: ")?;
    let parent = parent.split(", cb: ").next()?;
    Some(Call { device, function, tid: tid.parse().ok()?, parent })
}

/// `sd 0:0:0:0: scsi_bus_suspend+0x0/0xd0 [scsi_mod] returned 0 after 9876 usecs`: device, result, nanoseconds.
fn returned(message: &str) -> Option<(&str, i32, Nanos)> {
    let (rest, took) = message.strip_suffix(" usecs")?.rsplit_once(" after ")?;
    let (rest, error) = rest.rsplit_once(" returned ")?;
    let (device, _) = rest.rsplit_once(": ")?;
    Some((device, error.parse().ok()?, took.parse::<u64>().ok()?.checked_mul(1000)?))
}

/// The callbacks that a log tells of.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// By device: thread and start.
    open: HashMap<String, (u32, Nanos)>,
}

impl Calls {
    /// Reads a message, in a phase with this step and PM event.
    pub(super) fn take<'a>(
        &mut self,
        time: Nanos,
        message: &'a str,
        phase: Option<(Step, i32)>,
    ) -> Option<(Record<'static>, Said<'a>)> {
        if let Some(call) = call(message) {
            let (driver, name) = driver_and_name(call.device)?;
            let parent = (call.parent != "none").then_some(call.parent);
            if self.open.len() < MOST {
                self.open.insert(call.device.to_owned(), (call.tid, time));
            }
            let ops = call.function.split('+').next().unwrap_or_default();
            let (step, event) = phase.map_or((None, 0), |(step, event)| (Some(step), event));
            let device = Named { driver, name, parent };
            return Some((record(time, call.tid), Said::CallbackStart { device, ops, event, step }));
        }
        let (device, error, took) = returned(message)?;
        let (tid, began) = self.open.remove(device)?;
        let (driver, name) = driver_and_name(device)?;
        // The first line may have waited for a slow console before the callback was called; how long the callback
        // itself took stands in the second.
        let time = began.saturating_add(took);
        Some((record(time, tid), Said::CallbackEnd { driver, name, error }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(log: &str) -> Vec<(u64, String, bool)> {
        let mut phases = Phases::default();
        for text in log.lines() {
            let (time, tid, message) = line(text).unwrap_or_else(|| panic!("{text}"));
            phases.take(time, tid, message);
        }
        phases.into_edges().into_iter().map(|edge| (edge.time / 1000, edge.action, edge.start)).collect()
    }

    #[test]
    fn phases_begin_where_their_length_says() {
        let log = "[   21.312554] PM: suspend entry (deep)\n\
                   <6>[   21.364908] PM: suspend of devices complete after 20.147 msecs\n\
                   [   21.365140][  T153] PM: start suspend of devices complete after 24.464 msecs\n\
                   [   21.865510] PM: resume of devices complete after 16.595 msecs\n\
                   [   21.881935] PM: Finishing wakeup.\n\
                   [   21.887847] Restarting tasks ... done.";
        let expected = [
            (21_312_554, "suspend_enter", true),
            (21_340_676, "dpm_prepare", true),
            (21_344_761, "dpm_prepare", false),
            (21_344_761, "dpm_suspend", true),
            (21_364_908, "dpm_suspend", false),
            (21_848_915, "dpm_resume", true),
            (21_865_510, "dpm_resume", false),
            (21_865_510, "dpm_complete", true),
            (21_881_935, "dpm_complete", false),
            (21_887_847, "thaw_processes", true),
            (21_887_847, "thaw_processes", false),
        ];
        assert_eq!(edges(log), expected.map(|(time, action, start)| (time, action.to_owned(), start)));
    }

    #[test]
    fn a_phase_that_does_not_end_begins_with_its_first_callback() {
        let log = "[1.0] PM: suspend entry (deep)\n\
                   [2.0] PM: early resume of devices complete after 4.147 msecs\n\
                   [3.0] sd 0:0:0:0: calling scsi_bus_resume+0x0/0x70 [scsi_mod] @ 9, parent: target0:0:0\n\
                   [4.0] ata1: SATA link down";
        assert_eq!(edges(log).last(), Some(&(3_000_000, "dpm_resume".to_owned(), true)));
    }

    #[test]
    fn callbacks_last_as_long_as_the_log_says() {
        let mut calls = Calls::default();
        let phase = Some((Step::Suspend, 2));
        let message = "sd 0:0:0:0: calling scsi_bus_suspend+0x0/0xd0 [scsi_mod] @ 153, parent: target0:0:0";
        let (start, said) = calls.take(1_000_000, message, phase).unwrap();
        let device = Named { driver: "sd", name: "0:0:0:0", parent: Some("target0:0:0") };
        let expected =
            Said::CallbackStart { device, ops: "scsi_bus_suspend", event: 2, step: Some(Step::Suspend) };
        assert_eq!((start.task.tid, said), (153, expected));
        let message = "sd 0:0:0:0: scsi_bus_suspend+0x0/0xd0 [scsi_mod] returned -16 after 42 usecs";
        let (end, said) = calls.take(9_000_000, message, phase).unwrap();
        assert_eq!((end.task.tid, end.time), (153, 1_042_000));
        assert_eq!(said, Said::CallbackEnd { driver: "sd", name: "0:0:0:0", error: -16 });
        assert_eq!(calls.take(9_000_000, message, phase), None);
    }
}
