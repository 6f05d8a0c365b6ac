//! The one walk over a request: is it sound, what of it is refused, and which partition does each part go to.
//!
//! Nothing is decoded into owned messages, and where nothing is refused or too large nothing is copied.

mod divide;
mod envelope;
mod fault;
mod malformed;
mod parts;
mod rewrite;
mod rules;

use std::time::Duration;

use bytes::Bytes;
use foreshock_model::{PartitionKey, Tenant, Timestamp};

use crate::{
    Signal,
    wire::{Fields, Value},
};
use divide::Divider;
use envelope::Walk;
use malformed::Broke;
use parts::Parts;
use rules::Rules;

pub use malformed::Malformed;

/// What a record may be. A record above a limit is refused, its neighbours are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckLimits {
    /// How deep values may lie within one another; more than 32 is taken as 32, which other readers can still read.
    pub depth: u32,
    /// Largest log record, data point or span, and largest resource and scope, in bytes on the wire.
    pub record_bytes: usize,
    /// Most attributes of a record, an event, a resource.
    pub attributes: usize,
    /// Largest attribute, key and value together, in bytes on the wire; also of a metric's name.
    pub attribute_bytes: usize,
    /// A time before this is absurd; 0 means that there is none, and is allowed.
    pub earliest: Timestamp,
    /// A time further ahead of the present than this is absurd.
    pub ahead: Duration,
    /// Largest part, its pieces together, in bytes: what the journal takes as one entry. A resource above it is
    /// divided; a record that is above it with its resource and scope around it is refused.
    pub part_bytes: usize,
}

impl Default for CheckLimits {
    fn default() -> Self {
        Self {
            depth: 32,
            record_bytes: 1 << 20,
            attributes: 1024,
            attribute_bytes: 256 << 10,
            // 2000-01-01
            earliest: Timestamp::from_secs(946_684_800),
            ahead: Duration::from_secs(24 * 3600),
            part_bytes: usize::MAX,
        }
    }
}

/// What came of the walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Records kept: log records, data points, spans.
    pub accepted: u64,
    /// Records refused.
    pub rejected: u64,
    /// Why, as one English sentence for the sender; empty where nothing was refused. It may be there with 0
    /// rejected, where what was refused held no record.
    pub reasons: String,
    /// What is kept, by partition, and within a partition in the request's order: as many parts as the limit of
    /// one makes it. None where there is no record to keep.
    pub parts: Vec<Part>,
}

/// What goes to one partition, or as much of it as may be one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which.
    pub partition: u16,
    /// The key of its first resource.
    pub key: PartitionKey,
    /// Records in it.
    pub records: u32,
    /// A LogsData, MetricsData or TracesData once its pieces are put one after the other; never empty. Pieces
    /// share the request's memory, save where a record was refused and around the records of a divided resource.
    pub payload: Vec<Bytes>,
}

/// Checks a request and splits it by resource over `partitions` partitions.
///
/// `body` is an Export...ServiceRequest of the signal, or a LogsData and so on, which look the same on the wire.
/// `now` is the receive time. A single bad record is refused by itself; an error means that the whole request
/// can't be read (INVALID_ARGUMENT, 400).
pub fn check(
    signal: Signal,
    tenant: &Tenant,
    body: &Bytes,
    limits: &CheckLimits,
    now: Timestamp,
    partitions: u16,
) -> Result<Checked, Malformed> {
    let rules = Rules::new(limits, now);
    let mut walk = Walk { signal, rules: &rules, refusals: fault::Refusals::default() };
    let mut parts = Parts::new(tenant, partitions, limits.part_bytes);
    let mut divider = Divider::new(signal, limits.part_bytes, body.len());
    let mut accepted = 0;
    let mut fields = Fields::new(body);
    let mut resources = 0;
    // Fields that OTLP does not have go with the resource after them, and are left out after the last and where
    // the two are too large.
    let mut start = 0;
    loop {
        let next = fields.next();
        let at = body.len() - fields.rest().len();
        match next.map_err(|error| Malformed::new(signal, Broke::Wire(error), at))? {
            None => break,
            Some((1, Value::Bytes(resource))) => {
                let (identity, tally) = walk
                    .resource(resource)
                    .map_err(|inner| inner.within(signal.lists()[0], resources, at - resource.len()))?;
                if !tally.altered && at - start <= limits.part_bytes {
                    accepted += tally.accepted;
                    parts.keep(&identity, tally.accepted, start..at);
                } else if tally.accepted > 0 {
                    let resource = if tally.altered {
                        rewrite::resource(signal, &rules, resource).into()
                    } else {
                        body.slice(at - resource.len()..at)
                    };
                    for fragment in divider.divide(&resource, &mut walk.refusals) {
                        accepted += fragment.records;
                        parts.add(&identity, fragment);
                    }
                }
                resources += 1;
                start = at;
            }
            Some((1, _)) => return Err(Malformed::new(signal, Broke::WireType, at)),
            Some(_) => {}
        }
    }
    let refusals = walk.refusals;
    Ok(Checked {
        accepted,
        rejected: refusals.records(),
        reasons: refusals.sentence(signal, accepted),
        parts: parts.finish(body),
    })
}
