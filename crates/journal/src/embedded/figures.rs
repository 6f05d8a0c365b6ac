//! Counts for the metrics page.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Upper bounds of the buckets of sync latency, in microseconds.
const SYNC_BOUNDS_US: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000,
];

/// Since the journal was opened.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) batches: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) refused: AtomicU64,
    sync_ns: AtomicU64,
    /// One a bound, and one for what took longer than all of them.
    syncs: [AtomicU64; SYNC_BOUNDS_US.len() + 1],
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }

    /// Notes how long a write took to become durable.
    pub(super) fn synced(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        Self::add(&self.syncs[SYNC_BOUNDS_US.partition_point(|bound| *bound < us)], 1);
        Self::add(&self.sync_ns, us.saturating_mul(1000));
    }

    /// Cumulative counts by upper bound; the last bound has no end.
    pub(super) fn sync_latency(&self) -> Vec<(Duration, u64)> {
        let bounds = SYNC_BOUNDS_US.map(Duration::from_micros).into_iter().chain([Duration::MAX]);
        let mut sum = 0;
        bounds
            .zip(&self.syncs)
            .map(|(bound, count)| {
                sum += count.load(Ordering::Relaxed);
                (bound, sum)
            })
            .collect()
    }

    pub(super) fn sync_total(&self) -> Duration {
        Duration::from_nanos(self.sync_ns.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_is_counted_in_every_bucket_from_its_own_on() {
        let counters = Counters::default();
        counters.synced(Duration::from_micros(100));
        counters.synced(Duration::from_micros(101));
        counters.synced(Duration::from_secs(60));
        let counts: Vec<u64> = counters.sync_latency().into_iter().map(|(_, count)| count).collect();
        assert_eq!(counts[..3], [1, 2, 2]);
        assert_eq!(counts.last(), Some(&3));
        assert_eq!(counters.sync_total(), Duration::from_micros(201) + Duration::from_secs(60));
    }
}
