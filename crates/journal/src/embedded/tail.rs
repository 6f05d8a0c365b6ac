//! What was written last, in memory: readers near the head are served from here and woken from here.
//!
//! The bytes are the very ones that were written. A group stays until newer ones need its room.

use std::collections::VecDeque;

use tokio::sync::watch;

use super::checkpoint::Head;
use crate::{Entry, Fetched, Offset};

/// What a reader finds at its position.
#[derive(Debug)]
pub(super) enum Look {
    /// These entries.
    Entries(Fetched),
    /// There is nothing there yet.
    Nothing,
    /// It is on disk only; what is durable ends at this offset.
    OnDisk(u64),
}

/// The head of one partition.
#[derive(Debug)]
struct TailPartition {
    /// Its newest entries, each with the group it came in.
    entries: VecDeque<(u64, Entry)>,
    /// Where it stands; what is durable, readers may see.
    head: Head,
    /// Tells readers that wait that there is more.
    changed: watch::Sender<u64>,
}

/// The newest groups of a volume.
#[derive(Debug)]
pub(super) struct Tail {
    partitions: Vec<TailPartition>,
    /// Sequence, bytes and slots of each group that is held.
    groups: VecDeque<(u64, u64, Vec<usize>)>,
    bytes: u64,
    limit_bytes: u64,
}

impl Tail {
    /// Holds nothing yet; the partitions go on from `heads`, by slot.
    pub(super) fn new(heads: &[Head], limit_bytes: u64) -> Self {
        let partitions = heads
            .iter()
            .map(|head| TailPartition {
                entries: VecDeque::new(),
                head: *head,
                changed: watch::Sender::new(head.next),
            })
            .collect();
        Self { partitions, groups: VecDeque::new(), bytes: 0, limit_bytes }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The offset the next entry will get.
    pub(super) fn next(&self, slot: usize) -> u64 {
        self.partitions[slot].head.next
    }

    /// Where the partitions stand, by slot.
    pub(super) fn heads(&self) -> Vec<Head> {
        self.partitions.iter().map(|partition| partition.head).collect()
    }

    /// Changes whenever there is more to read, or no more is to come.
    pub(super) fn watch(&self, slot: usize) -> watch::Receiver<u64> {
        self.partitions[slot].changed.subscribe()
    }

    /// Adds a group that is durable, by slot and in the order of the offsets, and wakes its readers.
    pub(super) fn push(&mut self, group: u64, bytes: u64, entries: Vec<(usize, Vec<Entry>)>, heads: &[Head]) {
        let mut slots = Vec::with_capacity(entries.len());
        for (slot, entries) in entries {
            slots.push(slot);
            let partition = &mut self.partitions[slot];
            partition.head = heads[slot];
            partition.entries.extend(entries.into_iter().map(|entry| (group, entry)));
            partition.changed.send_replace(partition.head.next);
        }
        self.groups.push_back((group, bytes, slots));
        self.bytes += bytes;
        while self.bytes > self.limit_bytes {
            let Some((group, bytes, slots)) = self.groups.pop_front() else { break };
            self.bytes -= bytes;
            for slot in slots {
                let entries = &mut self.partitions[slot].entries;
                let kept = entries.partition_point(|(of, _)| *of <= group);
                entries.drain(..kept);
            }
        }
    }

    /// Entries from `position` on: at least one, further ones while the payloads stay within `max_bytes`.
    pub(super) fn look(&self, slot: usize, position: u64, max_bytes: usize) -> Look {
        let partition = &self.partitions[slot];
        if position >= partition.head.next {
            return Look::Nothing;
        }
        let base = partition.head.next - partition.entries.len() as u64;
        let Some(skip) = position.checked_sub(base) else { return Look::OnDisk(partition.head.next) };
        let mut left = max_bytes;
        let mut fetched = Fetched::new();
        for ((_, entry), offset) in partition.entries.range(skip as usize..).zip(position..) {
            let bytes = entry.payload.len();
            if bytes > left && !fetched.is_empty() {
                break;
            }
            left = left.saturating_sub(bytes);
            fetched.push((Offset(offset), entry.clone()));
        }
        Look::Entries(fetched)
    }

    /// Wakes every reader: no more is to come.
    pub(super) fn wake_all(&self) {
        for partition in &self.partitions {
            partition.changed.send_modify(|_| {});
        }
    }
}
