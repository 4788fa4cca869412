//! `pm-trace record --daemon`

use super::recording::{self, Plan};
use super::{Context, Outcome, default_output, say};
use crate::capture::record::{self, Until};
use crate::capture::recorder::{Integrity, Recorder};
use crate::cli::{OutputArgs, RecordArgs};
use crate::diagnose::{Finding, Severity};
use crate::kernel::clock;
use crate::recover::STATE;
use crate::trace::Mode;
use crate::trace::keep::{Keep, keep_last};
use crate::{report, text};
use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// Bytes of a MiB.
const MIB: u64 = 1 << 20;

/// Records every suspend to a trace of its own until it is told to end, and keeps the last ones.
///
/// # Errors
/// Nothing can be traced, or the folder for the traces cannot be used.
pub(super) fn run(args: &RecordArgs, context: &Context) -> anyhow::Result<Outcome> {
    let folder = args.directory.clone().unwrap_or_else(|| PathBuf::from(STATE));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create the folder {} for the traces", text::path(&folder)))?;
    let keep = Keep { count: args.keep, bytes: u64::from(args.keep_size) * MIB };
    let first = OutputArgs { output: Some(next(&folder)), ..args.output.clone() };
    let (stall_after, watchdog) =
        (recording::stall_after(&args.watchdog), recording::watchdog(&args.watchdog));
    let plan = Plan { output: &first, mode: Mode::Watch, state: None, stall_after, watchdog };
    let (mut recorder, _) = recording::start(&plan, context)?;
    tidy(&folder, keep, recorder.path());
    // systemd, if it is that which started us, starts what wants us to be ready.
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        log::warn!("cannot tell systemd that everything is armed: {error}");
    }
    say("pm-trace: every suspend is recorded from now on\n");
    let until = Until { cycles: None, timeout: None };
    let ended = record::run(
        &mut recorder,
        until,
        || Ok(None),
        |recorder, integrity| {
            told(recorder, integrity);
            rotate(recorder, &folder, keep);
        },
    );
    recorder.discard_if_empty();
    ended?;
    say("pm-trace: ended; suspends are recorded no longer\n");
    Ok(Outcome::Fine)
}

/// A trace that is not there yet, named after the time.
fn next(folder: &Path) -> PathBuf {
    let path = folder.join(default_output(clock::now()));
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let others = (2..).map(|number| folder.join(format!("{stem}-{number}.pmtrace")));
    std::iter::once(path).chain(others).find(|path| !path.exists()).unwrap_or_default()
}

/// One line for the journal, and one for each finding.
fn told(recorder: &Recorder, integrity: &Integrity) {
    let findings = recorder.findings_at_end();
    let bad: Vec<&Finding> = findings.iter().filter(|finding| finding.severity > Severity::Info).collect();
    let arrived = recording::arrived(integrity);
    let verdict = if bad.is_empty() { "nothing wrong found" } else { "something is wrong" };
    say(&format!(
        "pm-trace: a suspend was recorded, {verdict}; {arrived}; {}\n",
        text::path(recorder.path())
    ));
    for finding in bad {
        say(&format!("pm-trace: {}\n", text::line(&report::headline(finding))));
    }
}

/// Closes the trace and begins the next one. A trace that cannot be begun leaves the old one open: nothing is lost.
fn rotate(recorder: &mut Recorder, folder: &Path, keep: Keep) {
    recording::tell_trouble(recorder);
    if let Err(error) = recorder.next_trace(&next(folder)) {
        say(&format!("pm-trace: {error}\n"));
    }
    tidy(folder, keep, recorder.path());
}

fn tidy(folder: &Path, keep: Keep, current: &Path) {
    match keep_last(folder, keep, current) {
        Ok(removed) => {
            for path in removed {
                say(&format!("pm-trace: removed the old trace {}\n", text::path(&path)));
            }
        }
        Err(error) => {
            say(&format!("pm-trace: cannot remove old traces in {}: {error}\n", text::path(folder)));
        }
    }
}
