//! Keys: their names, and which action each one is for.

use super::action::{ACTIONS, Action, Place, Spec, View};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::collections::BTreeMap;

/// A key as it is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    /// With Ctrl.
    ctrl: bool,
    /// With Alt.
    alt: bool,
}

/// Keys that have no character, by name.
const NAMED: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("space", KeyCode::Char(' ')),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("insert", KeyCode::Insert),
    ("delete", KeyCode::Delete),
    ("backspace", KeyCode::Backspace),
];

impl Key {
    /// From its name: `q`, `?`, `enter`, `f1`, `ctrl-c`, `alt-x`.
    pub fn parse(name: &str) -> Option<Self> {
        let (mut ctrl, mut alt, mut rest) = (false, false, name);
        loop {
            match rest.split_once('-') {
                Some(("ctrl", key)) if !key.is_empty() => (ctrl, rest) = (true, key),
                Some(("alt", key)) if !key.is_empty() => (alt, rest) = (true, key),
                _ => break,
            }
        }
        let named = NAMED.iter().find(|(known, _)| *known == rest).map(|(_, code)| *code);
        let function =
            || rest.strip_prefix('f')?.parse().ok().filter(|n| (1..=12).contains(n)).map(KeyCode::F);
        let mut chars = rest.chars();
        let single = || {
            let only = chars.next().filter(|c| !crate::text::is_unsafe(*c));
            only.filter(|_| chars.next().is_none()).map(KeyCode::Char)
        };
        Some(Self { code: named.or_else(function).or_else(single)?, ctrl, alt })
    }

    /// As it is pressed. Shift is part of the character.
    pub fn of(event: KeyEvent) -> Self {
        let code = match event.code {
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            code => code,
        };
        Self {
            code,
            ctrl: event.modifiers.contains(KeyModifiers::CONTROL),
            alt: event.modifiers.contains(KeyModifiers::ALT),
        }
    }

    /// The character it types, if it does.
    pub fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }

    /// It is this key, without Ctrl and Alt.
    pub fn is(self, code: KeyCode) -> bool {
        self.code == code && !self.ctrl && !self.alt
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.ctrl {
            f.write_str("ctrl-")?;
        }
        if self.alt {
            f.write_str("alt-")?;
        }
        match (NAMED.iter().find(|(_, code)| *code == self.code), self.code) {
            (Some((name, _)), _) => f.write_str(name),
            (None, KeyCode::Char(c)) => write!(f, "{c}"),
            (None, KeyCode::F(n)) => write!(f, "f{n}"),
            (None, _) => f.write_str("?"),
        }
    }
}

/// What is wrong with configured keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No action of this name.
    #[error("no action is called '{name}'{}", suggestion(.like))]
    Action {
        /// What was written.
        name: String,
        /// The most similar name.
        like: Option<&'static str>,
    },
    /// No key of this name.
    #[error(
        "'{key}' (for '{action}') is no key: write a character, enter, esc, tab, space, up, pageup, home, f1, or one of \
         them after ctrl- or alt-"
    )]
    Key {
        /// What was written.
        key: String,
        /// For which action.
        action: &'static str,
    },
    /// One key for two actions of the same view.
    #[error("the key '{key}' is for both '{first}' and '{second}'; a free key is '{free}'")]
    Twice {
        /// The key.
        key: String,
        /// One action.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// A key that nothing uses.
        free: String,
    },
    /// Nothing is left to leave with.
    #[error("'{0}' needs at least one key")]
    None(&'static str),
}

fn suggestion(like: &Option<&'static str>) -> String {
    like.map_or_else(
        || "; 'pm-trace config' lists them".to_owned(),
        |like| format!("; did you mean '{like}'?"),
    )
}

/// Which keys each action has.
#[derive(Clone, Debug)]
pub struct Keymap {
    keys: Vec<Vec<Key>>,
}

impl Default for Keymap {
    fn default() -> Self {
        let keys = ACTIONS.iter().map(|spec| spec.keys.iter().filter_map(|name| Key::parse(name)).collect());
        Self { keys: keys.collect() }
    }
}

impl Keymap {
    /// The default with some actions' keys replaced: keys by the name of the action.
    ///
    /// # Errors
    /// Unknown actions or keys, and keys that two actions of one view would share.
    pub fn with(changes: &BTreeMap<String, Vec<String>>) -> Result<Self, KeyError> {
        let mut map = Self::default();
        for (name, keys) in changes {
            let place = ACTIONS
                .iter()
                .position(|spec| spec.name == name)
                .ok_or_else(|| KeyError::Action { name: name.clone(), like: similar(name) })?;
            let action = ACTIONS[place].name;
            let parsed = keys
                .iter()
                .map(|key| Key::parse(key).ok_or_else(|| KeyError::Key { key: key.clone(), action }));
            map.keys[place] = parsed.collect::<Result<_, _>>()?;
        }
        map.check()?;
        Ok(map)
    }

    fn check(&self) -> Result<(), KeyError> {
        for (place, spec) in ACTIONS.iter().enumerate() {
            if self.keys[place].is_empty() && matches!(spec.action, Action::Quit | Action::Help) {
                return Err(KeyError::None(spec.name));
            }
            for (other, second) in ACTIONS.iter().enumerate().skip(place + 1) {
                let shared = self.keys[place].iter().find(|key| self.keys[other].contains(key));
                if let Some(key) = shared.filter(|_| spec.place.meets(second.place)) {
                    return Err(KeyError::Twice {
                        key: key.to_string(),
                        first: spec.name,
                        second: second.name,
                        free: self.free(),
                    });
                }
            }
        }
        Ok(())
    }

    /// A key that nothing uses.
    fn free(&self) -> String {
        let used = |key: &Key| self.keys.iter().flatten().any(|known| known == key);
        let candidates = ('a'..='z').chain('A'..='Z').map(String::from);
        let functions = (2..=12).map(|n| format!("f{n}"));
        let mut free =
            candidates.chain(functions).filter(|name| Key::parse(name).is_some_and(|key| !used(&key)));
        free.next().unwrap_or_default()
    }

    /// What the key does in this view.
    pub fn action(&self, key: Key, view: View, watching: bool) -> Option<Action> {
        let applies =
            |spec: &&(usize, &Spec)| spec.1.place.has(view) && (watching || spec.1.place != Place::Watching);
        let mut specs = ACTIONS.iter().enumerate();
        specs
            .by_ref()
            .find(|spec| applies(&spec) && self.keys[spec.0].contains(&key))
            .map(|(_, spec)| spec.action)
    }

    /// The keys of the action at this place of the table, in words.
    pub fn names(&self, place: usize) -> Vec<String> {
        self.keys[place].iter().map(Key::to_string).collect()
    }

    /// The first key of an action, in words; empty if it has none.
    pub fn first(&self, action: Action) -> String {
        let place = ACTIONS.iter().position(|spec| spec.action == action);
        place.and_then(|place| self.keys[place].first()).map(Key::to_string).unwrap_or_default()
    }
}

/// The action whose name differs least, if it is by little.
fn similar(name: &str) -> Option<&'static str> {
    let distances = ACTIONS.iter().map(|spec| (distance(name, spec.name), spec.name));
    distances.min().filter(|(distance, _)| *distance <= 3).map(|(_, name)| name)
}

/// How many characters must be changed, added or removed (Levenshtein).
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, keys: &[&str]) -> Result<Keymap, KeyError> {
        Keymap::with(&BTreeMap::from([(name.to_owned(), keys.iter().map(|&key| key.to_owned()).collect())]))
    }

    /// A key that does two things in a view would do only one of them.
    #[test]
    fn the_default_keys_are_all_known_and_meet_nowhere() {
        assert_eq!(Keymap::default().check(), Ok(()));
        for spec in ACTIONS {
            for name in spec.keys {
                assert_eq!(
                    Key::parse(name).map(|key| key.to_string()).as_deref(),
                    Some(*name),
                    "{}",
                    spec.name
                );
            }
        }
    }

    #[test]
    fn keys_can_be_changed() {
        let map = with("quit", &["ctrl-q", "f10"]).unwrap();
        let key = Key::parse("ctrl-q").unwrap();
        assert_eq!(map.action(key, View::Overview, false), Some(Action::Quit));
        assert_eq!(map.action(Key::parse("q").unwrap(), View::Overview, false), None);
    }

    #[test]
    fn what_is_wrong_is_refused_with_a_suggestion() {
        let told = |name: &str, keys: &[&str]| with(name, keys).unwrap_err().to_string();
        assert_eq!(told("quit", &["f"]), "the key 'f' is for both 'follow' and 'quit'; a free key is 'a'");
        assert_eq!(told("zoom_in", &["i"]), "no action is called 'zoom_in'; did you mean 'zoom-in'?");
        assert!(told("hyperspace-jump", &["i"]).contains("'pm-trace config' lists them"));
        assert!(told("open", &["shift-super-x"]).starts_with("'shift-super-x' (for 'open') is no key"));
        assert_eq!(told("quit", &[]), "'quit' needs at least one key");
    }

    #[test]
    fn one_key_may_do_different_things_in_views_that_never_meet() {
        assert!(with("zoom-in", &["o"]).is_ok());
        assert!(with("zoom-in", &["n"]).is_err());
    }
}
