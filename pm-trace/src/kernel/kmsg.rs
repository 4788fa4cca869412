//! The kernel log, as `/dev/kmsg` gives it (Documentation/ABI/testing/dev-kmsg).

use nix::fcntl::OFlag;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Severity: 0 (emergency) to 7 (debug).
    pub level: u8,
    /// When, in nanoseconds of the kernel's local clock, which stands still in sleep (`CLOCK_MONOTONIC` but for
    /// some microseconds).
    pub time: u64,
    /// What.
    pub text: String,
}

/// Longest record: the kernel refuses to read into less than one takes (PRINTK_MESSAGE_MAX, kernel/printk).
const LONGEST: usize = 8192;
/// Most records read. The largest log buffer, 2^25 bytes, holds fewer.
const MOST: usize = 1 << 20;

/// All records that the kernel still has, without waiting for more.
///
/// # Errors
/// The log cannot be opened or read: not root, say, where `dmesg_restrict` is set.
pub fn read() -> io::Result<Vec<Record>> {
    let mut log = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open("/dev/kmsg")?;
    let mut records = Vec::new();
    let mut buffer = vec![0; LONGEST];
    while records.len() < MOST {
        match log.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => records.extend(parse(&String::from_utf8_lossy(&buffer[..length]))),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            // Records were overwritten meanwhile; the next read goes on with the oldest.
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(records)
}

/// `6,1234,5678901,-;text`, then lines with a space first: the record's dictionary.
fn parse(record: &str) -> Option<Record> {
    let (head, text) = record.split_once(';')?;
    let mut fields = head.split(',');
    let level: u32 = fields.next()?.parse().ok()?;
    let micros: u64 = fields.nth(1)?.parse().ok()?;
    Some(Record {
        level: u8::try_from(level & 7).ok()?,
        time: micros.saturating_mul(1000),
        text: unescaped(text.lines().next().unwrap_or_default()),
    })
}

/// Bytes that are not printable stand as `\xHH`; only those of UTF-8 are put back, so that nothing that acts on a
/// terminal comes to life.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\x") {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let code = rest.get(at + 2..at + 4).and_then(|code| u8::from_str_radix(code, 16).ok());
        match code.filter(|byte| *byte >= 0x80 || *byte == b'\\') {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[at + 4..];
            }
            None => {
                bytes.extend_from_slice(b"\\x");
                rest = &rest[at + 2..];
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_level_time_and_text() {
        let record = parse("30,1042,3409180,-;PM: suspend \\xc3\\xa4 \\x1b[2J; a\n SUBSYSTEM=x\n").unwrap();
        assert_eq!((record.level, record.time), (6, 3_409_180_000));
        assert_eq!(record.text, "PM: suspend ä \\x1b[2J; a");
        assert_eq!([parse(""), parse("1,2;x"), parse("x,1,2,-;y")], [None, None, None]);
    }
}
