//! Known issues as data: `pm-trace/rules/*.toml`, built into the program, and more from a folder.
//!
//! `pm-trace/rules/README.md` describes the files. A rule is a condition over a finding and the kernel's version.

use super::finding::{Finding, Kind, KnownIssue, Link, Relation};
use super::pattern::fits;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A known issue of the kernel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Short name.
    pub id: String,
    /// What it is, in one line.
    pub title: String,
    /// Where it is discussed.
    pub url: String,
    /// Why it happens and what helps, in sentences.
    pub explanation: String,
    /// Releases it is looked for in; all, if left out. Distributions carry fixes over, so this is a hint.
    #[serde(default)]
    pub kernels: Versions,
    /// Upstream commits that mend it, oldest first.
    #[serde(default)]
    pub fixed_by: Vec<Fix>,
    /// What a finding must look like.
    #[serde(rename = "match")]
    pub condition: Condition,
}

/// A range of releases.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// First one, like `5.19`.
    pub from: Option<String>,
    /// First one that is not part of it.
    pub before: Option<String>,
}

/// A commit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fix {
    /// Its id, at least 12 digits.
    pub commit: String,
    /// Its first line.
    pub title: String,
}

/// What a finding must look like. Texts may have `*` for anything and `{device}` for the first device's name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// One of these kinds; any, if empty.
    #[serde(default)]
    pub kind: Vec<String>,
    /// Driver of the first device.
    pub driver: Option<String>,
    /// Bus of the first device.
    pub bus: Option<String>,
    /// The finding's title.
    pub title: Option<String>,
    /// What happens, in sentences.
    pub explanation: Option<String>,
    /// Each of these must be a link of the chain.
    #[serde(default)]
    pub link: Vec<LinkCondition>,
    /// Functions of which one must stand in a stack of the chain.
    #[serde(default)]
    pub functions: Vec<String>,
}

/// What a link of the chain must look like.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkCondition {
    /// Its relation, as in the JSON report: `waits_for`, `held_by`, ...
    pub relation: Option<String>,
    /// Label of who waits.
    pub waiter: Option<String>,
    /// Label of what is waited for.
    pub object: Option<String>,
    /// One of its notes.
    pub note: Option<String>,
    /// Functions of which one must stand in its stack.
    #[serde(default)]
    pub functions: Vec<String>,
}

/// Why rules could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// The folder or a file in it.
    #[error("cannot read rules from '{}': {source}; known issues of that folder are not recognised", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is no rule.
    #[error("'{name}' is no rule: {message}. The rules' README says what they look like")]
    Parse {
        /// File or built-in name.
        name: String,
        /// What is wrong, and where.
        message: String,
    },
}

macro_rules! built_in {
    ($( $name:literal ),+ $(,)?) => {
        /// The rules that the program brings: name and text.
        pub(crate) const BUILT_IN: &[(&str, &str)] =
            &[$( ($name, include_str!(concat!("../../rules/", $name, ".toml"))) ),+];
    };
}

built_in! {
    "ata-rescan-217530",
    "ata-start-stop-on-resume",
    "drm-output-poll",
    "igb-rtnl-runtime-resume",
    "nvme-reset-timeouts",
    "pm-async-schedule-inline",
    "pm-put-device-under-list-lock",
    "rt5682-jack-detection",
    "smsc95xx-runtime-resume",
}

/// Known issues to compare findings with.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Those of folders. They come before those that the program brings.
    added: Vec<Rule>,
}

/// The rules that the program brings, read when a finding is first compared with them: most traces have none.
fn built_in() -> &'static [Rule] {
    static RULES: LazyLock<Vec<Rule>> =
        LazyLock::new(|| BUILT_IN.iter().filter_map(|(name, text)| Rule::parse(name, text).ok()).collect());
    &RULES
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// It is no TOML, or not what a rule looks like.
    pub fn parse(name: &str, text: &str) -> Result<Self, RuleError> {
        toml::from_str(text).map_err(|error| RuleError::Parse {
            name: crate::text::line(name).into_owned(),
            message: crate::text::line(&error.to_string()).into_owned(),
        })
    }

    /// Whether the finding looks like it on a kernel of this release; an unknown release fits every range.
    fn matches(&self, finding: &Finding, release: &str) -> bool {
        self.kernels.contain(release) && self.condition.holds(finding)
    }

    fn issue(&self) -> KnownIssue {
        KnownIssue {
            id: self.id.clone(),
            title: self.title.clone(),
            url: self.url.clone(),
            fixed_by: self.fixed_by.iter().map(|fix| format!("{} (\"{}\")", fix.commit, fix.title)).collect(),
            explanation: self.explanation.trim().to_owned(),
        }
    }
}

impl Versions {
    fn contain(&self, release: &str) -> bool {
        let number = |text: &str| -> Option<(u32, u32)> {
            let mut parts = text.split(|c: char| !c.is_ascii_digit());
            Some((
                parts.next()?.parse().ok()?,
                parts.next().and_then(|minor| minor.parse().ok()).unwrap_or(0),
            ))
        };
        let Some(release) = number(release) else { return true };
        let from = self.from.as_deref().and_then(number);
        let before = self.before.as_deref().and_then(number);
        from.is_none_or(|from| release >= from) && before.is_none_or(|before| release < before)
    }
}

impl Condition {
    fn holds(&self, finding: &Finding) -> bool {
        let device = finding.devices.first();
        let name = device.map(|device| device.name.as_str()).unwrap_or_default();
        let fit = |pattern: &Option<String>, text: &str| {
            pattern.as_ref().is_none_or(|pattern| fits(&pattern.replace("{device}", name), text))
        };
        (self.kind.is_empty() || self.kind.iter().any(|kind| *kind == word(finding.kind)))
            && fit(&self.driver, device.map(|device| device.driver.as_str()).unwrap_or_default())
            && fit(&self.bus, device.map(|device| device.bus.as_str()).unwrap_or_default())
            && fit(&self.title, &finding.title)
            && fit(&self.explanation, &finding.explanation)
            && self.link.iter().all(|link| finding.chain.iter().any(|of| link.holds(of, name)))
            && (self.functions.is_empty() || finding.chain.iter().any(|link| shows(link, &self.functions)))
    }
}

impl LinkCondition {
    fn holds(&self, link: &Link, device: &str) -> bool {
        let fit = |pattern: &Option<String>, text: &str| {
            pattern.as_ref().is_none_or(|pattern| fits(&pattern.replace("{device}", device), text))
        };
        self.relation.as_deref().is_none_or(|relation| relation == relation_word(link.relation))
            && fit(&self.waiter, &link.waiter.label)
            && fit(&self.object, &link.object.label)
            && (self.note.is_none() || link.notes.iter().any(|note| fit(&self.note, note)))
            && (self.functions.is_empty() || shows(link, &self.functions))
    }
}

/// Whether one of the functions stands in the link's stack.
fn shows(link: &Link, functions: &[String]) -> bool {
    let names = link.stack.iter().map(|frame| {
        let name = frame.split('+').next().unwrap_or_default();
        crate::model::base_name(name)
    });
    names.into_iter().any(|name| functions.iter().any(|function| fits(function, name)))
}

/// The JSON word of an enum without fields.
fn word(kind: Kind) -> String {
    serde_json::to_string(&kind).unwrap_or_default().trim_matches('"').to_owned()
}

fn relation_word(relation: Relation) -> String {
    serde_json::to_string(&relation).unwrap_or_default().trim_matches('"').to_owned()
}

impl Rules {
    /// Adds the rules of a folder: every file `*.toml` in it. They come before those that the program brings.
    ///
    /// # Errors
    /// The folder or a file cannot be read, or a file is no rule.
    pub fn add_folder(&mut self, folder: &Path) -> Result<(), RuleError> {
        let failed = |source| RuleError::Read { path: folder.to_owned(), source };
        let entries = std::fs::read_dir(folder).map_err(failed)?;
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
        files.sort();
        let mut added = Vec::new();
        for file in files {
            let text = std::fs::read_to_string(&file)
                .map_err(|source| RuleError::Read { path: file.clone(), source })?;
            added.push(Rule::parse(&file.to_string_lossy(), &text)?);
        }
        added.append(&mut self.added);
        self.added = added;
        Ok(())
    }

    /// Names the known issue that each finding looks like: the first rule that fits.
    pub fn recognise(&self, findings: &mut [Finding], release: &str) {
        for finding in findings {
            let rule = self.iter().find(|rule| rule.matches(finding, release));
            finding.known_issue = rule.map(Rule::issue);
        }
    }

    /// The known issue of this name.
    pub(crate) fn named(&self, id: &str) -> Option<KnownIssue> {
        self.iter().find(|rule| rule.id == id).map(Rule::issue)
    }

    /// The known issue whose name a text begins with.
    pub(crate) fn begun_by(&self, text: &str) -> Option<KnownIssue> {
        self.iter().find(|rule| text.starts_with(&rule.id)).map(Rule::issue)
    }

    /// Every rule.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.added.iter().chain(built_in())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_built_in_and_a_rule() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
        let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<String> = files
            .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
            .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();
        let mut built_in: Vec<String> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
        built_in.sort();
        assert_eq!(names, built_in);
        for (name, text) in BUILT_IN {
            let rule = Rule::parse(name, text).unwrap();
            assert!(rule.url.starts_with("https://"), "{name}");
            let whole =
                |fix: &Fix| fix.commit.len() >= 12 && fix.commit.chars().all(|c| c.is_ascii_hexdigit());
            assert!(!rule.fixed_by.is_empty() && rule.fixed_by.iter().all(whole), "{name}");
        }
    }

    /// A rule is worth what its scenarios show: one that it must match, and one that it must not.
    #[test]
    fn every_rule_has_scenarios() {
        let files = crate::diagnose::script::files();
        for rule in Rules::default().iter() {
            let matched = files.iter().any(|(_, text)| text.contains(&format!("\nknown: {}", rule.id)));
            let refused = files.iter().any(|(_, text)| text.contains(&format!("\nnot known: {}", rule.id)));
            assert!(matched && refused, "{}: matched {matched}, refused {refused}", rule.id);
        }
    }

    #[test]
    fn versions_are_numbers() {
        let range = Versions { from: Some("5.19".to_owned()), before: Some("6.6".to_owned()) };
        for (release, inside) in
            [("6.1.0-56-amd64", true), ("5.4", false), ("6.12.1", false), ("6.6-rc1", false), ("", true)]
        {
            assert_eq!(range.contain(release), inside, "{release}");
        }
    }

    #[test]
    fn a_folder_with_something_else_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bad.toml"), "id = 3").unwrap();
        let error = Rules::default().add_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("bad.toml' is no rule"), "{error}");
        let error = Rules::default().add_folder(Path::new("/no/such")).unwrap_err().to_string();
        assert!(error.contains("cannot read rules from '/no/such'"), "{error}");
    }
}
