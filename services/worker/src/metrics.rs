//! Figures of the worker: written by the runners, read by the metrics page and the ticker.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use foreshock_detect::{Folds, Spending};
use foreshock_journal::{Offset, Partition};
use foreshock_model::{Tenant, Timestamp};

use crate::{Reading, Sizes, latency::Latency};

/// Figures of every stage and partition, and of the whole.
#[derive(Debug)]
pub struct WorkerMetrics {
    started: Instant,
    partitions: RwLock<BTreeMap<(&'static str, Partition), Arc<PartitionMetrics>>>,
    /// From the receive time of the entry that caused it to the commit of a finding.
    pub acknowledged_to_finding: Latency,
    pub(crate) ticks: AtomicU64,
    pub(crate) ticks_refused: AtomicU64,
    pub(crate) markers: AtomicU64,
    pub(crate) markers_refused: AtomicU64,
    /// Partitions followed, by stage; empty where nothing was ever.
    followed: RwLock<BTreeMap<&'static str, usize>>,
}

impl Default for WorkerMetrics {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            partitions: RwLock::default(),
            acknowledged_to_finding: Latency::default(),
            ticks: AtomicU64::new(0),
            ticks_refused: AtomicU64::new(0),
            markers: AtomicU64::new(0),
            markers_refused: AtomicU64::new(0),
            followed: RwLock::default(),
        }
    }
}

impl WorkerMetrics {
    /// The figures of a stage's partition, made where they are not there yet.
    pub fn partition(&self, stage: &'static str, partition: Partition) -> Arc<PartitionMetrics> {
        let mut all = self.partitions.write().unwrap_or_else(PoisonError::into_inner);
        all.entry((stage, partition)).or_insert_with(|| self.unshown()).clone()
    }

    /// Figures that nobody sees: of a partition that is not served.
    pub(crate) fn unshown(&self) -> Arc<PartitionMetrics> {
        Arc::new(PartitionMetrics::new(self.started))
    }

    /// Forgets a partition that is served no more.
    pub(crate) fn forget(&self, stage: &'static str, partition: Partition) {
        self.partitions.write().unwrap_or_else(PoisonError::into_inner).remove(&(stage, partition));
    }

    /// Forgets all partitions: others serve them.
    pub(crate) fn forget_all(&self) {
        self.partitions.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Every stage's partition with its figures, in order.
    pub fn all(&self) -> Vec<(&'static str, Partition, Arc<PartitionMetrics>)> {
        let all = self.partitions.read().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|((stage, partition), figures)| (*stage, *partition, Arc::clone(figures))).collect()
    }

    /// Ticks appended.
    pub fn ticks(&self) -> u64 {
        self.ticks.load(Relaxed)
    }

    /// Ticks the journal refused; the next look tries again.
    pub fn ticks_refused(&self) -> u64 {
        self.ticks_refused.load(Relaxed)
    }

    /// Markers appended.
    pub fn markers(&self) -> u64 {
        self.markers.load(Relaxed)
    }

    /// Markers the journal refused.
    pub fn markers_refused(&self) -> u64 {
        self.markers_refused.load(Relaxed)
    }

    /// So many partitions of the stage are followed, to be taken over.
    pub(crate) fn follows(&self, stage: &'static str, partitions: usize) {
        self.followed.write().unwrap_or_else(PoisonError::into_inner).insert(stage, partitions);
    }

    /// Partitions that are followed, by stage; none where this process never stood by.
    pub fn followed(&self) -> Vec<(&'static str, usize)> {
        let followed = self.followed.read().unwrap_or_else(PoisonError::into_inner);
        followed.iter().map(|(stage, partitions)| (*stage, *partitions)).collect()
    }

    /// Partitions that still read what was processed before the start.
    pub fn recovering(&self) -> usize {
        self.all().iter().filter(|(_, _, figures)| !figures.is_live()).count()
    }
}

macro_rules! figures {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Counters of one stage's partition as they stood at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct PartitionFigures {
            $($(#[$doc])* pub $name: u64),+
        }

        #[derive(Debug, Default)]
        struct Counters {
            $($name: AtomicU64),+
        }

        impl Counters {
            fn read(&self) -> PartitionFigures {
                PartitionFigures { $($name: self.$name.load(Relaxed)),+ }
            }
        }
    };
}

figures! {
    /// Entries taken, ticks, markers and skips included.
    entries,
    /// Entries that held telemetry or a message.
    messages,
    /// Telemetry records in them.
    records,
    /// Bytes of their payloads.
    input_bytes,
    /// Messages put out.
    outputs,
    /// Their bytes.
    output_bytes,
    /// Entries set aside because they could not be read.
    poison,
    /// Entries set aside because the stage panicked over them.
    panics,
    /// Batches made durable.
    commits,
    /// Appends that the journal refused and that were made again.
    refused,
    /// Sources that were not waited for any more.
    skips,
    /// The next offset to take.
    position,
    /// The next offset to take as the journal has it.
    committed,
    /// Receive time of the last entry taken, Unix nanoseconds.
    received,
    /// The largest time the partition has come to, Unix nanoseconds.
    latest,
    /// How far the furthest of its sources has come, Unix nanoseconds.
    heard,
    /// Messages of sources that never came. Must be 0.
    holes,
    /// Messages of sources that came again and were passed over.
    repeats,
    /// Instances told apart.
    instances,
    /// Log patterns held.
    patterns,
    /// Metric series held.
    series,
    /// Forecasts whose time has come.
    forecasts_judged,
    /// Of those: the time was right within a fifth of how far it looked ahead.
    forecasts_right,
    /// Of those: the interval held the truth.
    forecasts_within,
    /// Lines of shapes there was no room for.
    folded_shapes,
    /// Lines of patterns there was no room for.
    folded_patterns,
    /// Values of series there was no room for.
    folded_series,
    /// Times a resource was met that there was no room for.
    folded_sources,
    /// Spans of operations there was no room for.
    folded_operations,
    /// Windows of services there was no room for.
    folded_services,
    /// Steps of sessions there was no room for.
    folded_steps,
    /// Snapshots written.
    snapshots,
    /// Snapshots that could not be written.
    snapshots_failed,
    /// Time spent on snapshots, in microseconds.
    snapshot_micros,
    /// Bytes of the last snapshot.
    snapshot_bytes,
    /// Time the start took until the partition went on, in microseconds.
    recovery_micros,
    /// Entries read again at the start.
    replayed,
    /// States that were rebuilt from the log because no snapshot could be used.
    rebuilt,
    /// Entries that retention took away before they were read.
    lost,
}

/// Figures of one stage's partition.
#[derive(Debug)]
pub struct PartitionMetrics {
    started: Instant,
    counters: Counters,
    live: AtomicBool,
    /// Milliseconds since `started` from which on there was nothing to read; 0 while there is.
    idle_since: AtomicU64,
    /// From the append of a batch to its durability.
    pub commit: Latency,
    /// How tenants' alert budgets stand.
    spending: Mutex<Vec<(Tenant, Spending)>>,
}

impl PartitionMetrics {
    fn new(started: Instant) -> Self {
        Self {
            started,
            counters: Counters::default(),
            live: AtomicBool::new(false),
            idle_since: AtomicU64::new(0),
            commit: Latency::default(),
            spending: Mutex::default(),
        }
    }

    /// The counters now.
    pub fn figures(&self) -> PartitionFigures {
        self.counters.read()
    }

    /// Whether it is past its recovery.
    pub fn is_live(&self) -> bool {
        self.live.load(Relaxed)
    }

    /// For how long there has been nothing to read but ticks; zero while there is something, or in recovery.
    pub fn idle(&self) -> Duration {
        match self.idle_since.load(Relaxed) {
            0 => Duration::ZERO,
            since => self.since_start().saturating_sub(Duration::from_millis(since)),
        }
    }

    fn since_start(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn waits_for_input(&self) {
        if self.idle_since.load(Relaxed) == 0 {
            let now = u64::try_from(self.since_start().as_millis()).unwrap_or(u64::MAX);
            self.idle_since.store(now.max(1), Relaxed);
        }
    }

    pub(crate) fn is_busy(&self) {
        self.idle_since.store(0, Relaxed);
    }

    pub(crate) fn recovered(&self, took: Duration, replayed: u64) {
        self.counters.recovery_micros.store(micros(took), Relaxed);
        self.counters.replayed.store(replayed, Relaxed);
        self.live.store(true, Relaxed);
    }

    pub(crate) fn rebuilt(&self) {
        self.counters.rebuilt.fetch_add(1, Relaxed);
    }

    pub(crate) fn lost(&self, entries: u64) {
        self.counters.lost.fetch_add(entries, Relaxed);
    }

    pub(crate) fn took(&self, entries: u64, messages: u64, records: u64, bytes: u64) {
        self.counters.entries.fetch_add(entries, Relaxed);
        self.counters.messages.fetch_add(messages, Relaxed);
        self.counters.records.fetch_add(records, Relaxed);
        self.counters.input_bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn put_out(&self, bytes: usize) {
        self.counters.outputs.fetch_add(1, Relaxed);
        self.counters.output_bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn poisoned(&self) {
        self.counters.poison.fetch_add(1, Relaxed);
    }

    pub(crate) fn panicked(&self) {
        self.counters.panics.fetch_add(1, Relaxed);
    }

    pub(crate) fn skipped(&self) {
        self.counters.skips.fetch_add(1, Relaxed);
    }

    pub(crate) fn stands(&self, position: Offset, received: Option<Timestamp>, reading: Reading) {
        self.counters.position.store(position.0, Relaxed);
        if let Some(received) = received {
            self.counters.received.store(received.nanos(), Relaxed);
        }
        self.counters.latest.store(reading.latest.nanos(), Relaxed);
        self.counters.holes.store(reading.holes, Relaxed);
        self.counters.repeats.store(reading.repeats, Relaxed);
    }

    pub(crate) fn hears_of(&self, furthest: u64) {
        self.counters.heard.store(furthest, Relaxed);
    }

    pub(crate) fn holds(&self, sizes: Sizes) {
        self.counters.instances.store(sizes.instances, Relaxed);
        self.counters.patterns.store(sizes.patterns, Relaxed);
        self.counters.series.store(sizes.series, Relaxed);
        self.counters.forecasts_judged.store(u64::from(sizes.forecasts.judged), Relaxed);
        self.counters.forecasts_right.store(u64::from(sizes.forecasts.right), Relaxed);
        self.counters.forecasts_within.store(u64::from(sizes.forecasts.held), Relaxed);
        let Folds { shapes, patterns, series, sources, operations, services, steps } = sizes.folds;
        self.counters.folded_shapes.store(shapes, Relaxed);
        self.counters.folded_patterns.store(patterns, Relaxed);
        self.counters.folded_series.store(series, Relaxed);
        self.counters.folded_sources.store(sources, Relaxed);
        self.counters.folded_operations.store(operations, Relaxed);
        self.counters.folded_services.store(services, Relaxed);
        self.counters.folded_steps.store(steps, Relaxed);
    }

    pub(crate) fn spends(&self, spending: Vec<(Tenant, Spending)>) {
        *self.spending.lock().unwrap_or_else(PoisonError::into_inner) = spending;
    }

    /// How the alert budgets of the partition's tenants stand, where it is one of correlate.
    pub fn spending(&self) -> Vec<(Tenant, Spending)> {
        self.spending.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn refused(&self) {
        self.counters.refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn committed(&self, next: Offset) {
        self.counters.commits.fetch_add(1, Relaxed);
        self.counters.committed.store(next.0, Relaxed);
    }

    pub(crate) fn starts_from(&self, committed: Offset) {
        self.counters.committed.store(committed.0, Relaxed);
    }

    pub(crate) fn saved(&self, took: Duration, bytes: u64) {
        self.counters.snapshots.fetch_add(1, Relaxed);
        self.counters.snapshot_micros.fetch_add(micros(took), Relaxed);
        self.counters.snapshot_bytes.store(bytes, Relaxed);
    }

    pub(crate) fn not_saved(&self) {
        self.counters.snapshots_failed.fetch_add(1, Relaxed);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
