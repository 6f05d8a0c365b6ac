//! Gathers what goes to each partition: slices of the request, as few as can be, in parts below the limit.

use std::ops::Range;

use bytes::Bytes;
use foreshock_model::{Identity, PartitionKey, Tenant, partition_of};

use super::{Part, divide::Fragment};

/// The parts of one request as they grow.
pub(crate) struct Parts<'t> {
    tenant: &'t Tenant,
    partitions: u16,
    /// Of one part, in bytes.
    limit: usize,
    parts: Vec<Growing>,
    /// Where in `parts` a partition's last is, made when a second partition comes: entry `p` is the index and one.
    by_partition: Vec<usize>,
}

struct Growing {
    partition: u16,
    key: PartitionKey,
    records: u64,
    bytes: usize,
    pieces: Vec<Piece>,
}

enum Piece {
    /// Of the request's body.
    Slice(Range<usize>),
    Own(Bytes),
}

impl<'t> Parts<'t> {
    pub(crate) fn new(tenant: &'t Tenant, partitions: u16, limit: usize) -> Self {
        Self { tenant, partitions: partitions.max(1), limit, parts: Vec::new(), by_partition: Vec::new() }
    }

    /// A resource that is kept as it is, and is within the limit. Joins the piece before it where both lie side by
    /// side.
    pub(crate) fn keep(&mut self, identity: &Identity<'_>, records: u64, range: Range<usize>) {
        let part = self.part(identity, range.len());
        part.records += records;
        match part.pieces.last_mut() {
            Some(Piece::Slice(before)) if before.end == range.start => before.end = range.end,
            _ => part.pieces.push(Piece::Slice(range)),
        }
    }

    /// A resource that was written again or divided.
    pub(crate) fn add(&mut self, identity: &Identity<'_>, fragment: Fragment) {
        let part = self.part(identity, fragment.bytes);
        part.records += fragment.records;
        part.pieces.extend(fragment.pieces.into_iter().map(Piece::Own));
    }

    /// The part to put so many bytes of the resource in.
    fn part(&mut self, identity: &Identity<'_>, bytes: usize) -> &mut Growing {
        let key = identity.key(self.tenant);
        let partition = partition_of(&key.0, self.partitions);
        let mut at = match self.parts.last() {
            Some(last) if last.partition == partition => self.parts.len() - 1,
            _ => self.find(partition, key),
        };
        if bytes > self.limit - self.parts[at].bytes {
            at = self.begin(partition, key);
        }
        let part = &mut self.parts[at];
        part.bytes += bytes;
        part
    }

    fn find(&mut self, partition: u16, key: PartitionKey) -> usize {
        if self.by_partition.is_empty() && !self.parts.is_empty() {
            self.by_partition = vec![0; usize::from(self.partitions)];
            self.by_partition[usize::from(self.parts[0].partition)] = self.parts.len();
        }
        match self.by_partition.get(usize::from(partition)) {
            Some(index @ 1..) => index - 1,
            _ => self.begin(partition, key),
        }
    }

    fn begin(&mut self, partition: u16, key: PartitionKey) -> usize {
        self.parts.push(Growing { partition, key, records: 0, bytes: 0, pieces: Vec::new() });
        if let Some(slot) = self.by_partition.get_mut(usize::from(partition)) {
            *slot = self.parts.len();
        }
        self.parts.len() - 1
    }

    /// The parts that hold records, by partition, those of one partition in order.
    pub(crate) fn finish(self, body: &Bytes) -> Vec<Part> {
        let mut parts: Vec<Part> = self
            .parts
            .into_iter()
            .filter(|part| part.records > 0)
            .map(|part| Part {
                partition: part.partition,
                key: part.key,
                // A record takes two bytes of a body, whose size is limited far below.
                records: u32::try_from(part.records).unwrap_or(u32::MAX),
                payload: part
                    .pieces
                    .into_iter()
                    .map(|piece| match piece {
                        Piece::Slice(range) => body.slice(range),
                        Piece::Own(bytes) => bytes,
                    })
                    .collect(),
            })
            .collect();
        parts.sort_by_key(|part| part.partition);
        parts
    }
}
