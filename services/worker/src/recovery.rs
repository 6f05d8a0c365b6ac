//! Where a partition goes on after a start: the newest snapshot, and how far the log is replayed in silence.

use std::sync::Arc;

use foreshock_journal::{Journal, JournalError, Offset, Partition, SnapshotKey};
use tracing::{info, warn};

use crate::{Served, sequence::Sequences, snapshot};

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

/// Loads the newest snapshot into the stage.
///
/// One that can't be used (another version, damaged, ahead of the log) is as good as none: the state is rebuilt
/// from the oldest entries there are, and the log says so.
pub(crate) fn load<S: Served>(
    stage: &mut S,
    journal: &Arc<dyn Journal>,
    input: Partition,
    outputs: u16,
) -> Result<Start, JournalError> {
    let committed = journal.committed(S::NAME, input)?;
    let row = journal.stat()?.into_iter().find(|row| row.partition == input);
    let (first, next) = row.map_or((Offset(0), Offset(0)), |row| (row.first, row.next));
    let key = SnapshotKey { consumer: S::NAME.to_owned(), partition: input };
    if let Some((covers, mut from)) = journal.load_snapshot(&key)? {
        let reason = if committed.is_none_or(|committed| covers > committed) || covers > next {
            format!("it covers offset {covers}, the log and its commits end before")
        } else if covers < first {
            format!("it covers up to offset {covers}, the log begins at {first}")
        } else {
            match snapshot::read(stage, outputs, &mut from) {
                Ok(sequences) => {
                    let committed = committed.unwrap_or(covers);
                    info!(stage = S::NAME, %input, %covers, %committed, "state taken up from its snapshot");
                    return Ok(Start { from: covers, committed, rebuilt: false, sequences });
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
    Ok(Start { from: first, committed: committed.min(next), rebuilt, sequences: Sequences::new(outputs) })
}
