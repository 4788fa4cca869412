//! Attachments of programs to kprobes, and letting go of them.

use aya::programs::kprobe::KProbeLink;
use aya::programs::{KProbe, ProgramError};
use std::thread;

/// Where in a function a kprobe goes, in order of preference, in bytes behind its start.
///
/// At a function's start stands a 5-byte no-op for ftrace, behind 4 bytes of `endbr64` in kernels with indirect
/// branch tracking. A kprobe *on* the no-op goes through ftrace, which walks all its records each time: 25 to 37 ms
/// in a guest, where one just behind it takes 2 ms (text_poke(), and a jump once the kernel has optimised it;
/// `arm_kprobe` in kernel/kprobes.c). Nothing has run there yet: arguments and stack are as at the start.
///
/// The order makes a wrong place impossible. The kernel takes only functions with an ftrace no-op
/// (`within_notrace_func` in kernel/trace/trace_kprobe.c) and only the start of an instruction (`can_probe` in
/// arch/x86/kernel/kprobes/core.c). With `endbr64`, 5 is inside the no-op and is refused; without it, 5 is taken
/// and 9 is never tried.
const OFFSETS: [u64; 3] = [5, 9, 0];

/// Puts a program at the entry of a function.
///
/// # Errors
/// What the kernel says of the entry itself, at offset 0.
pub(super) fn attach(program: &mut KProbe, function: &str) -> Result<KProbeLink, ProgramError> {
    let mut attached = Err(ProgramError::NotLoaded);
    for offset in OFFSETS {
        attached = program.attach(function, offset);
        if attached.is_ok() || attached.as_ref().is_err_and(is_missing) {
            break;
        }
    }
    program.take_link(attached?)
}

/// Whether there is no such function, at any offset.
fn is_missing(error: &ProgramError) -> bool {
    matches!(error, ProgramError::SyscallError(error) if error.io_error.kind() == std::io::ErrorKind::NotFound)
}

/// Threads that detach at the same time.
const THREADS: usize = 16;

/// The attachments; all are detached when it is dropped.
///
/// To detach a kprobe the kernel waits until no task can be inside a program (`synchronize_rcu_tasks_trace` in
/// `perf_event_detach_bpf_prog`, kernel/trace/bpf_trace.c), about 50 ms, and does so for each. Those who wait at
/// the same time wait once.
#[derive(Default)]
pub(super) struct Links(Vec<KProbeLink>);

impl Links {
    /// Keeps an attachment.
    pub(super) fn add(&mut self, link: KProbeLink) {
        self.0.push(link);
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        let share = self.0.len().div_ceil(THREADS).max(1);
        thread::scope(|scope| {
            while !self.0.is_empty() {
                let some = self.0.split_off(self.0.len().saturating_sub(share));
                // Where no thread can be had, they go with the closure that was not run.
                drop(thread::Builder::new().spawn_scoped(scope, move || drop(some)));
            }
        });
    }
}
