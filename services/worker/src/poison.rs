//! Entries that a stage could not take are set aside with the reason; the partition goes on.

use foreshock_journal::{Entry, Partition, Stream};
use foreshock_model::{Tenant, proto};
use prost::Message;

/// What is kept of an entry's bytes.
const KEPT_BYTES: usize = 64 << 10;

/// The entry for the poison stream.
pub(crate) fn set_aside(
    stage: &str,
    input: Partition,
    offset: u64,
    entry: &Entry,
    reason: String,
) -> (Partition, Entry) {
    let mut payload = Vec::new();
    for slice in entry.payload.slices() {
        let room = KEPT_BYTES - payload.len();
        payload.extend_from_slice(&slice[..slice.len().min(room)]);
    }
    let poison = proto::Poison {
        stage: stage.to_owned(),
        stream: input.stream.name().to_owned(),
        partition: input.index.into(),
        offset,
        reason,
        payload: payload.into(),
        payload_bytes: entry.payload.len() as u64,
    };
    let tenant: Tenant = entry.tenant.clone();
    (Partition::new(Stream::Poison, 0), Entry::data(tenant, entry.received, 1, poison.encode_to_vec()))
}
