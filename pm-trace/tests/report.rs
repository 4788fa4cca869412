//! `pm-trace report` on good and bad files.

mod common;

use common::{pm_trace, stderr, stdout, trace_in_dir};
use std::fs;
use std::path::Path;

fn refused(path: &Path) -> String {
    let assert = pm_trace().arg("report").arg(path).assert().code(1);
    assert_eq!(stdout(&assert), "");
    let told = stderr(&assert);
    assert!(told.starts_with("error: ") && told.ends_with('\n'), "{told}");
    told
}

#[test]
fn a_healthy_trace_is_exit_code_0() {
    let (_dir, path) = trace_in_dir();
    let text = pm_trace().arg("report").arg(&path).assert().code(0);
    assert_ne!(stdout(&text), "");
    assert_eq!(stderr(&text), "");
    let json = pm_trace().arg("report").arg(&path).args(["--format", "json"]).assert().code(0);
    let report: serde_json::Value = serde_json::from_str(&stdout(&json)).unwrap();
    assert_eq!(report["findings"], serde_json::json!([]));
    assert_eq!(report["loss"]["events"], 6);
    assert_eq!(report["loss"]["notes"], serde_json::json!([]));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let (_dir, path) = trace_in_dir();
    let binary = assert_cmd::cargo::cargo_bin("pm-trace");
    let script =
        format!("'{}' report '{}' | true; exit ${{PIPESTATUS[0]}}", binary.display(), path.display());
    let output = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(output.stderr, b"");
    assert!(matches!(output.status.code(), Some(0)), "{:?}", output.status);
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let (_dir, path) = trace_in_dir();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = std::process::Command::new(assert_cmd::cargo::cargo_bin("pm-trace"))
        .arg("report")
        .arg(&path)
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write the result"));
}

#[test]
fn what_is_no_trace_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    assert!(refused(&file("empty", b"")).contains("is empty (0 bytes)"));
    let foreign = refused(&file("foreign", b"\x7fELF\x02\x01\x01\0 and so on, for a while"));
    assert!(foreign.contains("is not a pm-trace trace: it begins with the bytes 7f 45 4c 46"), "{foreign}");
    assert!(refused(dir.path()).contains("is a directory"));
    assert!(refused(&dir.path().join("none")).contains("Check the name"));
    assert!(refused(Path::new("/dev/zero")).contains("is not a pm-trace trace"));
}

#[test]
fn a_newer_format_is_refused() {
    let (_dir, path) = trace_in_dir();
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 9;
    let crc = crc32fast::hash(&bytes[..12]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    assert!(refused(&path).contains("Use a newer pm-trace"));
}

#[test]
fn a_truncated_trace_is_read_as_far_as_it_goes() {
    let (_dir, path) = trace_in_dir();
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        // Every length in the library's tests; here the ways it is told.
        if length % 37 != 0 {
            continue;
        }
        let assert = pm_trace().arg("report").arg(&path).assert();
        match assert.get_output().status.code() {
            Some(1) => assert!(length < 200, "{length}: {}", stderr(&assert)),
            Some(0 | 3) => assert!(stdout(&assert).contains("not closed"), "{length}: {}", stdout(&assert)),
            other => panic!("{length}: exit code {other:?}: {}", stderr(&assert)),
        }
    }
}

#[test]
fn a_flipped_bit_is_told_and_the_rest_is_read() {
    let (_dir, path) = trace_in_dir();
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(41) {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        fs::write(&path, bytes).unwrap();
        let assert = pm_trace().arg("report").arg(&path).args(["--format", "json"]).assert();
        let report: serde_json::Value = serde_json::from_str(&stdout(&assert)).unwrap();
        assert_ne!(report["loss"]["notes"], serde_json::json!([]), "byte {at}");
        assert!(report["loss"]["events"].as_u64().unwrap() >= 5, "byte {at}");
    }
}

#[test]
fn escape_sequences_in_a_trace_do_not_reach_the_terminal() {
    use pm_trace::event::{Body, DeviceInfo, Event, ObjId, Power, TaskRef};
    use pm_trace::trace::{Overwrite, Session, Totals, Writer};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("\x1b[31mevil.pmtrace");
    let evil = "\x1b]0;owned\x07\u{9b}2J\u{202e}";
    let session =
        Session { tool: evil.into(), product: evil.into(), cmdline: evil.into(), ..Session::default() };
    let mut writer = Writer::create(&path, &session, Overwrite::Refuse).unwrap();
    let info = DeviceInfo {
        dev: ObjId(1),
        parent: None,
        name: evil.into(),
        bus: evil.into(),
        class: evil.into(),
        driver: evil.into(),
        power: Power(0),
        lock: None,
        completion: None,
        links_left: 0,
    };
    let event = Event { time: 1, cpu: 0, task: TaskRef::default(), body: Body::Device(info) };
    writer.append(&event).unwrap();
    writer.append(&Event { body: Body::Lost { records: 1, hook: evil.into() }, ..event }).unwrap();
    writer.finish(Totals::default()).unwrap();
    for format in ["text", "json"] {
        let assert = pm_trace().arg("report").arg(&path).args(["--format", format]).assert();
        let shown = stdout(&assert) + &stderr(&assert);
        let unsafe_char = shown.chars().find(|&c| c != '\n' && pm_trace::text::is_unsafe(c));
        assert_eq!(unsafe_char, None, "{format}");
    }
    let missing = dir.path().join("\x1b[31mnone");
    assert!(!refused(&missing).contains('\x1b'));
}
