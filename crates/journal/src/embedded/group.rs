//! Turns the batches that wait into one group: one stretch of bytes, one write, one sync, one commit frame.

use bytes::Bytes;

use super::{
    buffer::BufferPool,
    checkpoint::{Commit, Head},
    frame::{Seal, entry_bytes, group_tag, write_commit, write_entry},
    index::Run,
    layout::{BLOCK, Slots},
    queue::Request,
};
use crate::{Appended, Entry, JournalError, Offset, Payload};

/// Whoever waits for a batch, and the offsets it gets once the group is durable.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) answer: tokio::sync::oneshot::Sender<Result<Appended, JournalError>>,
    pub(super) appended: Appended,
}

/// A group, laid out for one place of one segment.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) sequence: u64,
    /// What to write; a whole number of blocks.
    pub(super) bytes: Bytes,
    /// The entries by slot, their payloads slices of `bytes`.
    pub(super) entries: Vec<(usize, Vec<Entry>)>,
    pub(super) runs: Vec<(usize, Run)>,
    pub(super) commit: Commit,
    /// Where the partitions stand after it.
    pub(super) heads: Vec<Head>,
    pub(super) waiting: Vec<Waiting>,
    /// Bytes of the requests in it, as the queue counts them.
    pub(super) queued_bytes: u64,
}

/// Where a group lands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) seal: Seal,
    /// In the segment; a multiple of a block.
    pub(super) start: u64,
    pub(super) sequence: u64,
    pub(super) stamp: u64,
}

/// Bytes a batch takes in a group, its share of the commit included.
pub(super) fn batch_bytes(batch: &crate::Batch) -> u64 {
    let frames: usize = batch.entries.iter().map(|(_, entry)| entry_bytes(entry)).sum();
    let consumed = batch.consumed.as_ref().map_or(0, |consumed| consumed.next.len());
    (frames + Commit::bytes_bound(batch.entries.len(), consumed)) as u64
}

/// Upper bound of the bytes of a group of batches that take `bytes`.
pub(super) fn group_bytes_bound(bytes: u64) -> u64 {
    (bytes + super::frame::HEADER_BYTES as u64 + 24).next_multiple_of(BLOCK) + BLOCK
}

/// Lays the requests out. The entries of a partition keep the order of the requests; partitions are sorted, so that
/// each one's frames are one stretch.
pub(super) fn lay_out(
    requests: Vec<Request>,
    mut heads: Vec<Head>,
    slots: &Slots,
    place: Place,
    buffers: &BufferPool,
) -> Group {
    let queued_bytes = requests.iter().map(|request| request.bytes).sum();
    let mut by_slot: Vec<Vec<Entry>> = vec![Vec::new(); slots.len()];
    let mut consumed = Vec::new();
    let mut waiting = Vec::with_capacity(requests.len());
    for Request { batch, answer, .. } in requests {
        let mut appended = Appended::with_capacity(batch.entries.len());
        for (partition, entry) in batch.entries {
            // The journal checks partitions before a batch is queued.
            let Some(slot) = slots.slot(partition) else { continue };
            appended.push(Offset(heads[slot].next + by_slot[slot].len() as u64));
            by_slot[slot].push(entry);
        }
        if let Some(batch_consumed) = batch.consumed {
            let consumer = batch_consumed.consumer;
            consumed.extend(batch_consumed.next.into_iter().map(|(of, next)| (consumer.clone(), of, next)));
        }
        waiting.push(Waiting { answer, appended });
    }

    let mut buffer = buffers.take(group_bytes_bound(queued_bytes) as usize);
    let tag = group_tag(place.sequence);
    let mut entries = Vec::new();
    let mut runs = Vec::new();
    let mut touched = Vec::new();
    let mut payloads = Vec::new();
    let mut frames = 0;
    for (slot, slot_entries) in by_slot.into_iter().enumerate().filter(|(_, entries)| !entries.is_empty()) {
        let partition = slots.partition(slot);
        let start = place.start + buffer.len() as u64;
        let head = &mut heads[slot];
        let first = head.next;
        for entry in &slot_entries {
            let at = place.start + buffer.len() as u64;
            let offset = Offset(head.next);
            payloads.push(write_entry(&mut buffer, place.seal, at, tag, partition, offset, entry));
            head.next += 1;
            head.records += u64::from(entry.records);
        }
        let end = place.start + buffer.len() as u64;
        head.bytes += end - start;
        frames += slot_entries.len() as u32;
        runs.push((slot, Run { first, start, end }));
        touched.push((partition, head.next));
        entries.push((slot, slot_entries));
    }
    let commit = Commit { start: place.start, stamp: place.stamp, heads: touched, consumed };
    let at = place.start + buffer.len() as u64;
    write_commit(&mut buffer, place.seal, at, place.sequence, frames, commit.encode());
    buffer.pad_to(BLOCK as usize);

    let bytes = buffer.freeze();
    let mut payloads = payloads.into_iter();
    for (entry, range) in entries.iter_mut().flat_map(|(_, entries)| entries).zip(&mut payloads) {
        entry.payload = Payload::Whole(bytes.slice(range));
    }
    Group { sequence: place.sequence, bytes, entries, runs, commit, heads, waiting, queued_bytes }
}
