//! Commands that record: what they refuse.

mod common;

use common::{pm_trace, stderr};
use std::process::{Command, Stdio};

/// Runs the program as a user without rights; `None` if the tests have none either way to become one.
fn as_nobody(args: &[&str]) -> Option<(Option<i32>, String)> {
    let binary = assert_cmd::cargo::cargo_bin("pm-trace");
    let mut command = if nix::unistd::geteuid().is_root() {
        // The build directory may be closed to other users: hand the program over in a readable place.
        let dir = tempfile::tempdir().ok()?;
        let copy = dir.path().join("pm-trace");
        std::fs::copy(&binary, &copy).ok()?;
        open_to_all(dir.path());
        open_to_all(&copy);
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"])
            .arg(&copy)
            .args(args)
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .ok()?;
        return Some((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()));
    } else {
        Command::new(binary)
    };
    let output = command.args(args).output().ok()?;
    Some((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

fn open_to_all(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("mode is set");
}

#[test]
fn without_root_recording_is_refused_with_a_remedy() {
    for args in [&["suspend", "--live"][..], &["record", "--", "true"], &["probes"]] {
        let Some((code, told)) = as_nobody(args) else {
            eprintln!("skipped: no way to run as another user here (setpriv is missing)");
            return;
        };
        assert_eq!(code, Some(1), "{told}");
        assert!(
            told.contains("needs root") && told.contains(&format!("sudo pm-trace {}", args[0])),
            "{told}"
        );
    }
}

#[test]
fn an_output_that_exists_is_kept() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let (_dir, path) = common::trace_in_dir();
    let before = std::fs::read(&path).unwrap();
    let assert = pm_trace().args(["record", "--timeout", "1", "-o"]).arg(&path).assert();
    assert!(!assert.get_output().status.success(), "{}", stderr(&assert));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn the_doctor_says_whether_this_machine_can_be_traced() {
    let text = pm_trace().arg("doctor").assert();
    let code = text.get_output().status.code();
    assert!(matches!(code, Some(0 | 4)), "{}", stderr(&text));
    let shown = common::stdout(&text);
    assert!(shown.lines().count() > 10, "{shown}");
    let json = pm_trace().args(["doctor", "--json"]).assert();
    assert_eq!(json.get_output().status.code(), code);
    let report: serde_json::Value = serde_json::from_str(&common::stdout(&json)).unwrap();
    assert_eq!(report["traceable"], code == Some(0));
}
