//! What the integration tests share.
#![allow(dead_code, reason = "each test program uses a part")]

use assert_cmd::Command;
use pm_trace::event::{Body, Comm, Event, TaskRef};
use pm_trace::trace::{Overwrite, Session, Totals, Writer};
use std::path::{Path, PathBuf};

/// The program.
pub fn pm_trace() -> Command {
    let mut command = Command::cargo_bin("pm-trace").expect("cargo builds the program for its tests");
    // Help is wrapped to the terminal otherwise.
    command.env("COLUMNS", "100").env_remove("RUST_LOG");
    command
}

/// A small healthy trace: one resume of nothing.
pub fn write_trace(path: &Path) {
    let session = Session { tool: "0.1.0".into(), state: Some("mem".into()), ..Session::default() };
    let mut writer = Writer::create(path, &session, Overwrite::Refuse).expect("a new trace");
    for (time, action, start) in [
        (1_000_000, "suspend_enter", true),
        (2_000_000, "dpm_suspend", true),
        (3_000_000, "dpm_suspend", false),
        (4_000_000, "dpm_resume", true),
        (5_000_000, "dpm_resume", false),
        (6_000_000, "suspend_enter", false),
    ] {
        let task = TaskRef { tid: 42, comm: Comm::new("rtcwake") };
        let body = Body::Phase { action: action.to_owned(), value: 3, start };
        writer.append(&Event { time, cpu: 0, task, body }).expect("an event is written");
        writer.flush_block().expect("a block is written");
    }
    writer.finish(Totals::default()).expect("the trace is closed");
}

/// A directory with a trace in it.
pub fn trace_in_dir() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("a.pmtrace");
    write_trace(&path);
    (dir, path)
}

/// What the program said on standard error.
pub fn stderr(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).expect("text")
}

/// What it showed on standard output.
pub fn stdout(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).expect("text")
}
