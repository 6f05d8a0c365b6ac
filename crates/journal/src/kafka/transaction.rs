//! Outputs and consumed offsets in one transaction: one at a time for a stage, whatever its runners hand in meanwhile
//! goes into the next.
//!
//! What makes it exactly once: the transaction carries the generation of the group (a member that lost a partition
//! is refused by the brokers and leaves nothing behind), and the offsets carry a stamp: whose they are and the number
//! of the transaction. Where it is unknown what became of a transaction, because our name was taken from us while it
//! was being ended, the stamp tells: it is there or it is not.

use std::{
    fmt,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rdkafka::{
    Message, TopicPartitionList,
    consumer::{Consumer, ConsumerGroupMetadata},
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseProducer, BaseRecord, Producer, ProducerContext},
};
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

use super::{
    KafkaOptions,
    asked::{Asked, begin},
    context::{Common, common_context},
    failure::{failure, reason},
    group::{Group, put},
    message,
    options::OWN_MESSAGE_BYTES,
    tap::PATIENCE,
};
use crate::{Appended, Batch, Consumed, JournalError, Offset, Pending};

/// Bytes that one transaction takes at most, a single batch apart.
const MOST_BYTES: usize = 32 << 20;
/// How long a call that takes back a transaction may wait for what is on its way.
const UNDO_STEP: Duration = Duration::from_millis(200);
/// A member that has lost its place hears of it within about this.
const HEARD_WITHIN: Duration = Duration::from_millis(500);
/// After this the call that puts offsets into a transaction is taken for one that does not return.
const OFFSETS_WITHIN: Duration = Duration::from_secs(15);
/// Producers that may be left behind in such a call, each with its threads; then one is waited for.
const MOST_STUCK: usize = 32;
/// Of this process.
static STUCK: AtomicUsize = AtomicUsize::new(0);
/// How often a producer is polled that nothing is handed to: it takes a new token only then.
const POLLED_EVERY: Duration = Duration::from_secs(1);
/// Batches that may wait; a runner has one on its way, so there are no more than partitions.
const MOST_WAITING: usize = 4096;

/// Whose offsets these are, and of which of its transactions. Written as the metadata of committed offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The transactional id.
    pub(super) owner: String,
    /// Never used twice by the owner; 0 where it has committed nothing yet.
    pub(super) number: u64,
}

impl Stamp {
    pub(super) fn parse(metadata: &str) -> Option<Self> {
        let (owner, number) = metadata.rsplit_once(' ')?;
        Some(Self { owner: owner.to_owned(), number: number.parse().ok()? })
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.owner, self.number)
    }
}

/// A batch that waits for its transaction.
struct Waiting {
    batch: Batch,
    bytes: usize,
    answer: oneshot::Sender<Result<Appended, JournalError>>,
}

impl Waiting {
    fn consumed(&self) -> &Consumed {
        self.batch.consumed.as_ref().expect("only batches that consumed something come here")
    }

    fn refuse(self, error: JournalError) {
        // Who does not wait any more has lost interest.
        let _ = self.answer.send(Err(error));
    }
}

/// Takes batches of one consumer and commits them.
#[derive(Default)]
pub(super) struct Committer {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<Waiting>,
    ready: bool,
    closed: bool,
    /// Batches were taken, and what becomes of their transaction is not known yet.
    open: bool,
    transactions: u64,
    took: Duration,
}

/// Hears of each message of a transaction.
#[derive(Debug)]
struct Outputs {
    common: Common,
    offsets: Mutex<Vec<(usize, i64)>>,
    /// Messages that the brokers will never take.
    too_large: Mutex<Vec<usize>>,
}

common_context!(Outputs);

impl ProducerContext for Outputs {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        match result {
            Ok(message) => {
                self.common.connection.works();
                self.offsets.lock().unwrap_or_else(PoisonError::into_inner).push((index, message.offset()));
            }
            Err((error, _)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                self.too_large.lock().unwrap_or_else(PoisonError::into_inner).push(index);
            }
            // What else failed shows when the transaction is ended.
            Err(_) => {}
        }
    }
}

impl Outputs {
    fn new(common: &Common) -> Self {
        Self { common: common.clone(), offsets: Mutex::default(), too_large: Mutex::default() }
    }

    fn take(from: &Mutex<Vec<usize>>) -> Vec<usize> {
        std::mem::take(&mut *from.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

type Transactions = Arc<BaseProducer<Outputs>>;

/// What became of an attempt.
enum Attempt {
    /// The offsets of all messages, by their place in the transaction.
    Committed(Vec<(usize, i64)>),
    /// It left nothing behind.
    Undone(JournalError),
    /// The producer is of no use any more, and it is unknown what became of the transaction.
    Unknown(JournalError),
}

impl Committer {
    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a batch into the next transaction. Never blocks.
    pub(super) fn append(&self, batch: Batch) -> Pending {
        let sizes = batch.entries.iter().map(|(_, entry)| entry.payload.len());
        if let Some(bytes) = sizes.clone().find(|bytes| *bytes > OWN_MESSAGE_BYTES) {
            let error = JournalError::TooLarge { bytes: bytes as u64, limit_bytes: OWN_MESSAGE_BYTES as u64 };
            return Pending::ready(Err(error));
        }
        let (bytes, (answer, pending)) = (sizes.sum(), Pending::new());
        let waiting = Waiting { batch, bytes, answer };
        let mut state = self.locked();
        if state.closed {
            waiting.refuse(JournalError::Closed);
        } else if state.waiting.len() >= MOST_WAITING {
            let limit_bytes = MOST_BYTES as u64;
            waiting.refuse(JournalError::Overloaded { queued_bytes: limit_bytes, limit_bytes });
        } else {
            state.waiting.push(waiting);
            self.changed.notify_all();
        }
        pending
    }

    /// Refuses what waits and what comes.
    pub(super) fn close(&self) {
        let mut state = self.locked();
        state.closed = true;
        let refused = std::mem::take(&mut state.waiting);
        drop(state);
        refused.into_iter().for_each(|waiting| waiting.refuse(JournalError::Closed));
        self.changed.notify_all();
    }

    /// Waits until transactions can be made; `false`: closed before.
    pub(super) fn wait_until_ready(&self, group: &Group) -> bool {
        let mut state = self.locked();
        while !state.ready && !state.closed && !group.stops() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.ready
    }

    /// How many transactions were committed, and how long that took in all.
    pub(super) fn figures(&self) -> (u64, Duration) {
        let state = self.locked();
        (state.transactions, state.took)
    }

    /// What waits and fits one transaction; nothing: closed. As long as nothing comes, the producer is looked after.
    fn take(&self, producer: &Transactions) -> Vec<Waiting> {
        let mut state = self.locked();
        while state.waiting.is_empty() && !state.closed {
            let waited = self.changed.wait_timeout(state, POLLED_EVERY);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if timeout.timed_out() {
                drop(state);
                producer.poll(Duration::ZERO);
                state = self.locked();
            }
        }
        let mut bytes = 0;
        let fits = state.waiting.iter().take_while(|waiting| {
            bytes += waiting.bytes;
            bytes <= MOST_BYTES
        });
        let count = fits.count().max(1).min(state.waiting.len());
        state.open = count > 0;
        state.waiting.drain(..count).collect()
    }

    /// Waits until nothing is open, no longer than `patience`. Returns whether it came to that.
    pub(super) fn rests_within(&self, patience: Duration) -> bool {
        let state = self.locked();
        let waited = self.changed.wait_timeout_while(state, patience, |state| state.open);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Commits until closed.
    pub(super) fn run(&self, group: &Group, options: &KafkaOptions, common: &Common, id: &str) {
        // Never the number of an earlier run under this name.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut number = u64::try_from(since.as_nanos()).unwrap_or(0);
        let Some(mut producer) = connect(group, options, common, id) else { return };
        self.locked().ready = true;
        self.changed.notify_all();
        loop {
            let began = Instant::now();
            let mut batches = self.take(&producer);
            if batches.is_empty() {
                return;
            }
            while !batches.is_empty() {
                number += 1;
                let stamp = Stamp { owner: id.to_owned(), number };
                match attempt(group, &producer, &mut batches, &stamp) {
                    Attempt::Committed(offsets) => {
                        let took = began.elapsed();
                        let mut state = self.locked();
                        state.transactions += 1;
                        state.took += took;
                        drop(state);
                        answer(group, std::mem::take(&mut batches), &offsets);
                    }
                    Attempt::Undone(error) => {
                        debug!(id, "a transaction was undone and is made again: {error}");
                        refuse_too_large(&mut batches, &Outputs::take(&producer.context().too_large));
                        wait_a_little(group);
                    }
                    Attempt::Unknown(error) => {
                        info!(id, "transactions begin anew: {error}");
                        drop(producer);
                        if options.standby {
                            // Time to hear that another has our place.
                            thread::sleep(2 * HEARD_WITHIN);
                        }
                        match connect(group, options, common, id) {
                            Some(another) => producer = another,
                            None => {
                                batches.into_iter().for_each(|waiting| waiting.refuse(JournalError::Closed));
                                return;
                            }
                        }
                        match is_there(group, options, common, &batches, &stamp) {
                            Some(true) => answer(group, std::mem::take(&mut batches), &[]),
                            Some(false) => {}
                            None => {
                                batches.into_iter().for_each(|waiting| waiting.refuse(JournalError::Closed));
                                return;
                            }
                        }
                    }
                }
                if group.stops() && self.locked().closed {
                    batches.drain(..).for_each(|waiting| waiting.refuse(JournalError::Closed));
                }
            }
            self.locked().open = false;
            self.changed.notify_all();
            if !group.stops() {
                thread::sleep(options.commit_interval.saturating_sub(began.elapsed()));
            }
        }
    }
}

fn wait_a_little(group: &Group) {
    if !group.stops() {
        thread::sleep(Duration::from_millis(50));
    }
}

/// A producer whose name is ours alone; what was open under it is ended. Tried until it works; `None`: stopped.
fn connect(group: &Group, options: &KafkaOptions, common: &Common, id: &str) -> Option<Transactions> {
    let mut tries = 0_u32;
    while !group.stops() {
        if group.is_replaced() {
            // The name is another's now: to take it would fence that one.
            thread::sleep(Duration::from_millis(50));
            continue;
        }
        let made =
            options.transactions(id).create_with_context::<_, BaseProducer<Outputs>>(Outputs::new(common));
        let made = made.and_then(|producer| begin(&producer).map(|()| producer));
        match made {
            Ok(producer) => return Some(Arc::new(producer)),
            Err(error) => {
                tries += 1;
                if tries.is_power_of_two() {
                    warn!(id, tries, "transactions can't be made yet, it is tried again: {}", reason(&error));
                }
                thread::sleep(Duration::from_millis(200));
            }
        }
    }
    None
}

/// Makes the batches durable in one transaction. Those whose partitions are not ours any more are refused first.
fn attempt(group: &Group, producer: &Transactions, batches: &mut Vec<Waiting>, stamp: &Stamp) -> Attempt {
    // First the generation, then the look at what is ours: a partition that goes afterwards makes this one old.
    let Some(generation) = group.metadata() else {
        refuse_lost(group, batches);
        return Attempt::Undone(JournalError::Kafka {
            doing: "committing",
            reason: "no place in the group".into(),
        });
    };
    refuse_lost(group, batches);
    if batches.is_empty() {
        return Attempt::Committed(Vec::new());
    }
    producer.context().offsets.lock().unwrap_or_else(PoisonError::into_inner).clear();
    Outputs::take(&producer.context().too_large);
    let mut offsets = TopicPartitionList::new();
    for (partition, next) in batches.iter().flat_map(|waiting| &waiting.consumed().next) {
        put(&mut offsets, group.names(), *partition, *next, &stamp.to_string());
    }
    let made = producer
        .begin_transaction()
        .and_then(|()| send_all(group, producer, batches))
        .and_then(|()| send_offsets(producer, offsets, generation))
        .and_then(|()| retried(|| producer.commit_transaction(PATIENCE)));
    match made {
        Ok(()) => {
            let context = producer.context();
            Attempt::Committed(std::mem::take(
                &mut *context.offsets.lock().unwrap_or_else(PoisonError::into_inner),
            ))
        }
        Err(error) if is_fatal(&error) => Attempt::Unknown(failure("committing", &error)),
        Err(error) => match retried(|| undo(producer)) {
            Ok(()) => Attempt::Undone(failure("committing", &error)),
            Err(abort) => Attempt::Unknown(failure("undoing a transaction", &abort)),
        },
    }
}

/// Batches of partitions that are not ours any more go back to who handed them in. One that nobody waits for is of a
/// time before its partition was lost: it may be ours again, and its next server makes that batch anew.
fn refuse_lost(group: &Group, batches: &mut Vec<Waiting>) {
    batches.retain(|waiting| !waiting.answer.is_closed());
    let lost =
        |waiting: &mut Waiting| waiting.consumed().next.iter().any(|(input, _)| !group.owned().has(*input));
    for waiting in batches.extract_if(.., lost) {
        let input = waiting.consumed().next.first().map(|(input, _)| *input);
        let input = input.unwrap_or(crate::Partition::new(crate::Stream::Control, 0));
        waiting.refuse(JournalError::Fenced(input));
    }
}

/// A batch with a message that the brokers will never take is refused; the others go on.
fn refuse_too_large(batches: &mut Vec<Waiting>, too_large: &[usize]) {
    let mut first = 0;
    let has_one = |waiting: &mut Waiting| {
        let places = first..first + waiting.batch.entries.len();
        first = places.end;
        too_large.iter().any(|index| places.contains(index))
    };
    for waiting in batches.extract_if(.., has_one) {
        let bytes =
            waiting.batch.entries.iter().map(|(_, entry)| entry.payload.len()).max().unwrap_or(0) as u64;
        warn!(bytes, "a message is above max.message.bytes of its topic; `foreshock topics apply` raises it");
        waiting.refuse(JournalError::TooLarge { bytes, limit_bytes: bytes.saturating_sub(1) });
    }
}

fn send_all(group: &Group, producer: &Transactions, batches: &[Waiting]) -> Result<(), KafkaError> {
    let entries = batches.iter().flat_map(|waiting| &waiting.batch.entries);
    for (index, (partition, entry)) in entries.enumerate() {
        let payload = entry.payload.clone().into_bytes();
        loop {
            let record =
                BaseRecord::<[u8], [u8], usize>::with_opaque_to(group.names().topic(partition.stream), index)
                    .partition(partition.index.into())
                    .timestamp(i64::try_from(entry.received.0 / 1_000_000).unwrap_or(i64::MAX))
                    .headers(message::headers(partition.stream, entry))
                    .payload(payload.as_ref());
            match producer.send(record) {
                Ok(()) => break,
                Err((error, _)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                    producer.poll(Duration::from_millis(20));
                }
                Err((error, _)) => return Err(error),
            }
        }
        if index % 64 == 63 {
            producer.poll(Duration::ZERO);
        }
    }
    Ok(())
}

/// Takes back what was sent. The library waits meanwhile until somebody has heard of each message on its way, which
/// nobody does but us: so it is called for a short while again and again, and goes on where it was.
fn undo(producer: &Transactions) -> Result<(), KafkaError> {
    producer.poll(Duration::from_millis(20));
    producer.abort_transaction(UNDO_STEP)
}

/// Puts offsets into the transaction, or gives the producer up. The library may never return from this call, whatever
/// time-out it is given, where the group's coordinator went away at the wrong moment (librdkafka's issue 5456): so it
/// is made on a thread of its own, which is left where it is.
fn send_offsets(
    producer: &Transactions,
    offsets: TopicPartitionList,
    generation: ConsumerGroupMetadata,
) -> Result<(), KafkaError> {
    let (tell, told) = mpsc::sync_channel(1);
    let sending = Arc::clone(producer);
    let spawned = thread::Builder::new().name("kafka-offsets".into()).spawn(move || {
        let sent = retried(|| sending.send_offsets_to_transaction(&offsets, &generation, PATIENCE));
        // Nobody listens any more where it took too long.
        let _ = tell.send(sent);
    });
    if spawned.is_err() {
        return Err(KafkaError::Canceled);
    }
    let is_bearable = STUCK.load(Relaxed) < MOST_STUCK;
    match told.recv_timeout(if is_bearable { OFFSETS_WITHIN } else { Duration::MAX }) {
        Ok(sent) => sent,
        Err(_) => {
            STUCK.fetch_add(1, Relaxed);
            Err(KafkaError::MessageProduction(RDKafkaErrorCode::Fatal))
        }
    }
}

/// Tries again what the library says is worth it.
fn retried(mut call: impl FnMut() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    let began = Instant::now();
    loop {
        match call() {
            Err(KafkaError::Transaction(error))
                if error.is_retriable() && !error.txn_requires_abort() && began.elapsed() < 6 * PATIENCE =>
            {
                thread::sleep(Duration::from_millis(20));
            }
            other => return other,
        }
    }
}

fn is_fatal(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(error) => error.is_fatal() || !error.txn_requires_abort(),
        KafkaError::Flush(_) => false,
        other => other.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal),
    }
}

/// Whether the transaction of the stamp was committed after all. Asked until the brokers answer; `None`: stopped.
fn is_there(
    group: &Group,
    options: &KafkaOptions,
    common: &Common,
    batches: &[Waiting],
    stamp: &Stamp,
) -> Option<bool> {
    let mut asked = TopicPartitionList::new();
    for (partition, _) in batches.iter().flat_map(|waiting| &waiting.consumed().next) {
        asked.add_partition(group.names().topic(partition.stream), partition.index.into());
    }
    while !group.stops() {
        let consumer =
            batches.first().map(|waiting| waiting.consumed().consumer.as_str()).unwrap_or_default();
        // Our own name was taken anew, so nothing of ours is open: what is there is final.
        let found = Asked::new(&options.lookup(consumer), common.clone())
            .and_then(|lookup| lookup.committed_offsets(asked.clone(), PATIENCE));
        match found {
            Ok(found) => {
                let is_ours = |metadata: &str| Stamp::parse(metadata).as_ref() == Some(stamp);
                return Some(found.elements().iter().any(|element| is_ours(element.metadata())));
            }
            Err(error) => warn!("what became of a transaction can't be told yet: {}", reason(&error)),
        }
        wait_a_little(group);
    }
    None
}

/// Tells everybody that their batches are durable.
fn answer(group: &Group, batches: Vec<Waiting>, offsets: &[(usize, i64)]) {
    let count = batches.iter().map(|waiting| waiting.batch.entries.len()).sum();
    let mut all = vec![Offset(0); count];
    for (index, offset) in offsets {
        if let Some(place) = all.get_mut(*index) {
            *place = Offset(u64::try_from(*offset).unwrap_or(0));
        }
    }
    let mut all = all.into_iter();
    for waiting in batches {
        let appended: Appended = all.by_ref().take(waiting.batch.entries.len()).collect();
        for (partition, next) in &waiting.consumed().next {
            group.owned().commits(*partition, *next);
        }
        // Who does not wait any more reads it from the journal.
        let _ = waiting.answer.send(Ok(appended));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written_and_nothing_else_is_one() {
        let stamp = Stamp { owner: "a-foreshock reduce-1".into(), number: 17 };
        assert_eq!(Stamp::parse(&stamp.to_string()), Some(stamp));
        for other in ["", "17", "owner", "owner x", "owner -1"] {
            assert_eq!(Stamp::parse(other), None, "{other:?}");
        }
    }
}
