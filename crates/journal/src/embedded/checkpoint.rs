//! Where everything stands: at the head of each segment what was before it, in each commit what it changed.
//!
//! With the checkpoint of the newest segment, recovery need read no older one; with the checkpoints of all of
//! them, a reader finds the segment of an offset.

use std::collections::HashMap;

use super::{
    codec::{Fields, put_name, put_partition},
    layout::Slots,
};
use crate::{Offset, Partition};

/// Consumer and partition pairs a journal keeps at most; a bound against names made of data.
pub(super) const MAX_CONSUMED: usize = 1024;
/// Longest name of a consumer.
pub(super) const MAX_CONSUMER_NAME: usize = 64;
/// No checkpoint is larger: a volume has at most 3,075 partitions, and a pair takes at most 86 bytes.
pub(super) const MAX_BYTES: u64 = 300 << 10;

/// Where a partition stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The offset the next entry gets.
    pub(super) next: u64,
    /// Records ever appended.
    pub(super) records: u64,
    /// Bytes of frames ever appended.
    pub(super) bytes: u64,
}

/// What consumers have said they go on from.
///
/// A consumer may commit by batches of either volume; the stamp, which grows over both, tells which came last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Consumers(HashMap<(String, Partition), (u64, Offset)>);

impl Consumers {
    pub(super) fn get(&self, consumer: &str, partition: Partition) -> Option<Offset> {
        // A lookup a partition and start, not a record: the copy of the name does not matter.
        self.0.get(&(consumer.to_owned(), partition)).map(|(_, next)| *next)
    }

    pub(super) fn set(&mut self, stamp: u64, consumer: &str, partition: Partition, next: Offset) {
        let slot = self.0.entry((consumer.to_owned(), partition)).or_insert((stamp, next));
        if slot.0 <= stamp {
            *slot = (stamp, next);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for ((consumer, partition), (stamp, next)) in &other.0 {
            self.set(*stamp, consumer, *partition, *next);
        }
    }

    /// Each consumer of a partition with its next offset, by name.
    pub(super) fn of(&self, partition: Partition) -> Vec<(String, Offset)> {
        let mut found: Vec<_> = self
            .0
            .iter()
            .filter(|((_, of), _)| *of == partition)
            .map(|((consumer, _), (_, next))| (consumer.clone(), *next))
            .collect();
        found.sort();
        found
    }

    /// The pairs of `wanted` that would be new, and how many there are already.
    pub(super) fn has_room_for(&self, consumer: &str, wanted: &[(Partition, Offset)]) -> bool {
        self.0.len() + wanted.len() <= MAX_CONSUMED
            || self.0.len()
                + wanted.iter().filter(|(p, _)| !self.0.contains_key(&(consumer.to_owned(), *p))).count()
                <= MAX_CONSUMED
    }

    fn newest_stamp(&self) -> u64 {
        self.0.values().map(|(stamp, _)| *stamp).max().unwrap_or(0)
    }
}

/// The state at the start of a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// By slot.
    pub(super) heads: Vec<Head>,
    pub(super) consumers: Consumers,
    /// Sequence of the last group before the segment.
    pub(super) group: u64,
}

impl Checkpoint {
    pub(super) fn empty(slots: &Slots) -> Self {
        Self { heads: vec![Head::default(); slots.len()], ..Self::default() }
    }

    pub(super) fn newest_stamp(&self) -> u64 {
        self.consumers.newest_stamp()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.heads.len() * 24 + self.consumers.0.len() * 64);
        out.extend(self.group.to_le_bytes());
        out.extend((self.heads.len() as u32).to_le_bytes());
        for head in &self.heads {
            for field in [head.next, head.records, head.bytes] {
                out.extend(field.to_le_bytes());
            }
        }
        out.extend((self.consumers.0.len() as u32).to_le_bytes());
        for ((consumer, partition), (stamp, next)) in &self.consumers.0 {
            put_name(&mut out, consumer);
            put_partition(&mut out, *partition);
            out.extend(stamp.to_le_bytes());
            out.extend(next.0.to_le_bytes());
        }
        out
    }

    pub(super) fn decode(bytes: &[u8], slots: &Slots) -> Option<Self> {
        let mut fields = Fields(bytes);
        let group = fields.u64()?;
        if fields.u32()? as usize != slots.len() {
            return None;
        }
        let heads = (0..slots.len())
            .map(|_| Some(Head { next: fields.u64()?, records: fields.u64()?, bytes: fields.u64()? }))
            .collect::<Option<_>>()?;
        let mut consumers = Consumers::default();
        for _ in 0..fields.u32()? {
            let (consumer, partition) = (fields.name()?, fields.partition()?);
            consumers.set(fields.u64()?, consumer, partition, fields.offset()?);
        }
        Some(Self { heads, consumers, group })
    }
}

/// What a commit frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    /// Where in the segment its group begins.
    pub(super) start: u64,
    /// Orders commits of both volumes.
    pub(super) stamp: u64,
    /// The next offsets of the partitions it touched, so that a damaged frame's offset is never given again.
    pub(super) heads: Vec<(Partition, u64)>,
    /// What was consumed to produce the group.
    pub(super) consumed: Vec<(String, Partition, Offset)>,
}

impl Commit {
    /// Upper bound of the bytes a commit takes.
    pub(super) fn bytes_bound(touched: usize, consumed: usize) -> usize {
        24 + touched * 11 + consumed * (1 + MAX_CONSUMER_NAME + 11)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.extend(self.start.to_le_bytes());
        out.extend(self.stamp.to_le_bytes());
        out.extend((self.heads.len() as u32).to_le_bytes());
        for (partition, next) in &self.heads {
            put_partition(&mut out, *partition);
            out.extend(next.to_le_bytes());
        }
        out.extend((self.consumed.len() as u32).to_le_bytes());
        for (consumer, partition, next) in &self.consumed {
            put_name(&mut out, consumer);
            put_partition(&mut out, *partition);
            out.extend(next.0.to_le_bytes());
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let (start, stamp) = (fields.u64()?, fields.u64()?);
        let touched = fields.u32()?;
        let heads =
            (0..touched).map(|_| Some((fields.partition()?, fields.u64()?))).collect::<Option<_>>()?;
        let consumed = (0..fields.u32()?)
            .map(|_| Some((fields.name()?.to_owned(), fields.partition()?, fields.offset()?)))
            .collect::<Option<_>>()?;
        Some(Self { start, stamp, heads, consumed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Stream,
        embedded::layout::{Counts, Volume},
    };

    #[test]
    fn a_checkpoint_and_a_commit_are_read_as_written_and_never_when_cut() {
        let slots = Slots::new(Volume::Stages, Counts([4, 4, 4, 2, 2, 2, 1, 1, 1]));
        let mut checkpoint = Checkpoint::empty(&slots);
        checkpoint.heads[3] = Head { next: 7, records: 8, bytes: 9 };
        checkpoint.group = 77;
        checkpoint.consumers.set(5, "reduce", Partition::new(Stream::Logs, 3), Offset(12));
        let bytes = checkpoint.encode();
        assert_eq!(Checkpoint::decode(&bytes, &slots), Some(checkpoint));
        assert!((0..bytes.len()).all(|cut| Checkpoint::decode(&bytes[..cut], &slots).is_none()));

        let commit = Commit {
            start: 8192,
            stamp: 3,
            heads: vec![(Partition::new(Stream::Findings, 1), 4)],
            consumed: vec![("detect".to_owned(), Partition::new(Stream::Summaries, 0), Offset(6))],
        };
        let bytes = commit.encode();
        assert!(bytes.len() <= Commit::bytes_bound(1, 1));
        assert_eq!(Commit::decode(&bytes), Some(commit));
        assert!((0..bytes.len()).all(|cut| Commit::decode(&bytes[..cut]).is_none()));
    }

    #[test]
    fn what_was_committed_last_holds_whatever_the_order_it_is_found_in() {
        let logs = Partition::new(Stream::Logs, 0);
        let mut consumers = Consumers::default();
        consumers.set(9, "reduce", logs, Offset(3));
        consumers.set(4, "reduce", logs, Offset(8));
        assert_eq!(consumers.get("reduce", logs), Some(Offset(3)));
    }
}
