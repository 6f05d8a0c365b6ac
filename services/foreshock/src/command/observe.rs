//! The journal of the configuration, to be looked at beside whatever runs.

use std::{ops::Range, sync::Arc};

use foreshock_journal::{EmbeddedReader, Entry, Journal, KafkaJournal, Observe, Observed, Offset, Partition};
use tokio::runtime::Runtime;

use super::run::runtime;
use crate::{
    cli::Place,
    config::{Config, Kind},
    system::journal_directory,
};

/// A journal that is looked at, and the threads it needs for that.
pub(super) struct Looked {
    pub(super) journal: Box<dyn Observe>,
    _threads: Option<Runtime>,
}

pub(super) fn open(config: &Config, place: &Place) -> anyhow::Result<Looked> {
    if config.journal.kind == Kind::Embedded {
        let journal = EmbeddedReader::open(journal_directory(&place.data_dir))?;
        return Ok(Looked { journal: Box::new(journal), _threads: None });
    }
    let options = config.journal.kafka.options(config.journal.queue_bytes).map_err(anyhow::Error::msg)?;
    let threads = runtime()?;
    let journal: Arc<dyn Journal> = threads.block_on(KafkaJournal::open(options))?;
    let journal = Box::new(Observed::new(journal, threads.handle().clone()));
    Ok(Looked { journal, _threads: Some(threads) })
}

/// Payload bytes read from a partition at once.
pub(super) const READ_BYTES: usize = 1 << 20;

/// Hands over every entry of a stretch of a partition.
pub(super) fn each_entry(
    journal: &mut dyn Observe,
    partition: Partition,
    stretch: Range<Offset>,
    take: &mut dyn FnMut(Entry),
) -> anyhow::Result<()> {
    let mut position = stretch.start;
    while position < stretch.end {
        let fetched = journal.read(partition, position, READ_BYTES)?;
        let Some((last, _)) = fetched.last() else { break };
        position = last.next();
        fetched.into_iter().for_each(|(_, entry)| take(entry));
    }
    Ok(())
}
