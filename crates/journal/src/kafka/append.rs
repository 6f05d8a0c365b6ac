//! Appends that stand for themselves: requests of shippers, ticks, words of owners.
//!
//! Each entry is a message of its own; the batch is acknowledged when the brokers have acknowledged all of them. One
//! that fails half way leaves what was written: its sender was not answered and sends again.
//!
//! A message that was handed to the library stays with it until the brokers have it, also when its sender was refused
//! meanwhile. The library could give it up after a while, but begins its sequence anew then, and sends everything
//! else that it has no answer for once more, by which the brokers do not know it: it would be there twice.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use rdkafka::{
    Message,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
    util::Timeout,
};
use tokio::{sync::oneshot, time::Instant};

use super::{
    KafkaOptions,
    context::{Common, common_context},
    counters::Counters,
    failure::{failure, reason, spawn},
    message,
    names::Names,
    options::APPEND_TIMEOUT,
};
use crate::{Appended, Batch, JournalError, Offset, Pending};

/// How often it is looked whether a sender has waited long enough.
const LATE_EVERY: Duration = Duration::from_millis(100);

/// What the producer tells of each message.
#[derive(Debug)]
struct Acknowledgements {
    common: Common,
    counters: Arc<Counters>,
    queued: Arc<AtomicU64>,
}

common_context!(Acknowledgements);

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = Box<OnItsWay>;

    fn delivery(&self, result: &DeliveryResult<'_>, on_its_way: Box<OnItsWay>) {
        let outcome = match result {
            Ok(message) => {
                self.common.connection.works();
                Ok(Offset(u64::try_from(message.offset()).unwrap_or(0)))
            }
            Err((error, _)) => Err(refusal(error, on_its_way.bytes)),
        };
        self.queued.fetch_sub(on_its_way.bytes, Relaxed);
        on_its_way.ends(outcome, &self.counters);
    }
}

/// One message on its way to the brokers.
#[derive(Debug)]
struct OnItsWay {
    batch: Arc<BatchOnItsWay>,
    index: usize,
    bytes: u64,
}

#[derive(Debug)]
struct BatchOnItsWay {
    left: AtomicUsize,
    began: Instant,
    bytes: u64,
    outcome: Mutex<Outcome>,
}

#[derive(Debug)]
struct Outcome {
    offsets: Appended,
    failed: Option<JournalError>,
    answer: Option<oneshot::Sender<Result<Appended, JournalError>>>,
}

impl BatchOnItsWay {
    /// Its sender waits no longer.
    fn is_late(&self, counters: &Counters) {
        let answer = self.outcome.lock().unwrap_or_else(PoisonError::into_inner).answer.take();
        let Some(answer) = answer else { return };
        counters.refused();
        let reason = format!("the brokers did not answer within {APPEND_TIMEOUT:?}");
        // Who gave up waiting sends again.
        let _ = answer.send(Err(JournalError::Kafka { doing: "appending", reason }));
    }
}

/// Batches by the time when they were handed over, the oldest first.
#[derive(Debug, Default)]
struct Waiting(Mutex<VecDeque<(Instant, Weak<BatchOnItsWay>)>>);

impl Waiting {
    fn push(&self, batch: &Arc<BatchOnItsWay>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back((batch.began, Arc::downgrade(batch)));
    }

    /// Takes those that have waited too long, and forgets those that are done.
    fn late(&self) -> Vec<Arc<BatchOnItsWay>> {
        let mut late = Vec::new();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((began, batch)) = waiting.front() {
            match batch.upgrade() {
                Some(batch) if began.elapsed() >= APPEND_TIMEOUT => late.push(batch),
                Some(_) => break,
                None => {}
            }
            waiting.pop_front();
        }
        late
    }
}

/// Refuses what waits too long, as long as somebody may wait.
fn refuse_late(waiting: &Weak<Waiting>, counters: &Counters) {
    while let Some(waiting) = waiting.upgrade() {
        waiting.late().iter().for_each(|batch| batch.is_late(counters));
        drop(waiting);
        thread::sleep(LATE_EVERY);
    }
}

impl OnItsWay {
    fn ends(self, result: Result<Offset, JournalError>, counters: &Counters) {
        let batch = &self.batch;
        let mut outcome = batch.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(offset) => outcome.offsets[self.index] = offset,
            Err(error) => drop(outcome.failed.get_or_insert(error)),
        }
        if batch.left.fetch_sub(1, SeqCst) > 1 {
            return;
        }
        let Some(answer) = outcome.answer.take() else { return };
        let result = match outcome.failed.take() {
            Some(error) => {
                counters.refused();
                Err(error)
            }
            None => {
                counters.appended(batch.bytes, batch.began.elapsed());
                Ok(std::mem::take(&mut outcome.offsets))
            }
        };
        // Who gave up waiting sends again.
        let _ = answer.send(result);
    }
}

/// The producer of everything that is not a stage's.
pub(super) struct Appender {
    producer: ThreadedProducer<Acknowledgements>,
    names: Arc<Names>,
    counters: Arc<Counters>,
    queued: Arc<AtomicU64>,
    limit_bytes: u64,
    waiting: Arc<Waiting>,
}

impl Appender {
    pub(super) fn new(
        options: &KafkaOptions,
        names: Arc<Names>,
        common: Common,
        counters: Arc<Counters>,
    ) -> Result<Self, JournalError> {
        let queued = Arc::new(AtomicU64::new(0));
        let context =
            Acknowledgements { common, counters: Arc::clone(&counters), queued: Arc::clone(&queued) };
        let producer = options
            .append()
            .create_with_context(context)
            .map_err(|error| failure("making a producer", &error))?;
        let waiting = Arc::<Waiting>::default();
        let (watched, told) = (Arc::downgrade(&waiting), Arc::clone(&counters));
        spawn("late", move || refuse_late(&watched, &told))?;
        Ok(Self { producer, names, counters, queued, limit_bytes: options.queue_bytes, waiting })
    }

    /// Bytes that wait for the brokers.
    pub(super) fn queued(&self) -> u64 {
        self.queued.load(Relaxed)
    }

    /// Hands the batch to the producer. Never blocks.
    pub(super) fn append(&self, batch: Batch) -> Pending {
        let sizes = batch.entries.iter().map(|(_, entry)| entry.payload.len() as u64);
        let bytes: u64 = sizes.sum();
        let queued = self.queued.fetch_add(bytes, Relaxed);
        // One that is larger than the limit by itself is taken when nothing else waits.
        if queued > 0 && queued + bytes > self.limit_bytes {
            self.queued.fetch_sub(bytes, Relaxed);
            self.counters.refused();
            let error = JournalError::Overloaded { queued_bytes: queued, limit_bytes: self.limit_bytes };
            return Pending::ready(Err(error));
        }
        let (answer, pending) = Pending::new();
        let count = batch.entries.len();
        let outcome = Outcome { offsets: vec![Offset(0); count], failed: None, answer: Some(answer) };
        let on_its_way = Arc::new(BatchOnItsWay {
            left: AtomicUsize::new(count),
            began: Instant::now(),
            bytes,
            outcome: Mutex::new(outcome),
        });
        self.waiting.push(&on_its_way);
        for (index, (partition, entry)) in batch.entries.into_iter().enumerate() {
            let headers = message::headers(partition.stream, &entry);
            let (key, millis) = (entry.key, entry.received.0 / 1_000_000);
            let bytes = entry.payload.into_bytes();
            let opaque =
                Box::new(OnItsWay { batch: Arc::clone(&on_its_way), index, bytes: bytes.len() as u64 });
            let mut record = BaseRecord::with_opaque_to(self.names.topic(partition.stream), opaque)
                .partition(partition.index.into())
                .timestamp(i64::try_from(millis).unwrap_or(i64::MAX))
                .headers(headers)
                .payload(bytes.as_ref());
            if let Some(key) = &key {
                record = record.key(key.as_slice());
            }
            if let Err((error, record)) = self.producer.send(record) {
                let on_its_way = record.delivery_opaque;
                let error = refusal(&error, on_its_way.bytes);
                self.queued.fetch_sub(on_its_way.bytes, Relaxed);
                on_its_way.ends(Err(error), &self.counters);
            }
        }
        pending
    }

    /// Hears of what topics have become. Blocks.
    pub(super) fn look_again(&self) {
        if let Err(error) = self.producer.client().fetch_metadata(None, APPEND_TIMEOUT) {
            tracing::debug!("what the topics have become can't be asked for: {}", reason(&error));
        }
    }

    /// Waits until everything is acknowledged or refused. Blocks.
    pub(super) fn flush(&self) {
        if let Err(error) = self.producer.flush(Timeout::After(APPEND_TIMEOUT)) {
            tracing::warn!("not everything was acknowledged before the end: {}", reason(&error));
        }
    }
}

/// Why a message was not taken.
fn refusal(error: &KafkaError, bytes: u64) -> JournalError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
            JournalError::TooLarge { bytes, limit_bytes: bytes - 1 }
        }
        Some(RDKafkaErrorCode::QueueFull) => {
            JournalError::Overloaded { queued_bytes: bytes, limit_bytes: bytes }
        }
        _ => failure("appending", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(began: Instant) -> (Arc<BatchOnItsWay>, Pending) {
        let (answer, pending) = Pending::new();
        let outcome = Outcome { offsets: vec![Offset(0)], failed: None, answer: Some(answer) };
        let batch =
            BatchOnItsWay { left: AtomicUsize::new(1), began, bytes: 1, outcome: Mutex::new(outcome) };
        (Arc::new(batch), pending)
    }

    #[test]
    fn who_has_waited_long_enough_is_refused_once_and_nobody_else() {
        let now = Instant::now();
        let long_ago = now.checked_sub(2 * APPEND_TIMEOUT).expect("the machine is up longer");
        let (waiting, counters) = (Waiting::default(), Counters::default());
        let (done, _) = batch(long_ago);
        let ((late, refused), (young, _pending)) = (batch(long_ago), batch(now));
        [&done, &late, &young].into_iter().for_each(|batch| waiting.push(batch));
        drop(done);
        let all = waiting.late();
        assert_eq!(all.len(), 1);
        all.iter().for_each(|batch| batch.is_late(&counters));
        assert!(matches!(refused.wait(), Err(JournalError::Kafka { .. })));
        assert!(waiting.late().is_empty());
        // The brokers have it after all: nobody is told, and nothing is counted.
        let on_its_way = OnItsWay { batch: late, index: 0, bytes: 1 };
        on_its_way.ends(Ok(Offset(7)), &counters);
        let figures = counters.figures(0);
        assert_eq!((figures.refused, figures.batches), (1, 0));
    }
}
