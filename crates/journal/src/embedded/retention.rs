//! Which segments may go: old ones, and the oldest when there is no room; never one that is still needed.
//!
//! A partition is needed from the lowest offset on that a consumer has committed or its snapshot covers: from the
//! one it reads on, from the other it replays. A consumer that never committed holds nothing back.

use std::sync::Arc;

use super::{layout::Volume, segment::Segment, shared::Shared, sync::locked};
use crate::{JournalError, Offset};

/// Takes the segments off the list that may go, oldest first. `upcoming_bytes`: what is about to be added.
pub(super) fn expired(shared: &Shared, volume: Volume, upcoming_bytes: u64) -> Vec<Arc<Segment>> {
    let catalog = &shared.volume(volume).files.catalog;
    let retention = shared.options.retention(volume);
    let now = (shared.options.clock)();
    let mut gone = Vec::new();
    while let Some((oldest, next)) = catalog.oldest_two() {
        // All of it is older than what came next.
        let old = now.since(next.header.created) > retention.age;
        let over = catalog.file_bytes() + upcoming_bytes > limit_bytes(shared, volume);
        if !(old || over) || holder(shared, volume, &next).is_some() {
            break;
        }
        drop(oldest);
        gone.extend(catalog.pop_oldest());
    }
    gone
}

/// Refuses where the limit is reached and what is oldest is still needed.
///
/// What the stages wrote is not received again, so that volume goes up to twice its limit, loudly.
pub(super) fn room_for(
    shared: &Shared,
    volume: Volume,
    upcoming_bytes: u64,
    warned: &mut bool,
) -> Result<(), JournalError> {
    let catalog = &shared.volume(volume).files.catalog;
    let limit_bytes = limit_bytes(shared, volume);
    let wanted = catalog.file_bytes() + upcoming_bytes;
    let Some((_, next)) = catalog.oldest_two().filter(|_| wanted > limit_bytes) else {
        *warned = false;
        return Ok(());
    };
    let consumer = holder(shared, volume, &next).unwrap_or_else(|| "nobody".to_owned());
    if volume == Volume::Stages && wanted <= limit_bytes.saturating_mul(2) {
        if !std::mem::replace(warned, true) {
            tracing::error!(
                consumer,
                limit_bytes,
                "the journal of the stages is over its limit because a consumer is behind; at twice the limit it refuses"
            );
        }
        return Ok(());
    }
    Err(JournalError::HeldBack { limit_bytes, consumer })
}

/// Less than two segments can't be kept: the one that is written and the one before it.
fn limit_bytes(shared: &Shared, volume: Volume) -> u64 {
    shared.options.retention(volume).bytes.max(2 * shared.options.segment_bytes)
}

/// A consumer that still needs something of what lies before `next`.
fn holder(shared: &Shared, volume: Volume, next: &Segment) -> Option<String> {
    let slots = &shared.volume(volume).files.slots;
    let consumers = locked(&shared.consumers);
    let snapshots = locked(&shared.snapshots);
    (0..slots.len()).find_map(|slot| {
        let partition = slots.partition(slot);
        let covered = snapshots.iter().filter(|(key, _)| key.partition == partition);
        let covered = covered.map(|(key, covers)| (key.consumer.clone(), Offset(*covers)));
        let mut needed = consumers.of(partition).into_iter().chain(covered);
        needed.find(|(_, from)| from.0 < next.start[slot].next).map(|(consumer, _)| consumer)
    })
}
