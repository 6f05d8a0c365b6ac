//! A place in a consumer's group: which partitions are ours, and how one is taken over and given away.
//!
//! The group decides who serves what and fences who does not: a transaction that carries the generation of a group
//! that has gone on is refused by the brokers. This member never reads through the group; it only holds its place.
//!
//! One thing the group can't do: end the transaction that a dead member has left open, which holds back everybody
//! who reads committed records for up to its time-out. So each owner writes its transactional id into the metadata
//! of the offsets it owns, and whoever takes a partition over ends what the owner before may have left open. Ending
//! it is never wrong: the transaction of a member that is alive after all is made again (transaction.rs).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc as blocking,
    },
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset as KafkaOffset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, ConsumerGroupMetadata},
    error::{KafkaError, RDKafkaErrorCode},
    producer::BaseProducer,
    types::RDKafkaRespErr,
};
use tokio::sync::mpsc;
use tracing::{debug, error, info, warn};

use super::{
    KafkaOptions,
    asked::{Asked, begin},
    context::{Common, common_context},
    failure::{failure, reason, spawn},
    names::Names,
    tap::PATIENCE,
    transaction::{Committer, Stamp},
};
use crate::{BoxFuture, Change, Handover, JournalError, Membership, Offset, Partition, Stream};

/// How often a member looks after its group.
const EVERY: Duration = Duration::from_millis(50);
/// How long a handover may take before the partitions are given away as they are.
const HANDOVER: Duration = Duration::from_secs(45);
/// How long leaving waits for the transaction that is on its way.
const LAST_COMMIT: Duration = Duration::from_secs(2);
/// A place that was taken from us so often, each time within this time, is somebody else's.
const MOST_FENCED: u32 = 3;
const FENCED_WITHIN: Duration = Duration::from_secs(60);
/// Changes that wait to be heard of.
const CHANGES: usize = 64;

/// What all threads of a member share.
pub(super) struct Group {
    consumer_name: String,
    options: KafkaOptions,
    names: Arc<Names>,
    common: Common,
    /// Of this member's transactions.
    transactional_id: String,
    topics: Vec<String>,
    /// Its place in the group, once it has asked for one.
    member: Mutex<Option<Arc<BaseConsumer<MemberContext>>>>,
    owned: Arc<Owned>,
    stop: AtomicBool,
    /// Another process of our name has our place for good.
    replaced: AtomicBool,
    changes: mpsc::Sender<Result<Change, JournalError>>,
    committer: Committer,
}

/// The partitions that are ours, with the offsets that were committed last.
#[derive(Debug, Default)]
pub(super) struct Owned {
    state: Mutex<OwnedState>,
}

#[derive(Debug, Default)]
struct OwnedState {
    ours: BTreeMap<Partition, Option<Offset>>,
    /// Assigned by the group, not taken over yet.
    coming: BTreeSet<Partition>,
    /// Lost, and whoever served them has not said yet that it is gone.
    served_still: Vec<(Vec<Partition>, blocking::Receiver<()>)>,
    rebalances: u64,
    since: Option<Instant>,
    took: Duration,
}

impl Owned {
    fn locked<T>(&self, look: impl FnOnce(&mut OwnedState) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn has(&self, partition: Partition) -> bool {
        self.locked(|state| state.ours.contains_key(&partition))
    }

    /// The offset that was committed last; `None` in the outer place where the partition is not ours.
    pub(super) fn committed(&self, partition: Partition) -> Option<Option<Offset>> {
        self.locked(|state| state.ours.get(&partition).copied())
    }

    pub(super) fn commits(&self, partition: Partition, next: Offset) {
        self.locked(|state| {
            if let Some(committed) = state.ours.get_mut(&partition) {
                *committed = Some(next);
            }
        });
    }

    /// How many partitions are ours.
    pub(super) fn count(&self) -> usize {
        self.locked(|state| state.ours.len())
    }

    /// Partitions to be taken over: those that nobody of ours serves still from before.
    fn coming(&self) -> Vec<Partition> {
        self.locked(|state| {
            state.served_still.retain(|(_, gone)| gone.try_recv() == Err(blocking::TryRecvError::Empty));
            let is_served =
                |partition: &Partition| state.served_still.iter().any(|(still, _)| still.contains(partition));
            state.coming.iter().copied().filter(|partition| !is_served(partition)).collect()
        })
    }

    /// Word that these are lost. They are not taken over before whoever served them is gone.
    fn lost(&self, partitions: Vec<Partition>) -> Change {
        let (handover, ended) = Handover::new();
        self.locked(|state| state.served_still.push((partitions.clone(), ended)));
        Change::Lost(partitions, handover)
    }

    fn forget(&self, gone: &[Partition]) {
        self.locked(|state| state.ours.retain(|partition, _| !gone.contains(partition)));
    }

    /// How often partitions came or went, and how long the last time took.
    pub(super) fn rebalances(&self) -> (u64, Duration) {
        self.locked(|state| (state.rebalances, state.took))
    }
}

/// Hears of what the group decides. Runs on the member's thread.
pub(super) struct MemberContext {
    common: Common,
    names: Arc<Names>,
    owned: Arc<Owned>,
    changes: mpsc::Sender<Result<Change, JournalError>>,
    leaving: Arc<AtomicBool>,
}

common_context!(MemberContext);

impl ConsumerContext for MemberContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assigned(consumer, partitions),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => self.revoked(consumer, partitions),
            other => warn!("the group's change can't be followed: {other:?}"),
        }
    }
}

impl MemberContext {
    fn assigned(&self, consumer: &BaseConsumer<Self>, partitions: &mut TopicPartitionList) {
        // Nothing is read through the group.
        if let Err(error) = partitions.set_all_offsets(KafkaOffset::End) {
            warn!("{error}");
        }
        let assigned = consumer.incremental_assign(partitions).and_then(|()| consumer.pause(partitions));
        if let Err(error) = assigned {
            warn!("partitions could not be taken from the group: {}", reason(&error));
        }
        let coming = self.ours(partitions);
        self.owned.locked(|state| {
            state.coming.extend(coming);
            state.rebalances += 1;
            state.since.get_or_insert_with(Instant::now);
        });
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        let lost = consumer.assignment_lost();
        let gone = self.ours(partitions);
        // What was not announced yet is nobody's concern.
        let told: Vec<Partition> = self.owned.locked(|state| {
            state.rebalances += 1;
            state.coming.retain(|partition| !gone.contains(partition));
            gone.iter().copied().filter(|partition| state.ours.contains_key(partition)).collect()
        });
        if lost {
            self.owned.forget(&gone);
            if !told.is_empty() {
                self.tell(self.owned.lost(told));
            }
        } else if !told.is_empty() && !self.leaving.load(SeqCst) {
            let (handover, ended) = Handover::new();
            self.tell(Change::Revoked(told.clone(), handover));
            if ended.recv_timeout(HANDOVER) == Err(blocking::RecvTimeoutError::Timeout) {
                warn!(
                    partitions = told.len(),
                    "partitions were not brought to an end within {HANDOVER:?} and are given away as they are"
                );
            }
            self.release(consumer, &told);
        }
        self.owned.forget(&gone);
        if let Err(error) = consumer.incremental_unassign(partitions) {
            warn!("partitions could not be given back to the group: {}", reason(&error));
        }
    }

    /// Says in the metadata of the offsets that nothing of ours is open there.
    fn release(&self, consumer: &BaseConsumer<Self>, partitions: &[Partition]) {
        let mut offsets = TopicPartitionList::new();
        for partition in partitions {
            if let Some(committed) = self.owned.committed(*partition) {
                put(&mut offsets, &self.names, *partition, committed.unwrap_or_default(), "");
            }
        }
        if offsets.count() > 0
            && let Err(error) = consumer.commit(&offsets, CommitMode::Sync)
        {
            debug!("released offsets were not written: {}", reason(&error));
        }
    }

    fn ours(&self, partitions: &TopicPartitionList) -> Vec<Partition> {
        partitions
            .elements()
            .iter()
            .filter_map(|element| self.names.partition(element.topic(), element.partition()))
            .collect()
    }

    fn tell(&self, change: Change) {
        // The member's thread may wait: its place is kept by a thread of the library.
        if self.changes.blocking_send(Ok(change)).is_err() {
            debug!("nobody listens to the group's changes any more");
        }
    }
}

/// Adds an offset with its metadata to a list.
pub(super) fn put(
    list: &mut TopicPartitionList,
    names: &Names,
    partition: Partition,
    offset: Offset,
    metadata: &str,
) {
    let mut element = list.add_partition(names.topic(partition.stream), partition.index.into());
    let offset = KafkaOffset::Offset(i64::try_from(offset.0).unwrap_or(i64::MAX));
    if let Err(error) = element.set_offset(offset) {
        error!("{error}");
    }
    element.set_metadata(metadata);
}

impl Group {
    /// Asks for a place in the consumer's group and begins to hold it.
    pub(super) fn join(
        options: &KafkaOptions,
        names: &Arc<Names>,
        common: &Common,
        consumer: &str,
        transactional_id: String,
        streams: &[Stream],
    ) -> Result<(Arc<Self>, Member), JournalError> {
        let (changes, heard) = mpsc::channel(CHANGES);
        let group = Arc::new(Self {
            consumer_name: consumer.to_owned(),
            options: options.clone(),
            names: Arc::clone(names),
            common: common.clone(),
            transactional_id,
            topics: streams.iter().map(|stream| names.topic(*stream).to_owned()).collect(),
            member: Mutex::default(),
            owned: Arc::default(),
            stop: AtomicBool::new(false),
            replaced: AtomicBool::new(false),
            changes,
            committer: Committer::default(),
        });
        let ended = Arc::new((Mutex::new(2_u8), Condvar::new()));
        for (name, work) in [("group", Self::hold as fn(&Self)), ("commit", Self::commit_all)] {
            let (group, ended) = (Arc::clone(&group), Arc::clone(&ended));
            spawn(name, move || {
                work(&group);
                *ended.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
                ended.1.notify_all();
            })?;
        }
        let member = Member { group: Arc::clone(&group), heard, ended };
        Ok((group, member))
    }

    pub(super) fn owned(&self) -> &Owned {
        &self.owned
    }

    pub(super) fn committer(&self) -> &Committer {
        &self.committer
    }

    /// What a transaction has to carry: whether we are a member, and of which generation of the group.
    pub(super) fn metadata(&self) -> Option<ConsumerGroupMetadata> {
        let member = self.member.lock().unwrap_or_else(PoisonError::into_inner).clone();
        member.and_then(|member| member.group_metadata())
    }

    pub(super) fn stops(&self) -> bool {
        self.stop.load(SeqCst)
    }

    /// Whether another process of our name has our place for good.
    pub(super) fn is_replaced(&self) -> bool {
        self.replaced.load(SeqCst)
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    fn commit_all(&self) {
        self.committer.run(self, &self.options, &self.common, &self.transactional_id);
    }

    /// Holds the place until told to stop.
    fn hold(&self) {
        let leaving = Arc::new(AtomicBool::new(false));
        // A member must not begin before what an earlier run of this name left open is ended.
        if !self.committer.wait_until_ready(self) {
            return;
        }
        let mut fenced = 0;
        while !self.stops() {
            let began = Instant::now();
            let held = self.hold_one(&leaving);
            if began.elapsed() > FENCED_WITHIN {
                fenced = 0;
            }
            match held {
                Ok(()) => {}
                // The brokers also say so to a member that has not heard their answer and asked again.
                Err(error @ JournalError::Replaced { .. }) => {
                    fenced += 1;
                    // Who stands by for us has the place now: it is not taken back.
                    if fenced >= MOST_FENCED || self.options.standby {
                        self.replaced.store(true, SeqCst);
                        // Nobody listens where the service has ended.
                        let _ = self.changes.blocking_send(Err(error));
                        return;
                    }
                    warn!(consumer = self.consumer_name, "the place in the group is taken again: {error}");
                    thread::sleep(Duration::from_secs(1));
                }
                Err(error) => {
                    warn!(
                        consumer = self.consumer_name,
                        "the place in the group is lost, another is asked for: {error}"
                    );
                    thread::sleep(Duration::from_secs(1));
                }
            }
        }
    }

    /// From joining to leaving.
    fn hold_one(&self, leaving: &Arc<AtomicBool>) -> Result<(), JournalError> {
        let context = MemberContext {
            common: self.common.clone(),
            names: Arc::clone(&self.names),
            owned: Arc::clone(&self.owned),
            changes: self.changes.clone(),
            leaving: Arc::clone(leaving),
        };
        let joining = |error: KafkaError| failure("joining a group", &error);
        let member: BaseConsumer<MemberContext> =
            self.options.member(&self.consumer_name).create_with_context(context).map_err(joining)?;
        let member = Arc::new(member);
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        member.subscribe(&topics).map_err(joining)?;
        *self.member.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&member));
        let held = self.look_after(&member);
        // The place of a static member is kept for it, and its name with its offsets.
        if self.stops() && self.options.instance.is_empty() && self.committer.rests_within(LAST_COMMIT) {
            let all: Vec<Partition> = self.owned.locked(|state| state.ours.keys().copied().collect());
            member.context().release(&member, &all);
        }
        leaving.store(self.stops(), SeqCst);
        self.member.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Dropping it leaves the group, but for a static member: its place is kept for the session time.
        drop(member);
        self.lose_the_rest();
        held
    }

    /// What the member that is gone has not given away.
    fn lose_the_rest(&self) {
        let rest: Vec<Partition> = self.owned.locked(|state| {
            state.coming.clear();
            std::mem::take(&mut state.ours).into_keys().collect()
        });
        if rest.is_empty() || self.stops() {
            return;
        }
        // Nobody listens where the service has ended.
        let _ = self.changes.blocking_send(Ok(self.owned.lost(rest)));
    }

    fn look_after(&self, member: &Arc<BaseConsumer<MemberContext>>) -> Result<(), JournalError> {
        let lookup = Asked::new(&self.options.lookup(&self.consumer_name), self.common.clone())
            .map_err(|error| failure("asking for a group's offsets", &error))?;
        while !self.stops() {
            match member.poll(EVERY) {
                None | Some(Ok(_)) => {}
                Some(Err(KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId))) => {
                    return Err(JournalError::Replaced { instance: self.options.instance.clone() });
                }
                Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => {
                    return Err(failure("holding a place in a group", &error));
                }
                Some(Err(error)) => debug!(consumer = self.consumer_name, "the group says: {error}"),
            }
            let coming = self.owned.coming();
            if !coming.is_empty()
                && let Err(error) = self.take_over(member, &lookup, &coming)
            {
                warn!(
                    consumer = self.consumer_name,
                    "partitions can't be taken over yet, it is tried again: {error}"
                );
            }
        }
        Ok(())
    }

    /// Makes partitions ours: ends what the owner before may have left open, finds where it stopped, and leaves our
    /// own name there.
    fn take_over(
        &self,
        member: &BaseConsumer<MemberContext>,
        lookup: &Asked<Common>,
        coming: &[Partition],
    ) -> Result<(), JournalError> {
        let began = Instant::now();
        let mut asked = TopicPartitionList::new();
        for partition in coming {
            asked.add_partition(self.names.topic(partition.stream), partition.index.into());
        }
        let asking = |error: KafkaError| failure("asking for a group's offsets", &error);
        let before = lookup.committed_offsets(asked.clone(), PATIENCE).map_err(asking)?;
        let mut owners = BTreeSet::new();
        for element in before.elements() {
            if let Some(stamp) = Stamp::parse(element.metadata())
                && stamp.owner != self.transactional_id
            {
                owners.insert(stamp.owner);
            }
        }
        for owner in owners {
            self.end_transaction_of(&owner);
        }
        // Waits for what is still being ended.
        let committed = member.committed_offsets(asked, PATIENCE).map_err(asking)?;
        let mut claim = TopicPartitionList::new();
        let mut found = Vec::new();
        for element in committed.elements() {
            let Some(partition) = self.names.partition(element.topic(), element.partition()) else {
                continue;
            };
            let offset = match element.offset() {
                KafkaOffset::Offset(offset) => Some(Offset(u64::try_from(offset).unwrap_or(0))),
                _ => None,
            };
            let stamp = Stamp { owner: self.transactional_id.clone(), number: 0 };
            put(&mut claim, &self.names, partition, offset.unwrap_or_default(), &stamp.to_string());
            found.push((partition, offset));
        }
        if let Err(error) = member.commit(&claim, CommitMode::Sync) {
            // The group may have gone on meanwhile. Our name is there with the first commit at the latest.
            debug!(consumer = self.consumer_name, "our name was not written: {}", reason(&error));
        }
        let ours: Vec<Partition> = self.owned.locked(|state| {
            found.retain(|(partition, _)| state.coming.remove(partition));
            state.ours.extend(found.iter().copied());
            state.took = state.since.take().unwrap_or(began).elapsed();
            found.iter().map(|(partition, _)| *partition).collect()
        });
        info!(consumer = self.consumer_name, partitions = ours.len(), took = ?began.elapsed(), "partitions taken over");
        // Nobody listens where the service has ended.
        let _ = self.changes.blocking_send(Ok(Change::Assigned(ours)));
        Ok(())
    }

    /// Ends what a member that is not there any more may have left open.
    fn end_transaction_of(&self, owner: &str) {
        let ended = self
            .options
            .transactions(owner)
            .create_with_context::<_, BaseProducer<Common>>(self.common.clone())
            .and_then(|producer| begin(&producer));
        match ended {
            Ok(()) => {
                debug!(consumer = self.consumer_name, owner, "ended what the owner before may have left open")
            }
            Err(error) => warn!(
                consumer = self.consumer_name,
                owner,
                "what the owner before left open is not ended yet, the brokers do it when its time is up: {}",
                reason(&error)
            ),
        }
    }
}

/// Our side of the place in the group.
pub(super) struct Member {
    group: Arc<Group>,
    heard: mpsc::Receiver<Result<Change, JournalError>>,
    ended: Arc<(Mutex<u8>, Condvar)>,
}

impl Membership for Member {
    fn next(&mut self) -> BoxFuture<'_, Result<Change, JournalError>> {
        Box::pin(async { self.heard.recv().await.unwrap_or(Err(JournalError::Closed)) })
    }
}

impl Drop for Member {
    /// Leaves the group and waits until it has: what was ours is given away when this returns.
    fn drop(&mut self) {
        self.group.stop.store(true, SeqCst);
        self.heard.close();
        self.group.committer.close();
        let (left, changed) = &*self.ended;
        let left = left.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(left, Duration::from_secs(5), |left| *left > 0);
        if waited.is_ok_and(|(_, timeout)| timeout.timed_out()) {
            warn!(consumer = self.group.consumer_name, "the group could not be left in order");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_is_not_taken_over_before_whoever_served_it_is_gone() {
        let (lost, other) = (Partition::new(Stream::Logs, 1), Partition::new(Stream::Logs, 2));
        let owned = Owned::default();
        let (handover, ended) = Handover::new();
        owned.locked(|state| {
            state.served_still.push((vec![lost], ended));
            state.coming.extend([lost, other]);
        });
        assert_eq!(owned.coming(), [other]);
        drop(handover);
        assert_eq!(owned.coming(), [lost, other]);
    }
}
