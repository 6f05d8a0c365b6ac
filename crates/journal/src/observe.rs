//! Looks at a journal from outside, whichever it is: for commands that read beside what runs.

use std::sync::Arc;

use crate::{
    EmbeddedReader, Fetched, Journal, JournalError, Offset, Partition, PartitionStat, Reader, Stream,
};

/// A journal that is only looked at.
pub trait Observe {
    /// How many partitions a stream has.
    fn partitions(&self, stream: Stream) -> u16;

    /// One row a stream and partition, as of now.
    fn stat(&mut self) -> Result<Vec<PartitionStat>, JournalError>;

    /// Entries from an offset on, about `max_bytes` of payloads and at least one where there is one; nothing where
    /// there is nothing more at present. Blocks.
    fn read(&mut self, partition: Partition, from: Offset, max_bytes: usize)
    -> Result<Fetched, JournalError>;
}

impl Observe for EmbeddedReader {
    fn partitions(&self, stream: Stream) -> u16 {
        Self::partitions(self, stream)
    }

    fn stat(&mut self) -> Result<Vec<PartitionStat>, JournalError> {
        self.refresh()?;
        Ok(Self::stat(self))
    }

    fn read(
        &mut self,
        partition: Partition,
        from: Offset,
        max_bytes: usize,
    ) -> Result<Fetched, JournalError> {
        Self::read(self, partition, from, max_bytes)
    }
}

/// A journal that has no reader of its own for this, looked at through the readers of services.
pub struct Observed {
    journal: Arc<dyn Journal>,
    runtime: tokio::runtime::Handle,
    /// The readers that are open, at most as many as there are partitions.
    readers: std::collections::HashMap<Partition, Box<dyn Reader>>,
}

impl Observed {
    /// Looks at `journal`; what has to wait does so on `runtime`. To be used outside of it.
    pub fn new(journal: Arc<dyn Journal>, runtime: tokio::runtime::Handle) -> Self {
        Self { journal, runtime, readers: std::collections::HashMap::new() }
    }
}

impl Observe for Observed {
    fn partitions(&self, stream: Stream) -> u16 {
        self.journal.partitions(stream)
    }

    fn stat(&mut self) -> Result<Vec<PartitionStat>, JournalError> {
        self.journal.stat()
    }

    fn read(
        &mut self,
        partition: Partition,
        from: Offset,
        max_bytes: usize,
    ) -> Result<Fetched, JournalError> {
        let known = self.readers.remove(&partition).filter(|reader| reader.position() == from);
        let mut reader = match known {
            Some(reader) => reader,
            None => self.journal.reader(partition, from)?,
        };
        let fetched = self.runtime.block_on(reader.read_now(max_bytes))?;
        self.readers.insert(partition, reader);
        Ok(fetched)
    }
}
