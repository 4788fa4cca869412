//! Arming: every program is loaded, and attached at the first of its places that exists.
//!
//! Most of it is the kernel's work: verifying and compiling programs, which it does for several at the same time, and
//! patching its code, which it does one after the other. So every CPU but one loads, and what is loaded is attached by that
//! one meanwhile.

use super::hooks::{HOOKS, HookSpec, Place};
use super::links::Links;
use super::multi::Multi;
use super::probes::{ProbeError, chain};
use super::switches;
use super::watchdog::{self, Flavour};
use crate::kernel::layout::Layout;
use aya::Ebpf;
use aya::programs::{Program, ProgramError};
use pm_trace_common::hook::Hook;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Instant;
use std::{thread, vec};

/// Where a hook is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Attached there.
    At(Place),
    /// Not used; the reason.
    Skipped(String),
}

pub(super) const NO_PROGRAM: &str = "the eBPF object has no such program";
pub(super) const OTHER_KIND: &str = "the eBPF object has another kind of program under its name";

/// A program that is to be loaded.
enum Job<'a> {
    /// Of the hook at this place in the table.
    Hook(usize, &'a mut Program),
    /// Of the watchdog, which is attached later: it takes the longest to verify, so it is begun first.
    Watchdog(Flavour, &'a mut Program),
}

/// A hook's program, and how loading it went.
type Loaded<'a> = (usize, &'a mut Program, Result<Ready, String>);

/// How a program is loaded.
enum Ready {
    /// To be attached by itself.
    Alone,
    /// To be attached to this function, together with others.
    Together(&'static Place, OwnedFd),
}

/// Loads the programs of all hooks whose needs this kernel meets, and attaches them. The watchdog's is loaded as well;
/// whether that went well shows when it is started. Where each hook of the table is, in its order.
///
/// # Errors
/// A required program is refused, or fits nowhere.
pub(super) fn arm(
    bpf: &mut Ebpf,
    links: &mut Links,
    layout: &Layout,
    watchdog: Option<Flavour>,
    multi: Option<Multi>,
) -> Result<Vec<Placement>, ProbeError> {
    let _quickly = switches::no_kprobe_optimization();
    let unmet: Vec<Option<String>> = HOOKS.iter().map(|spec| unmet(spec, layout)).collect();
    let jobs = Mutex::new(jobs(bpf, &unmet, watchdog).into_iter());
    let unplaced = |unmet: Option<String>| Err(unmet.unwrap_or_else(|| NO_PROGRAM.to_owned()));
    let mut placements: Vec<Result<Place, String>> = unmet.into_iter().map(unplaced).collect();
    let mut waiting = Vec::new();
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        let mut loaders = 0;
        // This thread attaches.
        for _ in 1..thread::available_parallelism().map_or(1, usize::from) {
            let sender = sender.clone();
            let (jobs, multi) = (&jobs, multi.as_ref());
            let load_all = move || load_all(jobs, layout, multi, &sender);
            loaders += usize::from(thread::Builder::new().spawn_scoped(scope, load_all).is_ok());
        }
        if loaders == 0 {
            load_all(&jobs, layout, multi.as_ref(), &sender);
        }
        drop(sender);
        for (index, program, loaded) in receiver {
            match loaded {
                Ok(Ready::Alone) => placements[index] = attach(links, program, &HOOKS[index]),
                Ok(Ready::Together(place, fd)) => waiting.push((index, program, place, fd)),
                Err(reason) => placements[index] = Err(reason),
            }
        }
    });
    if let Some(multi) = multi {
        attach_together(links, multi, waiting, &mut placements);
    }
    let placed = HOOKS.iter().zip(placements).map(|(spec, placed)| match placed {
        Ok(place) => Ok(Placement::At(place)),
        Err(reason) if spec.required => {
            Err(ProbeError::Required { meaning: spec.meaning, reason, lost: spec.lost })
        }
        Err(reason) => Ok(Placement::Skipped(reason)),
    });
    placed.collect()
}

/// Attaches programs by one link; if that cannot be, each by itself.
fn attach_together(
    links: &mut Links,
    multi: Multi,
    programs: Vec<(usize, &mut Program, &'static Place, OwnedFd)>,
    placements: &mut [Result<Place, String>],
) {
    let mut functions = Vec::new();
    let mut alone = Vec::new();
    for (index, program, place, fd) in programs {
        functions.push((HOOKS[index].hook, fd));
        placements[index] = Ok(*place);
        alone.push((index, program));
    }
    let begun = Instant::now();
    let attached = multi.attach(functions);
    took(begun, "attach", &format!("{} functions by one link", alone.len()));
    match attached {
        Ok(together) => links.together = Some(together),
        Err(reason) => {
            log::debug!("functions are attached to one by one: {reason}");
            for (index, program) in alone {
                placements[index] = load(program).and_then(|()| attach(links, program, &HOOKS[index]));
            }
        }
    }
}

/// What is to be loaded, hooks with something `unmet` left out, in the best order: a kprobe takes the longest to attach.
fn jobs<'a>(bpf: &'a mut Ebpf, unmet: &[Option<String>], watchdog: Option<Flavour>) -> Vec<Job<'a>> {
    let mut programs: BTreeMap<String, &mut Program> =
        bpf.programs_mut().map(|(name, program)| (name.to_owned(), program)).collect();
    let watchdog = watchdog.and_then(|flavour| {
        programs.remove(flavour.program()).map(|program| Job::Watchdog(flavour, program))
    });
    let usable = HOOKS.iter().enumerate().filter(|(index, _)| unmet[*index].is_none());
    let mut hooks: Vec<(usize, &mut Program)> = usable
        .filter_map(|(index, spec)| programs.remove(spec.hook.program()).map(|program| (index, program)))
        .collect();
    hooks.sort_by_key(|(_, program)| !matches!(program, Program::KProbe(_)));
    watchdog.into_iter().chain(hooks.into_iter().map(|(index, program)| Job::Hook(index, program))).collect()
}

/// Loads until there is nothing left to load.
fn load_all<'a>(
    jobs: &Mutex<vec::IntoIter<Job<'a>>>,
    layout: &Layout,
    multi: Option<&Multi>,
    done: &mpsc::Sender<Loaded<'a>>,
) {
    loop {
        // Apart from the rest, so that the queue is not locked for long.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some(job) = job else { break };
        load_job(job, layout, multi, done);
    }
}

fn load_job<'a>(job: Job<'a>, layout: &Layout, multi: Option<&Multi>, done: &mpsc::Sender<Loaded<'a>>) {
    match job {
        Job::Watchdog(flavour, program) => {
            let begun = Instant::now();
            let loaded = watchdog::load(program, flavour, layout);
            took(begun, "load", flavour.program());
            loaded.unwrap_or_else(|reason| log::debug!("{}: {reason}", flavour.words()));
        }
        Job::Hook(index, program) => {
            let spec = &HOOKS[index];
            let begun = Instant::now();
            let loaded = match multi.and_then(|multi| Some((multi, multi.place(spec.hook)?))) {
                Some((multi, place)) => multi.load(spec.hook).map(|fd| Ready::Together(place, fd)),
                None => load(program).map(|()| Ready::Alone),
            };
            took(begun, "load", spec.hook.program());
            // The receiver lives as long as there are senders.
            let _ = done.send((index, program, loaded));
        }
    }
}

/// What this kernel lacks of what the hook needs; `None` if nothing.
fn unmet(spec: &HookSpec, layout: &Layout) -> Option<String> {
    let missing = layout.missing.iter().find(|missing| spec.needs.contains(&missing.member));
    if missing.is_none() && spec.hook == Hook::ScsiRescan && layout.rescan_takes_sdev.is_none() {
        return Some(
            "no type information tells what scsi_rescan_device takes: its module brought none".to_owned(),
        );
    }
    missing.map(ToString::to_string)
}

/// Loads the program of a hook. The reason if it cannot be.
pub(super) fn load(program: &mut Program) -> Result<(), String> {
    match program {
        Program::KProbe(program) => program.load(),
        Program::RawTracePoint(program) => program.load(),
        // Loaded when it is first needed: it takes the whole of the kernel's BTF to load it.
        Program::Iter(_) => Ok(()),
        _ => return Err(OTHER_KIND.to_owned()),
    }
    .map_err(|error| load_failure(&error))
}

/// What a failed load says, with the end of the verifier's log.
pub(super) fn load_failure(error: &ProgramError) -> String {
    match error {
        ProgramError::LoadError { io_error, verifier_log } => refused(io_error, &verifier_log.to_string()),
        error => error.to_string(),
    }
}

/// What the kernel says of a program that it does not take, with the end of its verifier's log.
pub(super) fn refused(error: &std::io::Error, log: &str) -> String {
    let lines: Vec<&str> = log.lines().rev().filter(|line| !line.is_empty()).take(4).collect();
    let tail: Vec<&str> = lines.into_iter().rev().collect();
    format!("the kernel refused the program: {error}: {}", tail.join(" | "))
}

/// Attaches a hook's loaded program at the first of its places that exists.
fn attach(links: &mut Links, program: &mut Program, spec: &HookSpec) -> Result<Place, String> {
    let mut reasons = Vec::new();
    for &place in spec.places {
        let begun = Instant::now();
        let result = match (place, &mut *program) {
            (Place::Function(name) | Place::Substitute(name), Program::KProbe(program)) => {
                links.attach(program, name)
            }
            (Place::Tracepoint(name), Program::RawTracePoint(program)) => program.attach(name).map(drop),
            (Place::TaskIterator, Program::Iter(_)) => Ok(()),
            _ => return Err(OTHER_KIND.to_owned()),
        };
        took(begun, "attach", place.name());
        match result {
            Ok(()) => return Ok(place),
            Err(error) => reasons.push(attach_failure(place, &error)),
        }
    }
    Err(reasons.join("; "))
}

/// Tells what a step of arming took, for `-vv`.
pub(super) fn took(begun: Instant, step: &str, of: &str) {
    log::debug!("{step} {of}: {} us", begun.elapsed().as_micros());
}

fn attach_failure(place: Place, error: &ProgramError) -> String {
    let io = match error {
        ProgramError::SyscallError(error) => Some(&error.io_error),
        _ => None,
    };
    match (place, io.map(std::io::Error::kind)) {
        (Place::Function(name) | Place::Substitute(name), Some(std::io::ErrorKind::NotFound)) => {
            format!("no function {name} on this kernel (inlined, renamed, or its module is not loaded)")
        }
        (Place::Tracepoint(name), Some(std::io::ErrorKind::NotFound)) => {
            format!("no tracepoint {name} on this kernel (not built, or its module is not loaded)")
        }
        (place, _) => format!("{}: {}", place.name(), chain(error)),
    }
}
