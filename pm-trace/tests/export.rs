//! `pm-trace export`: where results go, and what is refused.

mod common;

use common::{pm_trace, stderr, stdout, trace_in_dir};
use std::fs;
use std::path::Path;

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("ASCII"));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn every_format_has_its_own_default_name() {
    let (dir, path) = trace_in_dir();
    for format in ["perfetto", "chrome", "jsonl", "csv", "parquet"] {
        let mut export = pm_trace();
        export.arg("export").arg(&path).args(["--format", format]).current_dir(dir.path());
        let told = stderr(&export.assert().code(0));
        assert!(told.starts_with("pm-trace: wrote "), "{told}");
        // A second time it is there.
        let told = stderr(&export.assert().code(1));
        assert!(
            told.contains("exists; name another place with -o, or replace what is there with --force"),
            "{told}"
        );
        export.arg("--force").assert().code(0);
    }
    let files = ["a.csv", "a.jsonl", "a.parquet", "a.pftrace", "a.pmtrace", "a.trace.json"];
    assert_eq!(names(dir.path()), files);
    let tables = ["cycles", "device_phases", "events", "findings", "waits"];
    assert_eq!(names(&dir.path().join("a.csv")), tables.map(|table| format!("{table}.csv")));
    assert_eq!(names(&dir.path().join("a.parquet")), tables.map(|table| format!("{table}.parquet")));
}

#[test]
fn text_goes_to_standard_output() {
    let (_dir, path) = trace_in_dir();
    let export = |format| {
        let mut export = pm_trace();
        export.arg("export").arg(&path).args(["--format", format, "-o", "-"]);
        export
    };
    let lines = stdout(&export("jsonl").assert().code(0));
    assert!(lines.starts_with("{\"type\":\"trace\"") && lines.ends_with("}\n"), "{lines}");
    serde_json::from_str::<serde_json::Value>(&stdout(&export("chrome").assert().code(0))).unwrap();
    let told = stderr(&export("csv").assert().code(1));
    assert!(told.contains("name a folder with -o"), "{told}");
}

#[test]
fn what_cannot_be_written_leaves_nothing() {
    let (dir, path) = trace_in_dir();
    let export = |out: &Path, format| {
        let mut export = pm_trace();
        export.arg("export").arg(&path).args(["--format", format, "--force", "-o"]).arg(out);
        stderr(&export.assert().code(1))
    };
    assert!(export(Path::new("/dev/null"), "jsonl").contains("is no file, and only files are replaced"));
    assert!(export(&dir.path().join("none/x"), "jsonl").contains("cannot write"));
    assert!(export(&path, "parquet").contains("cannot write"));
    assert_eq!(names(dir.path()), ["a.pmtrace"]);
    let told = stderr(&pm_trace().args(["export", "/none", "--format", "csv"]).assert().code(1));
    assert!(told.starts_with("error: "), "{told}");
    assert!(!Path::new("none.csv").exists());
}

#[test]
fn schemas_are_json() {
    for of in ["report", "jsonl", "tables"] {
        let shown = stdout(&pm_trace().args(["schema", of]).assert().code(0));
        assert!(serde_json::from_str::<serde_json::Value>(&shown).unwrap().is_object(), "{of}");
    }
}
