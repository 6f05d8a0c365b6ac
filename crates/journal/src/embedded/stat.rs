//! What lies in the journal, a row a partition.

use super::{
    checkpoint::{Consumers, Head},
    fetch::VolumeFiles,
};
use crate::{Offset, PartitionStat};

/// The rows of one volume; `heads` by slot.
pub(super) fn rows(files: &VolumeFiles, heads: &[Head], consumers: &Consumers) -> Vec<PartitionStat> {
    heads
        .iter()
        .enumerate()
        .map(|(slot, head)| {
            let partition = files.slots.partition(slot);
            // Counters run since the beginning; what stood in them at the oldest segment's start is gone.
            let start = files.catalog.start(slot);
            PartitionStat {
                partition,
                first: Offset(start.next),
                next: Offset(head.next),
                records: Some(head.records.saturating_sub(start.records)),
                bytes: Some(head.bytes.saturating_sub(start.bytes)),
                consumers: consumers.of(partition),
            }
        })
        .collect()
}
