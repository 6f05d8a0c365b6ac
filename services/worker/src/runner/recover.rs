//! The start of a partition: state taken up, what was committed after it replayed in silence.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use foreshock_journal::{Fetched, JournalError, Offset, Reader};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::Runner;
use crate::{Served, backoff::Backoff, recovery, sequence};

/// How often an end before the committed offset is not believed where the journal says that it goes on.
const SEEMING_ENDS: u32 = 100;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl<S: Served> Runner<S> {
    /// Takes up the snapshot and replays in silence what was committed after it. `None`: shut down meanwhile.
    pub(super) async fn recover(
        &mut self,
        shutdown: &CancellationToken,
    ) -> Result<Option<Box<dyn Reader>>, JournalError> {
        let began = Instant::now();
        let outputs = self.journal.partitions(self.output);
        let mut trouble = Backoff::default();
        let found = loop {
            match recovery::find(Arc::clone(&self.journal), S::NAME, self.input).await {
                Ok(found) => break found,
                Err(error) => self.wait_after(error, &mut trouble, shutdown).await?,
            }
            if shutdown.is_cancelled() {
                return Ok(None);
            }
        };
        let start = recovery::load(&mut self.stage, found, self.input, outputs);
        self.position = start.from;
        self.durable = start.committed;
        self.sequences = start.sequences;
        let Some(mut reader) = self.open_reader(&mut trouble, shutdown).await? else { return Ok(None) };
        let mut empty = 0;
        let mut replayed = 0;
        let mut rest = Fetched::new();
        while self.position < start.committed {
            let fetched = tokio::select! {
                fetched = reader.read_now(self.config.fetch_bytes as usize) => fetched,
                () = shutdown.cancelled() => return Ok(None),
            };
            let fetched = match fetched {
                Ok(fetched) => fetched,
                Err(error) => match self.read_again(error, &mut trouble, shutdown).await? {
                    Some(again) => {
                        reader = again;
                        continue;
                    }
                    None => return Ok(None),
                },
            };
            // What has just changed hands among the brokers may seem to end earlier than it does.
            if fetched.is_empty() && empty < SEEMING_ENDS && self.goes_on_until(start.committed).await? {
                empty += 1;
                tokio::select! {
                    () = tokio::time::sleep(LOOK_AGAIN) => continue,
                    () = shutdown.cancelled() => return Ok(None),
                }
            }
            if fetched.is_empty() {
                error!(
                    stage = S::NAME, input = %self.input, position = %self.position, committed = %start.committed,
                    "the log ends before what was committed; going on from its end"
                );
                break;
            }
            let live_from = fetched.partition_point(|(offset, _)| *offset < start.committed);
            let mut silent = fetched;
            rest = silent.split_off(live_from);
            replayed += silent.len() as u64;
            self.replay(&silent);
            tokio::task::yield_now().await;
        }
        if start.rebuilt {
            self.figures.rebuilt();
            let written = sequence::last_written(&self.journal, S::NAME, self.input, self.output).await?;
            self.sequences.go_on(&written, &self.counted);
            if self.sequences.is_shifted() {
                warn!(stage = S::NAME, input = %self.input, "messages are numbered on from what is on the journal");
            }
        }
        self.figures.starts_from(self.durable);
        self.figures.recovered(began.elapsed(), replayed);
        self.figures.stands(self.position, None, self.stage.reading());
        if replayed > 0 {
            info!(stage = S::NAME, input = %self.input, replayed, took = ?began.elapsed(), "back at the committed offset");
        }
        self.take(&rest);
        Ok(Some(reader))
    }

    /// Whether the journal has entries up to here, by its own account.
    async fn goes_on_until(&mut self, committed: Offset) -> Result<bool, JournalError> {
        let (journal, input) = (Arc::clone(&self.journal), self.input);
        let asked = tokio::task::spawn_blocking(move || journal.bounds(input)).await;
        match asked {
            Ok(Ok((_, next))) => Ok(next >= committed),
            Ok(Err(error)) if error.is_passing() => Ok(true),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(JournalError::Closed),
        }
    }
}
