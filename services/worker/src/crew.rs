//! The runners of one stage: a task for each partition that is ours at present.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use foreshock_journal::{Change, Journal, JournalError, Membership, Partition, Stream};
use tokio::{
    runtime::Handle,
    task::{AbortHandle, Id, JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    Runner, Served, WorkerError, WorkerMetrics,
    standby::{self, Followed},
};

/// How long a runner may take to bring a partition to an end that somebody else waits for. Below the time after
/// which the journal gives it away anyway.
const HANDOVER: Duration = Duration::from_secs(30);

/// What the runners of a stage share.
pub(crate) struct Crew {
    pub(crate) stage: &'static str,
    pub(crate) inputs: &'static [Stream],
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) metrics: Arc<WorkerMetrics>,
    pub(crate) threads: Handle,
    /// No more is taken; what was taken is committed and saved.
    pub(crate) stop: CancellationToken,
    /// Nobody waits any longer.
    pub(crate) abandon: CancellationToken,
    /// Cancelled when it is our turn to serve; until then others of our name do.
    pub(crate) our_turn: CancellationToken,
}

/// A runner at work.
struct AtWork {
    stop: CancellationToken,
    abandon: CancellationToken,
    abort: AbortHandle,
}

/// Runners by partition.
struct Runners {
    stage: &'static str,
    metrics: Arc<WorkerMetrics>,
    tasks: JoinSet<Result<(), WorkerError>>,
    partitions: HashMap<Id, Partition>,
    at_work: BTreeMap<Partition, AtWork>,
    /// Everything ends: the last figures stay to be seen.
    stopping: bool,
}

impl Crew {
    /// Serves whatever partitions are ours, each with a runner of `new`, until told to stop. Leaves when everything was
    /// brought to an end. Before it is our turn, whoever serves is followed.
    pub(crate) async fn work<S: Served>(
        self,
        new: impl Fn(Partition) -> Runner<S>,
    ) -> Result<(), WorkerError> {
        let mut followed = standby::follow(&self, &new).await?;
        if self.stop.is_cancelled() {
            return Ok(());
        }
        let failed = |source| WorkerError::Group { stage: self.stage, source };
        let mut member = self.journal.join(self.stage, self.inputs).map_err(failed)?;
        let mut runners = Runners {
            stage: self.stage,
            metrics: Arc::clone(&self.metrics),
            tasks: JoinSet::new(),
            partitions: HashMap::new(),
            at_work: BTreeMap::new(),
            stopping: false,
        };
        let result = self.serve(&mut member, &mut runners, &new, &mut followed).await;
        runners.stopping = true;
        for runner in runners.at_work.values() {
            runner.stop.cancel();
            if result.is_err() {
                runner.abandon.cancel();
            }
        }
        let ended = runners.wait_until(|at_work| at_work.is_empty()).await;
        // Leaving waits for the others of the group.
        if tokio::task::spawn_blocking(move || drop(member)).await.is_err() {
            warn!(stage = self.stage, "the group could not be left in order");
        }
        result.and(ended)
    }

    async fn serve<S: Served>(
        &self,
        member: &mut Box<dyn Membership>,
        runners: &mut Runners,
        new: &impl Fn(Partition) -> Runner<S>,
        followed: &mut Followed<S>,
    ) -> Result<(), WorkerError> {
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                Some(ended) = runners.tasks.join_next_with_id() => runners.ended(ended)?,
                change = member.next() => match change {
                    Ok(Change::Assigned(partitions)) => {
                        for partition in partitions {
                            let (stop, abandon) = (self.stop.child_token(), self.abandon.child_token());
                            let runner = followed.remove(&partition).unwrap_or_else(|| new(partition));
                            let task = runner.serve(stop.clone(), abandon.clone());
                            let abort = runners.tasks.spawn_on(task, &self.threads);
                            runners.partitions.insert(abort.id(), partition);
                            runners.at_work.insert(partition, AtWork { stop, abandon, abort });
                        }
                    }
                    Ok(Change::Revoked(partitions, handover)) => {
                        info!(stage = self.stage, partitions = partitions.len(), "partitions go to others");
                        runners.bring_to_an_end(&partitions).await?;
                        drop(handover);
                    }
                    Ok(Change::Lost(partitions, handover)) => {
                        warn!(stage = self.stage, partitions = partitions.len(), "partitions were lost to others");
                        runners.drop_at_once(&partitions).await?;
                        drop(handover);
                    }
                    Err(JournalError::Closed) => return Ok(()),
                    Err(source) => return Err(WorkerError::Group { stage: self.stage, source }),
                },
            }
        }
    }
}

impl Runners {
    /// Lets runners commit and save what they have; those that can't in time are left to the next owner.
    async fn bring_to_an_end(&mut self, partitions: &[Partition]) -> Result<(), WorkerError> {
        let theirs = |at_work: &BTreeMap<Partition, AtWork>, act: &dyn Fn(&AtWork)| {
            partitions.iter().filter_map(|partition| at_work.get(partition)).for_each(act);
        };
        theirs(&self.at_work, &|runner| runner.stop.cancel());
        let are_gone =
            |at_work: &BTreeMap<Partition, AtWork>| !partitions.iter().any(|p| at_work.contains_key(p));
        if let Ok(ended) = tokio::time::timeout(HANDOVER, self.wait_until(are_gone)).await {
            return ended;
        }
        theirs(&self.at_work, &|runner| runner.abandon.cancel());
        self.wait_until(are_gone).await
    }

    /// Drops runners where they stand; returns when they are gone, and with them whatever they had on its way.
    async fn drop_at_once(&mut self, partitions: &[Partition]) -> Result<(), WorkerError> {
        let mut dropped = HashSet::new();
        for partition in partitions {
            if let Some(runner) = self.at_work.remove(partition) {
                self.partitions.remove(&runner.abort.id());
                self.metrics.forget(self.stage, *partition);
                runner.abort.abort();
                dropped.insert(runner.abort.id());
            }
        }
        let mut result = Ok(());
        while !dropped.is_empty() {
            let Some(ended) = self.tasks.join_next_with_id().await else { break };
            dropped.remove(&ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id));
            result = result.and(self.ended(ended));
        }
        result
    }

    /// Waits for runners to end until `enough`.
    async fn wait_until(
        &mut self,
        enough: impl Fn(&BTreeMap<Partition, AtWork>) -> bool,
    ) -> Result<(), WorkerError> {
        let mut result = Ok(());
        while !enough(&self.at_work) {
            let Some(ended) = self.tasks.join_next_with_id().await else { break };
            result = result.and(self.ended(ended));
        }
        result
    }

    /// What a runner came to.
    fn ended(&mut self, ended: Result<(Id, Result<(), WorkerError>), JoinError>) -> Result<(), WorkerError> {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        // One that was dropped is known no more.
        let Some(partition) = self.partitions.remove(&id) else { return Ok(()) };
        self.at_work.remove(&partition);
        if !self.stopping {
            self.metrics.forget(self.stage, partition);
        }
        match ended {
            Ok((_, result)) => result,
            Err(error) => Err(WorkerError::broken(format!("stage {} of {partition}", self.stage), error)),
        }
    }
}
