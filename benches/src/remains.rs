//! A journal as whoever checks a run reads it: from the first entry to the last, whichever kind it is.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use foreshock_journal::{
    EmbeddedReader, Entry, Fetched, Journal, Observe, Observed, Offset, Partition, PartitionStat, Stream,
};
use tokio::runtime::Handle;

/// Bytes read at a time.
const READ_BYTES: usize = 4 << 20;

/// Where a journal is.
#[derive(Clone)]
pub(crate) enum Remains {
    /// In this directory.
    Embedded(PathBuf),
    /// On Kafka; what has to wait does so on the runtime.
    Kafka(Arc<dyn Journal>, Handle),
}

impl Remains {
    /// Looks at it as it is now. Blocks; not to be called on a thread of the runtime's own.
    pub(crate) fn look(&self) -> anyhow::Result<Look> {
        let (mut journal, is_dense): (Box<dyn Observe>, bool) = match self {
            Self::Embedded(directory) => (Box::new(EmbeddedReader::open(directory)?), true),
            Self::Kafka(journal, runtime) => {
                (Box::new(Observed::new(Arc::clone(journal), runtime.clone())), false)
            }
        };
        let rows = journal.stat()?.into_iter().map(|row| (row.partition, row)).collect();
        Ok(Look { journal, rows, is_dense })
    }
}

/// A journal as it was when it was looked at.
pub(crate) struct Look {
    journal: Box<dyn Observe>,
    rows: HashMap<Partition, PartitionStat>,
    /// Offsets are without gaps.
    is_dense: bool,
}

impl Look {
    pub(crate) fn partitions(&self, stream: Stream) -> u16 {
        self.journal.partitions(stream)
    }

    /// All partitions of these streams.
    pub(crate) fn all(&self, streams: &[Stream]) -> Vec<Partition> {
        let of = |stream: &Stream| {
            let stream = *stream;
            (0..self.partitions(stream)).map(move |index| Partition::new(stream, index))
        };
        streams.iter().flat_map(of).collect()
    }

    /// The offset a consumer goes on from.
    pub(crate) fn committed(&self, consumer: &str, partition: Partition) -> Option<Offset> {
        let consumers = &self.rows.get(&partition)?.consumers;
        consumers.iter().find(|(known, _)| known == consumer).map(|(_, next)| *next)
    }

    /// The offset after the last.
    pub(crate) fn end(&self, partition: Partition) -> Offset {
        self.rows.get(&partition).map_or(Offset(0), |row| row.next)
    }

    /// Whether an entry lies in this stretch. On Kafka not every offset has one.
    pub(crate) fn has_any(&mut self, partition: Partition, from: Offset, to: Offset) -> anyhow::Result<bool> {
        if from >= to {
            return Ok(false);
        }
        let next = self.read(partition, from, 1)?;
        Ok(next.first().is_some_and(|(offset, _)| *offset < to))
    }

    fn read(&mut self, partition: Partition, from: Offset, max_bytes: usize) -> anyhow::Result<Fetched> {
        self.journal.read(partition, from, max_bytes).with_context(|| format!("reading {partition}"))
    }

    /// Every entry of a partition, from the first on. Fails where retention has taken the beginning.
    pub(crate) fn each_entry(
        &mut self,
        partition: Partition,
        mut look: impl FnMut(Offset, Entry) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut next = Offset(0);
        loop {
            let fetched = self.read(partition, next, READ_BYTES)?;
            if fetched.is_empty() {
                return Ok(());
            }
            for (offset, entry) in fetched {
                let follows = if self.is_dense { offset == next } else { offset >= next };
                anyhow::ensure!(follows, "{partition} goes from {next} to {offset}");
                next = offset.next();
                look(offset, entry)?;
            }
        }
    }
}
