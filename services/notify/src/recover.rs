//! What the deliveries stream knows of earlier runs.

use std::collections::{HashMap, VecDeque};

use foreshock_journal::{Entry, EntryKind, Journal, JournalError, Offset, Partition, Stream};
use foreshock_model::{Id, Timestamp, proto};
use prost::Message;

use crate::outbox::Known;

/// Most bytes read at a time.
const READ_BYTES: usize = 1 << 20;

/// Reads the deliveries that are still there and folds them by incident and route. What is older than the newest
/// `most` pairs is forgotten: a repeat carries the same key.
pub(crate) async fn deliveries(
    journal: &dyn Journal,
    routes: &[&str],
    most: usize,
) -> Result<HashMap<(Id, usize), Known>, JournalError> {
    let mut known: HashMap<(Id, usize), Known> = HashMap::new();
    let mut order = VecDeque::new();
    for index in 0..journal.partitions(Stream::Deliveries) {
        let mut reader = reader_from(journal, Partition::new(Stream::Deliveries, index), Offset(0))?;
        loop {
            let fetched = reader.read_now(READ_BYTES).await?;
            if fetched.is_empty() {
                break;
            }
            for (_, entry) in fetched {
                let Some((key, delivery)) = read(entry, routes) else { continue };
                let entry = known.entry(key).or_insert_with(|| {
                    order.push_back(key);
                    Known::default()
                });
                fold(entry, &delivery);
                if order.len() > most
                    && let Some(oldest) = order.pop_front()
                {
                    known.remove(&oldest);
                }
            }
        }
    }
    Ok(known)
}

/// A reader from `from`, or from the oldest entry that is still there.
pub(crate) fn reader_from(
    journal: &dyn Journal,
    partition: Partition,
    from: Offset,
) -> Result<Box<dyn foreshock_journal::Reader>, JournalError> {
    match journal.reader(partition, from) {
        Err(JournalError::OutOfRange { first, .. }) => journal.reader(partition, first),
        other => other,
    }
}

fn read(entry: Entry, routes: &[&str]) -> Option<((Id, usize), proto::Delivery)> {
    if entry.kind != EntryKind::Data {
        return None;
    }
    let delivery = proto::Delivery::decode(entry.payload.into_bytes()).ok()?;
    let route = routes.iter().position(|name| *name == delivery.route)?;
    Some(((Id::parse(&delivery.incident)?, route), delivery))
}

fn fold(known: &mut Known, delivery: &proto::Delivery) {
    match delivery.outcome() {
        proto::delivery::Outcome::Delivered | proto::delivery::Outcome::GivenUp => {
            let untold_from = known.untold_from.max(delivery.revision.saturating_add(1));
            *known = Known { untold_from, ..Known::default() };
        }
        proto::delivery::Outcome::Retry => {
            known.failures = delivery.attempt;
            known.failing_since.get_or_insert(Timestamp(delivery.at));
        }
        proto::delivery::Outcome::Unspecified => {}
    }
}
