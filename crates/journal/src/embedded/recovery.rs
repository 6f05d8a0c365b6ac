//! Finds out what is there: which segments, where the last whole group ends, where everything stands.
//!
//! A group counts if it is whole, or if anything of a later group is there: a group is written only after the one
//! before it was synced, so a later one proves that it was acknowledged, and what is bad in it is damage. The last
//! group, if it is not whole, is a torn write and never was.

use std::{cmp::Ordering, collections::BTreeMap, ops::Range, path::Path, sync::Arc};

use super::{
    checkpoint::{Checkpoint, Commit, Consumers, Head},
    damage::Damage,
    fetch::note,
    frame::{FrameKind, Header, group_tag},
    index::Index,
    layout::{BLOCK, Counts, Paths, Slots, Volume, block_up, segment_sequence, spare_number},
    scan::{Found, Frame, Resync, Scanner},
    segment::{HeadOfFile, Segment, SegmentHeader, read_head},
    storage::{Access, File, Storage},
};
use crate::JournalError;

/// What a volume holds.
pub(super) struct Recovered {
    /// Oldest first.
    pub(super) segments: Vec<Arc<Segment>>,
    /// Where everything stands now.
    pub(super) state: Checkpoint,
    /// The newest stamp seen.
    pub(super) stamp: u64,
    /// Files that may become segments.
    pub(super) spares: Vec<u64>,
}

/// Whose the journal is that is looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Ours: what counts is made durable, files with a damaged header are moved aside.
    Us,
    /// Perhaps a running writer's: nothing is touched.
    Another,
}

/// Looks through a volume.
pub(super) fn recover(
    storage: &dyn Storage,
    paths: &Paths,
    volume: Volume,
    counts: Counts,
    damage: &Damage,
    owner: Owner,
) -> Result<Recovered, JournalError> {
    let slots = Slots::new(volume, counts);
    let dir = paths.volume(volume);
    let listed = storage.list(&dir).map_err(|source| JournalError::Io { path: dir, source })?;
    let spares = listed.iter().filter_map(|file| spare_number(&file.name)).collect();
    let sequences: BTreeMap<u64, u64> =
        listed.iter().filter_map(|file| Some((segment_sequence(&file.name)?, file.bytes))).collect();

    let mut segments: Vec<(Segment, Option<Checkpoint>)> = Vec::new();
    for (sequence, file_bytes) in sequences {
        let path = paths.segment(volume, sequence);
        let file = match storage.open(&path, Access::Read) {
            // Retention of a running writer took it between the two calls.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && owner == Owner::Another => continue,
            file => file.map_err(|source| JournalError::Io { path: path.clone(), source })?,
        };
        let fits = |found: &SegmentHeader| fits(found.counts, counts, &slots);
        match read_head(&*file, &path, fits)? {
            HeadOfFile::Segment { header, data_start, checkpoint }
                if header.sequence == sequence && header.volume == volume =>
            {
                let start = checkpoint.as_ref().map(|known| known.heads.clone()).unwrap_or_default();
                segments.push((Segment::new(header, path, start, data_start, file_bytes), checkpoint));
            }
            _ if owner == Owner::Us => damage.set_file_aside(volume, &path),
            _ => {}
        }
    }

    // Each segment's end stands in its successor; one whose successor is not there is scanned.
    let ends: Vec<Option<u64>> = segments
        .windows(2)
        .map(|pair| {
            let (segment, next) = (&pair[0].0.header, &pair[1].0.header);
            match next.previous.cmp(&segment.sequence) {
                Ordering::Equal => Some(next.previous_end),
                // Passed over: nothing in it was acknowledged.
                Ordering::Less => Some(0),
                Ordering::Greater => None,
            }
        })
        .chain([None])
        .collect();
    let mut replay = Replay { state: Checkpoint::empty(&slots), stamp: 0, slots: &slots, damage, owner };
    let newest_whole = segments.iter().rposition(|(_, checkpoint)| checkpoint.is_some()).unwrap_or(0);
    let mut found = Vec::with_capacity(segments.len());
    for (number, ((mut segment, checkpoint), end)) in segments.into_iter().zip(ends).enumerate() {
        if let Some(checkpoint) = checkpoint {
            replay.start_from(checkpoint);
        } else {
            damage_of_checkpoint(&segment);
            if number == 0 {
                replay.state.heads = first_heads(storage, &segment, end, &slots)?;
            }
            segment.start.clone_from(&replay.state.heads);
        }
        match end {
            Some(end) if number < newest_whole => segment.set_end(end.max(segment.data_start)),
            end => replay.segment(storage, &segment, end)?,
        }
        found.push(Arc::new(segment));
    }
    replay.stamp = replay.stamp.max(replay.state.newest_stamp());
    Ok(Recovered { segments: found, state: replay.state, stamp: replay.stamp, spares })
}

fn damage_of_checkpoint(segment: &Segment) {
    tracing::error!(
        segment = %segment.path.display(),
        "the journal is damaged: the checkpoint has a bad checksum; it is rebuilt from the segments before it"
    );
}

/// Where the partitions stood at the start of a segment that nothing else tells, by its frames. A partition without
/// any begins at 0, which the next checkpoint puts right.
fn first_heads(
    storage: &dyn Storage,
    segment: &Segment,
    end: Option<u64>,
    slots: &Slots,
) -> Result<Vec<Head>, JournalError> {
    let io = |source| JournalError::Io { path: segment.path.clone(), source };
    let file = storage.open(&segment.path, Access::Read).map_err(io)?;
    let end = end.unwrap_or(file.bytes().map_err(io)?);
    let mut index = Index::new(slots.len());
    let mut scanner =
        Scanner::new(&*file, segment.seal, segment.data_start, end, Resync::Nearby).headers_only();
    loop {
        match scanner.next(|_| false).map_err(io)? {
            Found::End => break,
            Found::Frame(frame) => note(&mut index, slots, &frame),
            Found::Bad { .. } => {}
        }
    }
    let first = |slot| Head { next: index.first(slot).unwrap_or(0), ..Head::default() };
    Ok((0..slots.len()).map(first).collect())
}

fn fits(found: Counts, wanted: Counts, slots: &Slots) -> Result<Slots, String> {
    if found == wanted {
        return Ok(slots.clone());
    }
    Err(format!(
        "it was made with {} partitions a telemetry stream and {} a stage's stream, the configuration says {} and {}; \
         set journal.partitions back, or give another --data-dir",
        found.0[0], found.0[3], wanted.0[0], wanted.0[3]
    ))
}

/// The number of partitions a journal was made with, from the first header that can be read.
pub(super) fn counts_of(storage: &dyn Storage, paths: &Paths) -> Result<Option<Counts>, JournalError> {
    for volume in Volume::ALL {
        let dir = paths.volume(volume);
        let listed = storage.list(&dir).map_err(|source| JournalError::Io { path: dir, source })?;
        for sequence in listed.iter().filter_map(|file| segment_sequence(&file.name)) {
            let path = paths.segment(volume, sequence);
            let Ok(file) = storage.open(&path, Access::Read) else { continue };
            if let HeadOfFile::Segment { header, .. } =
                read_head(&*file, &path, |header| Ok(Slots::new(volume, header.counts)))?
            {
                return Ok(Some(header.counts));
            }
        }
    }
    Ok(None)
}

/// Opens a segment that a process may have left in the middle of a write, so that what is read is what the device
/// has: a batch that is found whole counts from here on, so it may not live in a cache alone. After a sync that
/// failed the page cache holds blocks as clean that were never written, which another sync would not tell.
fn truth(storage: &dyn Storage, segment: &Segment) -> std::io::Result<Box<dyn File>> {
    let file = storage.open(&segment.path, Access::Write)?;
    file.forget_cache();
    if let Err(error) = file.sync() {
        tracing::warn!(%error, segment = %segment.path.display(), "what is not on the device is cut off");
        file.forget_cache();
    }
    Ok(file)
}

/// The state as it grows segment by segment.
struct Replay<'a> {
    state: Checkpoint,
    stamp: u64,
    slots: &'a Slots,
    damage: &'a Damage,
    owner: Owner,
}

/// A group whose frames are being met.
#[derive(Default)]
struct Group {
    tag: u32,
    start: u64,
    end: u64,
    frames: u32,
    bad: Vec<Range<u64>>,
    commit: Option<(u64, u32, Commit)>,
    /// By slot: the offset after its last frame, records, bytes.
    grown: BTreeMap<usize, (u64, u64, u64)>,
}

impl Replay<'_> {
    fn start_from(&mut self, checkpoint: Checkpoint) {
        let Checkpoint { heads, consumers, group } = checkpoint;
        let mut known = std::mem::take(&mut self.state.consumers);
        known.merge(&consumers);
        self.state = Checkpoint { heads, consumers: known, group };
    }

    /// Walks a segment's groups, notes its end. `end` is known where a later segment tells it.
    fn segment(
        &mut self,
        storage: &dyn Storage,
        segment: &Segment,
        end: Option<u64>,
    ) -> Result<(), JournalError> {
        let io = |path: &Path, source| JournalError::Io { path: path.to_owned(), source };
        let file = match (self.owner, end) {
            (Owner::Us, None) => truth(storage, segment).map_err(|e| io(&segment.path, e))?,
            _ => storage.open(&segment.path, Access::Read).map_err(|e| io(&segment.path, e))?,
        };
        // A file that was cut has nothing behind its end.
        let limit = end.unwrap_or(file.bytes().map_err(|e| io(&segment.path, e))?.next_multiple_of(BLOCK));
        let resync = if end.is_some() { Resync::Everywhere } else { Resync::Nearby };
        let mut scanner = Scanner::new(&*file, segment.seal, segment.data_start, limit, resync);
        let mut group: Option<Group> = None;
        let mut bad: Vec<Range<u64>> = Vec::new();
        let mut valid_end = segment.data_start;
        // Where a group that a running writer may have been at was read a second time.
        let mut read_again = None;
        loop {
            let (at, header, frame) = match scanner.next(|_| true).map_err(|e| io(&segment.path, e))? {
                Found::End => break,
                Found::Bad { at, end, header: None } => {
                    bad.push(at..end);
                    continue;
                }
                Found::Bad { at, end, header: Some(header) } => (at, header, Err(at..end)),
                Found::Frame(frame) => (frame.at, frame.header, Ok(frame)),
            };
            if let Some(before) = group.take_if(|group| group.tag != header.tag) {
                let mut before = before;
                if before.commit.is_none() {
                    before.bad.append(&mut bad);
                }
                // A group read in pieces beside the writer may have been half written at the first and followed by
                // another at the last.
                let beside = self.owner == Owner::Another && end.is_none();
                if beside && !before.bad.is_empty() && read_again != Some(valid_end) {
                    read_again = Some(valid_end);
                    bad.clear();
                    scanner.again_from(valid_end);
                    continue;
                }
                valid_end = self.count(segment, &*file, before);
            }
            let group = group.get_or_insert_with(|| Group {
                tag: header.tag,
                start: at,
                end: at,
                ..Group::default()
            });
            group.bad.append(&mut bad);
            group.meet(self.slots, &header, frame);
        }
        if let Some(group) = group {
            valid_end = if end.is_some() || group.is_whole() {
                self.count(segment, &*file, group)
            } else {
                self.cut(segment, &*file, group, valid_end)
            };
        }
        for range in bad.into_iter().filter(|_| end.is_some()) {
            self.damage.set_aside(segment, &*file, range, "frames can't be read");
        }
        segment.set_end(end.unwrap_or(valid_end).max(segment.data_start));
        Ok(())
    }

    /// Takes a group as acknowledged and sets aside what is bad in it or before it. Returns where it ends.
    fn count(&mut self, segment: &Segment, file: &dyn File, group: Group) -> u64 {
        for range in group.bad {
            self.damage.set_aside(segment, file, range, "a frame of an acknowledged batch is bad");
        }
        for (slot, (next, records, bytes)) in group.grown {
            let head = &mut self.state.heads[slot];
            head.next = head.next.max(next);
            head.records += records;
            head.bytes += bytes;
        }
        if let Some((sequence, _, commit)) = group.commit {
            self.state.group = self.state.group.max(sequence);
            self.stamp = self.stamp.max(commit.stamp);
            for (partition, next) in &commit.heads {
                if let Some(slot) = self.slots.slot(*partition) {
                    self.state.heads[slot].next = self.state.heads[slot].next.max(*next);
                }
            }
            for (consumer, partition, next) in &commit.consumed {
                self.state.consumers.set(commit.stamp, consumer, *partition, *next);
            }
        } else {
            self.state.group += 1;
        }
        block_up(group.end)
    }

    /// Cuts the last group off: it was torn while it was written. Returns where the valid part ends.
    fn cut(&self, segment: &Segment, file: &dyn File, group: Group, before: u64) -> u64 {
        // Its end tells where it began; without that, all behind the group before is its own.
        let start = group.commit.as_ref().map_or(before, |(_, _, commit)| commit.start.max(before));
        if start > before {
            self.damage.set_aside(segment, file, before..start, "acknowledged batches can't be read");
        }
        if group.commit.is_some() {
            self.damage.keep_cut(segment, file, start..group.end);
        }
        tracing::info!(segment = %segment.path.display(), at = start, "cut a batch that was being written");
        start
    }
}

impl Group {
    fn meet(&mut self, slots: &Slots, header: &Header, frame: Result<Frame, Range<u64>>) {
        let mut end = 0;
        match frame {
            Ok(Frame { end: frame_end, body, at, .. }) => {
                end = frame_end;
                if header.kind == FrameKind::Commit {
                    match body.as_deref().and_then(Commit::decode) {
                        Some(commit) => self.commit = Some((header.offset, header.records, commit)),
                        None => self.bad.push(at..frame_end),
                    }
                } else {
                    self.frames += 1;
                }
            }
            Err(range) => {
                end = range.end.max(end);
                self.bad.push(range);
            }
        }
        self.end = self.end.max(end);
        if let (FrameKind::Entry(_), Some(slot)) = (header.kind, slots.slot(header.partition)) {
            let grown = self.grown.entry(slot).or_default();
            grown.0 = grown.0.max(header.offset + 1);
            grown.1 += u64::from(header.records);
            grown.2 += header.frame_bytes();
        }
    }

    fn is_whole(&self) -> bool {
        self.commit.as_ref().is_some_and(|(sequence, frames, commit)| {
            *frames == self.frames
                && commit.start == self.start
                && group_tag(*sequence) == self.tag
                && self.bad.iter().all(|range| range.end <= self.start)
        })
    }
}

/// Consumers of both volumes: what was committed last, by either.
pub(super) fn consumers_of(recovered: &[Recovered]) -> Consumers {
    let mut consumers = Consumers::default();
    for volume in recovered {
        consumers.merge(&volume.state.consumers);
    }
    consumers
}
