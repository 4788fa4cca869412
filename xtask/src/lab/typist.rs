//! Somebody at the guest's keyboard or at the other end of its serial line: presses keys when the console has shown
//! something, and looks at the screen after each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use serde::Deserialize;

/// Between two keys: the view has to react, in a guest that is emulated.
const PAUSE: Duration = Duration::from_secs(2);

/// Keys to be pressed one after the other.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Typed {
    /// Once the console has shown this text.
    pub(crate) after: String,
    /// Where.
    pub(crate) on: Keys,
    /// Which: characters; `enter`.
    pub(crate) keys: Vec<String>,
}

/// What keys are pressed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Keys {
    /// The guest's keyboard, and so the virtual terminal in front; a picture of the screen after each key is left as
    /// `screen-KEY.png`.
    Keyboard,
    /// The terminal at the other end of the console's serial line.
    Serial,
}

/// What can be pressed and looked at.
pub(crate) trait Desk {
    /// Presses a key of the keyboard.
    fn press(&mut self, key: &str) -> Result<()>;
    /// Sends characters over the serial line.
    fn send(&mut self, text: &str) -> Result<()>;
    /// Leaves a picture of the screen.
    fn picture(&mut self, file: &Path) -> Result<()>;
}

/// What is still to be typed.
#[derive(Debug, Default)]
pub(crate) struct Typist {
    left: Vec<Typed>,
    /// When the next key may be pressed, and what is to be pictured then.
    next: Option<Duration>,
    picture: Option<String>,
    out: PathBuf,
    /// There was something to type, and all of it is typed.
    pub(crate) is_done: bool,
}

impl Typist {
    /// Types `what` in its order; pictures go to `out`.
    pub(crate) fn new(what: &[Typed], out: &Path) -> Self {
        Self { left: what.to_vec(), out: out.to_owned(), ..Self::default() }
    }

    /// Does what is due at the time `now` of a guest whose console has shown this.
    pub(crate) fn step(&mut self, now: Duration, console: &str, desk: &mut impl Desk) -> Result<()> {
        if self.next.is_some_and(|next| now < next) {
            return Ok(());
        }
        if let Some(key) = self.picture.take() {
            desk.picture(&self.out.join(format!("screen-{key}.png")))?;
        }
        let Some(typed) = self.left.first_mut() else { return Ok(()) };
        if self.next.is_none() {
            if console.contains(&typed.after) {
                // What was shown may not be all yet.
                self.next = Some(now + PAUSE);
            }
            return Ok(());
        }
        if typed.keys.is_empty() {
            self.left.remove(0);
            self.next = None;
            self.is_done = self.left.is_empty();
            return Ok(());
        }
        let key = typed.keys.remove(0);
        match typed.on {
            Keys::Keyboard => {
                desk.press(if key == "enter" { "ret" } else { &key })?;
                self.picture = Some(key);
            }
            Keys::Serial => desk.send(if key == "enter" { "\r" } else { &key })?,
        }
        self.next = Some(now + PAUSE);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Noted(Vec<String>);

    impl Desk for Noted {
        fn press(&mut self, key: &str) -> Result<()> {
            self.0.push(format!("press {key}"));
            Ok(())
        }
        fn send(&mut self, text: &str) -> Result<()> {
            self.0.push(format!("send {text:?}"));
            Ok(())
        }
        fn picture(&mut self, file: &Path) -> Result<()> {
            self.0.push(file.display().to_string());
            Ok(())
        }
    }

    /// Keys wait for the text, and pictures for what a key brings about.
    #[test]
    fn keys_are_pressed_one_by_one_when_their_time_has_come() {
        let what = [
            Typed { after: "stuck".into(), on: Keys::Keyboard, keys: vec!["2".into(), "enter".into()] },
            Typed { after: "more".into(), on: Keys::Serial, keys: vec!["s".into(), "enter".into()] },
        ];
        let (mut typist, mut desk) = (Typist::new(&what, Path::new("/out")), Noted::default());
        let mut at = |second: u64, console: &str, desk: &mut Noted| {
            typist.step(Duration::from_secs(second), console, desk).unwrap();
        };
        at(1, "booting", &mut desk);
        at(2, "stuck", &mut desk);
        at(3, "stuck", &mut desk);
        assert!(desk.0.is_empty());
        (4..30).for_each(|second| at(second, "stuck", &mut desk));
        assert_eq!(desk.0, ["press 2", "/out/screen-2.png", "press ret", "/out/screen-enter.png"]);
        (30..50).for_each(|second| at(second, "stuck, and more", &mut desk));
        assert_eq!(desk.0[4..], ["send \"s\"", "send \"\\r\""]);
        assert!(typist.is_done);
    }
}
