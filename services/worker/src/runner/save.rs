//! The state goes into a snapshot.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use foreshock_journal::{JournalError, Offset, SnapshotKey};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use super::Runner;
use crate::{
    Served,
    snapshot::{self, Image},
};

/// What came of writing a snapshot: how long it took, how large it is.
pub(super) type Saved = Result<(Duration, u64), JournalError>;

impl<S: Served> Runner<S> {
    /// Begins a snapshot of the state as it stands; everything before `position` is committed.
    pub(super) fn save(&mut self) {
        let began = Instant::now();
        let key = SnapshotKey { consumer: S::NAME.to_owned(), partition: self.input };
        let covers = self.position;
        let saved = match snapshot::image(&self.stage, &self.sequences) {
            Ok(Image::InMemory(bytes)) => {
                let journal = Arc::clone(&self.journal);
                let cost = began.elapsed();
                self.saving = Some(AbortOnDropHandle::new(tokio::task::spawn_blocking(move || {
                    let began = Instant::now();
                    journal.save_snapshot(&key, covers, &mut |to| to.write_all(&bytes))?;
                    Ok((cost + began.elapsed(), bytes.len() as u64))
                })));
                self.pace.begun(cost);
                return;
            }
            Ok(Image::TooLarge) => tokio::task::block_in_place(|| self.stream(&key, covers)),
            Err(error) => {
                Err(JournalError::Unreadable { path: key.consumer.into(), reason: error.to_string() })
            }
        };
        self.pace.begun(began.elapsed());
        self.saved(saved);
    }

    /// Writes a state that is too large for a second copy in memory; the partition waits meanwhile.
    fn stream(&mut self, key: &SnapshotKey, covers: Offset) -> Saved {
        let began = Instant::now();
        let mut bytes = 0;
        let (stage, sequences, counted) = (&mut self.stage, &self.sequences, &mut bytes);
        // `move` takes the unique borrow of the stage along: the closure must be `Send`, a stage need not be `Sync`.
        self.journal.save_snapshot(key, covers, &mut move |to| {
            let mut counting = snapshot::Counting { to, bytes: 0 };
            snapshot::write(stage, sequences, &mut counting)?;
            *counted = counting.bytes;
            Ok(())
        })?;
        Ok((began.elapsed(), bytes))
    }

    pub(super) fn saved(&mut self, saved: Saved) {
        match saved {
            Ok((took, bytes)) => {
                self.pace.written(took);
                self.figures.saved(took, bytes);
                debug!(stage = S::NAME, input = %self.input, bytes, ?took, "state saved");
            }
            Err(error) => {
                self.pace.failed();
                self.figures.not_saved();
                warn!(stage = S::NAME, input = %self.input, "the state could not be saved, the older snapshot stays: {error}");
            }
        }
    }
}
