//! What the tests of failures share: the file system that fails, and small batches with known contents.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod storage;

use std::sync::Arc;

use foreshock_journal::{
    Batch, EmbeddedOptions, Entry, Journal, JournalError, Offset, Partition, embedded::Retention,
};
use foreshock_model::{Tenant, Timestamp};
use storage::FaultyStorage;

/// The smallest segments there can be, on a file system in memory; failures are tried again at once.
pub(crate) fn options(storage: &FaultyStorage) -> EmbeddedOptions {
    EmbeddedOptions {
        segment_bytes: 384 << 10,
        max_batch_bytes: 48 << 10,
        telemetry_partitions: 2,
        stage_partitions: 2,
        cache_bytes: 64 << 10,
        retry_after: std::time::Duration::ZERO,
        telemetry_retention: Retention { bytes: 1 << 40, ..EmbeddedOptions::new("").telemetry_retention },
        storage: Arc::new(storage.process()),
        ..EmbeddedOptions::small("/journal")
    }
}

/// An entry that tells its number by content and length.
pub(crate) fn entry(number: u64, bytes: usize) -> Entry {
    let payload: Vec<u8> = number.to_le_bytes().into_iter().cycle().take(bytes).collect();
    Entry::data(Tenant::new("shop").unwrap(), Timestamp(number), 1, payload)
}

/// A batch of entries.
pub(crate) fn batch(entries: Vec<(Partition, Entry)>) -> Batch {
    Batch { entries, consumed: None }
}

/// Everything there is of a partition, with its offsets.
pub(crate) async fn read_all(journal: &dyn Journal, partition: Partition) -> Vec<(u64, Entry)> {
    'again: loop {
        let stat = journal.stat().unwrap();
        let first = stat.iter().find(|row| row.partition == partition).unwrap().first;
        let mut reader = match journal.reader(partition, first) {
            // Retention was faster.
            Err(JournalError::OutOfRange { .. }) => continue,
            reader => reader.unwrap(),
        };
        let mut all = Vec::new();
        loop {
            match reader.read_now(10_000).await {
                Err(JournalError::OutOfRange { .. }) => continue 'again,
                fetched if fetched.as_ref().is_ok_and(Vec::is_empty) => return all,
                fetched => {
                    all.extend(fetched.unwrap().into_iter().map(|(Offset(offset), entry)| (offset, entry)))
                }
            }
        }
    }
}
