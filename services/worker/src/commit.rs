//! Makes one batch durable, however often the journal refuses it.

use std::{sync::Arc, time::Instant};

use foreshock_journal::{Batch, Consumed, Entry, Journal, JournalError, Offset, Partition};
use foreshock_model::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{backoff::Backoff, metrics::PartitionMetrics};

/// Outputs and the offset that they bring the stage to.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// What came out, in order.
    entries: Vec<(Partition, Entry)>,
    bytes: usize,
    /// Receive times of the entries that caused news.
    pub(crate) news: Vec<Timestamp>,
}

impl Outgoing {
    pub(crate) fn push(&mut self, partition: Partition, entry: Entry) {
        self.bytes += entry.payload.len();
        self.entries.push((partition, entry));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What became of a batch.
#[derive(Debug)]
pub(crate) enum Committed {
    /// It is durable up to this offset; these receive times belong to its news.
    Durable(Offset, Vec<Timestamp>),
    /// The shutdown did not wait any longer. Nothing is lost: the next start makes it again.
    Abandoned,
}

/// Appends until the batch is durable, it can never be, or `abandon` says that nobody waits.
///
/// A refused append left nothing behind (the journal's promise), so the same batch is sent again, and nothing
/// of this partition is sent before it: order is kept and nothing is there twice.
pub(crate) async fn until_durable(
    journal: Arc<dyn Journal>,
    consumer: &'static str,
    input: Partition,
    next: Offset,
    outgoing: Outgoing,
    figures: Arc<PartitionMetrics>,
    abandon: CancellationToken,
) -> Result<Committed, JournalError> {
    let began = Instant::now();
    let mut backoff = Backoff::default();
    loop {
        let consumed = Consumed { consumer: consumer.to_owned(), next: vec![(input, next)] };
        let batch = Batch { entries: outgoing.entries.clone(), consumed: Some(consumed) };
        // What is given up while it is on its way may become durable all the same: whoever serves the partition next
        // goes on from what is committed then.
        let appended = tokio::select! {
            biased;
            appended = journal.append(batch) => appended,
            () = abandon.cancelled() => return Ok(Committed::Abandoned),
        };
        let refusal = match appended {
            Ok(_) => break,
            Err(error @ (JournalError::Closed | JournalError::Fenced(_))) => return Err(error),
            Err(error) if !error.is_passing() => return Err(error),
            Err(error) => error,
        };
        figures.refused();
        let wait = backoff.wait();
        if backoff.worth_a_line() {
            warn!(stage = consumer, %input, tries = backoff.tries(), "the journal refused a commit, it is sent again: {refusal}");
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = abandon.cancelled() => return Ok(Committed::Abandoned),
        }
    }
    if backoff.tries() > 0 {
        info!(stage = consumer, %input, tries = backoff.tries(), "the journal took the commit");
    }
    figures.commit.record(began.elapsed());
    Ok(Committed::Durable(next, outgoing.news))
}
