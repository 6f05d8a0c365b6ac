//! One input through the stages: on this journal, with so many partitions and workers.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use foreshock_detect::{Clock, DetectConfig};
use foreshock_journal::{
    Batch, EmbeddedJournal, EmbeddedOptions, Entry, EntryKind, Journal, KafkaJournal, KafkaOptions, Offset,
    Partition, Payload, Stream,
    kafka::topics::{Topics, Wanted},
};
use foreshock_model::{BASE_WINDOW, Finding, Tenant, Timestamp, proto};
use foreshock_otlp::{CheckLimits, Signal, check};
use foreshock_worker::{WorkerConfig, WorkerError, WorkerMetrics};
use prost::Message;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::inputs::Request;

const DEADLINE: Duration = Duration::from_secs(300);
/// The partitions of summaries, findings and incidents.
const STAGES: u16 = 4;
/// Everything has been at its end for so long.
const SETTLED: Duration = Duration::from_millis(1500);

/// Where the journal lies and who works on it.
#[derive(Clone, Debug)]
pub enum Setting {
    /// On the embedded journal, so many partitions of telemetry.
    Embedded(u16),
    /// On Kafka, so many partitions of telemetry and so many workers.
    Kafka { partitions: u16, workers: usize },
}

/// Runs the input and returns the final findings, by id, as JSON.
pub async fn findings(setting: &Setting, kafka: Option<&str>, input: &[Request]) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a directory");
    match setting {
        Setting::Embedded(partitions) => {
            let journal = embedded(directory.path(), *partitions);
            fill(&*journal, input).await;
            work(&[Arc::clone(&journal)]).await;
            let found = read(&*journal).await;
            journal.close().await;
            found
        }
        Setting::Kafka { partitions, workers } => {
            let options = topics(kafka.expect("a broker"), *partitions, *workers).await;
            let filling = open(&options).await;
            fill(&*filling, input).await;
            let mut journals = Vec::new();
            for _ in 0..*workers {
                journals.push(open(&options).await);
            }
            work(&journals).await;
            read(&*filling).await
        }
    }
}

fn embedded(directory: &Path, partitions: u16) -> Arc<dyn Journal> {
    let mut options = EmbeddedOptions::new(directory.join("journal"));
    (options.telemetry_partitions, options.stage_partitions) = (partitions, STAGES);
    EmbeddedJournal::open(options).expect("it opens")
}

/// Topics of this run's own.
async fn topics(brokers: &str, partitions: u16, workers: usize) -> KafkaOptions {
    let mut options = KafkaOptions::new(brokers);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    options.prefix = format!("p{partitions}w{workers}-{:x}.", since.as_nanos());
    make(&options, partitions).await;
    options
}

async fn make(options: &KafkaOptions, partitions: u16) {
    let wanted = Wanted {
        telemetry_partitions: partitions,
        stage_partitions: STAGES,
        replication: 1,
        min_insync_replicas: 1,
        telemetry_age: Duration::from_secs(365 * 24 * 3600 * 100),
        telemetry_bytes: 10 << 30,
        stages_age: Duration::from_secs(365 * 24 * 3600 * 100),
    };
    let topics = Topics::new(options).expect("a client");
    for step in topics.plan(&wanted).await.expect("a plan").steps {
        topics.apply(&step).await.expect("a topic");
    }
}

async fn open(options: &KafkaOptions) -> Arc<dyn Journal> {
    KafkaJournal::open(options.clone()).await.expect("it opens")
}

/// Appends the input as ingest would: checked and split by instance.
async fn fill(journal: &dyn Journal, input: &[Request]) {
    let tenant = Tenant::default();
    let mut on_their_way = std::collections::VecDeque::new();
    for request in input {
        let stream = match request.signal {
            Signal::Logs => Stream::Logs,
            Signal::Metrics => Stream::Metrics,
            Signal::Traces => Stream::Spans,
        };
        let (limits, partitions) = (CheckLimits::default(), journal.partitions(stream));
        let checked = check(request.signal, &tenant, &request.body, &limits, request.received, partitions);
        let checked = checked.expect("it can be read");
        assert_eq!(checked.rejected, 0, "{}", checked.reasons);
        let entries = checked.parts.into_iter().map(|part| {
            let payload = Payload::Slices(part.payload);
            let entry =
                Entry::data(tenant.clone(), request.received, part.records, payload).keyed(part.key.0);
            (Partition::new(stream, part.partition), entry)
        });
        on_their_way.push_back(journal.append(Batch { entries: entries.collect(), consumed: None }));
        if on_their_way.len() > 32 {
            on_their_way.pop_front().expect("there are some").await.expect("it is taken");
        }
    }
    for last in on_their_way {
        last.await.expect("it is taken");
    }
}

/// Runs a worker on each journal until all of them have come to the end of everything.
async fn work(journals: &[Arc<dyn Journal>]) {
    let mut workers = Workers::start(journals);
    workers.come_to_the_end().await;
    workers.stop().await;
}

/// Workers, each on a journal of its own.
struct Workers {
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<Result<(), WorkerError>>>,
    metrics: Vec<(Arc<dyn Journal>, Arc<WorkerMetrics>)>,
}

impl Workers {
    fn start(journals: &[Arc<dyn Journal>]) -> Self {
        let mut workers = Self { shutdown: CancellationToken::new(), tasks: Vec::new(), metrics: Vec::new() };
        for journal in journals {
            let metrics = Arc::<WorkerMetrics>::default();
            let config = WorkerConfig { threads: 2, ..WorkerConfig::default() };
            let detect = Arc::new(DetectConfig { clock: Clock::Event, ..DetectConfig::default() });
            let (journal, shutdown) = (Arc::clone(journal), workers.shutdown.clone());
            let run = foreshock_worker::run(
                config,
                detect,
                Arc::clone(&journal),
                shutdown,
                Arc::clone(&metrics),
                Arc::default(),
            );
            workers.tasks.push(tokio::spawn(run));
            workers.metrics.push((journal, metrics));
        }
        workers
    }

    /// Waits until all partitions there are have been at their ends for a while.
    async fn come_to_the_end(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        let mut since: Option<Instant> = None;
        while since.is_none_or(|since| since.elapsed() < SETTLED) {
            self.still_run().await;
            assert!(Instant::now() < deadline, "not done in time: {}", state(&self.metrics));
            let is_there = at_the_end(&self.metrics, partitions(&*self.metrics[0].0));
            since = if is_there { since.or_else(|| Some(Instant::now())) } else { None };
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let holes: u64 = self
            .metrics
            .iter()
            .flat_map(|(_, metrics)| metrics.all())
            .map(|(_, _, figures)| figures.figures().holes + figures.figures().repeats)
            .sum();
        assert_eq!(holes, 0, "every message came once");
    }

    async fn still_run(&mut self) {
        if let Some(ended) = self.tasks.iter_mut().find(|worker| worker.is_finished()) {
            panic!("a worker ended: {:?}", ended.await);
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        for worker in self.tasks {
            worker.await.expect("no panic").expect("it ends in order");
        }
    }
}

/// How many partitions there are to be served.
fn partitions(journal: &dyn Journal) -> usize {
    [Stream::Logs, Stream::Metrics, Stream::Spans, Stream::Summaries, Stream::Findings]
        .iter()
        .map(|stream| usize::from(journal.partitions(*stream)))
        .sum()
}

/// As [`findings`] on Kafka with two workers, but the streams of telemetry grow from 2 to 5 partitions in the middle.
pub async fn findings_of_streams_that_grow(kafka: &str, input: &[Request]) -> Vec<String> {
    let options = topics(kafka, 2, 2).await;
    let journals = [open(&options).await, open(&options).await];
    let mut workers = Workers::start(&journals);
    let (before, after) = input.split_at(input.len() / 2);
    fill(&*journals[0], before).await;
    workers.come_to_the_end().await;
    make(&options, 5).await;
    let deadline = Instant::now() + DEADLINE;
    while journals.iter().any(|journal| journal.partitions(Stream::Spans) < 5) {
        assert!(Instant::now() < deadline, "the growth is noticed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let served = |workers: &Workers, stream| {
        let all = workers.metrics.iter().flat_map(|(_, metrics)| metrics.all());
        all.filter(|(_, partition, figures)| partition.stream == stream && figures.is_live()).count()
    };
    while Stream::TELEMETRY.iter().any(|stream| served(&workers, *stream) < 5) {
        workers.still_run().await;
        assert!(Instant::now() < deadline, "the new partitions are served: {}", state(&workers.metrics));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    fill(&*journals[0], after).await;
    workers.come_to_the_end().await;
    workers.stop().await;
    read(&*journals[0]).await
}

fn at_the_end(all: &[(Arc<dyn Journal>, Arc<WorkerMetrics>)], partitions: usize) -> bool {
    let mut served = 0;
    let mut closed = Vec::new();
    for (journal, metrics) in all {
        for (stage, partition, figures) in metrics.all() {
            served += 1;
            let reads = figures.figures();
            let end = journal.end(partition);
            if !figures.is_live() || end != Some(Offset(reads.position)) || reads.committed != reads.position
            {
                return false;
            }
            // The windows that are closed: workers hear of each other's time through those alone.
            match stage {
                "reduce" => {
                    let told = Timestamp(reads.latest).minus(DetectConfig::default().lateness());
                    closed.push(told.window(BASE_WINDOW).start);
                }
                "detect" => closed.push(Timestamp(reads.latest)),
                _ => {}
            }
        }
    }
    served == partitions && closed.iter().all(|time| *time > Timestamp::default() && *time == closed[0])
}

fn state(all: &[(Arc<dyn Journal>, Arc<WorkerMetrics>)]) -> String {
    let rows = all.iter().flat_map(|(journal, metrics)| {
        metrics.all().into_iter().map(move |(stage, partition, figures)| {
            let reads = figures.figures();
            let end = journal.end(partition).map(|end| end.0);
            format!(
                "{stage} {partition} at {} committed {} of {end:?}, latest {}",
                reads.position, reads.committed, reads.latest
            )
        })
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// The final findings of the journal, by id.
async fn read(journal: &dyn Journal) -> Vec<String> {
    let mut found: Vec<Finding> = Vec::new();
    for index in 0..journal.partitions(Stream::Findings) {
        let mut reader =
            journal.reader(Partition::new(Stream::Findings, index), Offset(0)).expect("a reader");
        loop {
            let fetched = reader.read_now(1 << 20).await.expect("it can be read");
            if fetched.is_empty() {
                break;
            }
            for (_, entry) in fetched.into_iter().filter(|(_, entry)| entry.kind == EntryKind::Data) {
                let message = proto::Findings::decode(entry.payload.into_bytes()).expect("ours");
                let findings =
                    message.findings.iter().map(|finding| Finding::try_from(finding).expect("ours"));
                found.extend(findings.filter(|finding| !finding.provisional));
            }
        }
    }
    found.sort_by_key(|finding| finding.id);
    found.iter().map(|finding| serde_json::to_string(finding).expect("JSON")).collect()
}
