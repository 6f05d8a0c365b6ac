//! States of stages on a compacted topic.
//!
//! A snapshot is a row of messages, each with a piece and a key of its own. What makes it a snapshot is the pointer:
//! the metadata of an offset that a group of its own commits for the input partition, the offset being the one that
//! the state covers. It is written when all pieces are acknowledged, so there is the old snapshot or the new one. The
//! pieces of the old one are taken back afterwards, and compaction removes them.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, Read, Write},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use bytes::{Buf, Bytes, BytesMut};
use rdkafka::{
    Message, Offset as KafkaOffset, TopicPartitionList,
    consumer::{CommitMode, Consumer},
    message::DeliveryResult,
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
    util::Timeout,
};
use tracing::warn;

use super::{
    KafkaOptions,
    asked::{Asked, Lookups},
    context::{Common, common_context},
    failure::failure,
    group::put,
    names::Names,
    options::APPEND_TIMEOUT,
    tap::{PATIENCE, Polled, Taps},
};
use crate::{JournalError, LoadedSnapshot, Offset, SnapshotKey, WriteSnapshot};

/// Bytes of a piece: below what any broker takes.
const PIECE_BYTES: usize = 512 << 10;
/// Pieces on their way at once.
const PIECES_AHEAD: usize = 64;

/// Where a snapshot lies, as its pointer says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pointer {
    /// Of the topic of snapshots.
    partition: i32,
    /// The offset of the first piece.
    first: u64,
    pieces: u32,
    bytes: u64,
    crc: u32,
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, first, pieces, bytes, crc } = self;
        write!(f, "1 {partition} {first} {pieces} {bytes} {crc}")
    }
}

impl Pointer {
    fn parse(metadata: &str) -> Option<Self> {
        let mut words = metadata.split(' ');
        (words.next() == Some("1")).then_some(())?;
        Some(Self {
            partition: words.next()?.parse().ok()?,
            first: words.next()?.parse().ok()?,
            pieces: words.next()?.parse().ok()?,
            bytes: words.next()?.parse().ok()?,
            crc: words.next()?.parse().ok()?,
        })
    }
}

/// Hears of each piece.
#[derive(Debug)]
struct Pieces {
    common: Common,
}

common_context!(Pieces);

/// What became of the pieces of one snapshot.
#[derive(Debug, Default)]
struct Written {
    first: Option<u64>,
    acknowledged: usize,
    failed: Option<String>,
}

impl ProducerContext for Pieces {
    type DeliveryOpaque = Box<(usize, Arc<Mutex<Written>>)>;

    fn delivery(&self, result: &DeliveryResult<'_>, piece: Self::DeliveryOpaque) {
        let mut written = piece.1.lock().unwrap_or_else(PoisonError::into_inner);
        written.acknowledged += 1;
        match result {
            Ok(message) if piece.0 == 0 => written.first = u64::try_from(message.offset()).ok(),
            Ok(_) => {}
            Err((error, _)) => drop(written.failed.get_or_insert(error.to_string())),
        }
    }
}

/// Saves and loads snapshots.
pub(super) struct Snapshots {
    names: Arc<Names>,
    taps: Arc<Taps>,
    partitions: i32,
    producer: ThreadedProducer<Pieces>,
    /// Who commits and finds the pointers of each consumer.
    pointers: Lookups,
}

impl Snapshots {
    pub(super) fn new(
        options: &KafkaOptions,
        names: Arc<Names>,
        common: Common,
        taps: Arc<Taps>,
        partitions: i32,
    ) -> Result<Self, JournalError> {
        let mut config = options.append();
        // A piece twice does no harm, a save that never ends does.
        config.set("message.timeout.ms", APPEND_TIMEOUT.as_millis().to_string());
        config.set("compression.type", "zstd");
        let pointers = Lookups::new(options, &common);
        let producer = config
            .create_with_context(Pieces { common })
            .map_err(|error| failure("making a producer", &error))?;
        Ok(Self { names, taps, partitions, producer, pointers })
    }

    /// Writes the pieces, then the pointer. Blocks.
    pub(super) fn save(
        &self,
        key: &SnapshotKey,
        covers: Offset,
        write: WriteSnapshot<'_>,
    ) -> Result<(), JournalError> {
        let partition = i32::from(key.partition.index) % self.partitions;
        let before = self.pointer(key)?;
        let mut pieces = PieceWriter {
            snapshots: self,
            prefix: piece_prefix(key, covers),
            partition,
            piece: BytesMut::with_capacity(PIECE_BYTES),
            sent: 0,
            bytes: 0,
            crc: 0,
            written: Arc::default(),
        };
        let failed =
            |error: io::Error| JournalError::Kafka { doing: "saving a state", reason: error.to_string() };
        write(&mut pieces).and_then(|()| pieces.send()).and_then(|()| pieces.wait(0)).map_err(failed)?;
        let first = pieces.written.lock().unwrap_or_else(PoisonError::into_inner).first;
        let first = first.ok_or_else(|| failed(io::Error::other("the brokers did not say where it lies")))?;
        let pointer = Pointer {
            partition,
            first,
            pieces: u32::try_from(pieces.sent).unwrap_or(u32::MAX),
            bytes: pieces.bytes,
            crc: pieces.crc,
        };
        let mut offsets = TopicPartitionList::new();
        put(&mut offsets, &self.names, key.partition, covers, &pointer.to_string());
        let client = self.client(&key.consumer)?;
        client
            .commit(&offsets, CommitMode::Sync)
            .map_err(|error| failure("saving where a state lies", &error))?;
        if let Some((old_covers, old)) = before
            && old_covers != covers
        {
            self.take_back(key, old_covers, &old);
        }
        Ok(())
    }

    /// The newest snapshot that is whole. Blocks.
    pub(super) fn load(&self, key: &SnapshotKey) -> Result<Option<LoadedSnapshot>, JournalError> {
        let Some((covers, pointer)) = self.pointer(key)? else { return Ok(None) };
        match self.read(key, covers, &pointer)? {
            Ok(pieces) => Ok(Some((covers, Box::new(PieceReader(pieces))))),
            Err(reason) => {
                warn!(consumer = key.consumer, partition = %key.partition, %covers, "the snapshot can't be used: {reason}");
                Ok(None)
            }
        }
    }

    /// The pieces, or why they can't be used.
    fn read(
        &self,
        key: &SnapshotKey,
        covers: Offset,
        pointer: &Pointer,
    ) -> Result<Result<VecDeque<Bytes>, String>, JournalError> {
        let prefix = piece_prefix(key, covers);
        let (first, _) = self.taps.bounds(&self.names.snapshots, pointer.partition)?;
        if first > pointer.first {
            return Ok(Err("it is not there any more".to_owned()));
        }
        let mut tap = self.taps.open(&self.names.snapshots, pointer.partition, pointer.first)?;
        let (mut pieces, mut bytes, mut crc) = (VecDeque::new(), 0, 0);
        let mut heard = Instant::now();
        while pieces.len() < pointer.pieces as usize {
            let polled = tap.poll(std::time::Duration::from_millis(100), |message| {
                let wanted = format!("{prefix}{}", pieces.len());
                let is_next = message.key() == Some(wanted.as_bytes());
                message.payload().filter(|_| is_next).map(Bytes::copy_from_slice)
            })?;
            match polled {
                Polled::Message(None) => heard = Instant::now(),
                Polled::Message(Some(piece)) => {
                    heard = Instant::now();
                    bytes += piece.len() as u64;
                    crc = crc32c::crc32c_append(crc, &piece);
                    pieces.push_back(piece);
                }
                Polled::End => {
                    return Ok(Err(format!("{} of {} pieces are there", pieces.len(), pointer.pieces)));
                }
                Polled::Gone => return Ok(Err("it is not there any more".to_owned())),
                Polled::Nothing if heard.elapsed() > PATIENCE => {
                    return Err(JournalError::Kafka {
                        doing: "loading a state",
                        reason: "nothing came".to_owned(),
                    });
                }
                Polled::Nothing => {}
            }
        }
        if bytes != pointer.bytes || crc != pointer.crc {
            return Ok(Err("its checksum is wrong".to_owned()));
        }
        Ok(Ok(pieces))
    }

    fn pointer(&self, key: &SnapshotKey) -> Result<Option<(Offset, Pointer)>, JournalError> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(self.names.topic(key.partition.stream), key.partition.index.into());
        let found = self
            .client(&key.consumer)?
            .committed_offsets(asked, PATIENCE)
            .map_err(|error| failure("asking where a state lies", &error))?;
        let elements = found.elements();
        let Some(element) = elements.first() else { return Ok(None) };
        let KafkaOffset::Offset(covers) = element.offset() else { return Ok(None) };
        let covers = Offset(u64::try_from(covers).unwrap_or(0));
        Ok(Pointer::parse(element.metadata()).map(|pointer| (covers, pointer)))
    }

    fn client(&self, consumer: &str) -> Result<Arc<Asked<Common>>, JournalError> {
        let client = self.pointers.of(&format!("snapshots-{consumer}"));
        client.map_err(|error| failure("asking where a state lies", &error))
    }

    /// Pieces of a snapshot that has been replaced go with the next compaction.
    fn take_back(&self, key: &SnapshotKey, covers: Offset, pointer: &Pointer) {
        let prefix = piece_prefix(key, covers);
        for piece in 0..pointer.pieces {
            let key = format!("{prefix}{piece}");
            let nothing = Arc::new(Mutex::new(Written::default()));
            let record: BaseRecord<'_, str, [u8], _> =
                BaseRecord::with_opaque_to(&self.names.snapshots, Box::new((1, nothing)))
                    .partition(pointer.partition)
                    .key(key.as_str());
            if self.producer.send(record).is_err() {
                // Retention takes the rest.
                return;
            }
        }
    }
}

fn piece_prefix(key: &SnapshotKey, covers: Offset) -> String {
    format!("{}/{}/{covers}/", key.consumer, key.partition)
}

/// Cuts what is written into pieces and sends them.
struct PieceWriter<'a> {
    snapshots: &'a Snapshots,
    prefix: String,
    partition: i32,
    piece: BytesMut,
    sent: usize,
    bytes: u64,
    crc: u32,
    written: Arc<Mutex<Written>>,
}

impl PieceWriter<'_> {
    fn send(&mut self) -> io::Result<()> {
        if self.piece.is_empty() && self.sent > 0 {
            return Ok(());
        }
        self.wait(PIECES_AHEAD)?;
        self.bytes += self.piece.len() as u64;
        self.crc = crc32c::crc32c_append(self.crc, &self.piece);
        let key = format!("{}{}", self.prefix, self.sent);
        let opaque = Box::new((self.sent, Arc::clone(&self.written)));
        let record: BaseRecord<'_, str, [u8], _> =
            BaseRecord::with_opaque_to(&self.snapshots.names.snapshots, opaque)
                .partition(self.partition)
                .key(key.as_str())
                .payload(&self.piece);
        self.snapshots.producer.send(record).map_err(|(error, _)| io::Error::other(error.to_string()))?;
        self.sent += 1;
        self.piece.clear();
        Ok(())
    }

    /// Waits until at most so many pieces are not acknowledged.
    fn wait(&self, ahead: usize) -> io::Result<()> {
        loop {
            let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(reason) = &written.failed {
                return Err(io::Error::other(reason.clone()));
            }
            if self.sent - written.acknowledged <= ahead {
                return Ok(());
            }
            drop(written);
            // Ends by itself: each piece is acknowledged or fails within the time of an append.
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

impl Write for PieceWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE_BYTES - self.piece.len();
        let taken = &bytes[..bytes.len().min(room)];
        self.piece.extend_from_slice(taken);
        if self.piece.len() == PIECE_BYTES {
            self.send()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct PieceReader(VecDeque<Bytes>);

impl Read for PieceReader {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.0.front().is_some_and(Bytes::is_empty) {
            self.0.pop_front();
        }
        let Some(piece) = self.0.front_mut() else { return Ok(0) };
        let count = piece.len().min(to.len());
        piece.copy_to_slice(&mut to[..count]);
        Ok(count)
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        if let Err(error) = self.producer.flush(Timeout::After(PATIENCE)) {
            warn!("not all pieces of states were acknowledged before the end: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_read_as_it_was_written_and_one_of_another_form_is_none() {
        let pointer = Pointer { partition: 3, first: 9, pieces: 2, bytes: 700_000, crc: 77 };
        assert_eq!(Pointer::parse(&pointer.to_string()), Some(pointer));
        assert_eq!(Pointer::parse("2 3 9 2 700000 77"), None);
        assert_eq!(Pointer::parse(""), None);
    }
}
