//! Where a partition goes on after a start: the newest snapshot, and how far the log is replayed in silence.

use std::sync::Arc;

use foreshock_journal::{Journal, JournalError, LoadedSnapshot, Offset, Partition, SnapshotKey};
use tracing::{info, warn};

use crate::{Served, ask::ask, sequence::Sequences, snapshot};

/// Where to go on.
pub(crate) struct Start {
    /// The first offset to take.
    pub(crate) from: Offset,
    /// Outputs of entries before this are on the journal already.
    pub(crate) committed: Offset,
    /// The state begins empty although the stage has put out messages before.
    pub(crate) rebuilt: bool,
    /// What is added to the numbers of its messages.
    pub(crate) sequences: Sequences,
}

/// What the journal holds of a stage's partition.
pub(crate) struct Found {
    committed: Option<Offset>,
    first: Offset,
    next: Offset,
    snapshot: Option<LoadedSnapshot>,
}

/// Looks it up.
pub(crate) async fn find(
    journal: &Arc<dyn Journal>,
    consumer: &'static str,
    input: Partition,
) -> Result<Found, JournalError> {
    ask(journal, move |journal| {
        let committed = journal.committed(consumer, input)?;
        let (first, next) = journal.bounds(input)?;
        let key = SnapshotKey { consumer: consumer.to_owned(), partition: input };
        Ok(Found { committed, first, next, snapshot: journal.load_snapshot(&key)? })
    })
    .await
}

/// Loads the newest snapshot into the stage.
///
/// One that can't be used (another version, damaged, ahead of the log) is as good as none: the state is rebuilt
/// from the oldest entries there are, and the log says so.
pub(crate) fn load<S: Served>(stage: &mut S, found: Found, input: Partition, outputs: u16) -> Start {
    let Found { committed, first, next, snapshot } = found;
    if let Some((covers, mut from)) = snapshot {
        let reason = if committed.is_none_or(|committed| covers > committed) || covers > next {
            format!("it covers offset {covers}, the log and its commits end before")
        } else if covers < first {
            format!("it covers up to offset {covers}, the log begins at {first}")
        } else {
            match snapshot::read(stage, outputs, &mut from) {
                Ok(sequences) => {
                    let committed = committed.unwrap_or(covers);
                    info!(stage = S::NAME, %input, %covers, %committed, "state taken up from its snapshot");
                    return Start { from: covers, committed, rebuilt: false, sequences };
                }
                Err(error) => error.to_string(),
            }
        };
        warn!(
            stage = S::NAME, %input, %covers, oldest = %first,
            "the snapshot can't be used, the state is rebuilt from the oldest entries on the journal: {reason}"
        );
    }
    let committed = committed.unwrap_or(first).max(first);
    if first > Offset(0) && committed > first {
        warn!(
            stage = S::NAME, %input, oldest = %first,
            "the beginning of the log is gone: what was learned from it is learned anew"
        );
    }
    let rebuilt = committed > first || first > Offset(0);
    Start { from: first, committed: committed.min(next), rebuilt, sequences: Sequences::new(outputs) }
}
