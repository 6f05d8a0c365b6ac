//! Which partitions this notify tells of, where there are several of them.
//!
//! A courier keeps everything it has to know on the journal, so when partitions come or go it is ended in order and
//! another one is started over what is ours then.

use std::{collections::BTreeSet, sync::Arc};

use foreshock_journal::{Change, Journal, JournalError, Membership, Partition, Stream};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    Config, Metrics, NotifyError,
    courier::{CONSUMER, Courier},
    sender::Sender,
};

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
        let courier = tell(config, senders, journal, metrics, mine, ending.clone());
        tokio::pin!(courier);
        let mut handed_over = None;
        tokio::select! {
            () = shutdown.cancelled() => return courier.await,
            // One that ends by itself was told by the journal that its partitions are not ours any more.
            ended = &mut courier => {
                ended?;
                change(&mut ours, member.next().await?, &mut handed_over);
                continue;
            }
            changed = member.next() => match changed? {
                // Nothing can be committed for them, so there is nothing to end in order.
                lost @ Change::Lost(_) => {
                    change(&mut ours, lost, &mut handed_over);
                    continue;
                }
                other => change(&mut ours, other, &mut handed_over),
            },
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
        Change::Lost(partitions) => ours.retain(|partition| !partitions.contains(partition)),
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
    let courier = Courier::start(config, senders.to_vec(), Arc::clone(journal), Arc::clone(metrics), &ours);
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
            Ok(())
        }
        other => other,
    }
}
