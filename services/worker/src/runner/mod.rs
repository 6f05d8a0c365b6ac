//! Serves one stage over one input partition: fetch, apply, commit, now and then save.
//!
//! The state runs ahead of the journal in memory only: while a batch is on its way the next fetches are applied, and
//! their outputs wait, up to a limit. Whatever was not committed is applied again after a crash.

mod apply;
mod recover;
mod save;

use std::{
    future,
    sync::Arc,
    time::{Duration, Instant},
};

use foreshock_detect::{InputId, Outputs};
use foreshock_journal::{Fetched, Journal, JournalError, Offset, Partition, Reader, Stream};
use save::Saved;
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{error, info, warn};

use crate::{
    Served, WorkerConfig, WorkerError, WorkerMetrics,
    ask::ask,
    backoff::Backoff,
    commit::{Committed, Outgoing, until_durable},
    metrics::PartitionMetrics,
    sequence::Sequences,
    snapshot::Pace,
    sources::Sources,
    views::{Look, Views},
    wall,
};

/// Offsets without outputs are committed this often.
const OFFSETS_EVERY: Duration = Duration::from_secs(1);
/// Tenants of a partition whose alert budget is shown.
const TENANTS_SHOWN: usize = 1_000;
/// Outputs that may wait behind a batch that is on its way, in bytes.
const AHEAD_BYTES: usize = 4 << 20;

/// One stage over one input partition.
pub struct Runner<S: Served> {
    stage: S,
    input: Partition,
    output: Stream,
    journal: Arc<dyn Journal>,
    config: Arc<WorkerConfig>,
    metrics: Arc<WorkerMetrics>,
    figures: Arc<PartitionMetrics>,
    sources: Option<Sources>,
    sequences: Sequences,
    /// The state stands at `position`: taken up from a snapshot, or begun.
    loaded: bool,
    /// The state begins empty although messages of it are on the journal.
    rebuilt: bool,
    /// While standing by: where reading goes on, and what was read and is not committed yet.
    following: Option<(Box<dyn Reader>, Fetched)>,
    /// The next offset to apply.
    position: Offset,
    /// The next offset to apply as the journal has it.
    durable: Offset,
    /// Messages counted by output partition while nothing is put out.
    counted: Vec<u64>,
    out: Outputs<S::Output>,
    ready: Outgoing,
    in_flight: Option<AbortOnDropHandle<Result<Committed, JournalError>>>,
    last_commit: Instant,
    pace: Pace,
    saving: Option<AbortOnDropHandle<Saved>>,
    views: Option<Arc<Views<S>>>,
    looks: Option<mpsc::Receiver<Look<S>>>,
}

impl<S: Served> Runner<S> {
    /// A runner for a stage with empty state.
    pub fn new(
        stage: S,
        input: Partition,
        output: Stream,
        journal: Arc<dyn Journal>,
        config: Arc<WorkerConfig>,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        let outputs = journal.partitions(output);
        Self {
            stage,
            input,
            output,
            figures: metrics.unshown(),
            metrics,
            sources: None,
            sequences: Sequences::new(outputs),
            loaded: false,
            rebuilt: false,
            following: None,
            position: Offset(0),
            durable: Offset(0),
            counted: vec![0; usize::from(outputs)],
            out: Outputs::default(),
            ready: Outgoing::default(),
            in_flight: None,
            last_commit: Instant::now(),
            pace: Pace::new(&config),
            saving: None,
            views: None,
            looks: None,
            journal,
            config,
        }
    }

    /// Gives up sources, written by `stage`, that stand still behind the others for `hold_up`.
    #[must_use]
    pub fn giving_up(mut self, stage: &'static str, sources: &[InputId], hold_up: Duration) -> Self {
        self.sources = Some(Sources::new(stage, sources, hold_up));
        self
    }

    /// Lets others look at the state between two fetches.
    #[must_use]
    pub fn seen_through(mut self, views: Arc<Views<S>>) -> Self {
        self.views = Some(views);
        self
    }

    /// What it serves.
    pub(crate) fn input(&self) -> Partition {
        self.input
    }

    /// Serves the partition until `shutdown`; then commits, saves the state and returns. What can't be committed
    /// by the time of `abandon` is left to the next start.
    pub async fn serve(
        mut self,
        shutdown: CancellationToken,
        abandon: CancellationToken,
    ) -> Result<(), WorkerError> {
        self.figures = self.metrics.partition(S::NAME, self.input);
        self.looks = self.views.as_ref().map(|views| views.open());
        let result = match self.recover(&shutdown).await {
            Ok(Some(reader)) => self.live(reader, &shutdown, &abandon).await,
            Ok(None) => Ok(()),
            Err(source) => Err(source),
        };
        match result {
            Err(JournalError::Closed) if shutdown.is_cancelled() => Ok(()),
            Err(JournalError::Fenced(_)) => {
                info!(stage = S::NAME, input = %self.input, "the partition is somebody else's now");
                Ok(())
            }
            Err(source) => Err(WorkerError::Journal { stage: S::NAME, partition: self.input, source }),
            Ok(()) => Ok(()),
        }
    }

    async fn live(
        &mut self,
        mut reader: Box<dyn Reader>,
        shutdown: &CancellationToken,
        abandon: &CancellationToken,
    ) -> Result<(), JournalError> {
        let fetch_bytes = self.config.fetch_bytes as usize;
        let mut every_second = tokio::time::interval(OFFSETS_EVERY);
        every_second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut trouble = Backoff::default();
        loop {
            let may_fetch = self.hand_over(abandon);
            if may_fetch {
                self.figures.waits_for_input();
            } else {
                self.figures.is_busy();
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                committed = outcome(&mut self.in_flight) => {
                    self.settled(committed?);
                }
                saved = outcome(&mut self.saving) => self.saved(saved),
                _ = every_second.tick() => {
                    self.figures.holds(self.stage.sizes());
                    self.figures.spends(Served::spending(&self.stage, TENANTS_SHOWN));
                    self.give_up_sources();
                }
                look = next_look(&mut self.looks) => look(&self.stage),
                fetched = reader.next(fetch_bytes), if may_fetch => match fetched {
                    Ok(fetched) => {
                        trouble = Backoff::default();
                        self.take(&fetched);
                        tokio::task::yield_now().await;
                    }
                    Err(error) => match self.read_again(error, &mut trouble, shutdown).await? {
                        Some(again) => reader = again,
                        None => break,
                    },
                },
            }
        }
        drop(reader);
        self.finish(abandon).await
    }

    /// Hands over what is ready: a batch to the journal, or the state to its snapshot. Returns whether another
    /// fetch may be applied: not while too much waits behind a batch, nor while a snapshot waits for a commit.
    fn hand_over(&mut self, abandon: &CancellationToken) -> bool {
        let snapshot_due = self.pace.is_due() && self.saving.is_none();
        if self.in_flight.is_some() {
            return self.ready.bytes() < AHEAD_BYTES && !snapshot_due;
        }
        let offsets_due =
            self.position > self.durable && (snapshot_due || self.last_commit.elapsed() >= OFFSETS_EVERY);
        if !self.ready.is_empty() || offsets_due {
            self.commit(abandon);
            return !snapshot_due;
        }
        if snapshot_due {
            self.save();
        }
        true
    }

    fn commit(&mut self, abandon: &CancellationToken) {
        self.last_commit = Instant::now();
        let durable = until_durable(
            Arc::clone(&self.journal),
            S::NAME,
            self.input,
            self.position,
            std::mem::take(&mut self.ready),
            Arc::clone(&self.figures),
            abandon.clone(),
        );
        self.in_flight = Some(AbortOnDropHandle::new(tokio::spawn(durable)));
    }

    /// Takes note of what became of a batch. `false`: it was given up.
    fn settled(&mut self, committed: Committed) -> bool {
        let Committed::Durable(next, news) = committed else { return false };
        self.durable = next;
        self.figures.committed(next);
        let now = wall::now();
        for received in news {
            self.metrics.acknowledged_to_finding.record(now.since(received));
        }
        true
    }

    /// A reader that goes on where this one failed. `None`: shut down meanwhile.
    async fn read_again(
        &mut self,
        error: JournalError,
        trouble: &mut Backoff,
        shutdown: &CancellationToken,
    ) -> Result<Option<Box<dyn Reader>>, JournalError> {
        match error {
            JournalError::OutOfRange { first, .. } if first > self.position => self.pass_over(first),
            error => self.wait_after(error, trouble, shutdown).await?,
        }
        self.open_reader(trouble, shutdown).await
    }

    /// A reader of what comes next, as soon as the journal has one. `None`: shut down meanwhile.
    async fn open_reader(
        &mut self,
        trouble: &mut Backoff,
        shutdown: &CancellationToken,
    ) -> Result<Option<Box<dyn Reader>>, JournalError> {
        while !shutdown.is_cancelled() {
            let (input, from) = (self.input, self.position);
            match ask(&self.journal, move |journal| journal.reader(input, from)).await {
                Ok(reader) => return Ok(Some(reader)),
                Err(JournalError::OutOfRange { first, .. }) if first > self.position => self.pass_over(first),
                Err(error) => self.wait_after(error, trouble, shutdown).await?,
            }
        }
        Ok(None)
    }

    /// Goes on where the journal begins by now.
    fn pass_over(&mut self, first: Offset) {
        let lost = first.0 - self.position.0;
        error!(stage = S::NAME, input = %self.input, lost, "retention took entries before they were read; raise journal.retention");
        self.figures.lost(lost);
        self.position = first;
    }

    /// Waits a while after what may pass; fails with what does not.
    async fn wait_after(
        &mut self,
        error: JournalError,
        trouble: &mut Backoff,
        shutdown: &CancellationToken,
    ) -> Result<(), JournalError> {
        if matches!(error, JournalError::Closed | JournalError::Fenced(_)) || !error.is_passing() {
            return Err(error);
        }
        let wait = trouble.wait();
        if trouble.worth_a_line() {
            warn!(stage = S::NAME, input = %self.input, "reading failed, it is tried again: {error}");
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shutdown.cancelled() => {}
        }
        Ok(())
    }

    /// Appends the word that a source is not waited for, where one stands still behind the others.
    fn give_up_sources(&mut self) {
        let Some(sources) = &mut self.sources else { return };
        self.figures.hears_of(sources.furthest());
        for source in sources.held_up_by(Instant::now()) {
            warn!(stage = S::NAME, input = %self.input, ?source, "a source stands still behind the others and is given up");
            self.figures.skipped();
            // With the next batch, so that it is refused where the partition is somebody else's by now.
            self.ready.push(self.input, sources.skip(&source, wall::now()));
        }
    }

    /// The last commits and the last snapshot.
    async fn finish(&mut self, abandon: &CancellationToken) -> Result<(), JournalError> {
        loop {
            if self.in_flight.is_some() {
                let committed = outcome(&mut self.in_flight).await?;
                if !self.settled(committed) {
                    warn!(stage = S::NAME, input = %self.input, "the last commit was not taken in time; the next start makes it again");
                    return Ok(());
                }
            } else if !self.ready.is_empty() || self.position > self.durable {
                self.commit(abandon);
            } else {
                break;
            }
        }
        for last in [false, true] {
            if self.saving.is_some() {
                tokio::select! {
                    saved = outcome(&mut self.saving) => self.saved(saved),
                    () = abandon.cancelled() => return Ok(()),
                }
            }
            if !last && self.pace.has_changed() {
                self.save();
            }
        }
        Ok(())
    }
}

/// The next look somebody wants to take; waits for ever where nobody can.
async fn next_look<S>(looks: &mut Option<mpsc::Receiver<Look<S>>>) -> Look<S> {
    match looks {
        Some(looks) => match looks.recv().await {
            Some(look) => look,
            None => future::pending().await,
        },
        None => future::pending().await,
    }
}

/// What a task came to, and the slot is free again; waits for ever where there is none.
async fn outcome<T>(slot: &mut Option<AbortOnDropHandle<T>>) -> T {
    let Some(task) = slot else { return future::pending().await };
    match task.await {
        Ok(value) => {
            *slot = None;
            value
        }
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // Nobody aborts it but the runtime as it goes down, and this task with it.
        Err(_) => future::pending().await,
    }
}
