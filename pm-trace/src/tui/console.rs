//! A console that the kernel writes to as well: its messages land in the middle of the view, which has to be drawn
//! anew after them.
//!
//! Turning the kernel's messages down (`dmesg -n`) would hide them from whoever records the console, and from a
//! panic's last words; so they are let through, seen in `/dev/kmsg`, and drawn over when they pause.

use nix::libc;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Duration, Instant};

/// The kernel has to be quiet for so long before its messages are drawn over ...
const PAUSE: Duration = Duration::from_millis(150);
/// ... but this is the longest that they stay.
const LONGEST: Duration = Duration::from_secs(1);
/// Where the kernel's messages cannot be read, everything is drawn anew so often.
const BLIND: Duration = Duration::from_secs(3);
/// Longest record of `/dev/kmsg` (`PRINTK_MESSAGE_MAX`, kernel/printk/internal.h).
const RECORD: usize = 8192;

/// Tells when the kernel has written on the same console.
#[derive(Debug)]
pub struct Console {
    /// The kernel's messages, at their end; `None` if they cannot be read.
    messages: Option<File>,
    /// When the first and the last message came that is not drawn over yet.
    written: Option<(Instant, Instant)>,
    drawn: Instant,
}

impl Console {
    /// The terminal behind `out`, if the kernel writes its messages there.
    pub fn of(out: BorrowedFd<'_>) -> Option<Self> {
        let device = nix::sys::stat::fstat(out).ok()?.st_rdev;
        let number = (libc::major(device), libc::minor(device));
        let consoles = fs::read_to_string("/proc/consoles").unwrap_or_default();
        is_console(number, &consoles).then(|| Self {
            messages: messages().inspect_err(|error| log::info!("cannot read /dev/kmsg: {error}")).ok(),
            written: None,
            drawn: Instant::now(),
        })
    }

    /// Whether everything has to be drawn anew now.
    pub fn was_written_to(&mut self) -> bool {
        let now = Instant::now();
        if self.messages.is_some() {
            if self.any_message() {
                let first = self.written.map_or(now, |(first, _)| first);
                self.written = Some((first, now));
            }
            let due = self.written.is_some_and(|(first, last)| {
                now.duration_since(last) >= PAUSE || now.duration_since(first) >= LONGEST
            });
            if due {
                self.written = None;
            }
            return due;
        }
        let due = now.duration_since(self.drawn) >= BLIND;
        if due {
            self.drawn = now;
        }
        due
    }

    /// Reads what has come; whether any of it was shown on consoles.
    fn any_message(&mut self) -> bool {
        let Some(messages) = &mut self.messages else { return false };
        let mut record = [0; RECORD];
        let (mut any, mut level) = (false, None);
        loop {
            match messages.read(&mut record) {
                Ok(0) => return any,
                Ok(count) => any |= is_shown(&record[..count], *level.get_or_insert_with(console_level)),
                // Messages were overwritten before they were read.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => any = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return any,
            }
        }
    }
}

/// The kernel's messages from now on, without waiting for any.
fn messages() -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg")?;
    file.seek(io::SeekFrom::End(0))?;
    Ok(file)
}

/// Whether the character device is one of those in `/proc/consoles`, whose lines end in `major:minor`. `/dev/console`
/// (5:1) is whichever comes last, and `tty0` the virtual terminal in front.
fn is_console(device: (u32, u32), consoles: &str) -> bool {
    const CONSOLE: (u32, u32) = (5, 1);
    const VIRTUAL: u32 = 4;
    let is_virtual = device.0 == VIRTUAL && (1..=63).contains(&device.1);
    device == CONSOLE
        || consoles.lines().any(|line| {
            let number = format!("{}:{}", device.0, device.1);
            line.split_whitespace().next_back() == Some(&number) || (is_virtual && line.starts_with("tty0 "))
        })
}

/// Messages of lower levels than this one are shown on consoles; 8 shows all.
fn console_level() -> u32 {
    let ignored = fs::read_to_string("/sys/module/printk/parameters/ignore_loglevel").unwrap_or_default();
    if ignored.trim() == "Y" {
        return 8;
    }
    let levels = fs::read_to_string("/proc/sys/kernel/printk").unwrap_or_default();
    levels.split_whitespace().next().and_then(|level| level.parse().ok()).unwrap_or(8)
}

/// Whether a record (`priority,sequence,time,flags;text`) is of a level that consoles show.
fn is_shown(record: &[u8], console_level: u32) -> bool {
    let priority = record.split(|&byte| byte == b',').next().and_then(|text| str::from_utf8(text).ok());
    // The lower three bits of the priority are the level, the others the facility.
    priority.and_then(|text| text.parse::<u32>().ok()).is_none_or(|priority| priority & 7 < console_level)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERIAL: &str = "ttyS0                -W- (EC p a)    4:64\n";
    const BOTH: &str =
        "tty0                 -WU (EC  p  )    4:2\nttyS0                -W- (E  p a)    4:64\n";

    /// Only what the kernel writes to is drawn anew: a serial console, the terminal in front, never a window.
    #[test]
    fn consoles_are_told_from_other_terminals() {
        assert!(is_console((4, 64), SERIAL));
        assert!(!is_console((4, 65), SERIAL), "another serial line");
        assert!(!is_console((4, 2), SERIAL), "a virtual terminal, but messages go elsewhere");
        assert!(is_console((4, 2), BOTH) && is_console((4, 7), BOTH));
        assert!(is_console((5, 1), SERIAL));
        assert!(!is_console((136, 64), BOTH), "a window");
    }

    #[test]
    fn messages_that_consoles_do_not_show_disturb_nobody() {
        assert!(is_shown(b"4,339,5140900,-;NET: Registered", 7));
        assert!(!is_shown(b"7,340,5140900,-;debug", 7));
        assert!(is_shown(b"15,340,5140900,-;debug of user space", 8));
        assert!(!is_shown(b"30,341,5140900,-;info of user space", 4));
        assert!(is_shown(b"garbage", 4), "what cannot be read may have been shown");
    }
}
