//! Distributions as OTLP sends them: bucket counts, their increase, their quantiles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Bucket counts of one histogram.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Distribution {
    /// Counts between explicit bounds; one more count than bounds.
    Explicit {
        /// Upper bounds, ascending.
        bounds: Vec<f64>,
        /// Counts, the last above all bounds.
        counts: Vec<u64>,
    },
    /// Counts in buckets `(base^i, base^(i+1)]` with base `2^(2^-scale)`.
    Exponential {
        /// The scale.
        scale: i32,
        /// Values of about zero, and those below.
        zero: u64,
        /// Count by index.
        counts: BTreeMap<i32, u64>,
    },
}

impl Distribution {
    /// How many values.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Explicit { counts, .. } => counts.iter().sum(),
            Self::Exponential { zero, counts, .. } => zero + counts.values().sum::<u64>(),
        }
    }

    /// What came since `earlier`; all of it where the histogram was reset or cut otherwise.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        match (self, earlier) {
            (Self::Explicit { bounds, counts }, Self::Explicit { bounds: old_bounds, counts: old })
                if bounds == old_bounds && counts.iter().zip(old).all(|(new, old)| new >= old) =>
            {
                let counts = counts.iter().zip(old).map(|(new, old)| new - old).collect();
                Self::Explicit { bounds: bounds.clone(), counts }
            }
            (Self::Exponential { .. }, Self::Exponential { .. }) => self.exponential_since(earlier),
            _ => self.clone(),
        }
    }

    fn exponential_since(&self, earlier: &Self) -> Self {
        let (mut new, mut old) = (self.clone(), earlier.clone());
        let scale = new.scale().min(old.scale());
        new.coarsen(scale);
        old.coarsen(scale);
        let (Self::Exponential { zero, counts, .. }, Self::Exponential { zero: old_zero, counts: old, .. }) =
            (&new, &old)
        else {
            return self.clone();
        };
        let grew = zero >= old_zero
            && old.iter().all(|(index, count)| counts.get(index).is_some_and(|new| new >= count));
        if !grew {
            return self.clone();
        }
        let counts = counts
            .iter()
            .map(|(index, count)| (*index, count - old.get(index).copied().unwrap_or(0)))
            .filter(|(_, count)| *count > 0)
            .collect();
        Self::Exponential { scale, zero: zero - old_zero, counts }
    }

    fn scale(&self) -> i32 {
        match self {
            Self::Explicit { .. } => 0,
            Self::Exponential { scale, .. } => *scale,
        }
    }

    fn coarsen(&mut self, to: i32) {
        if let Self::Exponential { scale, counts, .. } = self
            && *scale > to
        {
            let shift = (*scale - to).clamp(0, 31).unsigned_abs();
            let mut coarse = BTreeMap::new();
            for (index, count) in std::mem::take(counts) {
                *coarse.entry(index >> shift).or_default() += count;
            }
            *counts = coarse;
            *scale = to;
        }
    }

    /// Adds another's counts; of other bounds, it takes the place of this one.
    pub(super) fn add(&mut self, other: &Self) {
        let scale = self.scale().min(other.scale());
        match (&mut *self, other) {
            (Self::Explicit { bounds, counts }, Self::Explicit { bounds: others, counts: more })
                if bounds == others =>
            {
                counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
            }
            (Self::Exponential { .. }, Self::Exponential { .. }) => {
                let mut other = other.clone();
                other.coarsen(scale);
                self.coarsen(scale);
                if let (
                    Self::Exponential { zero, counts, .. },
                    Self::Exponential { zero: more_zero, counts: more, .. },
                ) = (self, other)
                {
                    *zero += more_zero;
                    more.into_iter().for_each(|(index, count)| *counts.entry(index).or_default() += count);
                }
            }
            _ => *self = other.clone(),
        }
    }

    /// The `q` quantile, interpolated linearly within its bucket; `None` where there are no values.
    pub(super) fn quantile(&self, q: f64) -> Option<f64> {
        let rank = q * self.count() as f64;
        let mut below = 0.0;
        for (low, high, count) in self.buckets() {
            let count = count as f64;
            if count > 0.0 && below + count >= rank {
                return Some(low + (high - low) * ((rank - below) / count).clamp(0.0, 1.0));
            }
            below += count;
        }
        None
    }

    /// Lower end, upper end, count; ascending.
    fn buckets(&self) -> Vec<(f64, f64, u64)> {
        match self {
            Self::Explicit { bounds, counts } => {
                let mut low = bounds.first().map_or(0.0, |first| first.min(0.0));
                let last = bounds.last().copied().unwrap_or(0.0);
                counts
                    .iter()
                    .enumerate()
                    .map(|(index, count)| {
                        let high = bounds.get(index).copied().unwrap_or(last);
                        (std::mem::replace(&mut low, high), high, *count)
                    })
                    .collect()
            }
            Self::Exponential { scale, zero, counts } => {
                let bound = |index: i32| libm::exp2(f64::from(index) * libm::exp2(-f64::from(*scale)));
                let mut buckets = vec![(0.0, 0.0, *zero)];
                buckets.extend(counts.iter().map(|(i, count)| (bound(*i), bound(i + 1), *count)));
                buckets
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_in_the_right_bucket() {
        let explicit = Distribution::Explicit { bounds: vec![1.0, 2.0, 4.0], counts: vec![0, 100, 0, 0] };
        assert_eq!(explicit.quantile(0.5), Some(1.5));
        let exponential =
            Distribution::Exponential { scale: 0, zero: 0, counts: BTreeMap::from([(3, 10), (4, 10)]) };
        assert_eq!(exponential.quantile(0.25), Some(12.0));
        assert_eq!(Distribution::Explicit { bounds: vec![], counts: vec![] }.quantile(0.5), None);
    }

    #[test]
    fn the_increase_is_what_came_since_and_all_of_it_after_a_reset() {
        let old = Distribution::Exponential { scale: 1, zero: 1, counts: BTreeMap::from([(4, 10)]) };
        let new = Distribution::Exponential { scale: 0, zero: 1, counts: BTreeMap::from([(2, 12), (5, 1)]) };
        let expected =
            Distribution::Exponential { scale: 0, zero: 0, counts: BTreeMap::from([(2, 2), (5, 1)]) };
        assert_eq!(new.since(&old), expected);
        assert_eq!(old.since(&new), old);
    }
}
