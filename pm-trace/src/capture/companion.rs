//! Somebody who is awake with the collector: a view that draws while everything else is frozen.
//!
//! It runs in an expendable thread that is started after the freeze and has to be gone before the thaw.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Runs until the flag is set, or until it has nothing more to do.
pub type Companion = Arc<dyn Fn(&AtomicBool) + Send + Sync>;

/// A companion at work.
pub struct Running {
    thread: JoinHandle<()>,
    done: Arc<AtomicBool>,
}

impl Running {
    /// Starts its thread, which inherits the caller's exemption from freezing.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(companion: &Companion) -> std::io::Result<Self> {
        let done = Arc::new(AtomicBool::new(false));
        let (run, flag) = (Arc::clone(companion), Arc::clone(&done));
        let thread = std::thread::Builder::new().name("view".to_owned()).spawn(move || run(&flag))?;
        Ok(Self { thread, done })
    }

    /// Tells it to end; false if it is still blocked after `patience`.
    pub fn finish(self, patience: Duration) -> bool {
        self.done.store(true, Ordering::Release);
        let deadline = Instant::now() + patience;
        while !self.thread.is_finished() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // A panic was told of where it happened; it must not keep user space frozen.
        let _ = self.thread.join();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A view that hangs or panics must not keep user space frozen.
    #[test]
    fn it_ends_or_is_given_up() {
        let obeys: Companion = Arc::new(|done| {
            while !done.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
        });
        assert!(Running::start(&obeys).unwrap().finish(Duration::from_secs(60)));
        let hangs: Companion = Arc::new(|_| std::thread::sleep(Duration::from_secs(3600)));
        assert!(!Running::start(&hangs).unwrap().finish(Duration::from_millis(10)));
    }
}
