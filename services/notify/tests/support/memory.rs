//! A journal in memory that keeps the trait's promises: shared by several runs of a service, it outlives their crashes.

use std::{
    collections::HashMap,
    io::Read,
    sync::{Arc, Mutex},
};

use foreshock_journal::{
    Appended, Batch, BoxFuture, Entry, Fetched, Figures, Health, Journal, JournalError, Offset, Partition,
    PartitionStat, Payload, Pending, Reader, SnapshotKey, Stream, WriteSnapshot,
};
use tokio::sync::watch;

pub const PARTITIONS: u16 = 2;

#[derive(Default)]
struct Log {
    entries: HashMap<Partition, Vec<Entry>>,
    committed: HashMap<(String, Partition), Offset>,
    refuse: bool,
}

pub struct Memory {
    log: Arc<Mutex<Log>>,
    grown: watch::Sender<u64>,
}

impl Memory {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { log: Arc::default(), grown: watch::Sender::new(0) })
    }

    /// Whether appends are refused from now on, as by a full disk.
    pub fn refuse(&self, refuse: bool) {
        self.log.lock().unwrap().refuse = refuse;
    }

    pub fn entries(&self, stream: Stream) -> Vec<Entry> {
        let log = self.log.lock().unwrap();
        (0..PARTITIONS)
            .flat_map(|index| log.entries.get(&Partition::new(stream, index)).cloned().unwrap_or_default())
            .collect()
    }

    /// Resolves when the journal may have changed.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }
}

impl Journal for Memory {
    fn partitions(&self, _: Stream) -> u16 {
        PARTITIONS
    }

    fn append(&self, batch: Batch) -> Pending {
        let mut log = self.log.lock().unwrap();
        if log.refuse {
            return Pending::ready(Err(JournalError::Overloaded { queued_bytes: 1, limit_bytes: 0 }));
        }
        let mut offsets = Appended::new();
        for (partition, mut entry) in batch.entries {
            entry.payload = Payload::Whole(entry.payload.into_bytes());
            let entries = log.entries.entry(partition).or_default();
            offsets.push(Offset(entries.len() as u64));
            entries.push(entry);
        }
        if let Some(consumed) = batch.consumed {
            for (partition, offset) in consumed.next {
                log.committed.insert((consumed.consumer.clone(), partition), offset);
            }
        }
        drop(log);
        self.grown.send_modify(|version| *version += 1);
        Pending::ready(Ok(offsets))
    }

    fn reader(&self, partition: Partition, from: Offset) -> Result<Box<dyn Reader>, JournalError> {
        Ok(Box::new(Tail { partition, position: from, log: self.log.clone(), grown: self.grown.subscribe() }))
    }

    fn committed(&self, consumer: &str, partition: Partition) -> Result<Option<Offset>, JournalError> {
        Ok(self.log.lock().unwrap().committed.get(&(consumer.to_owned(), partition)).copied())
    }

    fn save_snapshot(&self, _: &SnapshotKey, _: Offset, _: WriteSnapshot<'_>) -> Result<(), JournalError> {
        Ok(())
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

struct Tail {
    partition: Partition,
    position: Offset,
    log: Arc<Mutex<Log>>,
    grown: watch::Receiver<u64>,
}

impl Tail {
    fn take(&mut self, max_bytes: usize) -> Fetched {
        let log = self.log.lock().unwrap();
        let mut fetched = Fetched::new();
        let mut bytes = 0;
        for entry in log.entries.get(&self.partition).into_iter().flatten().skip(self.position.0 as usize) {
            bytes += entry.payload.len();
            if bytes > max_bytes && !fetched.is_empty() {
                break;
            }
            fetched.push((self.position, entry.clone()));
            self.position = self.position.next();
        }
        fetched
    }
}

impl Reader for Tail {
    fn next(&mut self, max_bytes: usize) -> BoxFuture<'_, Result<Fetched, JournalError>> {
        Box::pin(async move {
            loop {
                self.grown.mark_unchanged();
                let fetched = self.take(max_bytes);
                if !fetched.is_empty() {
                    return Ok(fetched);
                }
                if self.grown.changed().await.is_err() {
                    return Err(JournalError::Closed);
                }
            }
        })
    }

    fn read_now(&mut self, max_bytes: usize) -> BoxFuture<'_, Result<Fetched, JournalError>> {
        Box::pin(async move { Ok(self.take(max_bytes)) })
    }

    fn position(&self) -> Offset {
        self.position
    }
}
