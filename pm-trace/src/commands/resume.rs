//! `pm-trace suspend --resume`: where an interrupted run of many cycles goes on.
//!
//! A run is a family of traces: NAME.pmtrace, NAME-2.pmtrace, ... Those that are there are never touched; each says in its
//! head how it was recorded, and in its counters how many cycles were begun. A cycle that did not come back was begun, and is
//! not tried again.

use crate::cli::{Cli, Command, State, SuspendArgs};
use crate::kernel::system::System;
use crate::text;
use crate::trace::{self, Kernel, Session, Trace};
use anyhow::{Context as _, bail};
use clap::Parser as _;
use std::path::{Path, PathBuf};

/// What is there of a run, and where the rest goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Its traces so far.
    pub traces: Vec<PathBuf>,
    /// Cycles begun in them.
    pub done: u32,
    /// The next trace.
    pub next: PathBuf,
}

/// What an option was set to; empty if it was not given.
type Told = fn(&SuspendArgs) -> String;
/// Options that say what a cycle is: those of the parts of a run are the same. How many there are, and where what is
/// said goes, may change.
const SAME: [(&str, Told); 4] = [
    ("--state", |args| args.state.iter().map(|state| State::name(*state)).collect::<Vec<_>>().join(",")),
    ("--wake", |args| args.wake.map_or_else(String::new, |seconds| seconds.to_string())),
    ("--pm-test", |args| args.pm_test.clone().unwrap_or_default()),
    ("--live", |args| if args.live { "given".to_owned() } else { String::new() }),
];

impl Run {
    /// Finds the run whose first trace is `first`.
    ///
    /// # Errors
    /// There is nothing to go on with, a trace of it cannot be read, or it is a run of something else.
    pub(super) fn find(first: &Path, args: &SuspendArgs, system: &dyn System) -> anyhow::Result<Self> {
        if !first.exists() {
            bail!(
                "there is nothing to resume: {} does not exist. Nothing was done; leave out --resume to begin the run",
                text::path(first)
            );
        }
        let mut run = Self { traces: Vec::new(), done: 0, next: first.to_owned() };
        while run.next.exists() {
            let (session, begun) = counted(&run.next, run.traces.is_empty())?;
            if let Some(session) = session {
                check(&run.next, &session, args, system)?;
            }
            run.done = run.done.saturating_add(begun);
            run.traces.push(std::mem::take(&mut run.next));
            run.next = part(first, run.traces.len() + 1);
        }
        Ok(run)
    }

    /// The traces so far, for a command line.
    pub(super) fn names(&self) -> String {
        self.traces.iter().map(|path| text::path(path)).collect::<Vec<_>>().join(" ")
    }
}

/// `x.pmtrace`, `x-2.pmtrace`, `x-3.pmtrace`
fn part(first: &Path, number: usize) -> PathBuf {
    let mut name = first.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(extension) = first.extension() {
        name.push(".");
        name.push(extension);
    }
    first.with_file_name(name)
}

/// How a trace was recorded and how many cycles were begun in it. One that was cut off while it was created has neither, which
/// is no reason to stop where it goes on with another.
fn counted(path: &Path, is_first: bool) -> anyhow::Result<(Option<Session>, u32)> {
    let mut trace = match Trace::open(path) {
        Err(trace::Error::Empty { .. } | trace::Error::Truncated { .. }) if !is_first => {
            return Ok((None, 0));
        }
        opened => opened.context("cannot resume the run: nothing was done")?,
    };
    trace.by_ref().for_each(drop);
    let session = trace.session().cloned().with_context(|| {
        format!(
            "cannot resume the run of {}: the part that says how it was recorded is damaged. Nothing was done; begin a \
             new one with another -o",
            text::path(path)
        )
    })?;
    let counters = trace.summary().checkpoint.as_ref();
    let begun = counters.map_or(0, |counters| counters.begun.max(counters.cycles));
    let ended = trace.summary().totals.as_ref().map_or(0, |totals| totals.cycles);
    Ok((Some(session), begun.max(ended)))
}

/// Refuses to go on with something else than what was begun.
fn check(path: &Path, session: &Session, args: &SuspendArgs, system: &dyn System) -> anyhow::Result<()> {
    let path = text::path(path);
    let Ok(Cli { command: Some(Command::Suspend(before)), .. }) = Cli::try_parse_from(&session.command)
    else {
        bail!(
            "cannot resume the run of {path}: it was not recorded by 'pm-trace suspend' but by '{}'. Nothing was done",
            text::line(&session.command.join(" "))
        );
    };
    let different = SAME.iter().filter_map(|(option, told)| {
        let [was, is] = [told(&before), told(args)]
            .map(|value| if value.is_empty() { "not given".to_owned() } else { value });
        (was != is).then(|| format!("{option} was {was} and is {is}"))
    });
    let different: Vec<String> = different.collect();
    if !different.is_empty() {
        bail!(
            "cannot resume the run of {path} with other options: {}. Nothing was done; give the same, or begin a new run \
             with another -o",
            different.join(", ")
        );
    }
    let running = system.uname()?;
    let Kernel { release, version, .. } = &session.kernel;
    if (release, version) != (&running.release, &running.version) {
        bail!(
            "cannot resume the run of {path}: it is of kernel {} ({}), and this machine runs {} ({}). Nothing was done; \
             begin a new run with another -o, 'pm-trace diff' compares the two",
            text::line(release),
            text::line(version),
            running.release,
            running.version
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::machine;
    use crate::trace::{Checkpoint, Overwrite, Totals, Writer};

    const MACHINE: [(&str, &str); 3] = [
        ("/proc/sys/kernel/osrelease", "6.1.0-56-amd64\n"),
        ("/proc/sys/kernel/version", "#1 SMP\n"),
        ("/proc/sys/kernel/arch", "x86_64\n"),
    ];

    fn args(line: &str) -> SuspendArgs {
        let words = std::iter::once("pm-trace").chain(line.split(' '));
        match Cli::try_parse_from(words).unwrap().command {
            Some(Command::Suspend(args)) => args,
            other => panic!("{other:?}"),
        }
    }

    fn session(line: &str) -> Session {
        let command = std::iter::once("pm-trace").chain(line.split(' ')).map(str::to_owned).collect();
        let mut session = Session { command, ..Session::default() };
        session.kernel.release = "6.1.0-56-amd64".to_owned();
        session.kernel.version = "#1 SMP".to_owned();
        session
    }

    /// A trace in which so many cycles were begun and so many ended; closed if all did.
    fn record(path: &Path, line: &str, begun: u32, ended: u32) {
        let mut writer = Writer::create(path, &session(line), Overwrite::Refuse).unwrap();
        for number in 1..=begun {
            let cycles = ended.min(number - 1);
            writer.checkpoint(&Checkpoint { begun: number, cycles, ..Checkpoint::default() }).unwrap();
        }
        if begun == ended {
            writer.finish(Totals { cycles: ended, ..Totals::default() }).unwrap();
        }
    }

    fn find(first: &Path, line: &str) -> anyhow::Result<Run> {
        let (_root, system) = machine(&MACHINE);
        Run::find(first, &args(line), &system)
    }

    const LINE: &str = "suspend --cycles 9 --wake 5 --state mem,freeze -o x";

    /// A cycle that locked up was begun, so it is not tried again; a trace that was cut off while it was created is passed over;
    /// and each time the rest goes where nothing is yet.
    #[test]
    fn a_run_goes_on_behind_the_last_cycle_that_was_begun() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("x.y.pmtrace");
        record(&first, LINE, 3, 2);
        let bytes = std::fs::read(&first).unwrap();
        let run = find(&first, LINE).unwrap();
        assert_eq!((run.done, &run.next), (3, &folder.path().join("x.y-2.pmtrace")));
        record(&run.next, LINE, 2, 2);
        std::fs::write(folder.path().join("x.y-3.pmtrace"), "").unwrap();
        let run = find(&first, LINE).unwrap();
        assert_eq!((run.done, run.traces.len(), &run.next), (5, 3, &folder.path().join("x.y-4.pmtrace")));
        assert!(std::fs::read(&first).unwrap() == bytes, "what is there is not touched");
    }

    /// How many cycles there are, and what has nothing to do with them, may change.
    #[test]
    fn what_a_cycle_is_has_to_be_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("x.pmtrace");
        record(&first, LINE, 1, 1);
        find(&first, "suspend --cycles 20 --wake 5 --state mem,freeze --delay 3 -o /else --resume").unwrap();
        let refused = |line: &str| find(&first, line).unwrap_err().to_string();
        let told = refused("suspend --cycles 9 --state mem,freeze --live -o x --resume");
        assert!(told.contains("--wake was 5 and is not given, --live was not given and is given"), "{told}");
        let told = refused("suspend --cycles 9 --wake 5 --pm-test core -o x --resume");
        assert!(
            told.contains("--state was mem,freeze and is mem, --pm-test was not given and is core"),
            "{told}"
        );
    }

    #[test]
    fn what_cannot_be_resumed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let refused = |first: &Path| format!("{:#}", find(first, LINE).unwrap_err());
        assert!(refused(&at("none")).contains("there is nothing to resume"));
        std::fs::write(at("empty"), "").unwrap();
        assert!(refused(&at("empty")).contains("is empty"));
        record(&at("record"), "record -- rtcwake", 0, 0);
        assert!(
            refused(&at("record"))
                .contains("not recorded by 'pm-trace suspend' but by 'pm-trace record -- rtcwake'")
        );
        let other =
            Session { kernel: Kernel { release: "6.12.1".to_owned(), ..Kernel::default() }, ..session(LINE) };
        Writer::create(&at("other"), &other, Overwrite::Refuse).unwrap().finish(Totals::default()).unwrap();
        assert!(refused(&at("other")).contains("it is of kernel 6.12.1"));
    }
}
