//! The start of a partition: state taken up, what was committed after it replayed in silence.

use std::{sync::Arc, time::Instant};

use foreshock_journal::{Fetched, JournalError, Reader};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::Runner;
use crate::{Served, recovery, sequence};

impl<S: Served> Runner<S> {
    /// Takes up the snapshot and replays in silence what was committed after it. `None`: shut down meanwhile.
    pub(super) async fn recover(
        &mut self,
        shutdown: &CancellationToken,
    ) -> Result<Option<Box<dyn Reader>>, JournalError> {
        let began = Instant::now();
        let outputs = self.journal.partitions(self.output);
        let found = recovery::find(Arc::clone(&self.journal), S::NAME, self.input).await?;
        let start = recovery::load(&mut self.stage, found, self.input, outputs);
        self.position = start.from;
        self.durable = start.committed;
        self.sequences = start.sequences;
        let mut reader = self.journal.reader(self.input, start.from)?;
        let mut replayed = 0;
        let mut rest = Fetched::new();
        while self.position < start.committed {
            let fetched = tokio::select! {
                fetched = reader.read_now(self.config.fetch_bytes as usize) => fetched?,
                () = shutdown.cancelled() => return Ok(None),
            };
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
}
