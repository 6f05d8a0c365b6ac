//! A journal on topics of a test's own.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use foreshock_journal::{
    Batch, Change, Consumed, Entry, Fetched, Journal, JournalError, KafkaJournal, KafkaOptions, Membership,
    Offset, Partition, Reader, Stream,
    kafka::topics::{Topics, Wanted},
};
use foreshock_kafka_testing::Kafka;
use foreshock_model::{Tenant, Timestamp};
use tokio::runtime::Runtime;

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) const LOGS: Partition = Partition::new(Stream::Logs, 0);
pub(crate) const SUMMARIES: Partition = Partition::new(Stream::Summaries, 0);
pub(crate) const FINDINGS: Partition = Partition::new(Stream::Findings, 0);

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

pub(crate) fn wanted() -> Wanted {
    let long = Duration::from_secs(100 * 365 * 24 * 3600);
    Wanted {
        telemetry_partitions: 2,
        stage_partitions: 2,
        replication: 1,
        min_insync_replicas: 1,
        telemetry_age: long,
        telemetry_bytes: 1 << 30,
        stages_age: long,
    }
}

/// Options with a prefix that no other test has.
pub(crate) fn options(brokers: &str) -> KafkaOptions {
    static TESTS: AtomicU32 = AtomicU32::new(0);
    let mut options = KafkaOptions::new(brokers);
    options.prefix = format!("t{}-{}.", std::process::id(), TESTS.fetch_add(1, Relaxed));
    options.commit_interval = Duration::from_millis(10);
    options
}

pub(crate) async fn apply(options: &KafkaOptions, wanted: &Wanted) {
    let topics = Topics::new(options).unwrap();
    for step in topics.plan(wanted).await.unwrap().steps {
        topics.apply(&step).await.unwrap();
    }
}

/// Topics on the shared broker and a journal on them.
pub(crate) async fn fresh() -> (KafkaOptions, Arc<KafkaJournal>) {
    let brokers = tokio::task::spawn_blocking(|| Kafka::shared().bootstrap()).await.unwrap();
    let options = options(&brokers);
    apply(&options, &wanted()).await;
    let journal = KafkaJournal::open(options.clone()).await.unwrap();
    (options, journal)
}

/// Ends with the future, or fails the test.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("{what} did not come in time"))
}

pub(crate) fn entry(text: &str) -> Entry {
    Entry::data(Tenant::default(), Timestamp::from_secs(1_700_000_000), 1, text.as_bytes().to_vec())
}

/// What a stage hands in: messages for FINDINGS, and how far it has read SUMMARIES.
pub(crate) fn stage_batch(input: Partition, next: u64, outputs: &[&str]) -> Batch {
    Batch {
        entries: outputs.iter().map(|text| (FINDINGS, entry(text))).collect(),
        consumed: Some(Consumed { consumer: "detect".into(), next: vec![(input, Offset(next))] }),
    }
}

/// The next change of a membership.
pub(crate) async fn change(member: &mut Box<dyn Membership>) -> Change {
    soon("a change", member.next()).await.unwrap()
}

pub(crate) async fn assigned(member: &mut Box<dyn Membership>) -> Vec<Partition> {
    match change(member).await {
        Change::Assigned(partitions) => partitions,
        other => panic!("{other:?}"),
    }
}

/// Reads until there are so many entries.
pub(crate) async fn read(reader: &mut Box<dyn Reader>, count: usize) -> Fetched {
    let mut all = Fetched::new();
    while all.len() < count {
        all.extend(soon("an entry", reader.next(1 << 20)).await.unwrap());
    }
    all
}

/// Everything that lies in a partition, as text.
pub(crate) async fn texts(journal: &dyn Journal, partition: Partition) -> Vec<String> {
    let mut reader = journal.reader(partition, Offset(0)).unwrap();
    let mut all = Vec::new();
    loop {
        let fetched: Result<Fetched, JournalError> = soon("the end", reader.read_now(1 << 20)).await;
        let fetched = fetched.unwrap();
        if fetched.is_empty() {
            return all;
        }
        let text = |entry: Entry| String::from_utf8(entry.payload.into_bytes().to_vec()).unwrap();
        all.extend(fetched.into_iter().map(|(_, entry)| text(entry)));
    }
}
