//! Attachments of programs to kprobes, and letting go of them.

use aya::programs::kprobe::KProbeLink;
use std::thread;

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
