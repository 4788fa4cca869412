//! The programs in the kernel, and their counters.

use super::arming::{self, Placement};
use super::hooks::{HOOKS, HookSpec};
use super::links::Links;
use super::loader;
use super::multi::Multi;
use super::watchdog::{self, Flavour};
use crate::kernel::layout::Layout;
use aya::maps::{Array, MapData, PerCpuArray, RingBuf};
use aya::programs::{Iter, Program};
use aya::{Btf, Ebpf};
use pm_trace_common::control::{Counters, PerCpu, armed};
use pm_trace_common::hook::Hook;
use pm_trace_common::member::MISSING;
use pm_trace_common::watchdog::State;
use std::io::Read as _;
use std::mem::offset_of;
use std::os::fd::{AsFd as _, AsRawFd as _};

/// Why nothing can be captured.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The object was refused as a whole: a map could not be created, most often.
    #[error("cannot create the BPF maps: {0}; try as root, or a smaller --buffer")]
    Object(#[from] aya::EbpfError),
    /// A map is not what it should be.
    #[error("BPF map {0}: {1}")]
    Map(&'static str, aya::maps::MapError),
    /// A map is missing from the object.
    #[error("the eBPF object has no map {0}: this is a fault of the build")]
    NoMap(&'static str),
    /// A required hook could not be put anywhere.
    #[error("hook '{meaning}' cannot be used: {reason}; without it is lost: {lost}")]
    Required {
        /// What the hook sees.
        meaning: &'static str,
        /// Why not.
        reason: String,
        /// What is lost.
        lost: &'static str,
    },
    /// The watchdog cannot be used.
    #[error(
        "this kernel takes no watchdog: {0}; without it a lockup in watch mode leaves no verdict. Try --stall-after 0 \
         to record without it, or 'pm-trace suspend --live'"
    )]
    Watchdog(String),
    /// The walk over tasks failed.
    #[error("cannot look at the blocked tasks: {0}")]
    Snapshot(String),
}

/// What the kernel says of a loaded program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ProgramStats {
    /// Instructions the verifier walked.
    pub verified_instructions: u64,
    /// How often it ran since statistics are on.
    pub runs: u64,
    /// Nanoseconds it ran for since statistics are on.
    pub run_time_ns: u64,
    /// Times the kernel skipped it because it was already running on that CPU.
    pub recursion_misses: u64,
}

/// A program by its name, and what the verifier says of it.
pub type Verified = (&'static str, Result<ProgramStats, String>);

/// The programs in the kernel.
pub struct Probes {
    // Before the programs, which would close theirs one after the other.
    links: Links,
    bpf: Ebpf,
    placements: Vec<Placement>,
    counters: PerCpuArray<MapData, [u64; COUNTER_WORDS]>,
    control: Array<MapData, [u32; CONTROL_WORDS]>,
    watchdog: Array<MapData, [u64; WATCHDOG_WORDS]>,
}

const COUNTER_WORDS: usize = size_of::<Counters>() / size_of::<u64>();
const WATCHDOG_WORDS: usize = size_of::<State>() / size_of::<u64>();
const PER_CPU_WORDS: usize = size_of::<PerCpu>() / size_of::<u64>();
const CONTROL_WORDS: usize = size_of::<pm_trace_common::control::Control>() / size_of::<u32>();

/// Size of the ring buffer where nothing is recorded, in bytes.
const VERIFY_BUFFER: u32 = 64 << 10;

impl Probes {
    /// Creates the maps, then loads every program whose needs this kernel meets and attaches it at the first of its
    /// places that exists.
    ///
    /// `buffer` is the size of the ring buffer in bytes, a power of two; with `log`, the programs send their
    /// own diagnostics. The program of `watchdog` is loaded meanwhile, to be started later. With `together`, functions
    /// are attached to by one link where the kernel has such, and it counts runs for all of them as one program's.
    ///
    /// # Errors
    /// The maps cannot be created, or a required program is refused or fits nowhere.
    pub fn arm(
        layout: &Layout,
        buffer: u32,
        log: bool,
        watchdog: Option<Flavour>,
        together: bool,
    ) -> Result<Self, ProbeError> {
        let (mut probes, multi) = Self::create(layout, &loader::words(&layout.facts), buffer, log, together)?;
        probes.placements = arming::arm(&mut probes.bpf, &mut probes.links, layout, watchdog, multi)?;
        Ok(probes)
    }

    /// Loads every program, also those that this kernel has no use for, to learn whether its verifier accepts
    /// them. Members it lacks are taken to be at offset 0: no program is attached, so none reads there.
    ///
    /// # Errors
    /// The maps cannot be created. What the verifier says of each program is in the result.
    pub fn verify(layout: &Layout) -> Result<Vec<Verified>, ProbeError> {
        let words: Vec<u32> = loader::words(&layout.facts)
            .into_iter()
            .map(|word| if word == MISSING { 0 } else { word })
            .collect();
        let (mut probes, multi) = Self::create(layout, &words, VERIFY_BUFFER, true, true)?;
        let snapshot = probes.load_snapshot().map_err(|error| error.to_string());
        let verdicts = HOOKS.iter().map(|spec| {
            let loaded =
                if spec.hook == Hook::TaskSnapshot { snapshot.clone() } else { probes.load(spec.hook) };
            // As it is loaded to be attached by one link with others.
            let also = multi.as_ref().filter(|multi| multi.place(spec.hook).is_some());
            let loaded = loaded.and_then(|()| also.map_or(Ok(()), |multi| multi.load(spec.hook).map(drop)));
            (spec.hook.program(), loaded.map(|()| probes.stats(spec.hook).unwrap_or_default()))
        });
        let mut verdicts: Vec<Verified> = verdicts.collect();
        for flavour in Flavour::ALL {
            let loaded = probes.load_watchdog(flavour, layout);
            let stats = loaded.map(|()| probes.stats_of(flavour.program()).unwrap_or_default());
            verdicts.push((flavour.program(), stats));
        }
        Ok(verdicts)
    }

    /// Creates the maps; with `together`, also what is needed to attach to functions by one link, if the kernel has such.
    fn create(
        layout: &Layout,
        words: &[u32],
        buffer: u32,
        log: bool,
        together: bool,
    ) -> Result<(Self, Option<Multi>), ProbeError> {
        let mut bpf = loader::load(words, buffer, log)?;
        // While all maps are there: the programs refer to them.
        let multi = if together { Multi::on(&bpf, layout) } else { None };
        let counters = take(&mut bpf, "COUNTERS")?;
        let counters = PerCpuArray::try_from(counters).map_err(|error| ProbeError::Map("COUNTERS", error))?;
        let control = take(&mut bpf, "CONTROL")?;
        let control = Array::try_from(control).map_err(|error| ProbeError::Map("CONTROL", error))?;
        let watchdog = take(&mut bpf, "WATCHDOG")?;
        let watchdog = Array::try_from(watchdog).map_err(|error| ProbeError::Map("WATCHDOG", error))?;
        let links = Links::default();
        Ok((Self { links, bpf, placements: Vec::new(), counters, control, watchdog }, multi))
    }

    fn load(&mut self, hook: Hook) -> Result<(), String> {
        arming::load(self.bpf.program_mut(hook.program()).ok_or(arming::NO_PROGRAM)?)
    }

    /// Loads the program of a flavour of the watchdog, if it is not loaded yet. The reason if it cannot be.
    pub(super) fn load_watchdog(&mut self, flavour: Flavour, layout: &Layout) -> Result<(), String> {
        watchdog::load(self.bpf.program_mut(flavour.program()).ok_or(arming::NO_PROGRAM)?, flavour, layout)
    }

    /// The hooks with where they are.
    pub fn placements(&self) -> impl Iterator<Item = (&'static HookSpec, &Placement)> {
        HOOKS.iter().zip(&self.placements)
    }

    /// Takes the ring buffer.
    ///
    /// # Errors
    /// It was taken before, or cannot be mapped.
    pub fn take_ring(&mut self) -> Result<RingBuf<MapData>, ProbeError> {
        RingBuf::try_from(take(&mut self.bpf, "EVENTS")?).map_err(|error| ProbeError::Map("EVENTS", error))
    }

    /// What each hook counted, summed over CPUs.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn counters(&self) -> Result<Vec<Counters>, ProbeError> {
        Hook::ALL.iter().map(|&hook| self.counter(hook)).collect()
    }

    fn counter(&self, hook: Hook) -> Result<Counters, ProbeError> {
        let per_cpu = self
            .counters
            .get(&u32::from(hook as u16), 0)
            .map_err(|error| ProbeError::Map("COUNTERS", error))?;
        Ok(per_cpu.iter().fold(Counters::default(), |sum, &[hits, records, lost, errors]| Counters {
            hits: sum.hits + hits,
            records: sum.records + records,
            lost: sum.lost + lost,
            errors: sum.errors + errors,
        }))
    }

    /// Sets the window switch to an [`armed`] value, in window `window`.
    ///
    /// # Errors
    /// The map cannot be written.
    pub fn set_window(&mut self, armed: u32, window: u32) -> Result<(), ProbeError> {
        self.control.set(0, [armed, window], 0).map_err(|error| ProbeError::Map("CONTROL", error))
    }

    /// Tells the programs where the preempt count is; without, they do not know interrupts from tasks.
    ///
    /// # Errors
    /// The map cannot be written.
    pub fn set_preempt_count(&mut self, at: Option<PerCpu>) -> Result<(), ProbeError> {
        let Some(PerCpu { offsets, preempt_count }) = at else {
            log::warn!(
                "the kernel does not tell where its preempt count is: what an interrupt queues in the middle of a \
                 suspend cannot be told from what the suspend queues, and works that run too early are not reported"
            );
            return Ok(());
        };
        let error = |error| ProbeError::Map("PER_CPU", error);
        let map = self.bpf.map_mut("PER_CPU").ok_or(ProbeError::NoMap("PER_CPU"))?;
        let mut map = Array::<_, [u64; PER_CPU_WORDS]>::try_from(map).map_err(error)?;
        map.set(0, [offsets, preempt_count], 0).map_err(error)
    }

    /// Whether the window is open.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn window_is_open(&self) -> Result<bool, ProbeError> {
        let [state, _] = self.control.get(&0, 0).map_err(|error| ProbeError::Map("CONTROL", error))?;
        Ok(state == armed::OPEN)
    }

    /// Sets how long nothing must have moved to be a stall; only before the watchdog is started, since the
    /// programs write the same element. In nanoseconds.
    ///
    /// # Errors
    /// The map cannot be written.
    pub fn set_stall_after(&mut self, nanos: u64) -> Result<(), ProbeError> {
        let mut words = [0; WATCHDOG_WORDS];
        words[offset_of!(State, stall_after) / size_of::<u64>()] = nanos;
        self.watchdog.set(0, words, 0).map_err(|error| ProbeError::Map("WATCHDOG", error))
    }

    /// Looks that the watchdog has taken, and stalls that it has told.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn watchdog_counts(&self) -> Result<(u64, u32), ProbeError> {
        let words = self.watchdog.get(&0, 0).map_err(|error| ProbeError::Map("WATCHDOG", error))?;
        let looks = words[offset_of!(State, looks) / size_of::<u64>()];
        let at = offset_of!(State, episode);
        let word = words[at / size_of::<u64>()].to_ne_bytes();
        let episode = &word[at % size_of::<u64>()..][..size_of::<u32>()];
        Ok((looks, episode.try_into().map_or(0, u32::from_ne_bytes)))
    }

    /// What the kernel says of a hook's program; `None` if it is not loaded.
    pub fn stats(&self, hook: Hook) -> Option<ProgramStats> {
        self.stats_of(hook.program())
    }

    /// What the kernel says of the program of this name; `None` if it is not loaded.
    pub fn stats_of(&self, program: &str) -> Option<ProgramStats> {
        let fd = match self.bpf.program(program)? {
            Program::BtfTracePoint(program) => program.fd(),
            Program::PerfEvent(program) => program.fd(),
            Program::KProbe(program) => program.fd(),
            Program::RawTracePoint(program) => program.fd(),
            Program::Iter(program) => program.fd(),
            _ => return None,
        };
        // aya's own view has no run time; the kernel writes all of it here (kernel/bpf/syscall.c,
        // bpf_prog_show_fdinfo).
        let path = format!("/proc/self/fdinfo/{}", fd.ok()?.as_fd().as_raw_fd());
        let text = std::fs::read_to_string(path).ok()?;
        Some(parse_fdinfo(&text))
    }

    /// The object, for aya's logger.
    pub fn bpf_mut(&mut self) -> &mut Ebpf {
        &mut self.bpf
    }

    /// Loads the program that looks at all blocked tasks. Takes the kernel's BTF, so it comes after arming.
    ///
    /// # Errors
    /// The kernel has no BTF, no task iterator, or refuses the program.
    pub fn load_snapshot(&mut self) -> Result<(), ProbeError> {
        let failed = |error: &dyn std::fmt::Display| ProbeError::Snapshot(error.to_string());
        let btf = Btf::from_sys_fs().map_err(|error| failed(&error))?;
        self.snapshot_program()?.load("task", &btf).map_err(|error| failed(&arming::load_failure(&error)))
    }

    /// Sends a record for every blocked task.
    ///
    /// # Errors
    /// The program is not loaded, or the walk fails.
    pub fn snapshot(&mut self) -> Result<(), ProbeError> {
        let failed = |error: &dyn std::fmt::Display| ProbeError::Snapshot(error.to_string());
        let program = self.snapshot_program()?;
        let link = program.attach().map_err(|error| failed(&error))?;
        let link = program.take_link(link).map_err(|error| failed(&error))?;
        let mut walk = link.into_file().map_err(|error| failed(&error))?;
        // The program writes nothing here; reading to the end is what walks the tasks.
        let mut end = [0; 64];
        while walk.read(&mut end).map_err(|error| failed(&error))? > 0 {}
        Ok(())
    }

    fn snapshot_program(&mut self) -> Result<&mut Iter, ProbeError> {
        match self.bpf.program_mut(Hook::TaskSnapshot.program()) {
            Some(Program::Iter(program)) => Ok(program),
            _ => Err(ProbeError::Snapshot("the eBPF object has no such program".to_owned())),
        }
    }
}

fn take(bpf: &mut Ebpf, name: &'static str) -> Result<aya::maps::Map, ProbeError> {
    bpf.take_map(name).ok_or(ProbeError::NoMap(name))
}

pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

fn parse_fdinfo(text: &str) -> ProgramStats {
    let field = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| *key == name)
            .and_then(|(_, value)| value.trim().parse().ok())
            .unwrap_or(0)
    };
    ProgramStats {
        verified_instructions: field("verified_insns"),
        runs: field("run_cnt"),
        run_time_ns: field("run_time_ns"),
        recursion_misses: field("recursion_misses"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fdinfo_of_a_program_is_read() {
        let text = "pos:\t0\nprog_type:\t2\nrun_time_ns:\t1200\nrun_cnt:\t3\nrecursion_misses:\t1\nverified_insns:\t77\n";
        let stats = parse_fdinfo(text);
        assert_eq!((stats.runs, stats.run_time_ns), (3, 1200));
        assert_eq!((stats.recursion_misses, stats.verified_instructions), (1, 77));
    }
}
