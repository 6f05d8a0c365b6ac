//! Whose turn it is among the processes of one instance, told by a group of their own in which one partition is to
//! be had: who has it serves. It stays where it is while its owner lives, and goes to the next when that one leaves
//! or is not heard of for the session time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::JoinHandle,
    time::Duration,
};

use rdkafka::{
    TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaError,
    types::RDKafkaRespErr,
};
use tokio::sync::watch;
use tracing::{debug, warn};

use super::{
    KafkaOptions,
    context::{Common, common_context},
    failure::{failure, reason, spawn},
};
use crate::{JournalError, Turn};

const EVERY: Duration = Duration::from_millis(50);

/// Hears of whose turn it is.
struct Watcher {
    common: Common,
    ours: watch::Sender<bool>,
}

common_context!(Watcher);

impl ConsumerContext for Watcher {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let is_ours = event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let followed = match is_ours {
            // Nothing is read: the partition is but a token.
            true => consumer.incremental_assign(partitions).and_then(|()| consumer.pause(partitions)),
            false => consumer.incremental_unassign(partitions),
        };
        if let Err(error) = followed {
            warn!("the turn could not be taken or given back in order: {}", reason(&error));
        }
        if partitions.count() > 0 {
            self.ours.send_replace(is_ours);
        }
    }
}

/// Leaves when dropped, and returns when it has left.
struct Place {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            warn!("the turn was not given back in order");
        }
    }
}

/// Waits until it is our turn among those who call themselves as we do. `token`: a topic of one partition.
pub(super) async fn wait(options: &KafkaOptions, common: &Common, token: &str) -> Result<Turn, JournalError> {
    let waiting = |error: KafkaError| failure("waiting for our turn", &error);
    let (ours, mut is_ours) = watch::channel(false);
    let watcher = Watcher { common: common.clone(), ours };
    let consumer: BaseConsumer<Watcher> = options.turn().create_with_context(watcher).map_err(waiting)?;
    consumer.subscribe(&[token]).map_err(waiting)?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = spawn("turn", move || {
        while !stopped.load(SeqCst) {
            if let Some(Err(error)) = consumer.poll(EVERY) {
                debug!("waiting for our turn: {error}");
            }
        }
    })?;
    let place = Place { stop, thread: Some(thread) };
    // It ends only with the thread, which ends only with the place.
    let _ = is_ours.wait_for(|ours| *ours).await;
    Ok(Turn::held(is_ours, place))
}
