//! A journal in memory that refuses and dies on command, and a stage small enough to reason about.
#![allow(dead_code)]

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Cursor, Read, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

use foreshock_detect::{Input, InputId, InputKind, Origin, Outputs, RestoreError, Stage};
use foreshock_journal::{
    Batch, BoxFuture, Entry, Fetched, Figures, Health, Journal, JournalError, Offset, Partition,
    PartitionStat, Pending, Reader, SnapshotKey, Stream, WriteSnapshot,
};
use foreshock_model::{Tenant, Timestamp, proto};
use foreshock_worker::{Reading, Served};
use prost::Message;
use serde::{Deserialize, Serialize};
use tokio::sync::{oneshot, watch};

/// What survives a crash.
#[derive(Default)]
pub(crate) struct Disk {
    logs: BTreeMap<Partition, (u64, Vec<Entry>)>,
    committed: HashMap<(String, Partition), Offset>,
    snapshots: HashMap<SnapshotKey, (Offset, Vec<u8>)>,
}

impl Disk {
    pub(crate) fn entries(&self, partition: Partition) -> Vec<Entry> {
        self.logs.get(&partition).map(|(_, log)| log.clone()).unwrap_or_default()
    }

    pub(crate) fn covers(&self, key: &SnapshotKey) -> Option<Offset> {
        self.snapshots.get(key).map(|(covers, _)| *covers)
    }

    /// Retention takes everything before `first`.
    pub(crate) fn trim(&mut self, partition: Partition, first: u64) {
        let (start, log) = self.logs.get_mut(&partition).expect("there");
        log.drain(..usize::try_from(first - *start).expect("small"));
        *start = first;
    }
}

pub(crate) type SharedDisk = Arc<Mutex<Disk>>;

/// What becomes of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Refused,
    /// The process dies before it is durable.
    DiesBefore,
    /// The process dies when it is durable and not answered.
    DiesAfter,
}

type Answer = oneshot::Sender<Result<Vec<Offset>, JournalError>>;

pub(crate) struct MemoryJournal {
    pub(crate) disk: SharedDisk,
    pub(crate) partitions: u16,
    /// By number of the append from 0.
    fates: HashMap<u64, Fate>,
    appends: AtomicU64,
    pub(crate) reads: Arc<AtomicU64>,
    dead: Arc<AtomicBool>,
    closed: AtomicBool,
    unanswered: Mutex<Vec<Answer>>,
    grown: watch::Sender<u64>,
}

impl MemoryJournal {
    pub(crate) fn new(disk: SharedDisk, partitions: u16, fates: &[(u64, Fate)]) -> Arc<Self> {
        Arc::new(Self {
            disk,
            partitions,
            fates: fates.iter().copied().collect(),
            appends: AtomicU64::new(0),
            reads: Arc::default(),
            dead: Arc::default(),
            closed: AtomicBool::new(false),
            unanswered: Mutex::default(),
            grown: watch::Sender::new(0),
        })
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(SeqCst)
    }

    pub(crate) fn close_now(&self) {
        self.closed.store(true, SeqCst);
        self.grown.send_modify(|n| *n += 1);
    }

    /// Appends without the fates.
    pub(crate) fn put(&self, partition: Partition, entries: impl IntoIterator<Item = Entry>) {
        let entries = entries.into_iter().map(|entry| (partition, entry)).collect();
        self.write(Batch { entries, consumed: None });
    }

    fn write(&self, batch: Batch) -> Vec<Offset> {
        let mut disk = self.disk.lock().expect("whole");
        let mut offsets = Vec::new();
        for (partition, entry) in batch.entries {
            let (first, log) = disk.logs.entry(partition).or_default();
            offsets.push(Offset(*first + log.len() as u64));
            log.push(entry);
        }
        if let Some(consumed) = batch.consumed {
            for (partition, next) in consumed.next {
                let before = disk.committed.insert((consumed.consumer.clone(), partition), next);
                assert!(before.is_none_or(|before| before < next), "offsets only grow: {before:?} -> {next}");
            }
        }
        drop(disk);
        self.grown.send_modify(|n| *n += 1);
        offsets
    }
}

impl Journal for MemoryJournal {
    fn partitions(&self, stream: Stream) -> u16 {
        if stream == Stream::Poison { 1 } else { self.partitions }
    }

    fn append(&self, batch: Batch) -> Pending {
        let (answer, pending) = Pending::new();
        if self.closed.load(SeqCst) {
            return Pending::ready(Err(JournalError::Closed));
        }
        let fate = self.fates.get(&self.appends.fetch_add(1, SeqCst)).copied();
        if self.is_dead() {
            self.unanswered.lock().expect("whole").push(answer);
            return pending;
        }
        match fate {
            Some(Fate::Refused) => {
                return Pending::ready(Err(JournalError::Overloaded { queued_bytes: 1, limit_bytes: 1 }));
            }
            Some(fate) => {
                if fate == Fate::DiesAfter {
                    self.write(batch);
                }
                self.dead.store(true, SeqCst);
                self.unanswered.lock().expect("whole").push(answer);
            }
            None => drop(answer.send(Ok(self.write(batch)))),
        }
        pending
    }

    fn reader(&self, partition: Partition, from: Offset) -> Result<Box<dyn Reader>, JournalError> {
        let disk = self.disk.lock().expect("whole");
        let first = Offset(disk.logs.get(&partition).map_or(0, |(first, _)| *first));
        if from < first {
            return Err(JournalError::OutOfRange { partition, asked: from, first });
        }
        Ok(Box::new(MemoryReader {
            disk: Arc::clone(&self.disk),
            partition,
            position: from,
            grown: self.grown.subscribe(),
            dead: Arc::clone(&self.dead),
            reads: Arc::clone(&self.reads),
        }))
    }

    fn committed(&self, consumer: &str, partition: Partition) -> Result<Option<Offset>, JournalError> {
        Ok(self.disk.lock().expect("whole").committed.get(&(consumer.to_owned(), partition)).copied())
    }

    fn save_snapshot(
        &self,
        key: &SnapshotKey,
        covers: Offset,
        write: WriteSnapshot<'_>,
    ) -> Result<(), JournalError> {
        let mut bytes = Vec::new();
        write(&mut bytes).expect("memory");
        if !self.is_dead() {
            let committed = self.committed(&key.consumer, key.partition)?;
            assert!(
                committed.is_some_and(|committed| covers <= committed),
                "a snapshot runs ahead of {committed:?}"
            );
            self.disk.lock().expect("whole").snapshots.insert(key.clone(), (covers, bytes));
        }
        Ok(())
    }

    fn load_snapshot(
        &self,
        key: &SnapshotKey,
    ) -> Result<Option<(Offset, Box<dyn Read + Send>)>, JournalError> {
        let snapshot = self.disk.lock().expect("whole").snapshots.get(key).cloned();
        Ok(snapshot.map(|(covers, bytes)| (covers, Box::new(Cursor::new(bytes)) as Box<dyn Read + Send>)))
    }

    fn stat(&self) -> Result<Vec<PartitionStat>, JournalError> {
        let disk = self.disk.lock().expect("whole");
        let row = |(partition, (first, log)): (&Partition, &(u64, Vec<Entry>))| PartitionStat {
            partition: *partition,
            first: Offset(*first),
            next: Offset(*first + log.len() as u64),
            records: Some(0),
            bytes: Some(0),
            consumers: Vec::new(),
        };
        Ok(disk.logs.iter().map(row).collect())
    }

    // Also of a partition that nothing was written to yet, which `stat` does not list.
    fn bounds(&self, partition: Partition) -> Result<(Offset, Offset), JournalError> {
        let disk = self.disk.lock().expect("whole");
        let (first, entries) = disk.logs.get(&partition).map_or((0, 0), |(first, log)| (*first, log.len()));
        Ok((Offset(first), Offset(first + entries as u64)))
    }

    fn health(&self) -> Health {
        Health::Writable
    }

    fn figures(&self) -> Figures {
        Figures::default()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.close_now();
        Box::pin(async {})
    }
}

struct MemoryReader {
    disk: SharedDisk,
    partition: Partition,
    position: Offset,
    grown: watch::Receiver<u64>,
    dead: Arc<AtomicBool>,
    reads: Arc<AtomicU64>,
}

impl MemoryReader {
    fn fetch(&mut self, max_bytes: usize) -> Fetched {
        let disk = self.disk.lock().expect("whole");
        let mut fetched = Fetched::new();
        let Some((first, log)) = disk.logs.get(&self.partition) else { return fetched };
        let mut room = max_bytes;
        let from = usize::try_from(self.position.0 - first).expect("small");
        for (entry, offset) in log[from.min(log.len())..].iter().zip(self.position.0..) {
            let size = entry.payload.len();
            if !fetched.is_empty() && size > room {
                break;
            }
            room = room.saturating_sub(size.max(1));
            fetched.push((Offset(offset), entry.clone()));
            if room == 0 {
                break;
            }
        }
        self.position = Offset(self.position.0 + fetched.len() as u64);
        self.reads.fetch_add(fetched.len() as u64, SeqCst);
        fetched
    }
}

impl Reader for MemoryReader {
    fn next(&mut self, max_bytes: usize) -> BoxFuture<'_, Result<Fetched, JournalError>> {
        Box::pin(async move {
            loop {
                self.grown.borrow_and_update();
                if self.dead.load(SeqCst) {
                    std::future::pending::<()>().await;
                }
                let fetched = self.fetch(max_bytes);
                if !fetched.is_empty() {
                    return Ok(fetched);
                }
                if self.grown.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        })
    }

    fn read_now(&mut self, max_bytes: usize) -> BoxFuture<'_, Result<Fetched, JournalError>> {
        Box::pin(async move { Ok(self.fetch(max_bytes)) })
    }

    fn position(&self) -> Offset {
        self.position
    }
}

/// Adds up what it is given and says the sum now and then. Takes 8 bytes an entry; panics at 13.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Tally<const VERSION: u32> {
    origin: Origin,
    sum: u64,
    taken: u64,
    latest: u64,
}

impl<const VERSION: u32> Tally<VERSION> {
    pub(crate) fn new(input: Partition, outputs: u16) -> Self {
        let input = InputId { stream: input.stream.name().to_owned(), partition: input.index };
        Self { origin: Origin::new(Self::NAME, input, outputs), sum: 0, taken: 0, latest: 0 }
    }

    fn say(&mut self, offset: u64, output: u16, out: &mut Outputs<proto::Summaries>) {
        let source = Some(self.origin.stamp(output, offset));
        out.messages.push((output, proto::Summaries { source, watermark: self.sum, ..Default::default() }));
    }
}

impl<const VERSION: u32> Stage for Tally<VERSION> {
    const NAME: &'static str = "tally";
    const STATE_VERSION: u32 = VERSION;
    type Output = proto::Summaries;

    fn apply(&mut self, input: Input<'_>, out: &mut Outputs<Self::Output>) {
        self.latest = self.latest.max(input.received.0);
        let outputs = u64::from(self.origin.outputs());
        match (input.kind, <[u8; 8]>::try_from(&input.payload[..])) {
            (InputKind::Tick, _) => (0..self.origin.outputs()).for_each(|to| self.say(input.offset, to, out)),
            (InputKind::Data, Ok(bytes)) => {
                let value = u64::from_le_bytes(bytes);
                self.sum = self.sum.wrapping_mul(31).wrapping_add(value);
                self.taken += 1;
                if self.taken.is_multiple_of(3) {
                    self.say(input.offset, (value % outputs) as u16, out);
                }
                assert!(value != 13, "13 brings bad luck");
            }
            (InputKind::Data, Err(_)) => out.poison.push((input.offset, "it has not 8 bytes".to_owned())),
            _ => self.sum += 1,
        }
    }

    fn save(&self, to: &mut dyn Write) -> io::Result<()> {
        to.write_all(&VERSION.to_le_bytes())?;
        to.write_all(&postcard::to_allocvec(self).map_err(io::Error::other)?)
    }

    fn restore(&mut self, from: &mut dyn Read) -> Result<(), RestoreError> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes)?;
        let found = u32::from_le_bytes(bytes[..4].try_into().expect("four"));
        if found != VERSION {
            return Err(RestoreError::Version { found, expected: VERSION });
        }
        *self =
            postcard::from_bytes(&bytes[4..]).map_err(|error| RestoreError::Damaged(error.to_string()))?;
        Ok(())
    }
}

impl<const VERSION: u32> Served for Tally<VERSION> {
    fn reading(&self) -> Reading {
        Reading { latest: Timestamp(self.latest), ..Reading::default() }
    }
}

pub(crate) const INPUT: Partition = Partition::new(Stream::Logs, 0);

pub(crate) fn number(value: u64) -> Entry {
    Entry::data(Tenant::default(), Timestamp(value), 1, value.to_le_bytes().to_vec())
}

/// The messages of the output stream by partition, each source's numbers checked to be dense.
pub(crate) fn outputs(disk: &SharedDisk, partitions: u16) -> Vec<Vec<Vec<u8>>> {
    let disk = disk.lock().expect("whole");
    let of = |index| {
        let mut expected = 1;
        let log = disk.entries(Partition::new(Stream::Summaries, index));
        log.into_iter()
            .map(|entry| {
                let bytes = entry.payload.into_bytes();
                let message = proto::Summaries::decode(bytes.clone()).expect("ours");
                let source = message.source.expect("stamped");
                assert_eq!(source.sequence, expected, "dense in partition {index}");
                expected += 1;
                bytes.to_vec()
            })
            .collect()
    };
    (0..partitions).map(of).collect()
}
