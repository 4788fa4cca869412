//! Bars into rows of properly nested slices.

use super::{Detail, Mark, What};
use crate::event::Nanos;
use std::cmp::Reverse;

/// Most rows of a lane. What finds no place in them is cut off where the slice around it ends.
const ROWS: usize = 16;

/// Something that lasted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bar {
    /// Its start.
    pub start: Nanos,
    /// Its end; `None` if that was not seen.
    pub end: Option<Nanos>,
    /// Of bars with the same start and end, the lower one goes around the higher one.
    pub rank: u8,
    /// What it is called.
    pub name: String,
    /// What sort of thing it is.
    pub category: &'static str,
    /// What is known about it.
    pub details: Vec<(&'static str, Detail)>,
    /// Arrows that start at its start.
    pub starts: Vec<u64>,
    /// Arrows that end at its start.
    pub ends: Vec<u64>,
}

impl Bar {
    fn until(&self) -> Nanos {
        self.end.unwrap_or(Nanos::MAX)
    }
}

/// Puts bars into rows in which any two are apart, or one inside the other.
///
/// A bar without an end inside of one with an end is told to have ended with it: a slice cannot outlast what is
/// around it.
pub(super) fn rows(mut bars: Vec<Bar>) -> Vec<Vec<Bar>> {
    bars.sort_by_key(|bar| (bar.start, Reverse(bar.until()), bar.rank));
    let mut rows: Vec<Vec<Bar>> = Vec::new();
    // The ends of the bars of each row that a bar starting now would be inside of, the innermost last.
    let mut around: Vec<Vec<Nanos>> = Vec::new();
    for mut bar in bars {
        for ends in &mut around {
            while ends.last().is_some_and(|&end| end <= bar.start) {
                ends.pop();
            }
        }
        let fits = |ends: &Vec<Nanos>| ends.last().is_none_or(|&end| bar.end.is_none() || bar.until() <= end);
        let place = around.iter().position(fits).unwrap_or(if rows.len() < ROWS { rows.len() } else { 0 });
        if place == rows.len() {
            rows.push(Vec::new());
            around.push(Vec::new());
        }
        if let Some(&end) = around[place].last()
            && bar.until() > end
        {
            bar.end = Some(end).filter(|&end| end < Nanos::MAX);
            bar.details.push(("end_not_seen", Detail::Flag(true)));
        }
        around[place].push(bar.until());
        rows[place].push(bar);
    }
    rows
}

/// Draws the bars of a row, which are in the order of their starts.
pub(super) fn draw(row: Vec<Bar>, track: usize, marks: &mut Vec<Mark>) {
    let mut open: Vec<Option<Nanos>> = Vec::new();
    let close = |open: &mut Vec<Option<Nanos>>, until: Nanos, marks: &mut Vec<Mark>| {
        while let Some(end) = open.last().copied().flatten().filter(|&end| end <= until) {
            open.pop();
            marks.push(Mark::new(end, track, What::End, "", ""));
        }
    };
    for bar in row {
        close(&mut open, bar.start, marks);
        // Functions and phases whose names were never told.
        let name = if bar.name.is_empty() { bar.category } else { &bar.name };
        let mut mark = Mark::new(bar.start, track, What::Begin, name, bar.category);
        (mark.details, mark.starts, mark.ends) = (bar.details, bar.starts, bar.ends);
        marks.push(mark);
        open.push(bar.end);
    }
    close(&mut open, Nanos::MAX, marks);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bar(start: Nanos, end: Option<Nanos>) -> Bar {
        Bar { start, end, ..Bar::default() }
    }

    fn spans(rows: &[Vec<Bar>]) -> Vec<Vec<(Nanos, Option<Nanos>)>> {
        rows.iter().map(|row| row.iter().map(|bar| (bar.start, bar.end)).collect()).collect()
    }

    #[test]
    fn what_overlaps_gets_a_row_of_its_own() {
        let found = rows(vec![bar(0, Some(10)), bar(5, Some(15)), bar(6, Some(8)), bar(10, Some(12))]);
        assert_eq!(spans(&found), [vec![(0, Some(10)), (6, Some(8)), (10, Some(12))], vec![(5, Some(15))]]);
    }

    #[test]
    fn what_has_no_end_ends_with_what_is_around_it() {
        let found = rows(vec![bar(0, Some(10)), bar(5, None), bar(20, None), bar(30, Some(31))]);
        assert_eq!(spans(&found), [vec![(0, Some(10)), (5, Some(10)), (20, None), (30, Some(31))]]);
        assert_eq!(found[0][1].details, [("end_not_seen", Detail::Flag(true))]);
    }

    proptest! {
        /// Whatever the bars: each is drawn, ends match begins, and times of a track do not go back.
        #[test]
        fn slices_are_nested(spans in proptest::collection::vec((0_u64..50, proptest::option::of(0_u64..50)), 0..60)) {
            let bars: Vec<Bar> =
                spans.iter().map(|&(start, length)| bar(start, length.map(|length| start + length))).collect();
            let mut begun = 0;
            for row in rows(bars) {
                let mut marks = Vec::new();
                draw(row, 0, &mut marks);
                prop_assert!(marks.is_sorted_by_key(|mark| mark.time));
                let mut depth = 0_usize;
                for mark in &marks {
                    match mark.what {
                        What::Begin => {
                            depth += 1;
                            begun += 1;
                        }
                        What::End => {
                            prop_assert!(depth > 0);
                            depth -= 1;
                        }
                        _ => {}
                    }
                }
            }
            prop_assert_eq!(begun, spans.len());
        }
    }
}
