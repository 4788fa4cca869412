//! Traces that a reset cut off.

use super::{LeftReport, LeftTrace, Search, Source};
use crate::diagnose;
use crate::kernel::clock;
use crate::report::Report;
use crate::trace::keep::report_beside;
use crate::trace::{Problem, Session};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where pm-trace keeps what it has to remember.
pub const STATE: &str = "/var/lib/pm-trace";
/// The paths of the last recordings, one a line, the newest last.
const RECORDINGS: &str = "recordings";
/// So many are remembered.
const REMEMBERED: usize = 20;
/// So many traces that were not closed are explained, the newest first.
const EXPLAINED: usize = 5;
/// Most traces that are looked at.
const LOOKED_AT: usize = 200;
/// Clocks of one boot differ by less, in nanoseconds: the wall clock may have been set.
const SAME_BOOT: u64 = 5_000_000_000;

/// Most bytes read of a report.
const MAX_REPORT: u64 = 1 << 20;

/// What survived of recordings.
#[derive(Default)]
pub(super) struct Left {
    pub(super) traces: Vec<LeftTrace>,
    /// Reports that tell what no trace does.
    pub(super) reports: Vec<LeftReport>,
}

/// Remembers where a trace is written, so that `pm-trace recover` finds it after a reset.
///
/// # Errors
/// The state folder cannot be written.
pub fn remember(trace: &Path) -> io::Result<()> {
    remember_in(Path::new(STATE), &std::path::absolute(trace)?)
}

fn remember_in(state: &Path, trace: &Path) -> io::Result<()> {
    fs::create_dir_all(state)?;
    let file = state.join(RECORDINGS);
    let mut known = remembered(&file);
    known.retain(|path| path != trace);
    known.push(trace.to_owned());
    let first = known.len().saturating_sub(REMEMBERED);
    let lines: String = known[first..].iter().map(|path| format!("{}\n", path.display())).collect();
    let new = state.join(format!(".{RECORDINGS}"));
    fs::write(&new, lines)?;
    fs::File::open(&new)?.sync_all()?;
    fs::rename(&new, &file)?;
    fs::File::open(state)?.sync_all()
}

fn remembered(file: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter(|line| line.starts_with('/')).map(PathBuf::from).collect()
}

/// The traces that were not closed, explained, and reports of which the trace is lost.
pub(super) fn gather(search: &Search, sources: &mut Vec<Source>) -> Left {
    let mut left = Left::default();
    let (candidates, looked_in) = candidates(search);
    let mut closed = 0;
    for file in candidates {
        match explain(&file) {
            Ok(Explained { closed: true, .. }) => {
                closed += 1;
                continue;
            }
            Ok(explained) => add_trace(&mut left, sources, &file, explained),
            Err(why) => sources.push(source(&file, false, why)),
        }
        add_report(&mut left, sources, &report_beside(&file));
    }
    if left.traces.is_empty() {
        let note = match closed {
            0 => "no trace".to_owned(),
            closed => format!("{closed} traces, all closed as they should; 'pm-trace report' explains them"),
        };
        sources.push(Source { kind: "trace", place: looked_in, holds_evidence: false, note });
    }
    left
}

fn source(file: &Path, holds_evidence: bool, note: String) -> Source {
    Source { kind: "trace", place: file.display().to_string(), holds_evidence, note }
}

/// A trace that was not closed.
fn add_trace(left: &mut Left, sources: &mut Vec<Source>, file: &Path, explained: Explained) {
    let Explained { report, this_boot, .. } = explained;
    if report.cycles.is_empty() {
        return sources.push(source(file, false, "was not closed, and holds no suspend".to_owned()));
    }
    if left.traces.len() >= EXPLAINED {
        let note = "was not closed either; 'pm-trace report' explains it".to_owned();
        return sources.push(source(file, false, note));
    }
    let when = if this_boot { "in this boot: its recorder runs or was killed" } else { "before a reset" };
    sources.push(source(file, true, format!("was not closed, {when}")));
    left.traces.push(LeftTrace { place: file.display().to_string(), report });
}

/// The report that live mode wrote while the machine was stuck, if there is one. It is repeated only if its trace tells
/// of no fault: it may have reached the disk where the trace did not.
fn add_report(left: &mut Left, sources: &mut Vec<Source>, file: &Path) {
    let Ok(text) = read_report(file) else { return };
    let place = file.display().to_string();
    let told = left.traces.last().is_some_and(|left| {
        report_beside(Path::new(&left.place)) == file
            && left.report.findings.iter().any(|finding| finding.kind.is_fault())
    });
    let note =
        if told { "written while it was stuck, as in the trace" } else { "written while it was stuck" };
    sources.push(Source {
        kind: "report",
        place: place.clone(),
        holds_evidence: true,
        note: note.to_owned(),
    });
    if !told {
        left.reports.push(LeftReport { place, text });
    }
}

fn read_report(file: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(file)?.take(MAX_REPORT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Files that may be traces, the newest first, and where they were looked for.
fn candidates(search: &Search) -> (Vec<PathBuf>, String) {
    let state = search.place(STATE);
    let (mut files, looked_in) = if search.paths.is_empty() {
        let mut files: Vec<PathBuf> = remembered(&state.join(RECORDINGS))
            .iter()
            .map(|path| search.place(&path.to_string_lossy()))
            .filter(|path| path.exists())
            .collect();
        files.extend(traces_in(&state));
        (files, format!("{STATE} and where it was recorded last"))
    } else {
        let files = search
            .paths
            .iter()
            .flat_map(|path| if path.is_dir() { traces_in(path) } else { vec![path.clone()] });
        let names: Vec<String> = search.paths.iter().map(|path| path.display().to_string()).collect();
        (files.collect(), names.join(", "))
    };
    files.sort();
    files.dedup();
    let changed = |file: &PathBuf| {
        fs::metadata(file).and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
    };
    files.sort_by_cached_key(|file| std::cmp::Reverse(changed(file)));
    files.truncate(LOOKED_AT);
    (files, looked_in)
}

fn traces_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let files = entries.map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "pmtrace")).collect()
}

struct Explained {
    closed: bool,
    this_boot: bool,
    report: Report,
}

fn explain(file: &Path) -> Result<Explained, String> {
    let explained = diagnose::Explained::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    let ends = |problem: &Problem| matches!(problem, Problem::NotClosed | Problem::Truncated);
    Ok(Explained {
        closed: !explained.notes.iter().any(|note| ends(&note.problem)),
        this_boot: explained.session.as_ref().is_some_and(is_of_this_boot),
        report: Report::of(&explained),
    })
}

/// Whether a recording was started since the machine was.
fn is_of_this_boot(session: &Session) -> bool {
    let booted = |clocks: &crate::event::Clocks| clocks.realtime.saturating_sub(clocks.boottime);
    booted(&session.clocks).abs_diff(booted(&clock::now())) < SAME_BOOT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_recordings_are_remembered_once_each() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..30 {
            remember_in(dir.path(), Path::new(&format!("/traces/{number}"))).unwrap();
        }
        remember_in(dir.path(), Path::new("/traces/25")).unwrap();
        let known = remembered(&dir.path().join(RECORDINGS));
        assert_eq!(known.len(), REMEMBERED);
        assert_eq!(known.last(), Some(&PathBuf::from("/traces/25")));
        assert_eq!(known.iter().filter(|path| path.ends_with("25")).count(), 1);
    }
}
