//! A little statistics. Nothing here assumes that times are distributed normally: they are not.

use crate::event::Nanos;
use schemars::JsonSchema;
use serde::Serialize;

/// How values are spread, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Spread {
    /// The least.
    pub least: Nanos,
    /// Half are not longer.
    pub median: Nanos,
    /// Nine of ten are not longer.
    pub p90: Nanos,
    /// 99 of 100 are not longer.
    pub p99: Nanos,
    /// The longest.
    pub most: Nanos,
}

impl Spread {
    /// Of these values; `None` if there are none.
    pub fn of(mut values: Vec<Nanos>) -> Option<Self> {
        values.sort_unstable();
        let (&least, &most) = (values.first()?, values.last()?);
        // Nearest rank: a value that occurred.
        let rank = |percent: usize| values[(values.len() * percent).div_ceil(100).saturating_sub(1)];
        Some(Self { least, median: rank(50), p90: rank(90), p99: rank(99), most })
    }
}

/// Median of the distances from `median`.
pub(super) fn median_deviation(values: &[Nanos], median: Nanos) -> Nanos {
    Spread::of(values.iter().map(|value| value.abs_diff(median)).collect()).map_or(0, |spread| spread.median)
}

/// Fewest values on each side. With five, no difference however large is less likely than one in a hundred by this
/// approximation, so nothing could ever be told.
const FEWEST: usize = 6;

/// Probability that two samples of one distribution differ like these (Mann-Whitney U, two-sided, normal
/// approximation with ties and continuity corrected); `None` for fewer than six values on a side.
pub(super) fn mann_whitney(a: &[Nanos], b: &[Nanos]) -> Option<f64> {
    if a.len() < FEWEST || b.len() < FEWEST {
        return None;
    }
    let mut all: Vec<(Nanos, bool)> =
        a.iter().map(|&value| (value, true)).chain(b.iter().map(|&value| (value, false))).collect();
    all.sort_unstable();
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let (mut ranks, mut ties, mut place) = (0.0, 0.0, 0);
    for tied in all.chunk_by(|x, y| x.0 == y.0) {
        let size = number(tied.len());
        let rank = number(place) + (size + 1.0) / 2.0;
        ranks += rank * number(tied.iter().filter(|(_, of_a)| *of_a).count());
        ties += size * size * size - size;
        place += tied.len();
    }
    let (n, m, all) = (number(a.len()), number(b.len()), number(all.len()));
    let u = ranks - n * (n + 1.0) / 2.0;
    let variance = n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    if variance <= 0.0 {
        return Some(1.0);
    }
    let z = ((u - n * m / 2.0).abs() - 0.5).max(0.0) / variance.sqrt();
    Some(2.0 * upper_tail(z))
}

/// Probability that a standard normal value exceeds `z` (Abramowitz and Stegun 26.2.17, error below 7.5e-8).
fn upper_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let terms = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let sum = terms.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_values_that_occurred() {
        let spread = Spread::of((1..=100).rev().collect()).unwrap();
        assert_eq!((spread.least, spread.median, spread.p90, spread.p99, spread.most), (1, 50, 90, 99, 100));
        assert_eq!(Spread::of(vec![7]).unwrap().p99, 7);
        assert_eq!(Spread::of(Vec::new()), None);
        assert_eq!(median_deviation(&[1, 2, 3, 4, 100], 3), 1);
    }

    /// Values computed another way, by counting pairs and with erfc(); scipy.stats.mannwhitneyu(a, b, method='asymptotic')
    /// gives the first, too.
    #[test]
    fn the_test_agrees_with_a_reference() {
        let chance = mann_whitney(&[1, 2, 3, 4, 5, 6], &[7, 8, 9, 10, 11, 12]).unwrap();
        assert!((chance - 0.005_074_868).abs() < 1e-6, "{chance}");
        let chance = mann_whitney(&[1, 2, 2, 3, 4, 4], &[2, 3, 3, 5, 6, 6]).unwrap();
        assert!((chance - 0.165_891_281).abs() < 1e-6, "{chance}");
        assert_eq!(mann_whitney(&[3; 9], &[3; 9]), Some(1.0));
        assert_eq!(mann_whitney(&[1; 5], &[2; 9]), None);
    }
}
