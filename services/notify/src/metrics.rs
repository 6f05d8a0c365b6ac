//! What notify did since its start, for the metrics page.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::Config;

/// Upper bounds of the latency buckets, in milliseconds.
pub const LATENCY_BOUNDS_MS: [u64; 12] =
    [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 30_000, 300_000, 3_600_000];

/// Counters and gauges of the whole service. Made before the start, shared with whoever shows them.
#[derive(Debug, Default)]
pub struct Metrics {
    /// One for each route of the configuration, in its order.
    pub routes: Vec<Arc<RouteMetrics>>,
    /// Messages missing between those read from the incidents stream. Has to stay 0.
    pub source_holes: AtomicU64,
    /// Messages read a second time, and left out.
    pub source_duplicates: AtomicU64,
    /// Messages that could not be read, and were set aside.
    pub poison: AtomicU64,
    /// Incidents held in memory.
    pub incidents: AtomicU64,
    /// Open incidents let go because the limit was reached; what becomes of them is told as if they were new.
    pub evicted: AtomicU64,
}

/// Counters and gauges of one route.
#[derive(Debug)]
pub struct RouteMetrics {
    /// The route's name.
    pub route: String,
    /// The kind of its receiver.
    pub receiver: &'static str,
    /// Incident revisions that the receiver took.
    pub delivered: AtomicU64,
    /// Attempts that failed and are made again.
    pub retried: AtomicU64,
    /// Incident revisions given up.
    pub given_up: AtomicU64,
    /// Open incidents told again to keep them from expiring.
    pub refreshed: AtomicU64,
    /// Incidents that wait to be told.
    pub queue: AtomicU64,
    /// From the incident's entry in the journal to the receiver's answer.
    pub latency: Latency,
}

/// A histogram with [`LATENCY_BOUNDS_MS`].
#[derive(Debug, Default)]
pub struct Latency {
    buckets: [AtomicU64; LATENCY_BOUNDS_MS.len() + 1],
    sum_us: AtomicU64,
}

impl Metrics {
    /// All at 0, a row for each route.
    pub fn new(config: &Config) -> Self {
        Self::default().renewed(config)
    }

    /// For a run that follows this one, which has ended, in the same process: what only grows goes on from here, and
    /// so do the rows of routes that keep their name and receiver.
    pub fn renewed(&self, config: &Config) -> Self {
        let copy = |counter: &AtomicU64| AtomicU64::new(counter.load(Relaxed));
        let kept = |route: &crate::Route| {
            self.routes
                .iter()
                .find(|row| row.route == route.name && row.receiver == route.receiver())
                .cloned()
        };
        let row = |route: &crate::Route| {
            kept(route).unwrap_or_else(|| Arc::new(RouteMetrics::new(route.name.clone(), route.receiver())))
        };
        Self {
            routes: config.routes.iter().map(row).collect(),
            source_holes: copy(&self.source_holes),
            source_duplicates: copy(&self.source_duplicates),
            poison: copy(&self.poison),
            incidents: AtomicU64::default(),
            evicted: copy(&self.evicted),
        }
    }
}

impl RouteMetrics {
    fn new(route: String, receiver: &'static str) -> Self {
        Self {
            route,
            receiver,
            delivered: AtomicU64::default(),
            retried: AtomicU64::default(),
            given_up: AtomicU64::default(),
            refreshed: AtomicU64::default(),
            queue: AtomicU64::default(),
            latency: Latency::default(),
        }
    }
}

impl Latency {
    /// Takes one in.
    pub(crate) fn observe(&self, took: Duration) {
        let milliseconds = took.as_millis();
        let bucket = LATENCY_BOUNDS_MS.iter().position(|bound| milliseconds <= u128::from(*bound));
        self.buckets[bucket.unwrap_or(LATENCY_BOUNDS_MS.len())].fetch_add(1, Relaxed);
        self.sum_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Cumulative counts for each bound and, last, for infinity, as Prometheus has them.
    pub fn cumulative(&self) -> [u64; LATENCY_BOUNDS_MS.len() + 1] {
        let mut sum = 0;
        std::array::from_fn(|index| {
            sum += self.buckets[index].load(Relaxed);
            sum
        })
    }

    /// Sum of all.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_us.load(Relaxed))
    }
}
