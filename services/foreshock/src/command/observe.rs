//! The journal of the configuration, to be looked at beside whatever runs.

use std::sync::Arc;

use foreshock_journal::{EmbeddedReader, Journal, KafkaJournal, Observed};

use super::run::runtime;
use crate::{
    cli::Place,
    config::{Config, Kind},
    replay::Looked,
    system::journal_directory,
};

pub(super) fn open(config: &Config, place: &Place) -> anyhow::Result<Looked> {
    if config.journal.kind == Kind::Embedded {
        let journal = EmbeddedReader::open(journal_directory(&place.data_dir))?;
        return Ok(Looked::at(Box::new(journal)));
    }
    let options = config.journal.kafka.options(config.journal.queue_bytes).map_err(anyhow::Error::msg)?;
    let threads = runtime()?;
    let journal: Arc<dyn Journal> = threads.block_on(KafkaJournal::open(options))?;
    let journal = Box::new(Observed::new(journal, threads.handle().clone()));
    Ok(Looked::on(threads, journal))
}
