//! A trace that is looked at while it is still being read: a large one takes seconds.

use super::app::{App, Source};
use super::run::Feed;
use crate::history::Reading;
use std::time::{Duration, Instant};

/// Longest time that is folded without a look at keys.
const SLICE: Duration = Duration::from_millis(10);
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
        let mut opening = Self { reading: Some(reading), shown: Instant::now() };
        opening.read(app, FIRST);
        opening.show(app);
        opening
    }

    /// Folds for so long.
    fn read(&mut self, app: &mut App, most: Duration) {
        let begun = Instant::now();
        while let Some(reading) = &mut self.reading
            && begun.elapsed() < most
        {
            if !reading.take(&mut app.history, |_, _| {}) {
                self.reading = None;
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
        self.read(app, SLICE);
        let tells = self.reading.is_none() || self.shown.elapsed() >= FRAME;
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
