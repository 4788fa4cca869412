//! Staying awake: `/dev/snapshot` (kernel/power/user.c).
//!
//! `SNAPSHOT_FREEZE` freezes every task but the caller, which gets `PF_SUSPEND_TASK`; threads it creates
//! afterwards inherit the flag. `SNAPSHOT_S2RAM` then goes through `suspend_devices_and_enter()` in the
//! caller, while those threads keep running. They have to be gone before `SNAPSHOT_UNFREEZE`, or
//! `thaw_processes()` warns about a task that still has the flag.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;

/// The device.
pub const PATH: &str = "/dev/snapshot";

mod ioctl {
    // include/uapi/linux/suspend_ioctls.h
    nix::ioctl_none!(freeze, b'3', 1);
    nix::ioctl_none!(unfreeze, b'3', 2);
    nix::ioctl_none!(s2ram, b'3', 11);
}

/// Why live mode cannot be had, or failed.
#[derive(Debug, thiserror::Error)]
pub enum FreezeError {
    /// The device cannot be opened.
    #[error("cannot open {PATH}: {source}: {why}. Leave out --live to record and report after the resume")]
    Open {
        /// Why.
        source: io::Error,
        /// What that means here.
        why: &'static str,
    },
    /// A task does not freeze, or somebody else is suspending.
    #[error("cannot freeze user space: {0}; the kernel log names the task that refused")]
    Freeze(io::Error),
    /// The suspend failed or was aborted.
    #[error("the suspend did not happen: {source}: {why}")]
    Suspend {
        /// Why.
        source: io::Error,
        /// What that means here.
        why: &'static str,
    },
    /// User space could not be thawed by request. Closing the device thaws it.
    #[error("cannot thaw user space by request: {0}; it is thawed when pm-trace ends")]
    Unfreeze(io::Error),
}

fn open_failure(source: io::Error) -> FreezeError {
    let why = match source.raw_os_error() {
        Some(nix::libc::ENOENT) => "the kernel was built without CONFIG_HIBERNATION_SNAPSHOT_DEV",
        Some(nix::libc::EPERM) => {
            "the kernel forbids hibernation (booted with nohibernate, or locked down, as with Secure Boot)"
        }
        Some(nix::libc::EACCES) => "it needs root",
        Some(nix::libc::EBUSY) => "another program uses it (a hibernation in progress?)",
        _ => "live mode needs it",
    };
    FreezeError::Open { source, why }
}

/// User space, frozen but for this task and what it creates. Thawed on drop.
#[derive(Debug)]
pub struct Frozen {
    device: File,
    thawed: bool,
}

impl Frozen {
    /// Checks that live mode can be had, without freezing anything.
    ///
    /// # Errors
    /// [`FreezeError::Open`].
    pub fn probe() -> Result<(), FreezeError> {
        Self::open().map(drop)
    }

    fn open() -> Result<File, FreezeError> {
        OpenOptions::new().read(true).open(PATH).map_err(open_failure)
    }

    /// Freezes.
    ///
    /// # Errors
    /// [`FreezeError::Open`], [`FreezeError::Freeze`].
    pub fn freeze() -> Result<Self, FreezeError> {
        let device = Self::open()?;
        // SAFETY: the descriptor is open, the request takes no argument.
        unsafe { ioctl::freeze(device.as_raw_fd()) }.map_err(|errno| FreezeError::Freeze(errno.into()))?;
        Ok(Self { device, thawed: false })
    }

    /// Suspends to RAM and returns when the machine is awake again, which in a lockup is never.
    ///
    /// # Errors
    /// [`FreezeError::Suspend`].
    pub fn suspend(&self) -> Result<(), FreezeError> {
        // SAFETY: the descriptor is open, the request takes no argument.
        unsafe { ioctl::s2ram(self.device.as_raw_fd()) }.map(drop).map_err(|errno| {
            let source: io::Error = errno.into();
            let why = match source.raw_os_error() {
                Some(nix::libc::ENOSYS) => {
                    "this machine has no S3, and live mode enters nothing else; leave out --live for s2idle"
                }
                Some(nix::libc::EBUSY) => "a wakeup or a device stopped it; the kernel log says which",
                _ => "the kernel log says more",
            };
            FreezeError::Suspend { source, why }
        })
    }

    /// Thaws. Every thread created since the freeze must have ended.
    ///
    /// # Errors
    /// [`FreezeError::Unfreeze`].
    pub fn thaw(mut self) -> Result<(), FreezeError> {
        self.thawed = true;
        self.unfreeze().map_err(FreezeError::Unfreeze)
    }

    fn unfreeze(&self) -> io::Result<()> {
        // SAFETY: the descriptor is open, the request takes no argument.
        unsafe { ioctl::unfreeze(self.device.as_raw_fd()) }.map(drop).map_err(Into::into)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if !self.thawed
            && let Err(error) = self.unfreeze()
        {
            log::warn!("{}", FreezeError::Unfreeze(error));
        }
    }
}
