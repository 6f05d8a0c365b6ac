//! The journal on one directory: checks what comes in, hands it to the volume's writer, and knows where all is.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use super::{
    buffer::BufferPool,
    catalog::Catalog,
    checkpoint::MAX_CONSUMER_NAME,
    damage::Damage,
    fetch::VolumeFiles,
    figures::Counters,
    group::{batch_bytes, group_bytes_bound},
    layout::{Paths, Slots, Volume},
    options::EmbeddedOptions,
    queue::{Queue, Request},
    reader::EmbeddedPartitionReader,
    recovery::{Owner, consumers_of, recover},
    shared::{Shared, VolumeShared},
    snapshot, stat,
    storage::Lock,
    sync::locked,
    tail::Tail,
    writer::Writer,
};
use crate::{
    Appended, Batch, BoxFuture, Figures, Health, Journal, JournalError, LoadedSnapshot, Offset, Partition,
    PartitionStat, Pending, Reader, SnapshotKey, Stream, WriteSnapshot,
};

/// A journal in one directory, written by this process alone.
pub struct EmbeddedJournal {
    shared: Arc<Shared>,
    writers: Arc<Mutex<Vec<JoinHandle<()>>>>,
    /// Held until the writers have ended.
    lock: Arc<Mutex<Option<Box<dyn Send + Sync>>>>,
}

impl EmbeddedJournal {
    /// Opens the journal of a directory, or makes one. Finds out what is there first, which takes the time of
    /// reading one segment a volume. Fails where another process has it, or this version can't read it.
    pub fn open(options: EmbeddedOptions) -> Result<Arc<Self>, JournalError> {
        let paths = Paths::new(&options.directory);
        if let Some(reason) = options.problem() {
            return Err(JournalError::Unreadable { path: options.directory, reason });
        }
        let storage = Arc::clone(&options.storage);
        let io = |source| JournalError::Io { path: options.directory.clone(), source };
        for dir in [paths.root.clone(), paths.volume(Volume::Telemetry), paths.volume(Volume::Stages)] {
            storage.create_dir(&dir).map_err(io)?;
            // Also what a process before this one changed and did not live to make durable.
            storage.sync_dir(&dir).map_err(io)?;
        }
        storage.sync_dir(&paths.root).map_err(io)?;
        let lock = match storage.lock(&paths.lock()).map_err(io)? {
            Lock::Held(lock) => lock,
            Lock::TakenBy(pid) => return Err(JournalError::Locked { path: options.directory, pid }),
        };

        let counts = options.counts();
        let damage = Arc::new(Damage::keeping(Arc::clone(&storage), &paths));
        let mut recovered = Vec::with_capacity(2);
        for volume in Volume::ALL {
            recovered.push(recover(&*storage, &paths, volume, counts, &damage, Owner::Us)?);
        }
        let consumers = consumers_of(&recovered);
        let snapshots = snapshot::all(&*storage, &paths).map_err(io)?;
        for (volume, found) in Volume::ALL.into_iter().zip(&mut recovered) {
            let slots = Slots::new(volume, counts);
            // An offset that somebody has seen is never given again, whatever was damaged.
            let snapshots = snapshots.iter().map(|(key, covers)| (key.partition, *covers));
            for slot in 0..slots.len() {
                let of = slots.partition(slot);
                let seen =
                    snapshots.clone().filter(|(partition, _)| *partition == of).map(|(_, covers)| covers);
                let seen = seen.chain(consumers.of(of).into_iter().map(|(_, next)| next));
                let head = &mut found.state.heads[slot].next;
                *head = seen.map(|offset| offset.0).fold(*head, u64::max);
            }
        }
        let stamp = recovered.iter().map(|found| found.stamp).max().unwrap_or(0);
        let mut states = Vec::with_capacity(2);
        let mut volume_of = |volume: Volume, found: super::recovery::Recovered| {
            let tail = Tail::new(&found.state.heads, options.volume_cache_bytes(volume));
            states.push((volume, found.state, found.spares));
            VolumeShared {
                files: VolumeFiles {
                    storage: Arc::clone(&storage),
                    catalog: Arc::new(Catalog::new(found.segments)),
                    slots: Slots::new(volume, counts),
                    damage: Arc::clone(&damage),
                    buffers: BufferPool::default(),
                },
                queue: Queue::new(options.queue_bytes),
                tail: Mutex::new(tail),
                trouble: Mutex::new(None),
            }
        };
        let (Some(stages), Some(telemetry)) = (recovered.pop(), recovered.pop()) else {
            return Err(JournalError::Closed);
        };
        let volumes = [volume_of(Volume::Telemetry, telemetry), volume_of(Volume::Stages, stages)];
        let shared = Arc::new(Shared {
            paths,
            counts,
            consumers: Mutex::new(consumers),
            stamp: AtomicU64::new(stamp),
            snapshots: Mutex::new(snapshots.into_iter().map(|(key, covers)| (key, covers.0)).collect()),
            damage,
            counters: Counters::default(),
            closed: AtomicBool::new(false),
            volumes,
            options,
        });
        let mut writers = Vec::with_capacity(2);
        for (volume, state, spares) in states {
            let writer = Writer::new(volume, Arc::clone(&shared), state, spares);
            let thread = Arc::clone(&shared);
            let run = move || {
                // However the thread ends, nobody waits for an answer that does not come.
                let _ending = Ending(&thread, volume);
                writer.run();
            };
            let spawned = std::thread::Builder::new().name(format!("journal-{}", volume.name())).spawn(run);
            match spawned {
                Ok(thread) => writers.push(thread),
                Err(source) => {
                    close_queues(&shared);
                    return Err(JournalError::Io { path: shared.paths.root.clone(), source });
                }
            }
        }
        Ok(Arc::new(Self {
            shared,
            writers: Arc::new(Mutex::new(writers)),
            lock: Arc::new(Mutex::new(Some(lock))),
        }))
    }

    /// The volume of a batch and its bytes; why it can't be taken, if it can't.
    fn check(&self, batch: &Batch) -> Result<(Volume, u64), JournalError> {
        let shared = &self.shared;
        let mut volume = None;
        for (partition, _) in &batch.entries {
            if !shared.counts.has(*partition) {
                return Err(JournalError::NoPartition(*partition));
            }
            let of = Volume::of(partition.stream);
            if *volume.get_or_insert(of) != of {
                let why = "it holds telemetry and what a stage wrote; append them as two batches".to_owned();
                return Err(JournalError::Invalid(why));
            }
        }
        if let Some(consumed) = &batch.consumed {
            if let Some((partition, _)) = consumed.next.iter().find(|(of, _)| !shared.counts.has(*of)) {
                return Err(JournalError::NoPartition(*partition));
            }
            check_consumer(&consumed.consumer)?;
            if !locked(&shared.consumers).has_room_for(&consumed.consumer, &consumed.next) {
                let why =
                    format!("{} has no room among the consumers; use one name a stage", consumed.consumer);
                return Err(JournalError::Invalid(why));
            }
        }
        let bytes = batch_bytes(batch);
        let limit_bytes = shared.options.max_batch_bytes;
        if group_bytes_bound(bytes) > limit_bytes {
            return Err(JournalError::TooLarge { bytes: group_bytes_bound(bytes), limit_bytes });
        }
        Ok((volume.unwrap_or(Volume::Stages), bytes))
    }
}

/// A consumer's name is part of file names.
fn check_consumer(name: &str) -> Result<(), JournalError> {
    let fits = (1..=MAX_CONSUMER_NAME).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if fits {
        return Ok(());
    }
    let name: String = name.chars().take(80).collect();
    Err(JournalError::Invalid(format!(
        "{name:?} is no name of a consumer: use 1 to 64 of a-z, A-Z, 0-9, '-', '_', '.'"
    )))
}

struct Ending<'a>(&'a Shared, Volume);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let volume = self.0.volume(self.1);
        volume.queue.abandon();
        self.0.closed.store(true, Ordering::Release);
        locked(&volume.tail).wake_all();
        if std::thread::panicking() {
            *locked(&volume.trouble) =
                Some("the journal's writer failed; restart Foreshock and report it".to_owned());
        }
    }
}

fn close_queues(shared: &Shared) {
    for volume in &shared.volumes {
        volume.queue.close();
    }
}

fn end(writers: &Mutex<Vec<JoinHandle<()>>>, lock: &Mutex<Option<Box<dyn Send + Sync>>>) {
    let mut writers = locked(writers);
    for writer in writers.drain(..) {
        if writer.join().is_err() {
            tracing::error!("a writer of the journal panicked");
        }
    }
    locked(lock).take();
}

impl Journal for EmbeddedJournal {
    fn partitions(&self, stream: Stream) -> u16 {
        self.shared.counts.of(stream)
    }

    fn append(&self, batch: Batch) -> Pending {
        if batch.entries.is_empty() && batch.consumed.is_none() {
            return Pending::ready(Ok(Appended::new()));
        }
        let (volume, bytes) = match self.check(&batch) {
            Ok(checked) => checked,
            Err(error) => {
                Counters::add(&self.shared.counters.refused, 1);
                return Pending::ready(Err(error));
            }
        };
        let (answer, pending) = Pending::new();
        match self.shared.volume(volume).queue.push(Request { batch, bytes, answer }) {
            Ok(()) => pending,
            Err(error) => {
                Counters::add(&self.shared.counters.refused, 1);
                Pending::ready(Err(error))
            }
        }
    }

    fn reader(&self, partition: Partition, from: Offset) -> Result<Box<dyn Reader>, JournalError> {
        Ok(Box::new(EmbeddedPartitionReader::new(Arc::clone(&self.shared), partition, from)?))
    }

    fn committed(&self, consumer: &str, partition: Partition) -> Result<Option<Offset>, JournalError> {
        if !self.shared.counts.has(partition) {
            return Err(JournalError::NoPartition(partition));
        }
        Ok(locked(&self.shared.consumers).get(consumer, partition))
    }

    fn save_snapshot(
        &self,
        key: &SnapshotKey,
        covers: Offset,
        write: WriteSnapshot<'_>,
    ) -> Result<(), JournalError> {
        if !self.shared.counts.has(key.partition) {
            return Err(JournalError::NoPartition(key.partition));
        }
        check_consumer(&key.consumer)?;
        snapshot::save(&*self.shared.options.storage, &self.shared.paths, key, covers, write)?;
        locked(&self.shared.snapshots).insert(key.clone(), covers.0);
        Ok(())
    }

    fn load_snapshot(&self, key: &SnapshotKey) -> Result<Option<LoadedSnapshot>, JournalError> {
        check_consumer(&key.consumer)?;
        snapshot::load(&*self.shared.options.storage, &self.shared.paths, key)
    }

    fn stat(&self) -> Result<Vec<PartitionStat>, JournalError> {
        let consumers = locked(&self.shared.consumers).clone();
        let rows = Volume::ALL.into_iter().flat_map(|volume| {
            let volume = self.shared.volume(volume);
            let heads = locked(&volume.tail).heads();
            stat::rows(&volume.files, &heads, &consumers)
        });
        Ok(rows.collect())
    }

    fn health(&self) -> Health {
        let trouble = self.shared.volumes.iter().find_map(|volume| locked(&volume.trouble).clone());
        trouble.map_or(Health::Writable, Health::Unwritable)
    }

    fn figures(&self) -> Figures {
        let counters = &self.shared.counters;
        let sum = |of: &dyn Fn(&VolumeShared) -> u64| self.shared.volumes.iter().map(of).sum();
        Figures {
            batches: counters.batches.load(Ordering::Relaxed),
            bytes: counters.bytes.load(Ordering::Relaxed),
            refused: counters.refused.load(Ordering::Relaxed),
            sync_latency: counters.sync_latency(),
            sync_total: counters.sync_total(),
            queued_bytes: sum(&|volume| volume.queue.bytes()),
            cached_bytes: sum(&|volume| locked(&volume.tail).bytes()),
            damaged_frames: self.shared.damage.frames(),
            shares: Vec::new(),
        }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        close_queues(&self.shared);
        let (writers, lock) = (Arc::clone(&self.writers), Arc::clone(&self.lock));
        Box::pin(async move {
            // Joining blocks until the last group is durable.
            if tokio::task::spawn_blocking(move || end(&writers, &lock)).await.is_err() {
                tracing::error!("the journal could not be closed in order");
            }
        })
    }
}

impl Drop for EmbeddedJournal {
    fn drop(&mut self) {
        close_queues(&self.shared);
        end(&self.writers, &self.lock);
    }
}
