//! Reads single partitions at given offsets, many of them over few clients.
//!
//! A client holds a partition once. Who wants a partition that another reader of this process has open gets it from
//! the next client, so there are as many clients as there are readers of the most wanted partition.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Offset as KafkaOffset, Statistics, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext, base_consumer::PartitionQueue},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Message},
};
use tokio::sync::Notify;
use tracing::debug;

use super::{
    KafkaOptions,
    asked::Asked,
    context::{Common, common_context},
    failure::failure,
};
use crate::JournalError;

/// How long a question to the brokers may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long after an answer that was none.
const ASK_AGAIN: Duration = Duration::from_millis(100);
type Place = (String, i32);

/// In place of the offset where a tap found the end: it has not.
const NOT_AT_THE_END: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct ReadContext {
    common: Common,
    ends: Arc<Mutex<BTreeMap<Place, i64>>>,
}

common_context!(
    ReadContext,
    fn stats(&self, statistics: Statistics) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        for (topic, statistics) in statistics.topics {
            for (partition, figures) in statistics.partitions {
                if partition >= 0 && figures.ls_offset >= 0 {
                    ends.insert((topic.clone(), partition), figures.ls_offset);
                }
            }
        }
    }
);

impl ConsumerContext for ReadContext {}

/// One client and the partitions it holds.
struct Client {
    consumer: Asked<ReadContext>,
    open: Mutex<HashSet<Place>>,
}

/// All clients that read.
pub(super) struct Taps {
    options: KafkaOptions,
    common: Common,
    clients: Mutex<Vec<Arc<Client>>>,
    /// Asks where partitions begin and end. A client that reads would answer only after what it waits for has come.
    asking: OnceLock<Asked<ReadContext>>,
    /// Where committed records end, as of a second ago, of the partitions that are read.
    ends: Arc<Mutex<BTreeMap<Place, i64>>>,
    /// The offset up to which a partition was read, while there is nothing more of it.
    read_to: Mutex<BTreeMap<Place, Arc<AtomicU64>>>,
}

impl Taps {
    pub(super) fn new(options: KafkaOptions, common: Common) -> Self {
        Self {
            options,
            common,
            clients: Mutex::default(),
            asking: OnceLock::new(),
            ends: Arc::default(),
            read_to: Mutex::default(),
        }
    }

    /// Opens a partition at an offset.
    pub(super) fn open(&self, topic: &str, partition: i32, from: u64) -> Result<Tap, JournalError> {
        let place = (topic.to_owned(), partition);
        let client = self.client_for(&place)?;
        match Tap::open(&client, place.clone(), from) {
            Ok(tap) => {
                let mut read_to = self.read_to.lock().unwrap_or_else(PoisonError::into_inner);
                read_to.insert(place, Arc::clone(&tap.read_to));
                Ok(tap)
            }
            Err(error) => {
                client.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&place);
                Err(error)
            }
        }
    }

    /// The offsets where a partition's committed records begin and end. Asks the brokers; blocks.
    pub(super) fn bounds(&self, topic: &str, partition: i32) -> Result<(u64, u64), JournalError> {
        let asking = self.asking()?;
        let (low, high) = until_answered(asking, || asking.fetch_watermarks(topic, partition, PATIENCE))
            .map_err(|error| failure("asking where a partition begins and ends", &error))?;
        Ok((u64::try_from(low).unwrap_or(0), u64::try_from(high).unwrap_or(0)))
    }

    /// Where committed records of a partition that is being read end, as of a second ago. What follows the last of
    /// them and is no record (the ends of transactions) is left out once the reader has come there.
    pub(super) fn end_lately(&self, topic: &str, partition: i32) -> Option<u64> {
        let place = (topic.to_owned(), partition);
        let read_to = self.read_to.lock().unwrap_or_else(PoisonError::into_inner);
        let at_the_end = read_to.get(&place).map(|at| at.load(Relaxed)).filter(|at| *at != NOT_AT_THE_END);
        drop(read_to);
        at_the_end.or_else(|| {
            let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
            ends.get(&place).and_then(|end| u64::try_from(*end).ok())
        })
    }

    /// The bounds of many partitions with two questions a broker. Blocks.
    pub(super) fn all_bounds(
        &self,
        partitions: &TopicPartitionList,
    ) -> Result<BTreeMap<Place, (u64, u64)>, JournalError> {
        let asking = self.asking()?;
        let ask = |at: KafkaOffset| {
            let mut asked = TopicPartitionList::new();
            for element in partitions.elements() {
                let added = asked.add_partition_offset(element.topic(), element.partition(), at);
                added.map_err(|error| failure("asking where partitions begin and end", &error))?;
            }
            let answered = until_answered(asking, || {
                let answered = asking.offsets_for_times(asked.clone(), PATIENCE)?;
                // One of many may be refused by itself.
                answered.elements().iter().try_for_each(|element| element.error())?;
                Ok(answered)
            });
            answered.map_err(|error| failure("asking where partitions begin and end", &error))
        };
        let mut bounds: BTreeMap<Place, (u64, u64)> = BTreeMap::new();
        for element in ask(KafkaOffset::Beginning)?.elements() {
            let first = number(element.offset());
            bounds.insert((element.topic().to_owned(), element.partition()), (first, first));
        }
        for element in ask(KafkaOffset::End)?.elements() {
            if let Some(bounds) = bounds.get_mut(&(element.topic().to_owned(), element.partition())) {
                bounds.1 = number(element.offset()).max(bounds.0);
            }
        }
        Ok(bounds)
    }

    /// Hears of what topics have become. Blocks.
    pub(super) fn look_again(&self) {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for client in clients {
            if let Err(error) = client.consumer.fetch_metadata(None, PATIENCE) {
                debug!("what the topics have become can't be asked for: {error}");
            }
        }
    }

    fn asking(&self) -> Result<&Asked<ReadContext>, JournalError> {
        if self.asking.get().is_none() {
            let mut config = self.options.reading();
            // Those of the clients that read are enough.
            config.set("statistics.interval.ms", "0");
            // Where two come at once one of theirs is dropped.
            let _ = self.asking.set(self.client(&config)?);
        }
        Ok(self.asking.get().expect("set above"))
    }

    fn client(&self, config: &ClientConfig) -> Result<Asked<ReadContext>, JournalError> {
        let context = ReadContext { common: self.common.clone(), ends: Arc::clone(&self.ends) };
        Asked::new(config, context).map_err(|error| failure("making a reader", &error))
    }

    /// A client that does not hold the place, which it holds from now on.
    fn client_for(&self, place: &Place) -> Result<Arc<Client>, JournalError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        for client in clients.iter() {
            if client.open.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone()) {
                return Ok(Arc::clone(client));
            }
        }
        let client = self.connect()?;
        client.open.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone());
        clients.push(Arc::clone(&client));
        Ok(client)
    }

    fn connect(&self) -> Result<Arc<Client>, JournalError> {
        let consumer = self.client(&self.options.reading())?;
        Ok(Arc::new(Client { consumer, open: Mutex::default() }))
    }
}

/// Asks again for a while where the answer is that somebody else has to be asked by now: what the client knows of
/// leaders and of a group's coordinator is old where they have just changed.
pub(super) fn until_answered<C: ConsumerContext, T>(
    asking: &BaseConsumer<C>,
    mut ask: impl FnMut() -> Result<T, KafkaError>,
) -> Result<T, KafkaError> {
    let began = Instant::now();
    loop {
        match ask() {
            Err(error)
                if error.rdkafka_error_code().is_some_and(is_passing) && began.elapsed() < PATIENCE =>
            {
                debug!("the brokers are asked again: {error}");
                // Of everything: it is then that the client looks for leaders anew.
                if let Err(error) = asking.fetch_metadata(None, PATIENCE) {
                    debug!("the leaders can't be asked for: {error}");
                }
                thread::sleep(ASK_AGAIN);
            }
            other => return other,
        }
    }
}

fn number(offset: KafkaOffset) -> u64 {
    match offset {
        KafkaOffset::Offset(offset) => u64::try_from(offset).unwrap_or(0),
        _ => 0,
    }
}

/// What came of looking.
pub(super) enum Polled<T> {
    /// A message, as it was made into something by whoever asked.
    Message(T),
    /// Everything committed so far was read.
    End,
    /// Nothing is there at the moment, and more may be on its way.
    Nothing,
    /// The offset that was to be read is not there any more.
    Gone,
}

/// One partition that is being read.
pub(super) struct Tap {
    queue: Option<PartitionQueue<ReadContext>>,
    client: Arc<Client>,
    place: Place,
    arrived: Arc<Notify>,
    /// The next offset that may come.
    position: u64,
    read_to: Arc<AtomicU64>,
}

impl Tap {
    fn open(client: &Arc<Client>, place: Place, from: u64) -> Result<Self, JournalError> {
        let failed = |error: &KafkaError| failure("opening a partition to read", error);
        let mut queue = client
            .consumer
            .split_partition_queue(&place.0, place.1)
            .ok_or_else(|| failed(&KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownPartition)))?;
        let arrived = Arc::new(Notify::new());
        let read_to = Arc::new(AtomicU64::new(NOT_AT_THE_END));
        let (awaken, no_more_at_the_end) = (Arc::clone(&arrived), Arc::clone(&read_to));
        queue.set_nonempty_callback(move || {
            no_more_at_the_end.store(NOT_AT_THE_END, Relaxed);
            awaken.notify_one();
        });
        let mut wanted = TopicPartitionList::new();
        let offset = KafkaOffset::Offset(i64::try_from(from).unwrap_or(i64::MAX));
        wanted.add_partition_offset(&place.0, place.1, offset).map_err(|error| failed(&error))?;
        client.consumer.incremental_assign(&wanted).map_err(|error| failed(&error))?;
        Ok(Self { queue: Some(queue), client: Arc::clone(client), place, arrived, position: from, read_to })
    }

    /// What there is at the moment, without waiting for longer than `patience`.
    pub(super) fn poll<T>(
        &mut self,
        patience: Duration,
        take: impl FnOnce(&BorrowedMessage<'_>) -> T,
    ) -> Result<Polled<T>, JournalError> {
        let Some(queue) = &self.queue else { return Err(JournalError::Closed) };
        match queue.poll(patience) {
            None => Ok(Polled::Nothing),
            Some(Ok(message)) => {
                let offset = u64::try_from(message.offset()).unwrap_or(0);
                if offset < self.position {
                    return Ok(Polled::Nothing);
                }
                self.position = offset + 1;
                Ok(Polled::Message(take(&message)))
            }
            Some(Err(KafkaError::PartitionEOF(_))) => {
                self.read_to.store(self.position, Relaxed);
                Ok(Polled::End)
            }
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                    Ok(Polled::Gone)
                }
                // The client goes on by itself.
                Some(code) if is_passing(code) => {
                    debug!("reading {}-{}: {error}", self.place.0, self.place.1);
                    Ok(Polled::Nothing)
                }
                _ => Err(failure("reading", &error)),
            },
        }
    }

    /// The offset after the last message.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Waits until there is something to poll for. Safe to cancel.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }
}

fn is_passing(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::NotLeaderForPartition
            | RDKafkaErrorCode::FencedLeaderEpoch
            | RDKafkaErrorCode::UnknownLeaderEpoch
            | RDKafkaErrorCode::OffsetNotAvailable
            | RDKafkaErrorCode::ReplicaNotAvailable
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::WaitingForCoordinator
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::NotCoordinator
            | RDKafkaErrorCode::CoordinatorNotAvailable
            | RDKafkaErrorCode::CoordinatorLoadInProgress
    )
}

impl Drop for Tap {
    fn drop(&mut self) {
        let mut gone = TopicPartitionList::new();
        gone.add_partition(&self.place.0, self.place.1);
        if let Err(error) = self.client.consumer.incremental_unassign(&gone) {
            debug!("closing {}-{}: {error}", self.place.0, self.place.1);
        }
        // What had arrived is not for the next reader of this partition.
        if let Some(queue) = self.queue.take() {
            while queue.poll(Duration::ZERO).is_some() {}
        }
        self.client.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.place);
    }
}
