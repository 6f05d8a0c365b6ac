//! A distribution of durations, kept whole inside and shown in fixed buckets.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hdrhistogram::Histogram;

/// Upper bounds shown to Prometheus, in seconds.
const BOUNDS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0];

/// One hour in microseconds; longer counts as this.
const LONGEST_US: u64 = 3_600_000_000;

/// Durations in microseconds at two significant digits.
#[derive(Debug)]
pub struct Latency(Mutex<(Histogram<u64>, Duration)>);

/// A distribution as it stood at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    /// How many durations.
    pub count: u64,
    /// Their sum in seconds.
    pub sum_seconds: f64,
    /// Upper bound in seconds and how many lie at or below it and above the one before.
    pub buckets: Vec<(f64, u64)>,
    /// Half are below, in seconds.
    pub p50: f64,
    /// 99 % are below, in seconds.
    pub p99: f64,
    /// The longest, in seconds.
    pub max: f64,
}

impl Default for Latency {
    fn default() -> Self {
        let histogram =
            Histogram::new_with_bounds(1, LONGEST_US, 2).expect("bounds and digits are constants");
        Self(Mutex::new((histogram, Duration::ZERO)))
    }
}

impl Latency {
    /// Takes note of one duration.
    pub fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.0.saturating_record(micros);
        inner.1 += took;
    }

    /// As it stands now.
    pub fn distribution(&self) -> Distribution {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (histogram, sum) = &*inner;
        let mut buckets = Vec::with_capacity(BOUNDS.len() + 1);
        let mut below = 0;
        for bound in BOUNDS {
            let upto = histogram.count_between(0, (bound * 1e6) as u64);
            buckets.push((bound, upto.saturating_sub(below)));
            below = upto;
        }
        buckets.push((f64::INFINITY, histogram.len().saturating_sub(below)));
        let quantile = |q: f64| histogram.value_at_quantile(q) as f64 / 1e6;
        Distribution {
            count: histogram.len(),
            sum_seconds: sum.as_secs_f64(),
            buckets,
            p50: quantile(0.5),
            p99: quantile(0.99),
            max: histogram.max() as f64 / 1e6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_in_exactly_one_bucket() {
        let latency = Latency::default();
        for micros in [0, 1, 400, 900, 70_000, 2_000_000, 9_000_000_000] {
            latency.record(Duration::from_micros(micros));
        }
        let seen = latency.distribution();
        assert_eq!(seen.count, 7);
        assert_eq!(seen.buckets.iter().map(|(_, count)| count).sum::<u64>(), 7);
        assert_eq!(seen.buckets[0], (0.0005, 3));
    }
}
