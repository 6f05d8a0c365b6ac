//! The one thread that writes a volume.
//!
//! Takes what waits, lays it out as one group, writes it, syncs it, shows it to readers, answers. Never two groups
//! unsynced. After a write or sync that failed, nothing may be believed of the file: the segment ends at the last
//! good group, everything of the failed one is refused, and appends are refused until a fresh segment is durable.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    buffer::BufferPool,
    checkpoint::Checkpoint,
    failure::{again, write_error},
    figures::Counters,
    group::{Group, Place, group_bytes_bound, lay_out},
    layout::{BLOCK, Volume},
    queue::{Request, Taken},
    retention,
    segment::{NewSegment, Segment, SegmentHeader, create},
    shared::{Shared, VolumeShared},
    storage::{Access, File},
    sync::locked,
};
use crate::JournalError;

/// A group takes what waits up to this much; a larger batch is a group of its own.
const GROUP_BYTES: u64 = 4 << 20;
/// How often retention is looked at when nothing else happens.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// Files kept to become segments.
const SPARES: usize = 2;

/// A segment that groups are appended to.
struct Active {
    file: Box<dyn File>,
    segment: Arc<Segment>,
    /// Where the next group goes.
    at: u64,
}

pub(super) struct Writer {
    pub(super) volume: Volume,
    shared: Arc<Shared>,
    /// Where the partitions stand, and the sequence of the last group.
    state: Checkpoint,
    active: Option<Active>,
    next_sequence: u64,
    /// The first that this run made.
    first_sequence: u64,
    spares: Vec<u64>,
    buffers: BufferPool,
    /// Why there is no active segment, and when one was tried last.
    failure: Option<(JournalError, Instant)>,
    housekept: Instant,
    /// What one group takes at most of what waits: a fresh segment has room for it.
    group_bytes: u64,
    warned: bool,
}

impl Writer {
    /// Begins a fresh segment behind what recovery found. One that can't be made is tried again later.
    pub(super) fn new(volume: Volume, shared: Arc<Shared>, state: Checkpoint, spares: Vec<u64>) -> Self {
        let segments = shared.volume(volume).files.catalog.all();
        let next_sequence = segments.last().map_or(1, |segment| segment.header.sequence + 1);
        let largest = shared.options.max_batch_bytes.saturating_sub(2 * BLOCK);
        let mut writer = Self {
            volume,
            group_bytes: GROUP_BYTES.min(largest),
            shared,
            state,
            active: None,
            next_sequence,
            first_sequence: next_sequence,
            spares,
            buffers: BufferPool::default(),
            failure: None,
            housekept: Instant::now(),
            warned: false,
        };
        match writer.roll() {
            Ok(()) => {}
            Err(error) => writer.fail(error),
        }
        writer
    }

    fn own(&self) -> &VolumeShared {
        self.shared.volume(self.volume)
    }

    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        loop {
            let patience = match self.failure {
                Some(_) => self.shared.options.retry_after.max(Duration::from_millis(1)),
                None => HOUSEKEEPING,
            };
            match self.own().queue.take(self.group_bytes, patience) {
                Taken::Requests(requests) => self.append(requests),
                Taken::Idle => {
                    // A passing failure passes also when nobody appends.
                    let _ = self.ready_for(0);
                }
                Taken::Closed => break,
            }
            if self.housekept.elapsed() >= HOUSEKEEPING {
                self.housekept = Instant::now();
                self.keep_house();
            }
        }
    }

    fn append(&mut self, requests: Vec<Request>) {
        let queued_bytes = requests.iter().map(|request| request.bytes).sum();
        if let Err(error) = self.ready_for(group_bytes_bound(queued_bytes)) {
            Counters::add(&self.shared.counters.refused, requests.len() as u64);
            for request in requests {
                // Whoever asked may have gone.
                let _ = request.answer.send(Err(again(&error)));
            }
            self.own().queue.answered(queued_bytes);
            return;
        }
        let Some(active) = &mut self.active else { return };
        let own = self.shared.volume(self.volume);
        let place = Place {
            seal: active.segment.seal,
            start: active.at,
            sequence: self.state.group + 1,
            stamp: self.shared.stamp.fetch_add(1, Ordering::Relaxed) + 1,
        };
        let group = lay_out(requests, self.state.heads.clone(), &own.files.slots, place, &self.buffers);
        let began = Instant::now();
        let written =
            active.file.write_at(&group.bytes, group.commit.start).and_then(|()| active.file.sync());
        match written {
            Ok(()) => {
                self.shared.counters.synced(began.elapsed());
                active.at += group.bytes.len() as u64;
                self.publish(group);
            }
            Err(source) => {
                let dir = self.shared.paths.volume(self.volume);
                let storage = &*self.shared.options.storage;
                let needed = group.bytes.len() as u64;
                let error = write_error(storage, &dir, &active.segment.path, needed, source);
                Counters::add(&self.shared.counters.refused, group.waiting.len() as u64);
                for waiting in group.waiting {
                    // Whoever asked may have gone.
                    let _ = waiting.answer.send(Err(again(&error)));
                }
                own.queue.answered(group.queued_bytes);
                self.fail(error);
            }
        }
    }

    /// Shows a durable group to readers and answers those who wait for it.
    fn publish(&mut self, group: Group) {
        let Some(active) = &self.active else { return };
        let own = self.shared.volume(self.volume);
        if let Some(index) = &mut *locked(&active.segment.index) {
            for (slot, run) in group.runs {
                index.note(slot, run);
            }
        }
        active.segment.set_end(active.at);
        self.state.heads = group.heads;
        self.state.group = group.sequence;
        if !group.commit.consumed.is_empty() {
            let mut consumers = locked(&self.shared.consumers);
            for (consumer, partition, next) in &group.commit.consumed {
                consumers.set(group.commit.stamp, consumer, *partition, *next);
            }
        }
        let bytes = group.bytes.len() as u64;
        // The list of slots and the entries' own fields are small beside payloads, but not beside empty ones.
        let held = bytes + group.entries.iter().map(|(_, entries)| entries.len() as u64 * 96).sum::<u64>();
        locked(&own.tail).push(group.sequence, held, group.entries, &self.state.heads);
        Counters::add(&self.shared.counters.batches, group.waiting.len() as u64);
        Counters::add(&self.shared.counters.bytes, bytes);
        own.queue.answered(group.queued_bytes);
        for waiting in group.waiting {
            // Whoever asked may have gone.
            let _ = waiting.answer.send(Ok(waiting.appended));
        }
    }

    /// Sees to it that there is a segment with room for `bytes`.
    fn ready_for(&mut self, bytes: u64) -> Result<(), JournalError> {
        if let Some((error, tried)) = &self.failure
            && tried.elapsed() < self.shared.options.retry_after
        {
            return Err(again(error));
        }
        let limit = self.shared.options.segment_bytes;
        if self.active.as_ref().is_some_and(|active| active.at + bytes <= limit) {
            return Ok(());
        }
        self.roll().inspect_err(|error| self.fail(again(error)))
    }

    /// Ends the active segment, if there is one, and begins a fresh one.
    fn roll(&mut self) -> Result<(), JournalError> {
        let shared = Arc::clone(&self.shared);
        let options = &shared.options;
        let catalog = &shared.volume(self.volume).files.catalog;
        self.expire(options.segment_bytes);
        retention::room_for(&shared, self.volume, options.segment_bytes, &mut self.warned)?;
        let (previous, previous_end) = self.predecessor();
        let header = SegmentHeader {
            volume: self.volume,
            sequence: self.next_sequence,
            salt: fresh_salt(),
            created: (options.clock)(),
            previous,
            previous_end,
            counts: shared.counts,
        };
        self.state.consumers = locked(&shared.consumers).clone();
        let path = shared.paths.segment(self.volume, self.next_sequence);
        let (spare, recycled) = match self.spares.pop() {
            Some(number) => (number, true),
            None => (self.next_sequence, false),
        };
        let spare_path = shared.paths.spare(self.volume, spare);
        let storage = &*options.storage;
        let new = NewSegment {
            spare: &spare_path,
            recycled,
            path: &path,
            header,
            checkpoint: &self.state,
            segment_bytes: options.segment_bytes,
        };
        let made = create(storage, &self.buffers, new);
        let (file, segment) = made.map_err(|source| {
            // It may or may not have its name by now. Either way it must not be found with a sequence that is
            // used again, and the room it took is better free.
            let _ = storage.remove(&spare_path);
            let _ = storage.remove(&path);
            // Should it be found after all, it tells where the active one ends. So that has to stay the truth.
            self.abandon();
            let dir = shared.paths.volume(self.volume);
            write_error(storage, &dir, &path, options.segment_bytes, source)
        })?;
        self.next_sequence += 1;
        let segment = Arc::new(segment);
        let at = segment.data_start;
        let sealed = self.active.replace(Active { file, segment: segment.clone(), at });
        catalog.push(segment);
        if let Some(sealed) = sealed {
            catalog.note_indexed(sealed.segment.header.sequence);
        }
        self.give_back_unused();
        if self.failure.take().is_some() {
            tracing::info!(volume = self.volume.name(), "the journal can be written again");
        }
        *locked(&shared.volume(self.volume).trouble) = None;
        Ok(())
    }

    /// Refuses appends from here on, until [`Writer::roll`] succeeds.
    fn fail(&mut self, error: JournalError) {
        if self.failure.as_ref().is_none_or(|(before, _)| before.to_string() != error.to_string()) {
            tracing::error!(volume = self.volume.name(), %error, "the journal refuses appends");
        }
        *locked(&self.own().trouble) = Some(error.to_string());
        self.abandon();
        self.failure = Some((error, Instant::now()));
    }

    /// Writes no more to the active segment, nor syncs it.
    fn abandon(&mut self) {
        let Some(Active { segment, file, at }) = self.active.take() else { return };
        // What lies beyond was not acknowledged. The next segment says where this one ends; cutting it as well
        // keeps it away should the process end before there is a next one.
        if file.set_bytes(at).is_ok() {
            segment.set_file_bytes(at);
        }
        self.own().files.catalog.note_indexed(segment.header.sequence);
    }

    /// Sequence and end of the segment that a fresh one follows: the last that holds anything. Those behind it are
    /// passed over, which tells recovery that nothing in them ever counted.
    fn predecessor(&self) -> (u64, u64) {
        let segments = self.own().files.catalog.all();
        let last = segments.iter().rfind(|segment| !segment.is_empty());
        last.map_or((0, 0), |last| (last.header.sequence, last.end()))
    }

    /// Takes away what a fresh segment passed over, and the unused end of what an earlier run wrote last.
    fn give_back_unused(&mut self) {
        let shared = Arc::clone(&self.shared);
        let (files, storage) = (&shared.volume(self.volume).files, &*shared.options.storage);
        let newest = self.next_sequence - 1;
        let mut segments = files.catalog.all();
        segments.retain(|segment| segment.header.sequence < newest);
        for segment in segments.iter().rev() {
            let given_back = if segment.is_empty() {
                files.catalog.remove(segment.header.sequence);
                storage.remove(&segment.path)
            } else if segment.header.sequence < self.first_sequence && segment.file_bytes() > segment.end() {
                let file = storage.open(&segment.path, Access::Write);
                let cut = file.and_then(|file| file.set_bytes(segment.end()));
                cut.inspect(|()| segment.set_file_bytes(segment.end()))
            } else {
                Ok(())
            };
            if let Err(error) = given_back {
                tracing::warn!(%error, path = %segment.path.display(), "the unused end of a segment stays");
            }
            if !segment.is_empty() {
                break;
            }
        }
    }

    fn keep_house(&mut self) {
        self.expire(0);
        let age = self.shared.options.retention(self.volume).age / 8;
        let now = (self.shared.options.clock)();
        let old = self.active.as_ref().is_some_and(|active| {
            !active.segment.is_empty() && now.since(active.segment.header.created) > age
        });
        if old && let Err(error) = self.roll() {
            if self.active.is_some() {
                // As good as before: appends go on in it while it has room.
                tracing::debug!(volume = self.volume.name(), %error, "no fresh segment could be begun");
            } else {
                self.fail(error);
            }
        }
    }

    /// Takes away segments that retention lets go; their files become spares.
    fn expire(&mut self, upcoming_bytes: u64) {
        let storage = Arc::clone(&self.shared.options.storage);
        let mut spares = Vec::new();
        for segment in retention::expired(&self.shared, self.volume, upcoming_bytes) {
            let reusable = self.spares.len() + spares.len() < SPARES
                && segment.file_bytes() == self.shared.options.segment_bytes
                && Arc::strong_count(&segment) == 1;
            let number = segment.header.sequence;
            let gone = if reusable {
                storage.rename(&segment.path, &self.shared.paths.spare(self.volume, number))
            } else {
                storage.remove(&segment.path)
            };
            match gone {
                Ok(()) if reusable => spares.push(number),
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(%error, path = %segment.path.display(), "an expired segment stays");
                }
            }
        }
        // Written over only once its old name is gone for good.
        if !spares.is_empty() && storage.sync_dir(&self.shared.paths.volume(self.volume)).is_ok() {
            self.spares.append(&mut spares);
        }
    }
}

/// Not to be guessed, so that no payload can hold a valid frame.
fn fresh_salt() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
