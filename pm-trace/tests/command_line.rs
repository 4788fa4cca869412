//! Help, usage, completions, manual pages.

mod common;

use common::{pm_trace, stderr, stdout};

#[test]
fn help_of_every_command() {
    let commands = ["suspend", "record", "report", "probes", "doctor", "schema", "completions", "man"];
    insta::assert_snapshot!("help", stdout(&pm_trace().arg("--help").assert().code(0)));
    insta::assert_snapshot!("help_short", stdout(&pm_trace().arg("-h").assert().code(0)));
    for command in commands {
        let shown = stdout(&pm_trace().args([command, "--help"]).assert().code(0));
        insta::assert_snapshot!(format!("help_{command}"), shown);
    }
}

#[test]
fn version() {
    let shown = stdout(&pm_trace().arg("--version").assert().code(0));
    assert_eq!(shown, concat!("pm-trace ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn alone_it_says_what_to_do() {
    let told = stderr(&pm_trace().assert().code(2));
    assert!(told.contains("needs root and a terminal"), "{told}");
    assert!(told.contains("Commands:"), "{told}");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let wrong: &[&[&str]] = &[
        &["frobnicate"],
        &["report"],
        &["report", "x", "--format", "xml"],
        &["suspend", "--state", "sleep"],
        &["suspend", "--pm-test", "none"],
        &["suspend", "--wake", "0"],
        &["suspend", "--cycles", "0"],
        &["suspend", "--buffer", "3"],
        &["record", "rtcwake"],
        &["completions", "csh"],
    ];
    for args in wrong {
        let assert = pm_trace().args(*args).assert().code(2);
        assert!(stderr(&assert).starts_with("error: "), "{args:?}");
    }
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout(&pm_trace().args(["completions", shell]).assert().code(0));
        assert!(script.contains("suspend") && script.contains("pm-test"), "{shell}");
    }
}

#[test]
fn manual_pages() {
    let page = stdout(&pm_trace().arg("man").assert().code(0));
    assert!(page.contains(".TH pm-trace 1"), "{page}");
    assert!(page.contains("Exit codes"), "{page}");
    let dir = tempfile::tempdir().unwrap();
    pm_trace().arg("man").arg(dir.path().join("man1")).assert().code(0);
    for name in ["pm-trace.1", "pm-trace-suspend.1", "pm-trace-report.1"] {
        let file = dir.path().join("man1").join(name);
        assert!(file.metadata().unwrap().len() > 300, "{name}");
    }
    let refused = stderr(&pm_trace().args(["man", "/proc/no"]).assert().code(1));
    assert!(refused.contains("name a directory you can write to"), "{refused}");
}

#[test]
fn the_schema_is_json() {
    let shown = stdout(&pm_trace().arg("schema").assert().code(0));
    let schema: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert!(schema["properties"]["findings"].is_object());
}
