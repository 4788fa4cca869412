//! Attachments of programs to kprobes, and letting go of them.

use super::multi::Together;
use aya::programs::kprobe::KProbeLink;
use aya::programs::{KProbe, ProgramError};
use std::thread;

/// Where in a function a kprobe goes, if the kernel takes it there, in bytes behind its start.
///
/// At a function's start stands a 5-byte no-op for ftrace. A kprobe *on* it goes through ftrace; one just behind it takes
/// two thirds of the time (text_poke(), and a jump once the kernel has optimised it; `arm_kprobe` in
/// kernel/kprobes.c). Nothing has run there yet: arguments and stack are as at the start.
///
/// It cannot be a wrong place. The kernel takes only functions with an ftrace no-op (`within_notrace_func` in
/// kernel/trace/trace_kprobe.c) and only the start of an instruction (`can_probe` in arch/x86/kernel/kprobes/core.c).
/// In kernels with indirect branch tracking 4 bytes of `endbr64` stand before the no-op; then this is inside of it and
/// is refused.
const BEHIND_NOP: u64 = 5;

/// Functions so long that a kprobe goes on ftrace's no-op. Behind it the kernel prepares a jump, and for that decodes all of
/// the function, with a search through its module's symbols for each instruction (`can_optimize` in
/// arch/x86/kernel/kprobes/opt.c): 51, 35, 14 and 13 million instructions for these on Linux 6.1, where
/// ftrace takes 10 to 12 (`cargo xtask lab run arming --kernel 6.1 --set LAB_VERBOSE=-vv`, for the former without this list).
const LONG: [&str; 4] =
    ["ata_eh_recover", "ata_scsi_port_error_handler", "__scsi_execute", "ata_port_request_pm"];

/// Threads that detach at the same time.
const THREADS: usize = 16;

/// The attachments; all are detached when it is dropped.
///
/// To detach a kprobe the kernel waits until no task can be inside a program (`synchronize_rcu_tasks_trace` in
/// `perf_event_detach_bpf_prog`, kernel/trace/bpf_trace.c), about 50 ms, and does so for each. Those who wait at
/// the same time wait once.
#[derive(Default)]
pub(super) struct Links {
    /// Those that one link has.
    pub together: Option<Together>,
    links: Vec<KProbeLink>,
    /// A function refused [`BEHIND_NOP`]: most of this kernel's will, and a refusal costs more than it may save.
    at_start: bool,
}

impl Links {
    /// Puts a program at the entry of a function.
    ///
    /// # Errors
    /// What the kernel says of the entry itself.
    pub(super) fn attach(&mut self, program: &mut KProbe, function: &str) -> Result<(), ProgramError> {
        let begin_behind = !self.at_start && !LONG.contains(&function);
        let behind = begin_behind.then(|| program.attach(function, BEHIND_NOP));
        let attached = match behind {
            Some(Err(error)) if !is_missing(&error) => {
                self.at_start = true;
                program.attach(function, 0)
            }
            Some(attached) => attached,
            None => program.attach(function, 0),
        };
        self.links.push(program.take_link(attached?)?);
        Ok(())
    }
}

/// Whether there is no such function, wherever in it.
fn is_missing(error: &ProgramError) -> bool {
    matches!(error, ProgramError::SyscallError(error) if error.io_error.kind() == std::io::ErrorKind::NotFound)
}

impl Drop for Links {
    fn drop(&mut self) {
        let share = self.links.len().div_ceil(THREADS).max(1);
        thread::scope(|scope| {
            while !self.links.is_empty() {
                let some = self.links.split_off(self.links.len().saturating_sub(share));
                // Where no thread can be had, they go with the closure that was not run.
                drop(thread::Builder::new().spawn_scoped(scope, move || drop(some)));
            }
        });
    }
}
