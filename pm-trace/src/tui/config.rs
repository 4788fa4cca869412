//! The configuration file: `pm-trace/config.toml` below `$XDG_CONFIG_HOME` or `~/.config`.

use super::action::{ACTIONS, Place};
use super::keys::{KeyError, Keymap};
use super::theme::{Glyphs, Theme};
use crate::text;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// What can be configured. What is left out follows from the terminal.
#[derive(Clone, Debug)]
pub struct Config {
    /// Colours.
    pub theme: Option<Theme>,
    /// Characters.
    pub glyphs: Option<Glyphs>,
    /// The mouse is used.
    pub mouse: bool,
    /// Keys.
    pub keymap: Keymap,
}

impl Default for Config {
    fn default() -> Self {
        Self { theme: None, glyphs: None, mouse: true, keymap: Keymap::default() }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    theme: Option<String>,
    glyphs: Option<String>,
    #[serde(default = "yes")]
    mouse: bool,
    #[serde(default)]
    keys: BTreeMap<String, Keys>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Keys {
    One(String),
    More(Vec<String>),
}

const fn yes() -> bool {
    true
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the configuration {}: {source}. Mend it, or move it away", text::path(.path))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no configuration.
    #[error("the configuration {} is wrong: {reason}. 'pm-trace config' prints one that is right", text::path(.path))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What and where.
        reason: String,
    },
    /// Its keys cannot be used.
    #[error("the configuration {} is wrong: {source}", text::path(.path))]
    Keys {
        /// The file.
        path: PathBuf,
        /// What.
        source: KeyError,
    },
}

/// Where the file is looked for; `None` if the environment names no home.
pub fn path(env: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name: &str| env(name).filter(|value| Path::new(value).is_absolute()).map(PathBuf::from);
    let base = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(base.join("pm-trace/config.toml"))
}

impl Config {
    /// Reads the file; what is not there is as if it were empty.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::Read { path: path.to_owned(), source };
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Ok(meta) if !meta.is_file() || meta.len() > LARGEST => {
                let reason = "it is no file of at most 1 MiB".to_owned();
                return Err(ConfigError::Wrong { path: path.to_owned(), reason });
            }
            Err(error) => return Err(failed(error)),
            Ok(_) => {}
        }
        Self::parse(path, &std::fs::read_to_string(path).map_err(failed)?)
    }

    fn parse(path: &Path, content: &str) -> Result<Self, ConfigError> {
        let wrong = |reason: String| ConfigError::Wrong { path: path.to_owned(), reason };
        let file: File = toml::from_str(content).map_err(|error| {
            let place =
                error.span().map(|span| content[..span.start.min(content.len())].matches('\n').count() + 1);
            let place = place.map(|line| format!("line {line}: ")).unwrap_or_default();
            wrong(format!("{place}{}", text::line(error.message())))
        })?;
        let theme = file.theme.map(|name| {
            Theme::named(&name).ok_or_else(|| {
                let known: Vec<&str> = Theme::ALL.iter().map(|theme| theme.name()).collect();
                wrong(format!("no theme is called '{}': take {}", text::line(&name), known.join(", ")))
            })
        });
        let glyphs = file.glyphs.map(|name| match name.as_str() {
            "lines" => Ok(Glyphs::Lines),
            "ascii" => Ok(Glyphs::Ascii),
            _ => Err(wrong(format!("glyphs are 'lines' or 'ascii', not '{}'", text::line(&name)))),
        });
        let keys = file.keys.into_iter().map(|(name, keys)| {
            let keys = match keys {
                Keys::One(key) => vec![key],
                Keys::More(keys) => keys,
            };
            (name, keys)
        });
        let keymap = Keymap::with(&keys.collect())
            .map_err(|source| ConfigError::Keys { path: path.to_owned(), source })?;
        Ok(Self { theme: theme.transpose()?, glyphs: glyphs.transpose()?, mouse: file.mouse, keymap })
    }
}

/// A configuration file that changes nothing, with all that can be changed.
pub fn template() -> String {
    let themes: Vec<&str> = Theme::ALL.iter().map(|theme| theme.name()).collect();
    let mut out = format!(
        "# pm-trace: ~/.config/pm-trace/config.toml\n\n\
         # {}; left out, the terminal decides\n#theme = \"dark\"\n\
         # lines or ascii; left out, the terminal decides\n#glyphs = \"lines\"\n\
         # whether the mouse selects and scrolls\n#mouse = true\n\n[keys]\n",
        themes.join(", ")
    );
    for spec in ACTIONS {
        let keys: Vec<String> = spec.keys.iter().map(|key| format!("{key:?}")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# {}\n#{} = [{}]", spec.words, spec.name, keys.join(", "));
    }
    out
}

/// The table of keys for the documentation.
pub fn keys_markdown() -> String {
    let mut out = "| keys | name | what it does | where |\n|---|---|---|---|\n".to_owned();
    for spec in ACTIONS {
        let keys: Vec<String> =
            spec.keys.iter().map(|key| format!("`{}`", key.replace('|', "\\|"))).collect();
        let place = match spec.place {
            Place::Everywhere => "everywhere".to_owned(),
            Place::Watching => "while waiting".to_owned(),
            Place::In(views) => views.iter().map(|view| view.name()).collect::<Vec<_>>().join(", "),
        };
        let _ = writeln!(out, "| {} | `{}` | {} | {place} |", keys.join(" "), spec.name, spec.words);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(content: &str) -> Result<Config, String> {
        Config::parse(Path::new("/c.toml"), content).map_err(|error| error.to_string())
    }

    #[test]
    fn the_template_is_right_with_and_without_its_comments() {
        parse(&template()).unwrap();
        let used: String = template()
            .lines()
            .map(|line| {
                let is_setting = line.starts_with('#') && !line.starts_with("# ");
                format!("{}\n", if is_setting { &line[1..] } else { line })
            })
            .collect();
        let config = parse(&used).unwrap();
        assert_eq!((config.theme, config.glyphs), (Some(Theme::Dark), Some(Glyphs::Lines)));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let wrong = |content: &str| parse(content).unwrap_err();
        assert!(wrong("theme = \"pink\"").contains("no theme is called 'pink': take dark, light"));
        assert!(wrong("\n\ncolour = 1").contains("line 3: unknown field `colour`"));
        assert!(wrong("[keys]\nquit = \"f\"").contains("for both 'follow' and 'quit'; a free key is 'a'"));
        assert!(wrong("glyphs = \"\\u001b[2J\"").contains("\u{fffd}[2J"));
        assert!(wrong("theme").contains("line 1"));
    }

    #[test]
    fn the_file_is_where_xdg_says() {
        let at = |vars: &'static [(&str, &str)]| {
            path(|name| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(at(&[("HOME", "/h")]), Some("/h/.config/pm-trace/config.toml".into()));
        assert_eq!(at(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")]), Some("/x/pm-trace/config.toml".into()));
        assert_eq!(at(&[("XDG_CONFIG_HOME", "relative")]), None);
    }
}
