//! What is done with a machine that does not come back: nothing, a restart, or a panic.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Carries out SysRq commands whatever `kernel.sysrq` allows (`write_sysrq_trigger`, drivers/tty/sysrq.c).
const TRIGGER: &str = "/proc/sysrq-trigger";
/// How long file systems may take to be synchronised; a stuck disk never does.
const SYNC: Duration = Duration::from_secs(5);
/// Most file systems that are synchronised: each gets a thread.
const MOST: usize = 32;
/// Stack of such a thread.
const STACK: usize = 64 << 10;

/// What to do when a machine has been stuck for long enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnStall {
    /// Wait: somebody looks at the machine, or it goes on by itself.
    #[default]
    Wait,
    /// Synchronise what can be synchronised, and restart.
    Reboot,
    /// Panic, so that kdump, efi-pstore or ramoops keep the kernel log with the verdict in it.
    Panic,
}

/// Why a last resort cannot be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot open {TRIGGER}: {0}. Restarting or panicking a machine whose devices are stuck needs it \
     (CONFIG_MAGIC_SYSRQ); use --on-stall wait"
)]
pub struct NoTrigger(io::Error);

/// A last resort that is ready.
#[derive(Debug)]
pub struct LastResort {
    action: OnStall,
    trigger: Option<File>,
}

impl LastResort {
    /// Gets ready while files can still be opened.
    ///
    /// # Errors
    /// The kernel offers no SysRq.
    pub fn prepare(action: OnStall) -> Result<Self, NoTrigger> {
        let trigger = (action != OnStall::Wait)
            .then(|| OpenOptions::new().write(true).open(TRIGGER).map_err(NoTrigger))
            .transpose()?;
        Ok(Self { action, trigger })
    }

    /// What will be done.
    pub fn action(&self) -> OnStall {
        self.action
    }

    /// Does it. Returns why it did not work, if it comes back at all.
    ///
    /// Not by `reboot(2)`: that shuts devices down, and waits for the lock of the one that is stuck
    /// (`device_shutdown`, drivers/base/core.c).
    ///
    /// # Errors
    /// The kernel refuses, or went on regardless.
    pub fn carry_out(&self, tell: impl Fn(String)) -> io::Result<()> {
        let command = match self.action {
            OnStall::Wait => return Ok(()),
            OnStall::Reboot => {
                let Synced { all, done } = sync_all(SYNC);
                if done < all {
                    tell(format!("{} of {all} file systems could not be synchronised in time", all - done));
                }
                b"b"
            }
            OnStall::Panic => b"c",
        };
        match self.trigger.as_ref() {
            Some(mut trigger) => trigger.write_all(command),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// What came of synchronising.
struct Synced {
    all: usize,
    done: usize,
}

/// Synchronises every file system on a block device, each by a thread of its own: the stuck one must not keep the
/// others back, as it would in `sync(2)`.
fn sync_all(patience: Duration) -> Synced {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = places(&mounts);
    let done = Arc::new(AtomicUsize::new(0));
    for place in &places {
        let (place, done) = (place.clone(), Arc::clone(&done));
        let thread = std::thread::Builder::new().name("sync".to_owned()).stack_size(STACK);
        let started = thread.spawn(move || {
            if File::open(place).is_ok_and(|root| nix::unistd::syncfs(&root).is_ok()) {
                done.fetch_add(1, Ordering::AcqRel);
            }
        });
        if let Err(error) = started {
            log::debug!("cannot synchronise: {error}");
        }
    }
    let deadline = Instant::now() + patience;
    while done.load(Ordering::Acquire) < places.len() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    Synced { all: places.len(), done: done.load(Ordering::Acquire) }
}

/// Where file systems on block devices are mounted, one place for each.
fn places(mounts: &str) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let mounted = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (what, place) = (words.next()?, words.next()?);
        // Spaces in names are octal here (fs/proc_namespace.c); such a place is left to the kernel.
        (what.starts_with("/dev/") && !place.contains('\\') && seen.insert(what)).then(|| place.into())
    });
    mounted.take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_disk_is_synchronised_once() {
        let mounts = "proc /proc proc rw 0 0\n/dev/sda1 / ext4 rw 0 0\n/dev/sda1 /home ext4 rw 0 0\n\
                      /dev/sdb1 /mnt vfat rw 0 0\n/dev/sdc1 /a\\040b ext4 rw 0 0\n";
        assert_eq!(places(mounts), [PathBuf::from("/"), PathBuf::from("/mnt")]);
    }

    /// Nobody must be restarted by mistake.
    #[test]
    fn waiting_needs_nothing_and_does_nothing() {
        let wait = LastResort::prepare(OnStall::Wait).unwrap();
        assert!(wait.trigger.is_none());
        wait.carry_out(|_| ()).unwrap();
    }
}
