//! Follows the states of the process whose place this one takes when that one ends: then little is left to be read.
//!
//! Only what is committed is followed, in silence, so that a state which is taken over is the one that its owner had.

use std::{collections::BTreeMap, time::Duration};

use foreshock_journal::{JournalError, Offset, Partition};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::{Runner, Served, WorkerError, ask::ask, backoff::Backoff, crew::Crew};

/// How often it is asked how far the other has come.
const EVERY: Duration = Duration::from_secs(1);

/// Runners that were followed, by partition.
pub(crate) type Followed<S> = BTreeMap<Partition, Runner<S>>;

/// Follows what is served under our name until it is our turn, or the crew is told to stop.
pub(crate) async fn follow<S: Served>(
    crew: &Crew,
    new: &impl Fn(Partition) -> Runner<S>,
) -> Result<Followed<S>, WorkerError> {
    let mut followed = Followed::new();
    let mut trouble = Backoff::default();
    let ends = || crew.our_turn.is_cancelled() || crew.stop.is_cancelled();
    while !ends() {
        match served(crew).await {
            Ok(served) => {
                trouble = Backoff::default();
                followed.retain(|partition, _| served.iter().any(|(still, _)| still == partition));
                catch_up(crew, new, &served, &mut followed).await?;
            }
            Err(error) if error.is_passing() => {
                trouble.wait();
                if trouble.worth_a_line() {
                    warn!(
                        stage = crew.stage,
                        "what is to be followed can't be told, it is tried again: {error}"
                    );
                }
            }
            Err(source) => return Err(WorkerError::Group { stage: crew.stage, source }),
        }
        crew.metrics.follows(crew.stage, followed.len());
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = crew.our_turn.cancelled() => {}
            () = crew.stop.cancelled() => {}
        }
    }
    crew.metrics.follows(crew.stage, 0);
    if !followed.is_empty() && !crew.stop.is_cancelled() {
        info!(
            stage = crew.stage,
            partitions = followed.len(),
            "our turn: states that were followed are taken over"
        );
    }
    Ok(followed)
}

async fn served(crew: &Crew) -> Result<Vec<(Partition, Offset)>, JournalError> {
    let (stage, inputs) = (crew.stage, crew.inputs);
    ask(&crew.journal, move |journal| journal.served_as_us(stage, inputs)).await
}

/// Brings all of them up to what is committed; one that can't be followed is begun anew the next time.
async fn catch_up<S: Served>(
    crew: &Crew,
    new: &impl Fn(Partition) -> Runner<S>,
    served: &[(Partition, Offset)],
    followed: &mut Followed<S>,
) -> Result<(), WorkerError> {
    let mut tasks = JoinSet::new();
    for (partition, committed) in served {
        let mut runner = followed.remove(partition).unwrap_or_else(|| new(*partition));
        let (committed, stop) = (*committed, crew.stop.clone());
        tasks.spawn_on(
            async move {
                let result = runner.follow(committed, &stop).await;
                (runner, result)
            },
            &crew.threads,
        );
    }
    while let Some(ended) = tasks.join_next().await {
        let broken = |error| WorkerError::broken(format!("following stage {}", crew.stage), error);
        match ended.map_err(broken)? {
            (runner, Ok(_)) => drop(followed.insert(runner.input(), runner)),
            (runner, Err(error)) => {
                warn!(stage = crew.stage, input = %runner.input(), "can't be followed, it is begun anew: {error}");
            }
        }
    }
    Ok(())
}
