//! Which partitions this notify tells of, where there are several of them.
//!
//! A courier keeps everything it has to know on the journal, so when partitions come or go it is ended in order and
//! another one is started over what is ours then.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use foreshock_journal::{Change, Journal, JournalError, Membership, Partition, Stream};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    Config, Metrics, NotifyError,
    courier::{CONSUMER, Courier},
    sender::Sender,
};

/// How long after the journal could not be read it is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// Tells of what is ours until `shutdown`.
pub(crate) async fn run(
    config: &Config,
    senders: &[Arc<Sender>],
    journal: &Arc<dyn Journal>,
    metrics: &Arc<Metrics>,
    shutdown: CancellationToken,
) -> Result<(), NotifyError> {
    let mut member = journal.join(CONSUMER, &[Stream::Incidents])?;
    let result = follow(config, senders, journal, metrics, &shutdown, &mut member).await;
    // Leaving waits for the others of the group.
    if tokio::task::spawn_blocking(move || drop(member)).await.is_err() {
        warn!("the group could not be left in order");
    }
    result
}

async fn follow(
    config: &Config,
    senders: &[Arc<Sender>],
    journal: &Arc<dyn Journal>,
    metrics: &Arc<Metrics>,
    shutdown: &CancellationToken,
    member: &mut Box<dyn Membership>,
) -> Result<(), NotifyError> {
    let mut ours = BTreeSet::new();
    loop {
        let ending = shutdown.child_token();
        let mine = ours.iter().copied().collect();
        let mut courier = Box::pin(tell(config, senders, journal, metrics, mine, ending.clone()));
        let mut handed_over = None;
        let in_order;
        tokio::select! {
            // First of all: the courier ends by the same word, and then there is no change to wait for.
            biased;
            () = shutdown.cancelled() => return courier.await,
            // One that ends by itself was told by the journal that its partitions are not ours any more.
            ended = &mut courier => {
                ended?;
                tokio::select! {
                    () = shutdown.cancelled() => return Ok(()),
                    changed = member.next() => change(&mut ours, changed?, &mut handed_over),
                }
                in_order = false;
            }
            changed = member.next() => {
                let changed = changed?;
                // Nothing can be committed for what was lost, so there is nothing to end in order.
                in_order = !matches!(changed, Change::Lost(..));
                change(&mut ours, changed, &mut handed_over);
            }
        }
        if !in_order {
            // Gone before it is said that it is.
            drop(courier);
            drop(handed_over);
            continue;
        }
        ending.cancel();
        courier.await?;
        drop(handed_over);
    }
}

fn change(
    ours: &mut BTreeSet<Partition>,
    change: Change,
    handed_over: &mut Option<foreshock_journal::Handover>,
) {
    match change {
        Change::Assigned(partitions) => ours.extend(partitions),
        Change::Revoked(partitions, handover) => {
            ours.retain(|partition| !partitions.contains(partition));
            *handed_over = Some(handover);
        }
        Change::Lost(partitions, handover) => {
            ours.retain(|partition| !partitions.contains(partition));
            *handed_over = Some(handover);
        }
    }
    info!(partitions = ours.len(), "notify tells of the incidents of these partitions");
}

/// Tells of the incidents of these partitions until `ending`, or until they are somebody else's.
async fn tell(
    config: &Config,
    senders: &[Arc<Sender>],
    journal: &Arc<dyn Journal>,
    metrics: &Arc<Metrics>,
    ours: Vec<Partition>,
    ending: CancellationToken,
) -> Result<(), NotifyError> {
    if ours.is_empty() {
        ending.cancelled().await;
        return Ok(());
    }
    loop {
        let courier =
            Courier::start(config, senders.to_vec(), Arc::clone(journal), Arc::clone(metrics), &ours);
        let told = tokio::select! {
            courier = courier => match courier {
                Ok(courier) => courier.run(ending.clone()).await,
                Err(error) => Err(error),
            },
            () = ending.cancelled() => Ok(()),
        };
        match told {
            Err(NotifyError::Journal(JournalError::Fenced(partition))) => {
                warn!(%partition, "the partition is somebody else's now");
                return Ok(());
            }
            // It keeps all it has to know on the journal, so another one goes on where it was.
            Err(NotifyError::Journal(error))
                if error.is_passing() && !matches!(error, JournalError::Closed) =>
            {
                warn!("the journal can't be read, it is tried again: {error}");
            }
            other => return other,
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = ending.cancelled() => return Ok(()),
        }
    }
}
