//! The worker over the embedded journal on a real directory.
#![allow(clippy::unwrap_used)]

#[path = "support/mod.rs"]
mod support;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use foreshock_detect::DetectConfig;
use foreshock_journal::{
    Batch, EmbeddedJournal, EmbeddedOptions, Entry, EntryKind, Journal, JournalError, Offset, Partition,
    Stream,
};
use foreshock_model::{Incident, Kind, Severity, Timestamp, proto};
use foreshock_worker::{
    LagReport, LagWatch, PartitionFigures, PartitionLag, Runner, Views, WorkerConfig, WorkerMetrics,
    marked_partition, run,
};
use prost::Message;
use support::{INPUT, Tally, number};
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(30);

/// Opens the directory's journal; waits for the threads of the one before to let go of it.
fn open(directory: &Path) -> Arc<dyn Journal> {
    let until = Instant::now() + DEADLINE;
    loop {
        match EmbeddedJournal::open(EmbeddedOptions::small(directory)) {
            Ok(journal) => return journal,
            Err(JournalError::Locked { .. }) if Instant::now() < until => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn read_all(journal: &Arc<dyn Journal>, partition: Partition) -> Vec<(Offset, Entry)> {
    let mut reader = journal.reader(partition, Offset(0)).unwrap();
    let mut all = Vec::new();
    loop {
        let fetched = reader.read_now(1 << 20).await.unwrap();
        if fetched.is_empty() {
            return all;
        }
        all.extend(fetched);
    }
}

/// What the stage puts out for a log, with the process dropped where it stands whenever `stops` more entries are
/// committed.
fn outputs_with_crashes(stops: &[u64]) -> Vec<Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    let log: Vec<_> = (20..620).map(|value| (INPUT, number(value))).collect();
    let end = Offset(log.len() as u64);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut journal = open(directory.path());
    journal.append(Batch { entries: log, consumed: None }).wait().unwrap();
    let mut stops = stops.iter();
    loop {
        let config = WorkerConfig {
            fetch_bytes: 64,
            snapshot_input_mib: 0,
            snapshot_percent: 100,
            ..WorkerConfig::default()
        };
        let stage = Tally::<1>::new(INPUT, journal.partitions(Stream::Summaries));
        let runner = Runner::new(
            stage,
            INPUT,
            Stream::Summaries,
            Arc::clone(&journal),
            Arc::new(config),
            Arc::default(),
        );
        let stop = stops.next().map(|stop| Offset(*stop).min(end));
        runtime.block_on(async {
            let serving = tokio::spawn(runner.serve(CancellationToken::new(), CancellationToken::new()));
            until("the offset is committed", || {
                journal.committed("tally", INPUT).unwrap() >= Some(stop.unwrap_or(end))
            })
            .await;
            serving.abort();
            assert!(serving.await.unwrap_err().is_cancelled());
        });
        if stop.is_none() {
            break;
        }
        drop(journal);
        journal = open(directory.path());
    }
    runtime.block_on(async {
        let mut all = Vec::new();
        for index in 0..journal.partitions(Stream::Summaries) {
            let entries = read_all(&journal, Partition::new(Stream::Summaries, index)).await;
            all.extend(entries.into_iter().map(|(_, entry)| entry.payload.into_bytes().to_vec()));
        }
        journal.close().await;
        all
    })
}

#[test]
fn a_run_that_is_dropped_again_and_again_puts_out_what_an_undisturbed_one_does() {
    let undisturbed = outputs_with_crashes(&[]);
    assert_eq!(undisturbed.len(), 200);
    assert_eq!(outputs_with_crashes(&[1, 50, 51, 200, 333, 590]), undisturbed);
}

/// Serves all partitions of all stages until `done`, then shuts down. Returns the metrics.
async fn serve_all(journal: &Arc<dyn Journal>, done: impl Fn(&WorkerMetrics) -> bool) -> Arc<WorkerMetrics> {
    let metrics = Arc::<WorkerMetrics>::default();
    let shutdown = CancellationToken::new();
    let worker = tokio::spawn(run(
        WorkerConfig { threads: 2, ..WorkerConfig::default() },
        Arc::new(DetectConfig::default()),
        Arc::clone(journal),
        shutdown.clone(),
        Arc::clone(&metrics),
        Arc::<Views<_>>::default(),
    ));
    until("the worker is done", || done(&metrics) || worker.is_finished()).await;
    shutdown.cancel();
    tokio::time::timeout(DEADLINE, worker).await.expect("the shutdown ends").unwrap().unwrap();
    metrics
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quiet_partitions_get_ticks_and_a_shutdown_leaves_nothing_to_be_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let before = Timestamp::from_secs(1_700_000_000);
    let metrics = serve_all(&journal, |metrics| metrics.ticks() >= 24).await;
    assert_eq!(metrics.recovering(), 0);
    assert_eq!(metrics.all().len(), 5 * usize::from(journal.partitions(Stream::Logs)));
    for stream in Stream::TELEMETRY {
        for index in 0..journal.partitions(stream) {
            let ticks = read_all(&journal, Partition::new(stream, index)).await;
            assert!(ticks.len() >= 2, "{stream:?} {index} has {}", ticks.len());
            assert!(ticks.iter().all(|(_, tick)| tick.kind == EntryKind::Tick && tick.received > before));
            assert!(ticks.is_sorted_by_key(|(_, tick)| tick.received));
        }
    }
    journal.close().await;
    drop(journal);

    let journal = open(directory.path());
    let metrics = serve_all(&journal, |metrics| metrics.all().len() == 20 && metrics.recovering() == 0).await;
    let replayed: u64 = metrics.all().iter().map(|(_, _, figures)| figures.figures().replayed).sum();
    let rebuilt: u64 = metrics.all().iter().map(|(_, _, figures)| figures.figures().rebuilt).sum();
    assert_eq!((replayed, rebuilt), (0, 0));
    journal.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_is_closed_under_the_worker_ends_it_with_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    let metrics = Arc::<WorkerMetrics>::default();
    let worker = tokio::spawn(run(
        WorkerConfig { threads: 1, ..WorkerConfig::default() },
        Arc::default(),
        Arc::clone(&journal),
        CancellationToken::new(),
        Arc::clone(&metrics),
        Arc::default(),
    ));
    until("it runs", || metrics.ticks() > 0).await;
    journal.close().await;
    let error = tokio::time::timeout(DEADLINE, worker).await.expect("it ends").unwrap().unwrap_err();
    assert!(error.to_string().ends_with("can't go on: the journal is closed"), "{error}");
}

/// What two looks at a partition of reduce that is so far behind make the owner append.
fn markers_of_lag(seconds: f64, now: Timestamp) -> Vec<Entry> {
    let lag = PartitionLag {
        stage: "reduce",
        partition: Partition::new(Stream::Logs, 1),
        offsets: 1_000,
        seconds,
        figures: PartitionFigures::default(),
    };
    let report = LagReport { partitions: vec![lag], degraded: Vec::new() };
    let mut watch = LagWatch::new(WorkerConfig::default().lag_told());
    let first = watch.look(&report, now.minus(Duration::from_secs(20)));
    first.into_iter().chain(watch.look(&report, now)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_lags_is_an_incident_at_once_and_the_same_one_when_the_window_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(directory.path());
    // A window that is closed by now: the first ticks bring the final incident.
    let now = Timestamp::from_secs(1_700_000_000);
    let markers = markers_of_lag(90.0, now);
    assert_eq!(markers.len(), 1, "a lag that lasts is told once");
    let to = marked_partition(&*journal);
    let entries = markers.into_iter().map(|marker| (to, marker)).collect();
    journal.append(Batch { entries, consumed: None }).await.unwrap();
    let told = |journal: &Arc<dyn Journal>| -> u64 {
        let rows = journal.stat().unwrap().into_iter();
        rows.filter(|row| row.partition.stream == Stream::Incidents).map(|row| row.next.0).sum()
    };
    let seen = Arc::clone(&journal);
    serve_all(&journal, move |_| told(&seen) >= 2).await;
    let mut incidents = Vec::new();
    for index in 0..journal.partitions(Stream::Incidents) {
        for (_, entry) in read_all(&journal, Partition::new(Stream::Incidents, index)).await {
            let message = proto::Incidents::decode(entry.payload.into_bytes()).unwrap();
            incidents.extend(message.incidents.iter().map(|incident| Incident::try_from(incident).unwrap()));
        }
    }
    let of_lag: Vec<_> = incidents.iter().map(|i| (i.id, i.provisional, i.severity)).collect();
    assert_eq!(
        of_lag[..2],
        [(incidents[0].id, true, Severity::Warning), (incidents[0].id, false, Severity::Warning)]
    );
    let finding = &incidents[1].findings[0];
    assert_eq!((finding.kind, finding.series.as_str()), (Kind::Degraded, "foreshock.lag.reduce.otlp_logs-1"));
    journal.close().await;
}
