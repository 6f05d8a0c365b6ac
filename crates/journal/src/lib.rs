//! The partitioned, durable log that everything passes through.
//!
//! A *stream* is a set of partitions; a partition is a sequence of entries with offsets that grow. Services know
//! this trait alone and can't tell which implementation they run on. The journal knows nothing of findings,
//! OTLP or tenants' rules: an entry is a tenant, a receive time, a kind and bytes.
//!
//! What an implementation promises:
//! 1. [`Journal::append`] resolves with `Ok` only after the whole batch is durable.
//! 2. A batch with consumed offsets becomes durable in one step, offsets and entries: until then no reader sees any
//!    of it; after a crash either all of it is there or nothing. One that consumed nothing is as atomic on the
//!    embedded journal; on Kafka its entries become durable one by one.
//! 3. Entries of a partition are read in the order of their offsets, each once, never one with a bad checksum.
//!    Offsets grow; there may be gaps between them.
//! 4. A consumer's partitions are served by one member at a time ([`Journal::join`]): what a member appends for a
//!    partition that it has lost is refused with [`JournalError::Fenced`] and leaves nothing behind.
//! 5. Of the processes that stand by for one another it is one's turn at a time ([`Journal::turn`]), as far as time
//!    can tell; where two believe it, 4 holds all the same.

pub mod embedded;
mod entry;
mod error;
pub mod kafka;
mod membership;
mod observe;
mod turn;

use std::{
    future::{self, Future},
    io::{self, Read, Write},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

pub use embedded::{EmbeddedJournal, EmbeddedOptions, EmbeddedReader};
pub use entry::{Entry, EntryKind, Fetched, Offset, Partition, Payload, Stream};
pub use error::JournalError;
pub use kafka::{KafkaJournal, KafkaOptions};
pub use membership::{Change, Handover, Membership, OnlyMember};
pub use observe::{Observe, Observed};
use tokio::sync::oneshot;
pub use turn::Turn;

/// Entries to be appended together with the offsets whose processing produced them.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// In the order they are to have in their partitions.
    pub entries: Vec<(Partition, Entry)>,
    /// What was consumed to produce them, if anything was.
    pub consumed: Option<Consumed>,
}

/// The next offsets a consumer has to read, by partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumed {
    /// Who consumes, for example `reduce`.
    pub consumer: String,
    /// Partition and the offset to go on from.
    pub next: Vec<(Partition, Offset)>,
}

/// The offset each entry of a batch got, in the batch's order.
pub type Appended = Vec<Offset>;

/// An append on its way. Resolves when the batch is durable or refused; dropping it does not take the batch back.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Result<Appended, JournalError>>);

impl Pending {
    /// The two ends: the writer answers by the sender, the caller awaits the `Pending`.
    pub fn new() -> (oneshot::Sender<Result<Appended, JournalError>>, Self) {
        let (answer, pending) = oneshot::channel();
        (answer, Self(pending))
    }

    /// One that is answered already.
    pub fn ready(result: Result<Appended, JournalError>) -> Self {
        let (answer, pending) = Self::new();
        // The receiver is held by `pending`, so this can't fail.
        let _ = answer.send(result);
        pending
    }

    /// Blocks the thread until it is answered. Not for async code.
    pub fn wait(self) -> Result<Appended, JournalError> {
        self.0.blocking_recv().unwrap_or(Err(JournalError::Closed))
    }
}

impl Future for Pending {
    type Output = Result<Appended, JournalError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(JournalError::Closed)))
    }
}

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Reads one partition from a given offset on.
pub trait Reader: Send {
    /// Waits until there is something after the last offset read, then returns it: at least one entry, further
    /// ones as long as their payloads stay within `max_bytes`. Safe to cancel: what was not returned is read again.
    fn next(&mut self, max_bytes: usize) -> BoxFuture<'_, Result<Fetched, JournalError>>;

    /// As [`Reader::next`], but returns at once, with nothing where there is nothing more.
    fn read_now(&mut self, max_bytes: usize) -> BoxFuture<'_, Result<Fetched, JournalError>>;

    /// The offset [`Reader::next`] goes on from.
    fn position(&self) -> Offset;
}

/// What lies in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionStat {
    /// Which.
    pub partition: Partition,
    /// The oldest offset that is still there.
    pub first: Offset,
    /// The offset the next entry will get.
    pub next: Offset,
    /// Telemetry records in the entries that are there (for our own streams: messages); where that is known.
    pub records: Option<u64>,
    /// Bytes of the entries that are there, their headers included; where that is known.
    pub bytes: Option<u64>,
    /// For each consumer the next offset it will read.
    pub consumers: Vec<(String, Offset)>,
}

/// Whether appends are accepted at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Reads and writes.
    Writable,
    /// Still finding out what is there.
    Recovering,
    /// Refuses appends; tries again by itself. The sentence says why and what to do.
    Unwritable(String),
}

/// Which state a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SnapshotKey {
    /// The consumer whose state it is, for example `detect`.
    pub consumer: String,
    /// The input partition the state was built from.
    pub partition: Partition,
}

/// The offset a snapshot covers, and its bytes.
pub type LoadedSnapshot = (Offset, Box<dyn Read + Send>);

/// Writes a state's bytes into a snapshot.
pub type WriteSnapshot<'a> = &'a mut (dyn FnMut(&mut dyn Write) -> io::Result<()> + Send);

/// The log. See the crate's documentation for what an implementation promises.
pub trait Journal: Send + Sync + 'static {
    /// How many partitions a stream has.
    fn partitions(&self, stream: Stream) -> u16;

    /// Appends a batch as one atomic, durable step. Returns at once; never blocks the caller.
    fn append(&self, batch: Batch) -> Pending;

    /// The largest payload an entry may have, in bytes; what is above is refused by append.
    fn max_entry_bytes(&self) -> usize {
        usize::MAX
    }

    /// A reader that starts at `from`. Fails with [`JournalError::OutOfRange`] where that is no longer there.
    fn reader(&self, partition: Partition, from: Offset) -> Result<Box<dyn Reader>, JournalError>;

    /// Takes a place among those who serve a consumer's partitions of these streams. Batches that the consumer
    /// commits need one, or are refused with [`JournalError::Fenced`].
    fn join(&self, consumer: &str, streams: &[Stream]) -> Result<Box<dyn Membership>, JournalError> {
        let _ = consumer;
        let all = |stream: &Stream| {
            let stream = *stream;
            (0..self.partitions(stream)).map(move |index| Partition::new(stream, index))
        };
        Ok(Box::new(OnlyMember::of(streams.iter().flat_map(all).collect())))
    }

    /// Waits until it is our turn among processes of our name, which stand by for one another. At once where this
    /// one stands for itself.
    fn turn(&self) -> BoxFuture<'_, Result<Turn, JournalError>> {
        Box::pin(future::ready(Ok(Turn::for_ever())))
    }

    /// The partitions of these streams that the consumer serves under our name at present, in whichever process, and
    /// the next offset of each as it was committed last. May block.
    fn served_as_us(
        &self,
        consumer: &str,
        streams: &[Stream],
    ) -> Result<Vec<(Partition, Offset)>, JournalError> {
        let _ = (consumer, streams);
        Ok(Vec::new())
    }

    /// The oldest offset of a partition that is still there, and the one that the next entry will get. May block.
    fn bounds(&self, partition: Partition) -> Result<(Offset, Offset), JournalError> {
        let row = self.stat()?.into_iter().find(|row| row.partition == partition);
        row.map(|row| (row.first, row.next)).ok_or(JournalError::NoPartition(partition))
    }

    /// Where a partition that is being read ends, as of a moment ago; `None` where that is not known. Never blocks.
    fn end(&self, partition: Partition) -> Option<Offset> {
        self.bounds(partition).ok().map(|(_, next)| next)
    }

    /// The offset the consumer goes on from, as its last durable batch said; `None` before its first.
    fn committed(&self, consumer: &str, partition: Partition) -> Result<Option<Offset>, JournalError>;

    /// Keeps a state that covers everything before `covers`. Replaces the key's older snapshot atomically.
    /// Blocks; `write` is called once and may stream as much as it likes.
    fn save_snapshot(
        &self,
        key: &SnapshotKey,
        covers: Offset,
        write: WriteSnapshot<'_>,
    ) -> Result<(), JournalError>;

    /// The newest snapshot that is whole, and the offset it covers. One with a bad checksum is as good as none.
    fn load_snapshot(&self, key: &SnapshotKey) -> Result<Option<LoadedSnapshot>, JournalError>;

    /// One row a stream and partition.
    fn stat(&self) -> Result<Vec<PartitionStat>, JournalError>;

    /// The rows that can be told without asking anybody else: none where all of them take that.
    fn stat_at_hand(&self) -> Vec<PartitionStat> {
        self.stat().unwrap_or_default()
    }

    /// Whether appends are accepted at present.
    fn health(&self) -> Health;

    /// Figures since the start, for the metrics page.
    fn figures(&self) -> Figures;

    /// Makes what was accepted durable, refuses what comes later, and returns when all threads have ended.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Figures of a journal since it was opened.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Batches made durable.
    pub batches: u64,
    /// Bytes made durable.
    pub bytes: u64,
    /// Appends refused.
    pub refused: u64,
    /// Syncs that took up to this long: (upper bound, count), cumulative as Prometheus has it.
    pub sync_latency: Vec<(Duration, u64)>,
    /// Sum of all sync times.
    pub sync_total: Duration,
    /// Bytes that wait to be written.
    pub queued_bytes: u64,
    /// Bytes held in memory for readers near the head.
    pub cached_bytes: u64,
    /// Records that recovery or readers found damaged and set aside.
    pub damaged_frames: u64,
    /// What each consumer's place in its group came to, where the work is shared.
    pub shares: Vec<ShareFigures>,
}

/// Figures of one consumer's share of the partitions.
#[derive(Clone, Debug, Default)]
pub struct ShareFigures {
    /// Who consumes.
    pub consumer: String,
    /// Partitions that are ours at present.
    pub partitions: usize,
    /// How often partitions came or went.
    pub rebalances: u64,
    /// How long the last ones that came took until they were ours.
    pub last_rebalance: Duration,
    /// Transactions committed.
    pub transactions: u64,
    /// From the first batch of each to its commit, in all.
    pub transaction_time: Duration,
}
