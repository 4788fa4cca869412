//! A trace that is looked at while it is still being read: a large one takes seconds.

use super::app::{App, Source};
use super::run::Feed;
use crate::history::{Reading, Taken};
use std::time::{Duration, Instant};

/// Longest time that is folded without a look at keys.
const SLICE: Duration = Duration::from_millis(4);
/// Time between two frames: each has to find out what is known so far.
const FRAME: Duration = Duration::from_millis(250);
/// A trace that is read by then is not shown in part.
const FIRST: Duration = Duration::from_millis(200);

/// Nothing new comes once the file has been read.
pub struct Opening {
    reading: Option<Reading>,
    /// When it was shown last how far reading has come.
    shown: Instant,
}

impl Opening {
    /// Reads on what the history was begun with, for a moment.
    pub fn begin(app: &mut App, reading: Reading) -> Self {
        Self::with(app, reading, FIRST)
    }

    fn with(app: &mut App, reading: Reading, first: Duration) -> Self {
        let mut opening = Self { reading: Some(reading), shown: Instant::now() };
        opening.read(app, first);
        opening.show(app);
        opening
    }

    /// Folds what is there for so long, and waits no longer for it.
    fn read(&mut self, app: &mut App, most: Duration) {
        let begun = Instant::now();
        while let Some(reading) = &mut self.reading
            && let Some(left) = most.checked_sub(begun.elapsed())
        {
            match reading.take_within(left, &mut app.history) {
                Taken::Some => {}
                Taken::Late => return,
                Taken::All => self.reading = None,
            }
        }
    }

    fn show(&mut self, app: &mut App) {
        let percent = self.reading.as_ref().map(Reading::percent);
        if let Source::Replay { reading, .. } = &mut app.source {
            *reading = percent;
        }
        app.grown();
        self.shown = Instant::now();
    }
}

impl Feed for Opening {
    fn poll(&mut self, app: &mut App) -> anyhow::Result<bool> {
        if self.reading.is_none() {
            return Ok(false);
        }
        // One or the other: a key may come meanwhile.
        let shows = self.shown.elapsed() >= FRAME;
        if !shows {
            self.read(app, SLICE);
        }
        let tells = shows || self.reading.is_none();
        if tells {
            self.show(app);
        }
        Ok(tells)
    }

    fn suspend(&mut self, _: &mut App) -> anyhow::Result<()> {
        anyhow::bail!("a recorded trace cannot be suspended")
    }

    fn is_busy(&self) -> bool {
        self.reading.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::History;
    use crate::tui::action::View;
    use crate::tui::draw;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use std::path::PathBuf;

    fn text(app: &mut App) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 120, 40));
        draw::draw(app, &mut buffer);
        let lines = buffer.content.chunks(120);
        lines
            .map(|cells| cells.iter().map(ratatui::buffer::Cell::symbol).collect::<String>() + "\n")
            .collect()
    }

    /// A part of a trace is said to be one, is looked at like a suspend under way, and becomes the whole.
    #[test]
    fn a_trace_can_be_looked_at_while_it_is_read() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/traces/6.1-rescan-deadlock.pmtrace");
        let path = PathBuf::from(path);
        let (history, reading) = Reading::begin(&path).unwrap();
        let mut app = App::new(history, Source::file("trace"));
        let mut opening = Opening::with(&mut app, reading, Duration::ZERO);
        assert!(opening.is_busy());
        assert!(text(&mut app).contains("READING, 0 %"), "{}", text(&mut app));
        assert_eq!(app.found, [], "of no events");
        while opening.is_busy() {
            opening.poll(&mut app).unwrap();
            assert!(app.found.len() <= 1, "more than the deadlock: {:?}", app.found);
        }
        let mut whole = App::new(History::read(&path).unwrap(), Source::file("trace"));
        assert_eq!(app.found, whole.found);
        for view in View::ALL {
            app.act(crate::tui::action::Action::Show(view));
            whole.act(crate::tui::action::Action::Show(view));
            assert_eq!(text(&mut app), text(&mut whole), "{}", view.name());
        }
        assert!(!opening.poll(&mut app).unwrap(), "nothing more comes");
    }

    /// Whoever looks at an earlier moment is not taken away from it by what is read meanwhile.
    #[test]
    fn reading_on_does_not_move_the_moment_that_is_looked_at() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/traces/6.1-healthy.pmtrace");
        let (history, mut reading) = Reading::begin(&PathBuf::from(path)).unwrap();
        let mut app = App::new(history, Source::file("trace"));
        assert!(reading.take(&mut app.history, |_, _| {}));
        let mut opening = Opening::with(&mut app, reading, Duration::ZERO);
        app.seek(1000);
        while opening.is_busy() {
            opening.poll(&mut app).unwrap();
        }
        assert_eq!(app.cursor, 1000);
        assert!(app.history.log().len() > 4000);
    }
}
