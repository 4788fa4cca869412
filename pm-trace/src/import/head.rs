//! What a log says about itself and its machine, besides events.

use crate::kernel::machine::shown_cmdline;
use crate::trace::Session;

/// Longest text kept, in bytes.
const LONGEST: usize = 200;

/// What is known so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// sleepgraph wrote it.
    pub(super) is_sleepgraph: bool,
    /// Command that recorded it.
    command: String,
    /// Date and time, by the clock on that machine's wall.
    started: String,
    /// `mem`, `freeze`, ...
    state: String,
    release: String,
    version: String,
    product: String,
    cmdline: String,
    cpus: u32,
}

impl Head {
    /// Takes in a line that is no event. The host's name, which sleepgraph writes, is not kept.
    pub(super) fn take(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("# sysinfo | ") {
            self.sysinfo(rest);
        } else if let Some(rest) = line.strip_prefix("# command | ") {
            self.command = cut(rest);
        } else if let Some(rest) = line.strip_prefix("# kparams | ") {
            self.cmdline = shown_cmdline(rest);
        } else if let Some((_, count)) =
            line.rsplit_once("#P:").filter(|_| line.starts_with("# entries-in-buffer"))
        {
            self.cpus = count.trim().parse().unwrap_or(self.cpus);
        } else if let Some(count) = line.strip_prefix("cpus=") {
            self.cpus = count.trim().parse().unwrap_or(self.cpus);
        } else if let Some(rest) = line.strip_prefix("# ") {
            self.stamp(rest);
        }
    }

    /// Takes in a message of the kernel log.
    pub(super) fn message(&mut self, message: &str) {
        if let Some(rest) = message.strip_prefix("Linux version ") {
            let (release, version) = rest.split_once(' ').unwrap_or((rest, ""));
            self.release = cut(release);
            self.version = version.find('#').map(|at| cut(&version[at..])).unwrap_or_default();
        } else if let Some(rest) = message.strip_prefix("Command line: ") {
            self.cmdline = shown_cmdline(rest);
        }
    }

    /// `suspend-112626-202521 HOST mem 6.1.0-56-amd64`: when, where, what.
    fn stamp(&mut self, text: &str) {
        let words: Vec<&str> = text.split(' ').collect();
        let (Some(first), [_, .., state, release]) = (words.first(), words.as_slice()) else { return };
        let Some(started) = date(first) else { return };
        self.is_sleepgraph = true;
        self.started = started;
        self.state = cut(state);
        self.release = cut(release);
    }

    /// `man:QEMU | plat:Standard PC | ... | numcpu:2 | ...`
    fn sysinfo(&mut self, text: &str) {
        let value = |name: &str| {
            text.split('|')
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix(':'))
                .unwrap_or_default()
        };
        self.product = cut(format!("{} {}", value("man"), value("plat")).trim());
        self.cpus = value("numcpu").parse().unwrap_or(self.cpus);
    }

    /// The head of a trace, as far as the log has it.
    pub(super) fn session(self) -> Session {
        let mut session = Session {
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            product: self.product,
            cmdline: self.cmdline,
            cpus: self.cpus,
            state: (!self.state.is_empty()).then_some(self.state),
            ..Session::default()
        };
        session.command = if self.command.is_empty() { Vec::new() } else { vec![self.command] };
        session.kernel.release = self.release;
        session.kernel.version = self.version;
        session
    }
}

/// `suspend-112626-202521` as `2026-11-26T20:25:21`; the time zone is not known.
fn date(text: &str) -> Option<String> {
    let (rest, time) = text.rsplit_once('-')?;
    let (name, date) = rest.rsplit_once('-')?;
    let digits = |text: &str| text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(date) || !digits(time) || !name.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    let (month, day, year) = (&date[..2], &date[2..4], &date[4..]);
    Some(format!("20{year}-{month}-{day}T{}:{}:{}", &time[..2], &time[2..4], &time[4..]))
}

fn cut(text: &str) -> String {
    crate::text::cut(text.trim(), LONGEST).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleepgraphs_head_is_read_without_the_hosts_name() {
        let mut head = Head::default();
        for line in [
            "# suspend-112626-202521 secret-host mem 6.1.0-56-amd64",
            "# sysinfo | man:QEMU | plat:Standard PC (Q35 + ICH9, 2009) | cpu:pc | numcpu:2 | memsz:981472",
            "# command | sleepgraph.py -m mem",
            "# kparams | root=UUID=1 quiet",
            "#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION",
        ] {
            head.take(line);
        }
        assert!(head.is_sleepgraph);
        assert!(!format!("{head:?}").contains("secret"));
        let session = head.session();
        assert_eq!(session.started, "2026-11-26T20:25:21");
        assert_eq!(session.kernel.release, "6.1.0-56-amd64");
        assert_eq!(session.product, "QEMU Standard PC (Q35 + ICH9, 2009)");
        assert_eq!((session.cpus, session.state.as_deref()), (2, Some("mem")));
        assert_eq!(session.command, ["sleepgraph.py -m mem"]);
        assert_eq!(session.cmdline, "root=... quiet");
    }

    #[test]
    fn other_comments_are_no_stamp() {
        for line in [
            "# tracer: nop",
            "# a-1-2 b c d",
            "# suspend-112626-202521",
            "# x-000000-00000é h m k",
            "#",
            "# ",
        ] {
            let mut head = Head::default();
            head.take(line);
            assert_eq!(head, Head::default(), "{line}");
        }
    }
}
