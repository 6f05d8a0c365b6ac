//! A journal in memory that refuses, holds back and accepts as it is told.

use std::{
    io::Read,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicU16, AtomicUsize, Ordering::SeqCst},
    },
};

use foreshock_journal::{
    Appended, Batch, BoxFuture, Entry, Figures, Health, Journal, JournalError, Offset, Partition,
    PartitionStat, Pending, Reader, SnapshotKey, Stream, WriteSnapshot,
};
use opentelemetry_proto::tonic::{common::v1::any_value::Value, logs::v1::LogsData};
use prost::Message;
use tokio::sync::oneshot;

/// What it does with an append.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Accept,
    /// Resolves only when the mood changes.
    Hold,
    DiskFull,
    Overloaded,
    Broken,
    TooLarge,
}

type Held = (Batch, oneshot::Sender<Result<Appended, JournalError>>);

/// The journal of the tests.
pub struct ObedientJournal {
    state: Mutex<State>,
    partitions: AtomicU16,
    max_entry_bytes: AtomicUsize,
}

#[derive(Default)]
struct State {
    mood: Mood,
    held: Vec<Held>,
    kept: Vec<(Partition, Entry)>,
    batches: usize,
}

impl Default for ObedientJournal {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            partitions: AtomicU16::new(4),
            max_entry_bytes: AtomicUsize::new(usize::MAX),
        }
    }
}

impl ObedientJournal {
    /// Changes the mood; what was held is treated by the new one.
    pub fn be(&self, mood: Mood) {
        let held = {
            let mut state = self.state.lock().unwrap();
            state.mood = mood;
            std::mem::take(&mut state.held)
        };
        for (batch, answer) in held {
            self.take(batch, answer);
        }
    }

    /// From now on an entry above this is refused, and its batch with it.
    pub fn limit_entries(&self, bytes: usize) {
        self.max_entry_bytes.store(bytes, SeqCst);
    }

    pub fn held(&self) -> usize {
        self.state.lock().unwrap().held.len()
    }

    pub fn batches(&self) -> usize {
        self.state.lock().unwrap().batches
    }

    pub fn entries(&self) -> Vec<(Partition, Entry)> {
        self.state.lock().unwrap().kept.clone()
    }

    pub fn records(&self) -> u64 {
        self.entries().iter().map(|(_, entry)| u64::from(entry.records)).sum()
    }

    /// Every log line kept, decoded by prost.
    pub fn log_bodies(&self) -> Vec<String> {
        let logs = self.entries().into_iter().filter(|(partition, _)| partition.stream == Stream::Logs);
        logs.flat_map(|(_, entry)| {
            let data = LogsData::decode(entry.payload.into_bytes()).unwrap();
            let scopes = data.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
            let bodies: Vec<String> = scopes
                .flat_map(|scope| scope.log_records)
                .map(|record| match record.body.and_then(|body| body.value) {
                    Some(Value::StringValue(text)) => text,
                    other => format!("{other:?}"),
                })
                .collect();
            assert_eq!(bodies.len(), entry.records as usize);
            bodies
        })
        .collect()
    }

    fn take(&self, batch: Batch, answer: oneshot::Sender<Result<Appended, JournalError>>) {
        let mut state = self.state.lock().unwrap();
        let limit = self.max_entry_bytes();
        let too_large =
            batch.entries.iter().map(|(_, entry)| entry.payload.len()).find(|bytes| *bytes > limit);
        let result = match state.mood {
            Mood::Accept if too_large.is_some() => {
                Err(JournalError::TooLarge { bytes: too_large.unwrap() as u64, limit_bytes: limit as u64 })
            }
            Mood::Hold => return state.held.push((batch, answer)),
            Mood::Accept => {
                state.batches += 1;
                let count = batch.entries.len() as u64;
                state.kept.extend(batch.entries);
                Ok((0..count).map(Offset).collect())
            }
            Mood::DiskFull => {
                Err(JournalError::DiskFull { path: PathBuf::from("d"), free_bytes: 0, needed_bytes: 1 })
            }
            Mood::Overloaded => Err(JournalError::Overloaded { queued_bytes: 2, limit_bytes: 1 }),
            Mood::Broken => {
                Err(JournalError::Io { path: PathBuf::from("f"), source: std::io::Error::other("EIO") })
            }
            Mood::TooLarge => Err(JournalError::TooLarge { bytes: 2, limit_bytes: 1 }),
        };
        let _ = answer.send(result);
    }
}

impl Journal for ObedientJournal {
    fn partitions(&self, _: Stream) -> u16 {
        self.partitions.load(SeqCst)
    }

    fn max_entry_bytes(&self) -> usize {
        self.max_entry_bytes.load(SeqCst)
    }

    fn append(&self, batch: Batch) -> Pending {
        let (answer, pending) = Pending::new();
        self.take(batch, answer);
        pending
    }

    fn reader(&self, partition: Partition, _: Offset) -> Result<Box<dyn Reader>, JournalError> {
        Err(JournalError::NoPartition(partition))
    }

    fn committed(&self, _: &str, _: Partition) -> Result<Option<Offset>, JournalError> {
        Ok(None)
    }

    fn save_snapshot(&self, _: &SnapshotKey, _: Offset, _: WriteSnapshot<'_>) -> Result<(), JournalError> {
        Err(JournalError::Closed)
    }

    fn load_snapshot(&self, _: &SnapshotKey) -> Result<Option<(Offset, Box<dyn Read + Send>)>, JournalError> {
        Ok(None)
    }

    fn stat(&self) -> Result<Vec<PartitionStat>, JournalError> {
        Ok(Vec::new())
    }

    fn health(&self) -> Health {
        Health::Writable
    }

    fn figures(&self) -> Figures {
        Figures::default()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
