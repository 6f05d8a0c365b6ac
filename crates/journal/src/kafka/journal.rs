//! The journal on Apache Kafka.

use std::{
    collections::HashMap,
    future,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU16, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rdkafka::{
    TopicPartitionList,
    admin::{AdminClient, AdminOptions, ResourceSpecifier},
    consumer::Consumer,
    metadata::Metadata,
};
use tracing::{debug, info, warn};

use super::{
    KafkaOptions,
    append::Appender,
    asked::{Asked, Lookups, unanswered},
    context::{Common, Connection},
    counters::Counters,
    failure::{failure, spawn, unmade},
    group::Group,
    names::Names,
    reader::KafkaReader,
    snapshot::Snapshots,
    tap::{PATIENCE, Taps, until_answered},
    transaction::Stamp,
    turn,
};
use crate::{
    Appended, Batch, BoxFuture, Figures, Health, Journal, JournalError, LoadedSnapshot, Membership, Offset,
    Partition, PartitionStat, Pending, Reader, ShareFigures, SnapshotKey, Stream, Turn, WriteSnapshot,
};

/// How often it is looked whether a topic has grown.
const GROWTH_EVERY: Duration = Duration::from_secs(10);
/// A broker may hear this much later than another of topics that were just made.
const TOPICS_WITHIN: Duration = Duration::from_secs(4);
/// What a message takes beyond its payload: its record's head, key and headers, and the head of its batch.
const AROUND_A_MESSAGE: usize = 1024;
/// The broker's own limit where it does not tell: Kafka's default.
const USUAL_LIMIT: usize = 1_048_588;
/// Consumers whose offsets `stat` shows.
const CONSUMERS: [&str; 4] = ["reduce", "detect", "correlate", "notify"];

/// The log on Kafka's topics. Clones of it are one journal.
pub struct KafkaJournal {
    shared: Arc<Shared>,
    appender: Appender,
    taps: Arc<Taps>,
    snapshots: Snapshots,
    groups: Mutex<HashMap<String, Arc<Group>>>,
    lookups: Lookups,
    counters: Arc<Counters>,
}

struct Shared {
    options: KafkaOptions,
    names: Arc<Names>,
    common: Common,
    partitions: [AtomicU16; Stream::ALL.len()],
    /// The largest payload of telemetry.
    max_entry_bytes: AtomicUsize,
    /// Where this process is unlike every other.
    process: String,
}

impl KafkaJournal {
    /// Waits until the cluster answers, and takes up its topics. Fails where they are not all there.
    pub async fn open(options: KafkaOptions) -> Result<Arc<Self>, JournalError> {
        let names = Arc::new(Names::new(&options.prefix));
        let common =
            Common { connection: Arc::new(Connection::default()), token_file: options.token_file.clone() };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let shared = Arc::new(Shared {
            process: format!("{}-{:x}", std::process::id(), since.as_nanos()),
            options: options.clone(),
            names: Arc::clone(&names),
            common: common.clone(),
            partitions: Default::default(),
            max_entry_bytes: AtomicUsize::new(USUAL_LIMIT - AROUND_A_MESSAGE),
        });
        let (looking, waits) = (Arc::clone(&shared), Arc::new(()));
        let still_waits = Arc::downgrade(&waits);
        let snapshots = tokio::task::spawn_blocking(move || looking.first_look(&still_waits))
            .await
            .map_err(|error| JournalError::Unusable(error.to_string()))??;
        drop(waits);
        shared.ask_for_limits().await;
        let counters = Arc::new(Counters::default());
        let taps = Arc::new(Taps::new(options.clone(), common.clone()));
        let lookups = Lookups::new(&options, &common);
        let journal = Arc::new(Self {
            appender: Appender::new(&options, Arc::clone(&names), common.clone(), Arc::clone(&counters))?,
            snapshots: Snapshots::new(&options, names, common, Arc::clone(&taps), snapshots)?,
            taps,
            groups: Mutex::default(),
            lookups,
            counters,
            shared: Arc::clone(&shared),
        });
        let watched = Arc::downgrade(&journal);
        spawn("growth", move || watch_growth(&watched))?;
        Ok(journal)
    }

    fn group(&self, consumer: &str) -> Option<Arc<Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).get(consumer).cloned()
    }

    fn check(&self, partition: Partition) -> Result<(), JournalError> {
        let is_there = || partition.index < self.partitions(partition.stream);
        if !is_there() {
            // The group may hear of a topic's growth before we do.
            self.look_for_growth(&self.shared.admin()?);
        }
        if is_there() { Ok(()) } else { Err(JournalError::NoPartition(partition)) }
    }

    /// Looks whether topics have grown. Who appends and reads hears of it before the number is told.
    fn look_for_growth(&self, client: &Asked<Common>) {
        let connection = &self.shared.common.connection;
        let metadata = match client.fetch_metadata(None, PATIENCE) {
            Ok(metadata) => metadata,
            Err(error) => return connection.fails(&error.to_string()),
        };
        connection.works();
        let counts = counts(&metadata);
        if self.shared.names.all().any(|(stream, topic)| {
            counts.get(topic).is_some_and(|count| *count > usize::from(self.partitions(stream)))
        }) {
            self.appender.look_again();
            self.taps.look_again();
            self.shared.take_counts(&counts);
        }
    }
}

impl Shared {
    fn place(stream: Stream) -> usize {
        Stream::ALL.iter().position(|known| *known == stream).expect("every stream is one of all")
    }

    fn admin(&self) -> Result<Asked<Common>, JournalError> {
        Asked::new(&self.options.admin(), self.common.clone()).map_err(|error| unmade(&error))
    }

    /// Waits for the cluster, then for topics that were made just now, and counts partitions. Returns those of the
    /// topic of snapshots. Fails where waiting is no use: a broker will not have us, or we don't know it for ours.
    fn first_look(&self, still_waits: &Weak<()>) -> Result<i32, JournalError> {
        let client = self.admin()?;
        let mut tries = 0_u32;
        let mut answered = None;
        while still_waits.strong_count() > 0 {
            match client.look(tries) {
                Ok(metadata) => {
                    self.common.connection.works();
                    let counts = counts(&metadata);
                    let missing = self.take_counts(&counts);
                    let snapshots = counts.get(self.names.snapshots.as_str()).copied().unwrap_or(0);
                    if missing.is_empty() && snapshots > 0 {
                        return Ok(i32::try_from(snapshots).unwrap_or(1));
                    }
                    if answered.get_or_insert_with(Instant::now).elapsed() < TOPICS_WITHIN {
                        thread::sleep(TOPICS_WITHIN / 20);
                        continue;
                    }
                    let missing =
                        if missing.is_empty() { self.names.snapshots.clone() } else { missing.join(", ") };
                    return Err(JournalError::Unusable(format!(
                        "these topics are not there: {missing}; make them with `foreshock topics apply`"
                    )));
                }
                Err(error) => {
                    let connection = &self.common.connection;
                    if let Some(refused) = connection.refused() {
                        return Err(JournalError::Unusable(refused));
                    }
                    tries += 1;
                    if tries.is_power_of_two() {
                        warn!(
                            brokers = self.options.brokers,
                            tries,
                            "Kafka does not answer, it is tried again: {}",
                            unanswered(&error, connection)
                        );
                    }
                }
            }
        }
        Err(JournalError::Closed)
    }

    /// Takes note of the number of partitions. Returns topics that are not there.
    fn take_counts(&self, counts: &HashMap<&str, usize>) -> Vec<String> {
        let mut missing = Vec::new();
        for (stream, topic) in self.names.all() {
            let count = counts.get(topic).copied().unwrap_or(0);
            let known = &self.partitions[Self::place(stream)];
            let count = u16::try_from(count).unwrap_or(u16::MAX);
            if count == 0 {
                missing.push(topic.to_owned());
            } else if count > known.load(Relaxed) {
                let before = known.swap(count, Relaxed);
                if before > 0 {
                    info!(topic, before, now = count, "a topic has grown");
                }
            }
        }
        missing
    }

    /// Learns how large a message of telemetry may be.
    async fn ask_for_limits(&self) {
        if self.options.takes_token() {
            return debug!("the topics' limits can't be asked for with a token, Kafka's default is taken");
        }
        let admin: AdminClient<Common> = match self.options.admin().create_with_context(self.common.clone()) {
            Ok(admin) => admin,
            Err(error) => return warn!("the topics' limits can't be asked for: {error}"),
        };
        let topics: Vec<&str> = Stream::TELEMETRY.iter().map(|stream| self.names.topic(*stream)).collect();
        let asked: Vec<ResourceSpecifier<'_>> =
            topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        match admin.describe_configs(&asked, &AdminOptions::new().request_timeout(Some(PATIENCE))).await {
            Ok(answers) => {
                let limits = answers.into_iter().flatten().filter_map(|resource| {
                    resource
                        .get("max.message.bytes")
                        .and_then(|entry| entry.value.as_ref()?.parse::<usize>().ok())
                });
                if let Some(limit) = limits.min() {
                    self.max_entry_bytes.store(limit.saturating_sub(AROUND_A_MESSAGE).max(1024), Relaxed);
                }
            }
            Err(error) => warn!("the topics' limits can't be asked for, Kafka's default is taken: {error}"),
        }
    }
}

/// Partitions of each topic.
fn counts(metadata: &Metadata) -> HashMap<&str, usize> {
    metadata.topics().iter().map(|topic| (topic.name(), topic.partitions().len())).collect()
}

/// Looks now and then whether topics have grown, as long as the journal is there.
fn watch_growth(journal: &Weak<KafkaJournal>) {
    let mut client = None;
    loop {
        thread::sleep(GROWTH_EVERY);
        let Some(journal) = journal.upgrade() else { return };
        if client.is_none() {
            client = journal.shared.admin().ok();
        }
        if let Some(client) = &client {
            journal.look_for_growth(client);
        }
    }
}

impl Journal for KafkaJournal {
    fn partitions(&self, stream: Stream) -> u16 {
        self.shared.partitions[Shared::place(stream)].load(Relaxed)
    }

    fn append(&self, batch: Batch) -> Pending {
        let Some(consumed) = &batch.consumed else {
            if batch.entries.is_empty() {
                return Pending::ready(Ok(Appended::new()));
            }
            return self.appender.append(batch);
        };
        match self.group(&consumed.consumer) {
            Some(group) => group.committer().append(batch),
            None => {
                let input = consumed.next.first().map(|(input, _)| *input);
                Pending::ready(Err(input.map_or(JournalError::Closed, JournalError::Fenced)))
            }
        }
    }

    fn max_entry_bytes(&self) -> usize {
        self.shared.max_entry_bytes.load(Relaxed)
    }

    fn reader(&self, partition: Partition, from: Offset) -> Result<Box<dyn Reader>, JournalError> {
        self.check(partition)?;
        Ok(Box::new(KafkaReader::open(&self.taps, &self.shared.names, partition, from)?))
    }

    fn turn(&self) -> BoxFuture<'_, Result<Turn, JournalError>> {
        let Shared { options, names, common, .. } = &*self.shared;
        match options.standby {
            true => Box::pin(turn::wait(options, common, names.topic(Stream::Poison))),
            false => Box::pin(future::ready(Ok(Turn::for_ever()))),
        }
    }

    fn served_as_us(
        &self,
        consumer: &str,
        streams: &[Stream],
    ) -> Result<Vec<(Partition, Offset)>, JournalError> {
        let us = self.transactional_id(consumer);
        let is_ours = |stamp: Stamp| stamp.owner == us;
        let all = self.all_of(streams);
        let ours = self.committed_offsets(consumer, all)?.into_iter().filter_map(|(partition, committed)| {
            Stamp::parse(&committed.metadata).is_some_and(is_ours).then_some((partition, committed.next))
        });
        Ok(ours.collect())
    }

    fn join(&self, consumer: &str, streams: &[Stream]) -> Result<Box<dyn Membership>, JournalError> {
        let options = &self.shared.options;
        let id = self.transactional_id(consumer);
        let (group, member) =
            Group::join(options, &self.shared.names, &self.shared.common, consumer, id, streams)?;
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).insert(consumer.to_owned(), group);
        Ok(Box::new(member))
    }

    fn bounds(&self, partition: Partition) -> Result<(Offset, Offset), JournalError> {
        self.check(partition)?;
        let topic = self.shared.names.topic(partition.stream);
        let (first, next) = self.taps.bounds(topic, partition.index.into())?;
        Ok((Offset(first), Offset(next)))
    }

    fn end(&self, partition: Partition) -> Option<Offset> {
        self.taps.end_lately(self.shared.names.topic(partition.stream), partition.index.into()).map(Offset)
    }

    fn committed(&self, consumer: &str, partition: Partition) -> Result<Option<Offset>, JournalError> {
        self.check(partition)?;
        let ours = self.group(consumer).and_then(|group| group.owned().committed(partition));
        if let Some(committed) = ours {
            return Ok(committed);
        }
        let mut asked = TopicPartitionList::new();
        asked.add_partition(self.shared.names.topic(partition.stream), partition.index.into());
        Ok(self.committed_offsets(consumer, asked)?.into_values().next().map(|committed| committed.next))
    }

    fn save_snapshot(
        &self,
        key: &SnapshotKey,
        covers: Offset,
        write: WriteSnapshot<'_>,
    ) -> Result<(), JournalError> {
        self.check(key.partition)?;
        self.snapshots.save(key, covers, write)
    }

    fn load_snapshot(&self, key: &SnapshotKey) -> Result<Option<LoadedSnapshot>, JournalError> {
        self.check(key.partition)?;
        self.snapshots.load(key)
    }

    fn stat(&self) -> Result<Vec<PartitionStat>, JournalError> {
        let asked = self.all_of(&Stream::ALL);
        let bounds = self.taps.all_bounds(&asked)?;
        let mut consumers: HashMap<Partition, Vec<(String, Offset)>> = HashMap::new();
        for consumer in CONSUMERS {
            for (partition, committed) in self.committed_offsets(consumer, asked.clone())? {
                consumers.entry(partition).or_default().push((consumer.to_owned(), committed.next));
            }
        }
        let rows = self.shared.names.all().flat_map(|(stream, topic)| {
            let consumers = &mut consumers;
            let bounds = &bounds;
            (0..self.partitions(stream))
                .map(|index| {
                    let partition = Partition::new(stream, index);
                    let (first, next) =
                        bounds.get(&(topic.to_owned(), index.into())).copied().unwrap_or((0, 0));
                    PartitionStat {
                        partition,
                        first: Offset(first),
                        next: Offset(next),
                        records: None,
                        bytes: None,
                        consumers: consumers.remove(&partition).unwrap_or_default(),
                    }
                })
                .collect::<Vec<_>>()
        });
        Ok(rows.collect())
    }

    fn stat_at_hand(&self) -> Vec<PartitionStat> {
        Vec::new()
    }

    fn health(&self) -> Health {
        match self.shared.common.connection.trouble() {
            None => Health::Writable,
            Some(reason) => Health::Unwritable(format!(
                "Kafka at {} does not answer: {reason}; it goes on by itself when it does",
                self.shared.options.brokers
            )),
        }
    }

    fn figures(&self) -> Figures {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let shares = groups.iter().map(|(consumer, group)| {
            let (transactions, transaction_time) = group.committer().figures();
            let (rebalances, last_rebalance) = group.owned().rebalances();
            ShareFigures {
                consumer: consumer.clone(),
                partitions: group.owned().count(),
                rebalances,
                last_rebalance,
                transactions,
                transaction_time,
            }
        });
        Figures { shares: shares.collect(), ..self.counters.figures(self.appender.queued()) }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            // Acknowledged is acknowledged already: this waits for what is on its way.
            tokio::task::block_in_place(|| self.appender.flush());
        })
    }
}

/// An offset as a group's coordinator keeps it.
struct CommittedOffset {
    next: Offset,
    metadata: String,
}

impl KafkaJournal {
    fn transactional_id(&self, consumer: &str) -> String {
        let Shared { options, process, .. } = &*self.shared;
        let me = if options.instance.is_empty() { process } else { &options.instance };
        format!("{}-{me}", options.group_id(consumer))
    }

    /// All partitions of these streams.
    fn all_of(&self, streams: &[Stream]) -> TopicPartitionList {
        let mut all = TopicPartitionList::new();
        for stream in streams {
            for index in 0..self.partitions(*stream) {
                all.add_partition(self.shared.names.topic(*stream), index.into());
            }
        }
        all
    }

    fn committed_offsets(
        &self,
        consumer: &str,
        asked: TopicPartitionList,
    ) -> Result<HashMap<Partition, CommittedOffset>, JournalError> {
        let asking = |error| failure("asking for a group's offsets", &error);
        let lookup = self.lookups.of(consumer).map_err(asking)?;
        let found =
            until_answered(&lookup, || lookup.committed_offsets(asked.clone(), PATIENCE)).map_err(asking)?;
        let offset = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            let rdkafka::Offset::Offset(offset) = element.offset() else { return None };
            let partition = self.shared.names.partition(element.topic(), element.partition())?;
            let next = Offset(u64::try_from(offset).ok()?);
            Some((partition, CommittedOffset { next, metadata: element.metadata().to_owned() }))
        };
        Ok(found.elements().iter().filter_map(offset).collect())
    }
}
