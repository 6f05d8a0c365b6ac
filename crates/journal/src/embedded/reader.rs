//! Follows one partition: from memory near the head, from disk when behind, and waits without polling.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

use tokio::sync::watch;

use super::{
    fetch::{Cursor, fetch},
    layout::Volume,
    shared::Shared,
    sync::locked,
    tail::Look,
};
use crate::{BoxFuture, Entry, Fetched, JournalError, Offset, Partition, Reader};

/// What is read ahead from disk at once; what the caller did not want yet waits for its next call.
const AHEAD_BYTES: usize = 1 << 20;

/// A reader of one partition of an embedded journal.
///
/// An entry's payload is a slice of the memory it was written from or read into: who keeps one for long copies it.
pub(super) struct EmbeddedPartitionReader {
    shared: Arc<Shared>,
    partition: Partition,
    slot: usize,
    position: u64,
    changed: watch::Receiver<u64>,
    /// Read from disk, not handed out yet; begins at `position`.
    ahead: VecDeque<(Offset, Entry)>,
    cursor: Option<Cursor>,
}

impl EmbeddedPartitionReader {
    pub(super) fn new(shared: Arc<Shared>, partition: Partition, from: Offset) -> Result<Self, JournalError> {
        let volume = shared.volume(Volume::of(partition.stream));
        let slot = volume.files.slots.slot(partition).ok_or(JournalError::NoPartition(partition))?;
        let first = Offset(volume.files.catalog.start(slot).next);
        let (next, changed) = {
            let tail = locked(&volume.tail);
            (tail.next(slot), tail.watch(slot))
        };
        if from < first || from.0 > next {
            return Err(JournalError::OutOfRange { partition, first, asked: from });
        }
        Ok(Self { shared, partition, slot, position: from.0, changed, ahead: VecDeque::new(), cursor: None })
    }

    async fn read(&mut self, max_bytes: usize) -> Result<Fetched, JournalError> {
        loop {
            if !self.ahead.is_empty() {
                return Ok(self.take_ahead(max_bytes));
            }
            let shared = Arc::clone(&self.shared);
            let volume = shared.volume(Volume::of(self.partition.stream));
            let durable = match locked(&volume.tail).look(self.slot, self.position, max_bytes) {
                Look::Entries(fetched) => {
                    self.cursor = None;
                    self.position += fetched.len() as u64;
                    return Ok(fetched);
                }
                Look::Nothing => return Ok(Fetched::new()),
                Look::OnDisk(durable) => durable,
            };
            self.read_ahead(durable, max_bytes.max(AHEAD_BYTES)).await?;
        }
    }

    /// Reads from disk off the async threads. Cancelled, it has changed nothing but lost its place in the file.
    async fn read_ahead(&mut self, durable: u64, bytes: usize) -> Result<(), JournalError> {
        let (shared, partition) = (Arc::clone(&self.shared), self.partition);
        let (mut position, mut cursor) = (self.position, self.cursor.take());
        let read = tokio::task::spawn_blocking(move || {
            let files = &shared.volume(Volume::of(partition.stream)).files;
            let fetched = fetch(files, partition, &mut position, bytes, &mut cursor);
            (fetched, cursor)
        });
        let (fetched, cursor) = read.await.map_err(|_| JournalError::Closed)?;
        let fetched = fetched?;
        self.cursor = cursor;
        // Where nothing was found although it was durable, all of it is damaged.
        self.position = fetched.first().map_or(durable, |(offset, _)| offset.0);
        self.ahead = fetched.into();
        Ok(())
    }

    fn take_ahead(&mut self, max_bytes: usize) -> Fetched {
        let mut left = max_bytes;
        let mut taken = Fetched::new();
        while let Some((_, entry)) = self.ahead.front() {
            let bytes = entry.payload.len();
            if bytes > left && !taken.is_empty() {
                break;
            }
            left = left.saturating_sub(bytes);
            taken.extend(self.ahead.pop_front());
        }
        if let Some((last, _)) = taken.last() {
            self.position = last.0 + 1;
        }
        taken
    }
}

impl Reader for EmbeddedPartitionReader {
    fn next(&mut self, max_bytes: usize) -> BoxFuture<'_, Result<Fetched, JournalError>> {
        Box::pin(async move {
            loop {
                // Marked as seen before looking, so that what comes in between wakes us.
                self.changed.borrow_and_update();
                let fetched = self.read(max_bytes).await?;
                if !fetched.is_empty() {
                    return Ok(fetched);
                }
                if self.shared.closed.load(Ordering::Acquire) || self.changed.changed().await.is_err() {
                    return Err(JournalError::Closed);
                }
            }
        })
    }

    fn read_now(&mut self, max_bytes: usize) -> BoxFuture<'_, Result<Fetched, JournalError>> {
        Box::pin(self.read(max_bytes))
    }

    fn position(&self) -> Offset {
        Offset(self.position)
    }
}
