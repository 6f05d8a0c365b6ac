//! `foreshock replay` gives, byte for byte, what the worker put on the journal.
#![allow(clippy::unwrap_used)]

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
use foreshock_worker::{Views, WorkerConfig, WorkerMetrics, marked_partition, run};
use prost::Message;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(120);
const START: Timestamp = Timestamp::from_secs(1_760_000_400);
const QUIET: Duration = Duration::from_secs(1800);
const LENGTH: Duration = Duration::from_secs(4200);

/// Opens the journal; waits for the threads of the one before to let go of it.
fn open(data_dir: &Path) -> Arc<dyn Journal> {
    let mut options = EmbeddedOptions::small(data_dir.join("journal"));
    (options.telemetry_partitions, options.stage_partitions) = (3, 2);
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
async fn play(shop: &mut Shop, journal: &Arc<dyn Journal>, until: Timestamp) {
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
async fn work(journal: &Arc<dyn Journal>, clock: Clock, crash: bool, done: impl Fn(&WorkerMetrics) -> bool) {
    let (metrics, shutdown) = (Arc::<WorkerMetrics>::default(), CancellationToken::new());
    let config = WorkerConfig { threads: 2, fetch_bytes: 64 << 10, ..WorkerConfig::default() };
    let detect = Arc::new(DetectConfig { clock, ..DetectConfig::default() });
    let views = Arc::<Views<_>>::default();
    let worker = tokio::spawn(run(config, detect, journal.clone(), shutdown.clone(), metrics.clone(), views));
    let deadline = Instant::now() + DEADLINE;
    while !done(&metrics) {
        assert!(!worker.is_finished() && Instant::now() < deadline, "the worker is done in time");
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

/// Every stage stands at the end of its partition, and all telemetry partitions have come equally far.
fn caught_up(journal: &Arc<dyn Journal>, metrics: &WorkerMetrics) -> bool {
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
        && latest.iter().all(|time| *time >= START.plus(LENGTH).nanos() && *time == latest[0])
        && all.iter().all(|(stage, partition, _)| at_end((stage, *partition)))
}

fn lines<T: Serialize>(all: &[T]) -> Vec<String> {
    all.iter().map(|one| serde_json::to_string(one).unwrap()).collect()
}

/// The messages of a stream of the journal.
fn messages<M: Message + Default>(data_dir: &Path, stream: Stream) -> Vec<M> {
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
fn found(data_dir: &Path, until: Timestamp) -> (Vec<String>, Vec<String>) {
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

fn command(data_dir: &Path, clock: &str, name: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreshock"));
    command.env("FORESHOCK_DETECT__CLOCK", clock).arg(name).arg("--data-dir").arg(data_dir);
    command.args(arguments).output().unwrap()
}

fn replay(data_dir: &Path, clock: &str, arguments: &[&str]) -> Output {
    command(data_dir, clock, "replay", arguments)
}

fn replayed(data_dir: &Path, clock: &str, arguments: &[&str]) -> Vec<String> {
    let output = replay(data_dir, clock, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn assert_same(what: &str, replayed: &[String], found: &[String]) {
    assert!(!found.is_empty(), "no {what}");
    for (place, (ours, theirs)) in replayed.iter().zip(found).enumerate() {
        assert_eq!(ours, theirs, "{what}: line {place} of the replay and of the journal");
    }
    assert_eq!(replayed.len(), found.len(), "{what}: the rest is\n{:?}", {
        let shorter = replayed.len().min(found.len());
        (&replayed[shorter..], &found[shorter..])
    });
}

/// Every finding is made again from the journal with its numbers, by its own id or by that of its incident.
fn assert_explained(data_dir: &Path, findings: &[String], incidents: &[String]) {
    let field = |line: &String, field: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value[field].clone()
    };
    let ids: Vec<String> =
        findings.iter().map(|line| field(line, "id").as_str().unwrap().to_owned()).collect();
    let explained = explain(data_dir, &ids, true);
    assert_eq!(explained.len(), ids.len());
    for line in &explained {
        assert_eq!(
            (field(line, "is_equal"), field(line, "differs")),
            (true.into(), serde_json::json!([])),
            "{line}"
        );
        let kind = field(line, "reported")["kind"].clone();
        let (workings, decision) = (field(line, "workings"), field(line, "decision"));
        assert!(
            kind == "degraded" || !workings["before"].is_null() || !workings["after"].is_null(),
            "{line}"
        );
        assert!(decision["thresholds"]["page"].as_f64().unwrap() > 3.0, "{line}");
    }
    let critical = incidents.iter().rfind(|line| field(line, "severity") == "critical").unwrap();
    let text = explain(data_dir, &[field(critical, "id").as_str().unwrap().to_owned()], false).join("\n");
    assert!(text.contains("equal to what was reported") && text.contains("the baseline before it"), "{text}");
    assert!(text.contains(" matters as critical at most: critical"), "{text}");
    let unknown = command(data_dir, "live", "explain", &[&"0".repeat(32)]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no final finding and no incident 0000"));
    assert_eq!(command(data_dir, "live", "explain", &["x"]).status.code(), Some(2));
}

/// The same configuration says the same; one with another budget makes pages of warnings.
fn assert_held_against_another(data_dir: &Path, to: &str) {
    let file = data_dir.join("other.toml");
    let file = file.to_str().unwrap();
    std::fs::write(file, "").unwrap();
    assert_eq!(replayed(data_dir, "live", &["--to", to, "--against", file, "--json"]), Vec::<String>::new());
    std::fs::write(file, "[detect.budget]\npages_a_week = 5000\n").unwrap();
    let differences = replayed(data_dir, "live", &["--to", to, "--against", file, "--json"]);
    let differences: Vec<serde_json::Value> =
        differences.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        !differences.is_empty() && differences.iter().all(|one| one["what"] == "incident"),
        "{differences:?}"
    );
    let worse =
        |one: &serde_json::Value| one["fields"]["severity"] == serde_json::json!(["warning", "critical"]);
    assert!(differences.iter().any(|one| one["way"] == "comes" || worse(one)), "{differences:?}");
    let table = replayed(data_dir, "live", &["--to", to, "--against", file]).join("\n");
    assert!(table.starts_with("incidents ") && table.contains("findings "), "{table}");
}

fn explain(data_dir: &Path, ids: &[String], json: bool) -> Vec<String> {
    let options = json.then_some("--json");
    let arguments: Vec<&str> = ids.iter().map(String::as_str).chain(options).collect();
    let output = command(data_dir, "live", "explain", &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn shop() -> Shop {
    let options = ShopOptions {
        fault: Some(Fault::BadRelease),
        fault_after: QUIET,
        step: Duration::from_secs(5),
        ..ShopOptions::new(START)
    };
    Shop::new(3, options)
}

/// The owner's word that a stage lags.
fn lag(now: Timestamp) -> Entry {
    let lagging = proto::Lagging {
        stage: "reduce".to_owned(),
        stream: Stream::Logs.name().to_owned(),
        partition: 0,
        seconds: 75.0,
        since: now.nanos(),
    };
    let marker = proto::Marker { says: Some(proto::marker::Says::Lagging(lagging)) };
    Entry::marker(now, marker.encode_to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_event_clock_a_replay_says_what_a_worker_said_that_crashed_in_between() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    let mut shop = shop();
    let journal = open(data_dir);
    let marker = (marked_partition(&*journal), lag(START.plus(QUIET)));
    journal.append(Batch { entries: vec![marker], consumed: None }).await.unwrap();
    play(&mut shop, &journal, START.plus(LENGTH / 2)).await;
    let began = |metrics: &WorkerMetrics| {
        let figures = metrics.all().into_iter().filter(|(stage, ..)| *stage == "detect");
        figures.map(|(.., figures)| figures.figures().latest).max() > Some(START.plus(LENGTH / 4).nanos())
    };
    work(&journal, Clock::Event, true, began).await;
    drop(journal);

    let journal = open(data_dir);
    play(&mut shop, &journal, START.plus(LENGTH)).await;
    work(&journal, Clock::Event, false, |metrics| caught_up(&journal, metrics)).await;

    let (findings, incidents) = found(data_dir, Timestamp::MAX);
    assert_same("findings", &replayed(data_dir, "event", &[]), &findings);
    assert!(incidents.iter().any(|incident| incident.contains("foreshock.lag.reduce.otlp_logs-0")));
    assert_same("incidents", &replayed(data_dir, "event", &["--incidents"]), &incidents);

    let (from, to) = (START.plus(QUIET), START.plus(QUIET * 2));
    let stretch = replayed(data_dir, "event", &["--from", &from.to_rfc3339(), "--to", &to.to_rfc3339()]);
    let inside = |line: &&String| {
        let finding: Finding = serde_json::from_str(line).unwrap();
        (from..=to).contains(&finding.window_end)
    };
    let findings: Vec<String> = findings.iter().filter(inside).cloned().collect();
    assert_same("findings of the stretch", &stretch, &findings);
    journal.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_live_clock_a_replay_beside_the_running_journal_says_what_the_worker_said() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path();
    let journal = open(data_dir);
    play(&mut shop(), &journal, START.plus(LENGTH)).await;
    // Ticks tell the present, long after: then every window of the telemetry is closed everywhere.
    let after = START.plus(LENGTH * 2);
    let closed = |metrics: &WorkerMetrics| {
        let rows = metrics.all();
        let detect = rows.iter().filter(|(stage, ..)| *stage == "detect");
        rows.len() == 13 && detect.clone().all(|(.., figures)| figures.figures().latest >= after.nanos())
    };
    work(&journal, Clock::Live, false, closed).await;
    let (findings, incidents) = found(data_dir, START.plus(LENGTH));
    let to = START.plus(LENGTH).to_rfc3339();
    assert_same("findings", &replayed(data_dir, "live", &["--to", &to]), &findings);
    assert_same("incidents", &replayed(data_dir, "live", &["--to", &to, "--incidents"]), &incidents);
    assert_explained(data_dir, &findings, &incidents);
    assert_held_against_another(data_dir, &to);
    journal.close().await;
}

#[test]
fn a_time_that_is_none_and_a_journal_that_is_not_there_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let wrong = replay(directory.path(), "live", &["--from", "yesterday"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", said(&wrong));
    assert!(said(&wrong).contains("\"yesterday\" is not a time"), "{}", said(&wrong));
    let turned =
        replay(directory.path(), "live", &["--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z"]);
    assert_eq!(turned.status.code(), Some(2), "{}", said(&turned));
    let nothing = replay(directory.path(), "live", &[]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(said(&nothing).contains("there is no journal in it"), "{}", said(&nothing));
}
