//! Ticks: the owner's word on a quiet telemetry partition of how far time has come.
//!
//! Live, a tick carries the present time. On the event clock it carries the largest time that any of the owner's
//! partitions has come to, so that a quiet one does not hold all up; never a wall time.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use foreshock_detect::{Clock, DetectConfig, Stage, detect::Detect, reduce::Reduce};
use foreshock_journal::{Batch, Entry, Journal, JournalError, Partition};
use foreshock_model::{BASE_WINDOW, Timestamp};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{WorkerMetrics, wall};

/// How often it is looked whether a partition is quiet.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The longest time between two ticks of a quiet partition.
const LONGEST: Duration = Duration::from_secs(5);
/// On the event clock a partition is quiet after this time.
const IDLE: Duration = Duration::from_secs(1);

/// What was last told to a partition.
#[derive(Debug)]
struct Told {
    /// Entries with data at the last look.
    messages: u64,
    /// The time of the last data or tick.
    at: Timestamp,
    /// How long to stay silent after it.
    pause: Duration,
}

/// Appends ticks to the partitions of the telemetry streams until `shutdown`.
pub async fn tick_quiet_partitions(
    config: Arc<DetectConfig>,
    journal: Arc<dyn Journal>,
    metrics: Arc<WorkerMetrics>,
    shutdown: CancellationToken,
) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = BTreeMap::new();
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = shutdown.cancelled() => return,
        }
        let due = match config.clock {
            Clock::Live => due_live(&mut told, &metrics, config.lateness(), wall::now()),
            Clock::Event => {
                let mut due = due_event(&metrics, IDLE, config.lateness());
                // What is on its way is not silence.
                due.retain(|(partition, _)| has_read_all(&metrics, &*journal, *partition));
                due
            }
        };
        if due.is_empty() {
            continue;
        }
        let count = due.len() as u64;
        let entries = due.into_iter().map(|(partition, time)| (partition, Entry::tick(time))).collect();
        let appended = tokio::select! {
            appended = journal.append(Batch { entries, consumed: None }) => appended,
            () = shutdown.cancelled() => return,
        };
        match appended {
            Ok(_) => drop(metrics.ticks.fetch_add(count, Relaxed)),
            Err(JournalError::Closed) => return,
            Err(error) => {
                // Nothing is owed: the next look tells a later time.
                if metrics.ticks_refused.fetch_add(count, Relaxed) == 0 {
                    warn!(
                        "the journal refuses ticks: windows of quiet partitions stay open meanwhile: {error}"
                    );
                } else {
                    debug!("ticks refused: {error}");
                }
            }
        }
    }
}

/// Quiet partitions and the present time: after 200 ms, then after twice as long each time up to 5 s, and whenever
/// a window is due that only a tick can close.
fn due_live(
    told: &mut BTreeMap<Partition, Told>,
    metrics: &WorkerMetrics,
    lateness: Duration,
    now: Timestamp,
) -> Vec<(Partition, Timestamp)> {
    let closed = |at: Timestamp| at.minus(lateness).window(BASE_WINDOW).start;
    let mut due = Vec::new();
    for (stage, partition, figures) in metrics.all() {
        if stage != Reduce::NAME || !figures.is_live() {
            continue;
        }
        let figures = figures.figures();
        let told = told.entry(partition).or_insert(Told {
            messages: figures.messages,
            at: Timestamp(figures.received),
            pause: LOOK_EVERY,
        });
        if figures.messages != told.messages {
            *told = Told {
                messages: figures.messages,
                at: Timestamp(figures.received).max(told.at),
                pause: LOOK_EVERY,
            };
            continue;
        }
        let window_due = closed(now) > closed(told.at);
        if window_due || now.since(told.at) >= told.pause {
            let pause = (told.pause * 2).min(LONGEST);
            *told = Told { messages: told.messages, at: now, pause };
            due.push((partition, now));
        }
    }
    due
}

fn has_read_all(metrics: &WorkerMetrics, journal: &dyn Journal, partition: Partition) -> bool {
    let position = metrics.partition(Reduce::NAME, partition).figures().position;
    journal.end(partition).is_some_and(|end| position >= end.0)
}

/// Idle partitions behind the furthest, and how far that one has come: of ours, or of those whose messages ours have
/// heard, wherever they are served.
fn due_event(metrics: &WorkerMetrics, quiet: Duration, lateness: Duration) -> Vec<(Partition, Timestamp)> {
    let all = metrics.all();
    let reduce = || all.iter().filter(|(stage, _, figures)| *stage == Reduce::NAME && figures.is_live());
    let ours = reduce().map(|(_, _, figures)| figures.figures().latest).max().unwrap_or(0);
    let detect = all.iter().filter(|(stage, _, _)| *stage == Detect::NAME);
    let heard = detect.map(|(_, _, figures)| figures.figures().heard).max().unwrap_or(0);
    let furthest = ours.max(match heard {
        0 => 0,
        closed => Timestamp(closed).plus(lateness).0,
    });
    reduce()
        .filter(|(_, _, figures)| figures.idle() >= quiet && figures.figures().latest < furthest)
        .map(|(_, partition, _)| (*partition, Timestamp(furthest)))
        .collect()
}

#[cfg(test)]
mod tests {
    use foreshock_journal::{Offset, Stream};

    use super::*;
    use crate::Reading;

    const LOGS: Partition = Partition::new(Stream::Logs, 0);

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_secs(1_000_000).plus(Duration::from_millis(millis))
    }

    #[test]
    fn a_quiet_partition_is_told_ever_more_rarely_but_in_time_for_every_window() {
        let metrics = WorkerMetrics::default();
        let figures = metrics.partition(Reduce::NAME, LOGS);
        figures.recovered(Duration::ZERO, 0);
        figures.stands(Offset(1), Some(at(0)), Reading::default());
        let mut told = BTreeMap::new();
        let lateness = Duration::from_secs(5);
        let mut ticks = Vec::new();
        for millis in (0..40_000).step_by(200) {
            let due = due_live(&mut told, &metrics, lateness, at(millis));
            ticks.extend(due.iter().map(|_| millis));
        }
        assert_eq!(ticks[..6], [200, 600, 1400, 3000, 5000, 10_000], "5000: a window is due");
        assert!(ticks.contains(&15_000) && ticks.contains(&25_000) && ticks.contains(&35_000), "{ticks:?}");
        assert!(ticks.len() < 16, "{ticks:?}");

        figures.took(1, 1, 1, 1);
        figures.stands(Offset(2), Some(at(40_000)), Reading::default());
        assert!(due_live(&mut told, &metrics, lateness, at(40_100)).is_empty(), "fresh data needs no tick");
        assert_eq!(due_live(&mut told, &metrics, lateness, at(40_300)).len(), 1, "the pause is short again");
    }

    #[test]
    fn on_the_event_clock_an_idle_partition_is_brought_to_the_furthest_and_no_further() {
        let metrics = WorkerMetrics::default();
        let ahead = metrics.partition(Reduce::NAME, LOGS);
        let idle = metrics.partition(Reduce::NAME, Partition::new(Stream::Spans, 1));
        for (figures, latest) in [(&ahead, 500), (&idle, 20)] {
            figures.recovered(Duration::ZERO, 0);
            figures.stands(Offset(1), None, Reading { latest: Timestamp(latest), ..Reading::default() });
        }
        let quiet = Duration::from_millis(1);
        let lateness = Duration::ZERO;
        assert!(due_event(&metrics, quiet, lateness).is_empty(), "nobody is idle");
        while idle.idle() < quiet {
            idle.waits_for_input();
            std::thread::yield_now();
        }
        let idle_one = Partition::new(Stream::Spans, 1);
        assert_eq!(due_event(&metrics, quiet, lateness), [(idle_one, Timestamp(500))]);

        let detect = metrics.partition(Detect::NAME, Partition::new(Stream::Summaries, 0));
        detect.hears_of(600);
        let by_hearsay = due_event(&metrics, quiet, Duration::from_nanos(7));
        assert_eq!(by_hearsay, [(idle_one, Timestamp(607))], "another worker's partition is further");
    }
}
