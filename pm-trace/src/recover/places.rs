//! Where logs survive.

use super::Source;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Most bytes read of one file.
const MAX_FILE: u64 = 8 << 20;
/// Most files looked at in one place.
const MAX_FILES: usize = 1000;
/// How deep folders of an archive are.
const DEPTH: usize = 3;
/// Most bytes kept of the journal: only lines of pm-trace's are.
const MAX_JOURNAL: usize = 4 << 20;

/// Where to look.
#[derive(Clone, Debug)]
pub struct Search {
    /// Stands for `/`: another one for a disk of another machine.
    pub root: PathBuf,
    /// Traces, or folders with traces, to look at instead of the usual ones.
    pub paths: Vec<PathBuf>,
    /// Whether to ask for the previous boot's journal.
    pub journal: bool,
}

impl Search {
    /// The place of an absolute path.
    pub(super) fn place(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

/// A text that may hold lines of pm-trace's.
pub(super) struct Text {
    pub(super) kind: &'static str,
    pub(super) place: String,
    pub(super) content: String,
    /// What to say if it holds none.
    pub(super) note: String,
}

/// The texts that are there; places without any are told as sources.
pub(super) fn texts(search: &Search, sources: &mut Vec<Source>) -> Vec<Text> {
    let mut texts = Vec::new();
    for (kind, path, missing) in [
        (
            "pstore",
            "/sys/fs/pstore",
            "holds nothing: no backend (ramoops, efi_pstore) was armed, or nothing crashed, or systemd-pstore moved it",
        ),
        ("pstore archive", "/var/lib/systemd/pstore", "holds nothing"),
    ] {
        let found = logs(kind, &search.place(path));
        if found.is_empty() {
            sources.push(nothing(kind, path, missing));
        }
        texts.extend(found);
    }
    let found = instances(search);
    if found.is_empty() {
        let missing = "no trace instance; one in reserved memory survives a reset ('pm-trace arm' says how)";
        sources.push(nothing("trace instance", "/sys/kernel/tracing/instances", missing));
    }
    texts.extend(found);
    if search.journal {
        match journal() {
            Ok(content) => texts.push(Text {
                kind: "journal",
                place: "journalctl -k -b -1".to_owned(),
                content,
                note: "the previous boot's kernel log has no line of pm-trace's".to_owned(),
            }),
            Err(why) => sources.push(nothing("journal", "journalctl -k -b -1", &why)),
        }
    }
    texts
}

fn nothing(kind: &'static str, place: &str, note: &str) -> Source {
    Source { kind, place: place.to_owned(), holds_evidence: false, note: note.to_owned() }
}

/// The parts of a log with their files, the oldest first: it has the highest number.
type Parts = BTreeMap<Reverse<u32>, (PathBuf, String)>;

/// The records below a folder of pstore's; parts of one log become one text.
fn logs(kind: &'static str, folder: &Path) -> Vec<Text> {
    let mut files = Vec::new();
    walk(folder, DEPTH, &mut files);
    // By folder and heading, the parts in their order: the highest number is the oldest.
    let mut split: BTreeMap<(PathBuf, String), Parts> = BTreeMap::new();
    let mut texts = Vec::new();
    for file in files {
        let Ok(content) = read(&file) else { continue };
        match part(&content) {
            Some((crash, number)) => {
                let folder = file.parent().unwrap_or(folder).to_owned();
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let backend = name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
                let content = content.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
                let parts = split.entry((folder, format!("{backend}{crash}"))).or_default();
                // Two crashes with the same heading are told apart by files that are there already.
                match parts.entry(Reverse(number)) {
                    Entry::Vacant(free) => {
                        free.insert((file, content));
                    }
                    Entry::Occupied(_) => texts.push(text(kind, &file, content)),
                }
            }
            None => texts.push(text(kind, &file, content)),
        }
    }
    for parts in split.into_values() {
        let Some(newest) = parts.values().next_back().map(|(file, _)| file.clone()) else { continue };
        let content: String = parts.into_values().map(|(_, content)| content).collect();
        texts.push(text(kind, &newest, content));
    }
    texts
}

fn text(kind: &'static str, file: &Path, content: String) -> Text {
    let note = if file.to_string_lossy().contains(".enc.") {
        "still compressed: the kernel could not unpack it".to_owned()
    } else {
        "has no verdict of pm-trace's".to_owned()
    };
    Text { kind, place: file.display().to_string(), content, note }
}

/// `Panic#1 Part2` (fs/pstore/platform.c): the crash, and the number of the part.
fn part(content: &str) -> Option<(String, u32)> {
    let (crash, number) = content.lines().next()?.trim_end().split_once(" Part")?;
    Some((crash.to_owned(), number.parse().ok()?))
}

/// The regular files below a folder, in the order of their names.
fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        match entry.file_type() {
            Ok(kind) if kind.is_file() && files.len() < MAX_FILES => files.push(entry.path()),
            Ok(kind) if kind.is_dir() && depth > 1 => walk(&entry.path(), depth - 1, files),
            _ => {}
        }
    }
}

/// The beginning of a file, as text.
fn read(file: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The kernel's trace instances. One whose buffer lies in reserved memory shows what the last boot left in it.
fn instances(search: &Search) -> Vec<Text> {
    let folder = search.place("/sys/kernel/tracing/instances");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).take(MAX_FILES) {
        let file = entry.path().join("trace");
        if let Ok(content) = read(&file) {
            let note = "holds no line of the watchdog's".to_owned();
            found.push(Text { kind: "trace instance", place: file.display().to_string(), content, note });
        }
    }
    found
}

/// The lines of pm-trace's in the previous boot's kernel log.
fn journal() -> Result<String, String> {
    let mut child = Command::new("journalctl")
        .args(["-k", "-b", "-1", "--no-pager", "-o", "short-monotonic"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot be read: journalctl: {error}"))?;
    let mut kept = String::new();
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out.take(1 << 30)).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if line.contains("pm-trace") && kept.len() < MAX_JOURNAL {
                kept.push_str(&line);
                kept.push('\n');
            }
        }
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(kept);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or("it gives no reason").trim().to_owned();
    Err(format!("cannot be read: {first} (journald keeps former boots only with Storage=persistent)"))
}
