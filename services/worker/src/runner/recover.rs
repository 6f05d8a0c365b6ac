//! The start of a partition: state taken up, what was committed after it replayed in silence.

use std::time::{Duration, Instant};

use foreshock_journal::{Fetched, JournalError, Offset, Reader};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::Runner;
use crate::{Served, ask::ask, backoff::Backoff, recovery, sequence};

/// How often an end before the committed offset is not believed where the journal says that it goes on.
const SEEMING_ENDS: u32 = 100;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl<S: Served> Runner<S> {
    /// Takes up the snapshot and replays in silence what was committed after it; what was followed goes on from where
    /// it stands. `None`: shut down meanwhile.
    pub(super) async fn recover(
        &mut self,
        shutdown: &CancellationToken,
    ) -> Result<Option<Box<dyn Reader>>, JournalError> {
        let began = Instant::now();
        let mut trouble = Backoff::default();
        let Some(committed) = self.take_up(&mut trouble, shutdown).await? else { return Ok(None) };
        self.durable = committed;
        let Some(replayed) = self.replay_to(committed, &mut trouble, shutdown).await? else {
            return Ok(None);
        };
        if self.number_on(&mut trouble, shutdown).await?.is_none() {
            return Ok(None);
        }
        self.figures.starts_from(self.durable);
        self.figures.recovered(began.elapsed(), replayed);
        self.figures.stands(self.position, None, self.stage.reading());
        if replayed > 0 {
            info!(stage = S::NAME, input = %self.input, replayed, took = ?began.elapsed(), "back at the committed offset");
        }
        let following = match self.following.take() {
            Some(following) => Some(following),
            None => self.open_reader(&mut trouble, shutdown).await?.map(|reader| (reader, Fetched::new())),
        };
        let Some((reader, rest)) = following else { return Ok(None) };
        self.take(&rest);
        Ok(Some(reader))
    }

    /// Brings the state up to what another process has committed, without serving the partition. Returns the entries
    /// that took; `None`: shut down meanwhile.
    pub(crate) async fn follow(
        &mut self,
        committed: Offset,
        shutdown: &CancellationToken,
    ) -> Result<Option<u64>, JournalError> {
        let mut trouble = Backoff::default();
        if !self.loaded && self.take_up(&mut trouble, shutdown).await?.is_none() {
            return Ok(None);
        }
        let Some(replayed) = self.replay_to(committed, &mut trouble, shutdown).await? else {
            return Ok(None);
        };
        Ok(self.number_on(&mut trouble, shutdown).await?.map(|()| replayed))
    }

    /// Where the state was begun anew: lets its messages be numbered on from those that are on the journal. `None`:
    /// shut down meanwhile.
    async fn number_on(
        &mut self,
        trouble: &mut Backoff,
        shutdown: &CancellationToken,
    ) -> Result<Option<()>, JournalError> {
        while self.rebuilt {
            if shutdown.is_cancelled() {
                return Ok(None);
            }
            let asked =
                sequence::last_written(&self.journal, S::NAME, self.input, self.output, self.position);
            match asked.await {
                Ok(written) => {
                    self.rebuilt = false;
                    self.figures.rebuilt();
                    self.sequences.go_on(&written, &self.counted);
                    if self.sequences.is_shifted() {
                        warn!(stage = S::NAME, input = %self.input, "messages are numbered on from what is on the journal");
                    }
                }
                Err(error) => self.wait_after(error, trouble, shutdown).await?,
            }
        }
        Ok(Some(()))
    }

    /// Loads the snapshot, once, and asks how far everything is committed.
    async fn take_up(
        &mut self,
        trouble: &mut Backoff,
        shutdown: &CancellationToken,
    ) -> Result<Option<Offset>, JournalError> {
        let outputs = self.journal.partitions(self.output);
        while !shutdown.is_cancelled() {
            let input = self.input;
            let error = if self.loaded {
                match ask(&self.journal, move |journal| journal.committed(S::NAME, input)).await {
                    // The state can't go back.
                    Ok(committed) if committed < Some(self.position) => {
                        return Err(JournalError::Invalid(format!(
                            "{} was followed up to {} and is committed up to {} now; start again",
                            self.input,
                            self.position,
                            committed.unwrap_or_default()
                        )));
                    }
                    Ok(committed) => return Ok(committed),
                    Err(error) => error,
                }
            } else {
                match recovery::find(&self.journal, S::NAME, input).await {
                    Ok(found) => {
                        let start = recovery::load(&mut self.stage, found, input, outputs);
                        self.position = start.from;
                        self.sequences = start.sequences;
                        self.rebuilt = start.rebuilt;
                        self.loaded = true;
                        return Ok(Some(start.committed));
                    }
                    Err(error) => error,
                }
            };
            self.wait_after(error, trouble, shutdown).await?;
        }
        Ok(None)
    }

    /// Replays in silence what is committed. What was read beyond it is kept for later. Returns the entries it took;
    /// `None`: shut down meanwhile.
    async fn replay_to(
        &mut self,
        committed: Offset,
        trouble: &mut Backoff,
        shutdown: &CancellationToken,
    ) -> Result<Option<u64>, JournalError> {
        let mut empty = 0;
        let mut replayed = 0;
        while self.position < committed {
            let (mut reader, rest) = match self.following.take() {
                Some(following) => following,
                None => match self.open_reader(trouble, shutdown).await? {
                    Some(reader) => (reader, Fetched::new()),
                    None => return Ok(None),
                },
            };
            let fetched = match rest.is_empty() {
                false => Ok(rest),
                true => tokio::select! {
                    fetched = reader.read_now(self.config.fetch_bytes as usize) => fetched,
                    () = shutdown.cancelled() => return Ok(None),
                },
            };
            let mut fetched = match fetched {
                Ok(fetched) => fetched,
                Err(error) => match self.read_again(error, trouble, shutdown).await? {
                    Some(again) => {
                        self.following = Some((again, Fetched::new()));
                        continue;
                    }
                    None => return Ok(None),
                },
            };
            // What has just changed hands among the brokers may seem to end earlier than it does.
            let seems_to_end = fetched.is_empty();
            if seems_to_end && empty < SEEMING_ENDS && self.goes_on_until(committed).await? {
                self.following = Some((reader, fetched));
                empty += 1;
                tokio::select! {
                    () = tokio::time::sleep(LOOK_AGAIN) => continue,
                    () = shutdown.cancelled() => return Ok(None),
                }
            }
            if seems_to_end {
                error!(
                    stage = S::NAME, input = %self.input, position = %self.position, %committed,
                    "the log ends before what was committed; going on from its end"
                );
                self.following = Some((reader, fetched));
                break;
            }
            let rest = fetched.split_off(fetched.partition_point(|(offset, _)| *offset < committed));
            replayed += fetched.len() as u64;
            self.replay(&fetched);
            // Gaps between offsets are passed over with the entry behind them.
            if fetched.is_empty() {
                self.position = committed;
            }
            self.following = Some((reader, rest));
            tokio::task::yield_now().await;
        }
        Ok(Some(replayed))
    }

    /// Whether the journal has entries up to here, by its own account.
    async fn goes_on_until(&mut self, committed: Offset) -> Result<bool, JournalError> {
        let input = self.input;
        match ask(&self.journal, move |journal| journal.bounds(input)).await {
            Ok((_, next)) => Ok(next >= committed),
            Err(error) if error.is_passing() => Ok(true),
            Err(error) => Err(error),
        }
    }
}
