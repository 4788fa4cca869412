//! Taking out of text what identifies a machine or its owner.

use regex::{Captures, Regex, RegexSet};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

/// What a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Serial number, asset tag, or world-wide name.
    Serial,
    /// Hardware address of a network or wireless device.
    Mac,
    /// UUID, machine or boot id.
    Uuid,
    /// Name of the host.
    Host,
    /// Name of a user.
    User,
    /// Address in the kernel.
    Address,
}

impl Sort {
    /// The word that stands for it in redacted text.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::Mac => "mac",
            Self::Uuid => "uuid",
            Self::Host => "host",
            Self::User => "user",
            Self::Address => "address",
        }
    }
}

/// What was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Redacted {
    /// What it was.
    pub sort: Sort,
    /// How many different ones.
    pub different: usize,
    /// At how many places.
    pub places: usize,
}

/// Forms that give a secret away. Where there is a group, it is the secret; otherwise all of it is. Their letters are those
/// of ASCII in both cases (`i-u`): the table of all other letters would be a tenth of what is relocated at each start.
static FORMS: [(Sort, &str); 5] = [
    (Sort::Uuid, r"\b(?i-u:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b"),
    (Sort::Mac, r"\b(?i-u:(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2})\b"),
    (Sort::Serial, r"\b(?i-u:(?:naa|eui|wwn|nguid)[.-](?:0x)?([0-9a-f]{16,32}))\b"),
    (Sort::Serial, r"\b(?i-u:serial[ _-]?(?:number|no\.?)|s/n)\s*[:=]\s*([^\s,;)]+)"),
    // Above the canonical hole, that is, kernel space, with or without 0x.
    (Sort::Address, r"\b(?i-u:(?:0x)?(ffff[0-9a-f]{12}))\b"),
];

static PATTERNS: LazyLock<Vec<(Sort, Regex)>> = LazyLock::new(|| {
    let form = |(sort, form): &(Sort, &str)| (*sort, Regex::new(form).expect("the forms are tested"));
    FORMS.iter().map(form).collect()
});
/// All forms at once: most text has none of them.
static ANY: LazyLock<RegexSet> =
    LazyLock::new(|| RegexSet::new(FORMS.iter().map(|(_, form)| form)).expect("the forms are tested"));

/// Replaces secrets by words like `<serial-1>`: the same secret by the same word everywhere, so that what
/// belongs together still does.
#[derive(Debug, Default)]
pub struct Redactor {
    known: Vec<(Sort, String)>,
    names: HashMap<(Sort, String), usize>,
    places: BTreeMap<Sort, usize>,
}

impl Redactor {
    /// Takes out what has a tell-tale form, and these secrets wherever they stand.
    pub fn new(mut known: Vec<(Sort, String)>) -> Self {
        // A secret inside of another must not be what is found first.
        known.sort_by_key(|(sort, secret)| (std::cmp::Reverse(secret.len()), *sort));
        known.dedup_by(|a, b| a.1.eq_ignore_ascii_case(&b.1));
        Self { known, ..Self::default() }
    }

    /// The text without secrets.
    pub fn text(&mut self, text: &str) -> String {
        let mut text = self.forms(text);
        for (sort, secret) in self.known.clone() {
            if find_ignoring_case(&text, &secret, 0).is_some() {
                text = self.replace(&text, sort, &secret);
            }
        }
        text
    }

    fn forms(&mut self, text: &str) -> String {
        if !ANY.is_match(text) {
            return text.to_owned();
        }
        let mut text = text.to_owned();
        for (sort, pattern) in PATTERNS.iter() {
            let replaced = pattern.replace_all(&text, |found: &Captures<'_>| {
                let whole = &found[0];
                let secret = found.get(1).map_or(whole, |group| group.as_str());
                let at =
                    found.get(1).map_or(0, |group| group.start() - found.get(0).map_or(0, |m| m.start()));
                if secret.starts_with('<') {
                    return whole.to_owned();
                }
                let word = self.word(*sort, secret);
                format!("{}{word}{}", &whole[..at], &whole[at + secret.len()..])
            });
            text = replaced.into_owned();
        }
        text
    }

    /// Replaces every place where `secret` stands as a word of its own.
    fn replace(&mut self, text: &str, sort: Sort, secret: &str) -> String {
        let mut replaced = String::with_capacity(text.len());
        let mut done = 0;
        let mut from = 0;
        while let Some(start) = find_ignoring_case(text, secret, from) {
            let end = start + secret.len();
            let is_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
            if is_word(text[..start].chars().next_back()) || is_word(text[end..].chars().next()) {
                from = end;
                continue;
            }
            replaced.push_str(&text[done..start]);
            replaced.push_str(&self.word(sort, secret));
            done = end;
            from = end;
        }
        replaced.push_str(&text[done..]);
        replaced
    }

    fn word(&mut self, sort: Sort, secret: &str) -> String {
        *self.places.entry(sort).or_default() += 1;
        let next = self.names.keys().filter(|(other, _)| *other == sort).count() + 1;
        let number = *self.names.entry((sort, secret.to_ascii_lowercase())).or_insert(next);
        format!("<{}-{number}>", sort.word())
    }

    /// What was taken out so far.
    pub fn summary(&self) -> Vec<Redacted> {
        let summary = |(&sort, &places): (&Sort, &usize)| Redacted {
            sort,
            different: self.names.keys().filter(|(other, _)| *other == sort).count(),
            places,
        };
        self.places.iter().map(summary).collect()
    }
}

/// The first place at or after `from`. Lengths do not change with ASCII case, so places are those of `text`.
fn find_ignoring_case(text: &str, secret: &str, from: usize) -> Option<usize> {
    let (text, secret) = (text.as_bytes(), secret.as_bytes());
    let last = text.len().checked_sub(secret.len())?;
    (from..=last).find(|&start| text[start..start + secret.len()].eq_ignore_ascii_case(secret))
}
