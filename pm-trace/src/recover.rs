//! What survived a reset: half-written traces, the kernel's persistent store, trace buffers in reserved memory, the
//! previous boot's journal. [`gather`] looks, [`Recovered`] says of each part where it came from and what is
//! missing.

mod lines;
mod places;
mod show;
mod traces;

pub use lines::findings_in;
pub use places::Search;
pub use traces::{STATE, remember};

use crate::diagnose::Finding;
use crate::report::Report;
use serde::Serialize;

/// Version of the JSON form.
pub const SCHEMA: u32 = 1;

/// A place that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// What it is: `trace`, `pstore`, `trace instance`, `journal`, ...
    pub kind: &'static str,
    /// Where it is.
    pub place: String,
    /// Whether it holds anything of pm-trace's.
    pub holds_evidence: bool,
    /// What was found, or why nothing was.
    pub note: String,
}

/// A finding that was told in a log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// What.
    pub finding: Finding,
    /// Where it was told.
    pub from: Vec<String>,
}

/// A trace that was not closed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeftTrace {
    /// The file.
    pub place: String,
    /// What it tells.
    pub report: Report,
}

/// A report that live mode wrote while the machine was stuck, and whose trace tells nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftReport {
    /// The file.
    pub place: String,
    /// What is in it.
    pub text: String,
}

/// All that survived.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recovered {
    /// Version of this form.
    pub schema: u32,
    /// Traces that end in the middle, the newest first.
    pub traces: Vec<LeftTrace>,
    /// Reports whose traces are lost, or tell less.
    pub reports: Vec<LeftReport>,
    /// Findings told in logs, those of a trace not repeated.
    pub told: Vec<Told>,
    /// Every place that was looked at.
    pub sources: Vec<Source>,
}

/// Looks everywhere.
pub fn gather(search: &Search) -> Recovered {
    let mut sources = Vec::new();
    let traces::Left { traces, reports } = traces::gather(search, &mut sources);
    let mut told: Vec<Told> = Vec::new();
    for text in places::texts(search, &mut sources) {
        let mut found = crate::watchdog::findings_in(&text.content);
        found.extend(findings_in(&text.content));
        let note = match found.len() {
            0 => text.note,
            1 => "has a verdict of pm-trace's".to_owned(),
            count => format!("has {count} verdicts of pm-trace's"),
        };
        let holds_evidence = !found.is_empty();
        sources.push(Source { kind: text.kind, place: text.place.clone(), holds_evidence, note });
        for finding in found {
            merge(&mut told, finding, &text.place);
        }
    }
    let known =
        |told: &Told| traces.iter().flat_map(|left| &left.report.findings).any(|f| same(f, &told.finding));
    for said in told.iter().filter(|told| known(told)) {
        for source in &mut sources {
            if said.from.contains(&source.place) {
                source.note = format!("{}: {}, as in a trace", source.note, said.finding.title);
            }
        }
    }
    told.retain(|told| !known(told));
    Recovered { schema: SCHEMA, traces, reports, told, sources }
}

/// Puts a finding with its like.
fn merge(told: &mut Vec<Told>, finding: Finding, place: &str) {
    match told.iter_mut().find(|told| same(&told.finding, &finding)) {
        Some(known) => {
            if !known.from.iter().any(|from| from == place) {
                known.from.push(place.to_owned());
            }
            // The fuller one stays.
            if finding.chain.len() > known.finding.chain.len() {
                known.finding = finding;
            }
        }
        None => told.push(Told { finding, from: vec![place.to_owned()] }),
    }
}

/// Whether two accounts are of the same thing: logs know no ids.
fn same(one: &Finding, other: &Finding) -> bool {
    let device = |finding: &Finding| finding.devices.first().map(|device| device.name.clone());
    one.kind == other.kind && device(one) == device(other)
}

impl Recovered {
    /// All findings, those of traces first.
    pub fn findings(&self) -> Vec<Finding> {
        let traces = self.traces.iter().flat_map(|left| left.report.findings.iter().cloned());
        traces.chain(self.told.iter().map(|told| told.finding.clone())).collect()
    }

    /// Whether a fault of the machine is told of.
    pub fn tells_fault(&self) -> bool {
        !self.reports.is_empty() || self.findings().iter().any(|finding| finding.kind.is_fault())
    }

    /// For people, in so many columns.
    pub fn text_in(&self, columns: usize) -> String {
        show::text(self, columns)
    }

    /// For programs.
    ///
    /// # Errors
    /// Never in practice; the serializer's error is passed on.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|json| json + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::keep::report_beside;
    use std::fs;

    const VERDICT: &str = "<10>[ 12.3] pm-trace: LOCKUP  resume stuck for 3.1 s: deadlock, proved (resume of 1:0:0:0 (sr, on ata2) deadlocked)\n\
        <10>[ 12.3] pm-trace: kworker/u4:1[25] (resume of 1:0:0:0 (sr, on ata2)) waits for device lock of 1:0:0:0 since +3.17 s\n\
        <10>[ 12.3] pm-trace: device lock of 1:0:0:0 held by kworker/0:1[17] in scsi_rescan_device(1:0:0:0)\n";

    fn search(root: &std::path::Path) -> Search {
        Search { root: root.to_owned(), paths: Vec::new(), journal: false }
    }

    #[test]
    fn nothing_is_said_to_be_nothing_with_what_to_arm() {
        let dir = tempfile::tempdir().unwrap();
        let recovered = gather(&search(dir.path()));
        assert_eq!(recovered.findings(), Vec::new());
        assert!(recovered.sources.iter().all(|source| !source.holds_evidence));
        let text = recovered.text_in(100);
        assert!(text.starts_with("NOTHING"), "{text}");
        assert!(text.contains("suspend --live"), "{text}");
    }

    /// The same verdict in two logs is one finding that names both, and parts of a split log are put in order.
    #[test]
    fn logs_are_read_and_one_finding_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let (pstore, archive) =
            (dir.path().join("sys/fs/pstore"), dir.path().join("var/lib/systemd/pstore/17000"));
        fs::create_dir_all(&pstore).unwrap();
        fs::create_dir_all(&archive).unwrap();
        fs::write(pstore.join("dmesg-ramoops-0"), format!("Panic#1 Part1\n{VERDICT}")).unwrap();
        let (first, second) = VERDICT.split_at(VERDICT.len() / 2);
        fs::write(archive.join("dmesg-efi-170001"), format!("Panic#1 Part1\n{second}")).unwrap();
        fs::write(archive.join("dmesg-efi-170002"), format!("Panic#1 Part2\n{first}")).unwrap();
        let recovered = gather(&search(dir.path()));
        assert_eq!(recovered.told.len(), 1, "{recovered:?}");
        assert_eq!(recovered.told[0].from.len(), 2, "{recovered:?}");
        let text = recovered.text_in(100);
        assert!(text.contains("LOCKUP") && text.contains("dmesg-ramoops-0"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }

    #[test]
    fn a_trace_that_was_not_closed_is_explained() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("var/lib/pm-trace");
        fs::create_dir_all(&state).unwrap();
        let real = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/traces/6.1-rescan-deadlock.pmtrace");
        let bytes = fs::read(real).unwrap();
        fs::write(state.join("left.pmtrace"), &bytes[..bytes.len() - 10]).unwrap();
        let recovered = gather(&search(dir.path()));
        assert_eq!(recovered.traces.len(), 1, "{:?}", recovered.sources);
        assert!(recovered.text_in(100).contains("LOCKUP"), "{}", recovered.text_in(100));
    }

    /// The report that live mode wrote may be all that reached the disk; beside a trace that tells it, it is not repeated.
    #[test]
    fn a_report_stands_for_a_trace_that_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("var/lib/pm-trace");
        fs::create_dir_all(&state).unwrap();
        let trace = state.join("left.pmtrace");
        fs::write(&trace, "").unwrap();
        fs::write(report_beside(&trace), "LOCKUP  resume stuck\n").unwrap();
        let recovered = gather(&search(dir.path()));
        assert_eq!(recovered.reports.len(), 1, "{:?}", recovered.sources);
        assert!(recovered.tells_fault());
        assert!(recovered.text_in(100).contains("LOCKUP  resume stuck"), "{}", recovered.text_in(100));

        let real = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/traces/6.1-rescan-deadlock.pmtrace");
        let bytes = fs::read(real).unwrap();
        fs::write(&trace, &bytes[..bytes.len() - 10]).unwrap();
        let recovered = gather(&search(dir.path()));
        assert_eq!(recovered.reports, [], "{:?}", recovered.sources);
        assert!(recovered.sources.iter().any(|source| source.kind == "report" && source.holds_evidence));
    }
}
