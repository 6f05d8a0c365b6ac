//! The range of a quantity that comes in no steady rhythm: is a value farther out than any before, and how likely is that?
//!
//! Knows no units and no time. What is kept are the largest and the smallest values and how many there were in all, so
//! everything that is merged from several places merges exactly.

use serde::{Deserialize, Serialize};

use crate::{Confidence, Tail};

/// Extremes kept on each side.
pub const EXTREMES: usize = 16;
/// Values that must have been seen.
const NEEDED: u64 = 100;
/// Values after which the estimate is a good one.
const WELL_AFTER: u64 = 1_000;
/// Extremes the tail is read from, at least.
const FEWEST: usize = 8;
/// And no more than this share of all.
const TAIL_SHARE: f64 = 0.1;
/// Values in a row are no farther apart than this share by chance alone.
const FINEST: f64 = 0.1;
/// More windows that broke the record than this many standard deviations above what chance gives: a trend.
const TREND: f64 = 3.0;

/// Which end of the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Larger than all.
    High,
    /// Smaller than all.
    Low,
}

/// What a value beyond the range is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beyond {
    /// Probability of one as far out among so many.
    pub tail: Tail,
    /// The range that nearly all values were in.
    pub usual: (f64, f64),
    /// The value nearest to it so far.
    pub nearest: f64,
    /// How far it can be relied on.
    pub learned: Confidence,
}

/// Extremes of positive values, the farthest out first; of two stretches, the one before and the present one.
///
/// Beyond a high threshold the logarithm of a value is exponential for tails that fall as a power (Hill 1975; Weissman
/// 1978), and falls faster for all others, log-normal ones among them: so the tail read off the largest is never too
/// light. That it is read from few is allowed for by the predictive distribution, a Pareto one. A trend, as of counters
/// and times, breaks records all the time where chance breaks them ever more rarely (Foster and Stuart 1954): there a
/// value beyond is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ValueRange {
    before: Stretch,
    present: Stretch,
    /// Windows that broke the record of an end, those that chance would have brought, since the last stretch began.
    records: [f32; 2],
    expected_records: f32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Stretch {
    values: u64,
    high: Vec<f64>,
    low: Vec<f64>,
}

impl ValueRange {
    /// Values seen, of both stretches.
    pub fn values(&self) -> u64 {
        self.before.values + self.present.values
    }

    /// Begins a new stretch: what was before the last one is forgotten.
    pub fn turn(&mut self) {
        self.before = std::mem::take(&mut self.present);
        self.records = [0.0; 2];
        self.expected_records = 0.0;
    }

    /// What `value`, the farthest out of `among` that come together, is worth. Teaches nothing. `None` where it is within
    /// the range.
    pub fn judge(&self, end: End, value: f64, among: u64) -> Option<Beyond> {
        let of = |end| {
            let mut all = Vec::with_capacity(2 * EXTREMES);
            all.extend(self.before.extremes(end).iter().chain(self.present.extremes(end)));
            sort(&mut all, end);
            all.truncate(EXTREMES);
            all
        };
        let extremes = of(end);
        let nearest = *extremes.first()?;
        let is_beyond = match end {
            End::High => value > nearest,
            End::Low => value < nearest && value > 0.0,
        };
        if !is_beyond {
            return None;
        }
        let n = self.values();
        let fits = (n as f64 * TAIL_SHARE) as usize;
        let kept = extremes.len().min(fits.max(FEWEST));
        let learned = match n {
            _ if kept < FEWEST || self.is_trend(end) => Confidence::NotYet,
            0..NEEDED => Confidence::NotYet,
            NEEDED..WELL_AFTER => Confidence::Early,
            _ => Confidence::Full,
        };
        let tail = if learned.is_ready() {
            Tail::from_p((among.max(1) as f64 * tail(&extremes[..kept], value, n)).min(1.0))
        } else {
            Tail::ONE
        };
        let other = of(if end == End::High { End::Low } else { End::High });
        let edge = |extremes: &[f64]| extremes.last().copied().unwrap_or(0.0);
        let (inner, outer) = (edge(&extremes), edge(&other));
        let usual = (inner.min(outer), inner.max(outer));
        Some(Beyond { tail, usual, nearest, learned })
    }

    /// Learns a window of `values` values: those of them that may be among the extremes.
    pub fn learn(&mut self, values: u64, high: &[f64], low: &[f64]) {
        let known = self.present.values;
        if known > 0 && values > 0 {
            for (record, (of, end)) in self.records.iter_mut().zip([(high, End::High), (low, End::Low)]) {
                let first = self.present.extremes(end).first().copied();
                let broken = of.iter().any(|value| match (end, first) {
                    (End::High, Some(first)) => *value > first,
                    (End::Low, Some(first)) => *value < first,
                    (_, None) => false,
                });
                *record += f32::from(u8::from(broken));
            }
            self.expected_records += (values as f64 / (known + values) as f64) as f32;
        }
        self.present.values += values;
        merge(&mut self.present.high, high, End::High);
        merge(&mut self.present.low, low, End::Low);
    }

    /// Takes up the values of another range that became one with this one.
    pub fn absorb(&mut self, other: &Self) {
        for (own, its) in [(&mut self.before, &other.before), (&mut self.present, &other.present)] {
            own.values += its.values;
            merge(&mut own.high, &its.high, End::High);
            merge(&mut own.low, &its.low, End::Low);
        }
        for (own, its) in self.records.iter_mut().zip(other.records) {
            *own = own.max(its);
        }
        self.expected_records = self.expected_records.max(other.expected_records);
    }

    fn is_trend(&self, end: End) -> bool {
        let expected = self.expected_records;
        self.records[end as usize] > expected + TREND as f32 * (expected.sqrt() + 1.0)
    }
}

impl Stretch {
    fn extremes(&self, end: End) -> &[f64] {
        match end {
            End::High => &self.high,
            End::Low => &self.low,
        }
    }
}

/// Merges extremes, the farthest out first, [`EXTREMES`] at most.
pub fn merge(own: &mut Vec<f64>, more: &[f64], end: End) {
    own.extend(more.iter().copied().filter(|value| *value > 0.0));
    sort(own, end);
    own.truncate(EXTREMES);
}

fn sort(values: &mut [f64], end: End) {
    match end {
        End::High => values.sort_by(|a, b| b.total_cmp(a)),
        End::Low => values.sort_by(f64::total_cmp),
    }
}

/// P(one value of `n` like those is as far out as `value`); `extremes` are the farthest of those, the farthest first.
fn tail(extremes: &[f64], value: f64, n: u64) -> f64 {
    let m = (extremes.len() - 1) as f64;
    let threshold = extremes[extremes.len() - 1];
    let excess = |value: f64| libm::log(value / threshold).abs();
    let mean = extremes.iter().map(|value| excess(*value)).sum::<f64>() / m;
    // Small whole numbers can't be near one another.
    let step = if threshold >= 1.0 { libm::log1p(1.0 / threshold) } else { 0.0 };
    let mean = mean.max(FINEST).max(step);
    let share = (extremes.len() as f64 / n as f64).min(1.0);
    share * libm::exp(-m * libm::log1p(excess(value) / (m * mean)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> ValueRange {
        let mut range = ValueRange::default();
        values.iter().for_each(|value| range.learn(1, &[*value], &[*value]));
        range
    }

    /// Values of a fixed spread in an order that shows no trend.
    fn spread(n: u32) -> Vec<f64> {
        (0..n).map(|i| 100.0 + f64::from(i * 7_919 % n) / f64::from(n) * 50.0).collect()
    }

    #[test]
    fn a_value_far_beyond_all_is_surprising_and_one_within_is_nothing() {
        let range = of(&spread(1_000));
        assert_eq!(range.judge(End::High, 149.0, 1), None);
        let near = range.judge(End::High, 160.0, 1).expect("beyond");
        let far = range.judge(End::High, 9_000.0, 1).expect("beyond");
        assert!(near.tail.surprise() < 4.0 && far.tail.surprise() > 9.0, "{near:?} {far:?}");
        assert!(far.usual.0 < 101.0 && far.usual.1 > 149.0 && far.nearest > 149.0, "{far:?}");
        let low = range.judge(End::Low, 2.0, 1).expect("beyond");
        assert!(low.tail.surprise() > 9.0, "{low:?}");
    }

    #[test]
    fn a_counter_and_what_is_hardly_known_say_nothing() {
        let counter: Vec<f64> = (1..2_000).map(f64::from).collect();
        let beyond = of(&counter).judge(End::High, 1e9, 1).expect("beyond");
        assert_eq!((beyond.tail, beyond.learned), (Tail::ONE, Confidence::NotYet));
        let few = of(&spread(50)).judge(End::High, 1e9, 1).expect("beyond");
        assert_eq!((few.tail, few.learned), (Tail::ONE, Confidence::NotYet));
    }

    #[test]
    fn what_two_stretches_ago_was_the_largest_is_forgotten() {
        let mut range = of(&spread(1_000));
        range.learn(1, &[9_000.0], &[]);
        range.turn();
        assert_eq!(range.judge(End::High, 8_000.0, 1), None);
        spread(1_000).iter().for_each(|value| range.learn(1, &[*value], &[*value]));
        range.turn();
        spread(1_000).iter().for_each(|value| range.learn(1, &[*value], &[*value]));
        assert!(range.judge(End::High, 8_000.0, 1).is_some_and(|beyond| beyond.tail.surprise() > 9.0));
    }

    #[test]
    fn extremes_learned_in_parts_are_those_of_the_whole() {
        let values = spread(500);
        let whole = of(&values);
        let (left, right) = values.split_at(123);
        let mut parts = of(left);
        parts.absorb(&of(right));
        assert_eq!((&parts.present.high, &parts.present.low), (&whole.present.high, &whole.present.low));
        assert_eq!(parts.values(), whole.values());
    }
}
