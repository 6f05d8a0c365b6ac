//! A history on an embedded journal: what a shop sends, what the worker makes of it, and what the command makes of it again.

use std::{
    path::Path,
    process::{Command, Output},
    sync::Arc,
    time::{Duration, Instant},
};

use foreshock_demo::{Fault, Shop, ShopOptions};
use foreshock_detect::{Clock, DetectConfig};
use foreshock_journal::{
    Batch, EmbeddedJournal, EmbeddedOptions, EmbeddedReader, Entry, EntryKind, Journal, JournalError,
    Partition, Payload, Stream,
};
use foreshock_model::{Finding, Incident, Severity, Tenant, Timestamp, proto};
use foreshock_otlp::{CheckLimits, Signal, check};
use foreshock_worker::{Views, WorkerConfig, WorkerMetrics, run};
use prost::Message;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

pub const DEADLINE: Duration = Duration::from_secs(120);
pub const START: Timestamp = Timestamp::from_secs(1_760_000_400);
pub const QUIET: Duration = Duration::from_secs(1800);
pub const LENGTH: Duration = Duration::from_secs(4200);

/// Opens the journal; waits for the threads of the one before to let go of it.
pub fn open(data_dir: &Path) -> Arc<dyn Journal> {
    let mut options = EmbeddedOptions::small(data_dir.join("journal"));
    (options.telemetry_partitions, options.stage_partitions) = (3, 2);
    // What a worker makes of a whole history may be more than a small journal takes at once.
    (options.max_batch_bytes, options.segment_bytes) = (4 << 20, 8 << 20);
    let until = Instant::now() + DEADLINE;
    loop {
        match EmbeddedJournal::open(options.clone()) {
            Ok(journal) => return journal,
            Err(JournalError::Locked { .. }) if Instant::now() < until => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Appends what the shop does until `until`, as ingest would: checked and split by instance.
pub async fn play(shop: &mut Shop, journal: &Arc<dyn Journal>, until: Timestamp) {
    let tenant = Tenant::default();
    while shop.now() < until {
        let requests = shop.step();
        let received = shop.now();
        let mut entries = Vec::new();
        for request in requests {
            let (signal, stream) = match request.signal {
                foreshock_shipper::Signal::Logs => (Signal::Logs, Stream::Logs),
                foreshock_shipper::Signal::Metrics => (Signal::Metrics, Stream::Metrics),
                foreshock_shipper::Signal::Traces => (Signal::Traces, Stream::Spans),
            };
            let partitions = journal.partitions(stream);
            let limits = CheckLimits::default();
            let checked = check(signal, &tenant, &request.body, &limits, received, partitions).unwrap();
            assert_eq!(checked.rejected, 0, "{}", checked.reasons);
            entries.extend(checked.parts.into_iter().map(|part| {
                let payload = Payload::Slices(part.payload);
                let partition = Partition::new(stream, part.partition);
                (partition, Entry::data(tenant.clone(), received, part.records, payload))
            }));
        }
        if !entries.is_empty() {
            journal.append(Batch { entries, consumed: None }).await.unwrap();
        }
    }
}

/// Runs the worker until `done`; then it is stopped in order, or dropped where it stands as in a crash.
pub async fn work(
    journal: &Arc<dyn Journal>,
    clock: Clock,
    crash: bool,
    done: impl Fn(&WorkerMetrics) -> bool,
) {
    let (metrics, shutdown) = (Arc::<WorkerMetrics>::default(), CancellationToken::new());
    let config = WorkerConfig { threads: 2, fetch_bytes: 64 << 10, ..WorkerConfig::default() };
    let detect = Arc::new(DetectConfig { clock, ..DetectConfig::default() });
    let views = Arc::<Views<_>>::default();
    let worker = tokio::spawn(run(config, detect, journal.clone(), shutdown.clone(), metrics.clone(), views));
    let deadline = Instant::now() + DEADLINE;
    while !done(&metrics) {
        if worker.is_finished() {
            panic!("the worker ended: {:?}", worker.await);
        }
        assert!(Instant::now() < deadline, "the worker is done in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    if crash {
        worker.abort();
        assert!(worker.await.unwrap_err().is_cancelled());
    } else {
        shutdown.cancel();
        worker.await.unwrap().unwrap();
    }
}

/// Every stage stands at the end of its partition, and all telemetry partitions have come equally far, to `until` at least.
pub fn caught_up(journal: &Arc<dyn Journal>, metrics: &WorkerMetrics, until: Timestamp) -> bool {
    let all = metrics.all();
    let latest: Vec<u64> = all
        .iter()
        .filter(|(stage, ..)| *stage == "reduce")
        .map(|(.., figures)| figures.figures().latest)
        .collect();
    let rows = journal.stat().unwrap();
    let at_end = |(stage, partition): (&str, Partition)| {
        let next = rows.iter().find(|row| row.partition == partition).map(|row| row.next);
        next.is_some() && journal.committed(stage, partition).unwrap() == next
    };
    all.len() == 3 * 3 + 2 + 2
        && latest.iter().all(|time| *time >= until.nanos() && *time == latest[0])
        && all.iter().all(|(stage, partition, _)| at_end((stage, *partition)))
}

pub fn lines<T: Serialize>(all: &[T]) -> Vec<String> {
    all.iter().map(|one| serde_json::to_string(one).unwrap()).collect()
}

/// The messages of a stream of the journal.
pub fn messages<M: Message + Default>(data_dir: &Path, stream: Stream) -> Vec<M> {
    let mut journal = EmbeddedReader::open(data_dir.join("journal")).unwrap();
    let mut all = Vec::new();
    for row in journal.stat().into_iter().filter(|row| row.partition.stream == stream) {
        let mut position = row.first;
        while position < row.next {
            for (offset, entry) in journal.read(row.partition, position, 1 << 20).unwrap() {
                position = offset.next();
                if entry.kind != EntryKind::Data {
                    continue;
                }
                all.push(M::decode(entry.payload.into_bytes()).unwrap());
            }
        }
    }
    all
}

/// What the journal holds: final findings and the incidents told at window closes, in the order of the replay.
pub fn found(data_dir: &Path, until: Timestamp) -> (Vec<String>, Vec<String>) {
    let mut findings: Vec<Finding> = messages::<proto::Findings>(data_dir, Stream::Findings)
        .iter()
        .flat_map(|message| &message.findings)
        .map(|finding| Finding::try_from(finding).unwrap())
        .filter(|finding| !finding.provisional && finding.window_end <= until)
        .collect();
    findings.sort_by_key(|finding| (finding.window_end, finding.id));
    let mut incidents: Vec<Incident> = messages::<proto::Incidents>(data_dir, Stream::Incidents)
        .iter()
        .flat_map(|message| &message.incidents)
        .map(|incident| Incident::try_from(incident).unwrap())
        .filter(|incident| !incident.provisional && incident.updated_at <= until)
        .collect();
    incidents.sort_by_key(|incident| (incident.updated_at, incident.id, incident.revision));
    assert!(incidents.iter().any(|incident| incident.severity == Severity::Critical), "{incidents:?}");
    (lines(&findings), lines(&incidents))
}

pub fn command(data_dir: &Path, clock: &str, name: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreshock"));
    command.env("FORESHOCK_DETECT__CLOCK", clock).arg(name).arg("--data-dir").arg(data_dir);
    command.args(arguments).output().unwrap()
}

pub fn replay(data_dir: &Path, clock: &str, arguments: &[&str]) -> Output {
    command(data_dir, clock, "replay", arguments)
}

pub fn replayed(data_dir: &Path, clock: &str, arguments: &[&str]) -> Vec<String> {
    let output = replay(data_dir, clock, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

pub fn assert_same(what: &str, replayed: &[String], found: &[String]) {
    assert!(!found.is_empty(), "no {what}");
    for (place, (ours, theirs)) in replayed.iter().zip(found).enumerate() {
        assert_eq!(ours, theirs, "{what}: line {place} of the replay and of the journal");
    }
    assert_eq!(replayed.len(), found.len(), "{what}: the rest is\n{:?}", {
        let shorter = replayed.len().min(found.len());
        (&replayed[shorter..], &found[shorter..])
    });
}

pub fn explain(data_dir: &Path, clock: &str, ids: &[String], json: bool) -> Vec<String> {
    let options = json.then_some("--json");
    let arguments: Vec<&str> = ids.iter().map(String::as_str).chain(options).collect();
    let output = command(data_dir, clock, "explain", &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// A shop that gets into trouble after [`QUIET`].
pub fn shop(start: Timestamp) -> Shop {
    let options = ShopOptions {
        fault: Some(Fault::BadRelease),
        fault_after: QUIET,
        step: Duration::from_secs(5),
        ..ShopOptions::new(start)
    };
    Shop::new(3, options)
}
