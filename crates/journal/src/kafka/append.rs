//! Appends that stand for themselves: requests of shippers, ticks, words of owners.
//!
//! Each entry is a message of its own; the batch is acknowledged when the brokers have acknowledged all of them. One
//! that fails half way leaves what was written: its sender was not answered and sends again.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
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
    failure::{failure, reason},
    message,
    names::Names,
    options::APPEND_TIMEOUT,
};
use crate::{Appended, Batch, JournalError, Offset, Pending};

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
        Ok(Self { producer, names, counters, queued, limit_bytes: options.queue_bytes })
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
