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

/// A difference is told from chance if chance alone would show one like it less often than this.
const SIGNIFICANCE: f64 = 0.01;
/// The standard normal value that is exceeded, on either side, that often.
const SIGNIFICANT: f64 = 2.575_829_304;

/// How likely a difference between two samples is chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Compared {
    /// Probability that two samples of one distribution differ like these.
    pub(super) chance: f64,
    /// The same as a standard normal value.
    z: f64,
    /// How many values a side would have if both had as many: their harmonic mean.
    size: f64,
}

impl Compared {
    /// It is more than chance.
    pub(super) fn is_real(&self) -> bool {
        self.chance < SIGNIFICANCE
    }

    /// How many values of each it takes to tell a difference like this from chance, in two digits; `None` if these do,
    /// or if there is hardly a difference. With more values, z grows like the root of their number.
    pub(super) fn needed(&self) -> Option<u64> {
        /// More are of no use to anybody.
        const MOST: f64 = 100_000.0;
        let needed = self.size * (SIGNIFICANT / self.z).powi(2);
        if self.is_real() || !needed.is_finite() || needed > MOST {
            return None;
        }
        let unit = 10_f64.powf((needed.log10().floor() - 1.0).max(0.0));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 6 and MOST")]
        Some(((needed / unit).ceil() * unit) as u64)
    }
}

/// Whether two samples are of one distribution (Mann-Whitney U, two-sided, normal approximation with ties and continuity
/// corrected); `None` for fewer than six values on a side.
pub(super) fn mann_whitney(a: &[Nanos], b: &[Nanos]) -> Option<Compared> {
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
    let z = if variance > 0.0 { ((u - n * m / 2.0).abs() - 0.5).max(0.0) / variance.sqrt() } else { 0.0 };
    Some(Compared { chance: (2.0 * upper_tail(z)).min(1.0), z, size: 2.0 * n * m / (n + m) })
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
        let mann_whitney = |a: &[Nanos], b: &[Nanos]| Some(mann_whitney(a, b)?.chance);
        let chance = mann_whitney(&[1, 2, 3, 4, 5, 6], &[7, 8, 9, 10, 11, 12]).unwrap();
        assert!((chance - 0.005_074_868).abs() < 1e-6, "{chance}");
        let chance = mann_whitney(&[1, 2, 2, 3, 4, 4], &[2, 3, 3, 5, 6, 6]).unwrap();
        assert!((chance - 0.165_891_281).abs() < 1e-6, "{chance}");
        assert!((mann_whitney(&[3; 9], &[3; 9]).unwrap() - 1.0).abs() < 1e-6);
        assert_eq!(mann_whitney(&[1; 5], &[2; 9]), None);
    }

    #[test]
    fn what_is_significant_is_said_twice_alike() {
        assert!((2.0 * upper_tail(SIGNIFICANT) - SIGNIFICANCE).abs() < 1e-6);
    }

    /// So many times around a median, in milliseconds, spread like those of one machine: two of three within a third of
    /// it. They are the same in each run.
    fn times(seed: u64, median: f64, count: usize) -> Vec<Nanos> {
        let mut state = seed;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(u32::MAX)
        };
        // The sum of twelve is nearly normal, around 6 with a deviation of 1.
        let mut normal = || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some milliseconds")]
        (0..count).map(|_| (median * (normal() / 3.0).exp() * 1e6) as Nanos).collect()
    }

    /// A resume that takes half as long again is told from chance in fifty cycles; one measured twice is no change, but
    /// for the one in a hundred that the limit lets through.
    #[test]
    fn half_as_long_again_is_a_change_and_the_same_is_none() {
        let is_real = |a: &[Nanos], b: &[Nanos]| mann_whitney(a, b).unwrap().is_real();
        for seed in 0..100 {
            let (before, after) = (times(seed, 40.0, 50), times(1000 + seed, 60.0, 50));
            assert!(is_real(&before, &after), "{seed}");
        }
        let same = |&seed: &u64| is_real(&times(seed, 40.0, 50), &times(1000 + seed, 40.0, 50));
        let told = (0..500).filter(same).count();
        assert!((1..=12).contains(&told), "{told} of 500");
    }

    /// As many cycles as are said to be needed would do, if the difference stays as it is: here each value comes up that
    /// much more often.
    #[test]
    fn so_many_cycles_would_tell() {
        let (a, b) = (times(1, 40.0, 12), times(2, 44.0, 12));
        let needed = mann_whitney(&a, &b).unwrap().needed().unwrap();
        let times = usize::try_from(needed).unwrap().div_ceil(12);
        assert!(times > 1);
        let more = |values: &[Nanos], times: usize| values.repeat(times);
        assert!(mann_whitney(&more(&a, times), &more(&b, times)).unwrap().is_real(), "{needed}");
        assert!(!mann_whitney(&more(&a, times / 2), &more(&b, times / 2)).unwrap().is_real(), "{needed}");
        assert_eq!(mann_whitney(&[3; 9], &[3; 9]).unwrap().needed(), None);
    }
}
