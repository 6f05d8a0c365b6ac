//! Markers: the owner's word that a stage has fallen behind.
//!
//! A stage reads no clock, so it can't know. All markers lie where the findings of the default tenant lie, however far
//! upstream the lag is: the last stage is the one that is not held up by it, and it tells of it at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use foreshock_detect::partition_of_tenant;
use foreshock_journal::{Batch, Entry, Journal, JournalError, Partition, Stream};
use foreshock_model::{Tenant, Timestamp, proto};
use prost::Message;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{LagReport, WorkerConfig, WorkerMetrics, wall};

/// How often it is looked whether a partition is behind.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Who is behind for less than this is catching up from a pause, not lagging.
const LASTING: Duration = Duration::from_secs(15);
/// While it lasts it is told again after this time, partition by partition.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Appends markers about stages that lag until `shutdown`.
pub async fn tell_of_lag(
    config: Arc<WorkerConfig>,
    journal: Arc<dyn Journal>,
    metrics: Arc<WorkerMetrics>,
    shutdown: CancellationToken,
) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watch = LagWatch::new(config.lag_told());
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = shutdown.cancelled() => return,
        }
        let report = LagReport::now(&metrics, &*journal);
        let markers = watch.look(&report, wall::now());
        if markers.is_empty() {
            continue;
        }
        let count = markers.len() as u64;
        let to = marked_partition(&*journal);
        let entries = markers.into_iter().map(|marker| (to, marker)).collect();
        let appended = tokio::select! {
            appended = journal.append(Batch { entries, consumed: None }) => appended,
            () = shutdown.cancelled() => return,
        };
        match appended {
            Ok(_) => drop(metrics.markers.fetch_add(count, Relaxed)),
            Err(JournalError::Closed) => return,
            Err(error) => {
                metrics.markers_refused.fetch_add(count, Relaxed);
                warn!("the journal refuses markers: nobody is told that stages lag: {error}");
            }
        }
    }
}

/// Where markers lie.
pub fn marked_partition(journal: &dyn Journal) -> Partition {
    let partitions = journal.partitions(Stream::Findings);
    Partition::new(Stream::Findings, partition_of_tenant(&Tenant::default(), partitions))
}

/// Who is behind, since when, and when that was told.
#[derive(Debug)]
pub struct LagWatch {
    /// Lag up to this is tolerated.
    bound: Duration,
    behind: BTreeMap<(&'static str, Partition), Behind>,
    /// When lag was first told, while anybody lags.
    since: Option<Timestamp>,
}

#[derive(Debug)]
struct Behind {
    seen_first: Timestamp,
    told: Option<Timestamp>,
}

impl LagWatch {
    /// One that tells of lag beyond `bound`.
    pub fn new(bound: Duration) -> Self {
        Self { bound, behind: BTreeMap::new(), since: None }
    }

    /// Looks at where the stages stand. Returns the markers to append.
    pub fn look(&mut self, report: &LagReport, now: Timestamp) -> Vec<Entry> {
        let bound = self.bound.as_secs_f64();
        let lagging = || report.partitions.iter().filter(|lag| lag.seconds > bound);
        self.behind.retain(|key, _| lagging().any(|lag| (lag.stage, lag.partition) == *key));
        if self.behind.is_empty() {
            self.since = None;
        }
        let mut markers = Vec::new();
        for lag in lagging() {
            let behind = self
                .behind
                .entry((lag.stage, lag.partition))
                .or_insert(Behind { seen_first: now, told: None });
            let lasts = now.since(behind.seen_first) >= LASTING;
            let again = behind.told.is_none_or(|told| now.since(told) >= AGAIN_AFTER);
            if !lasts || !again {
                continue;
            }
            behind.told = Some(now);
            let lagging = proto::Lagging {
                stage: lag.stage.to_owned(),
                stream: lag.partition.stream.name().to_owned(),
                partition: lag.partition.index.into(),
                seconds: lag.seconds,
                since: self.since.get_or_insert(now).nanos(),
            };
            let marker = proto::Marker { says: Some(proto::marker::Says::Lagging(lagging)) };
            markers.push(Entry::marker(now, marker.encode_to_vec()));
        }
        markers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PartitionFigures, PartitionLag};

    const LOGS: Partition = Partition::new(Stream::Logs, 1);
    const SUMMARIES: Partition = Partition::new(Stream::Summaries, 0);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(1_700_000_000 + seconds)
    }

    fn report(lags: &[(&'static str, Partition, f64)]) -> LagReport {
        let lag = |(stage, partition, seconds): &(&'static str, Partition, f64)| PartitionLag {
            stage,
            partition: *partition,
            offsets: 9,
            seconds: *seconds,
            figures: PartitionFigures::default(),
        };
        LagReport { partitions: lags.iter().map(lag).collect(), degraded: Vec::new() }
    }

    /// Stage, seconds behind, and seconds since lag was first told.
    fn says(markers: &[Entry]) -> Vec<(String, f64, u64)> {
        let read = |marker: &Entry| {
            let message = proto::Marker::decode(marker.payload.clone().into_bytes()).expect("ours");
            let Some(proto::marker::Says::Lagging(lagging)) = message.says else { panic!("lagging") };
            let since = marker.received.since(Timestamp(lagging.since)).as_secs();
            (lagging.stage, lagging.seconds, since)
        };
        markers.iter().map(read).collect()
    }

    #[test]
    fn lag_is_told_when_it_lasts_and_once_a_minute_a_partition_while_it_does() {
        let mut watch = LagWatch::new(Duration::from_secs(60));
        let mut told = Vec::new();
        for seconds in (0..200).step_by(5) {
            let late = if seconds >= 40 { 100.0 } else { 60.0 };
            let report = report(&[("reduce", LOGS, 90.0), ("detect", SUMMARIES, late)]);
            for (stage, _, since) in says(&watch.look(&report, at(seconds))) {
                told.push((seconds, stage, since));
            }
        }
        let told: Vec<_> = told.iter().map(|(at, stage, since)| (*at, stage.as_str(), *since)).collect();
        assert_eq!(
            told,
            [
                (15, "reduce", 0),
                (55, "detect", 40),
                (75, "reduce", 60),
                (115, "detect", 100),
                (135, "reduce", 120),
                (175, "detect", 160),
                (195, "reduce", 180),
            ]
        );
    }

    #[test]
    fn a_short_lag_is_not_told_and_a_new_one_begins_anew() {
        let mut watch = LagWatch::new(Duration::from_secs(60));
        let behind = report(&[("reduce", LOGS, 90.0)]);
        let caught_up = report(&[("reduce", LOGS, 1.0)]);
        assert!(watch.look(&behind, at(0)).is_empty());
        assert!(watch.look(&caught_up, at(5)).is_empty());
        assert!(watch.look(&behind, at(10)).is_empty(), "it did not last");
        assert_eq!(says(&watch.look(&behind, at(25))), [("reduce".to_owned(), 90.0, 0)]);
        assert!(watch.look(&caught_up, at(30)).is_empty());
        watch.look(&behind, at(35));
        assert_eq!(says(&watch.look(&behind, at(50))), [("reduce".to_owned(), 90.0, 0)], "a new episode");
    }
}
