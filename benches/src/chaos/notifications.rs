//! Whether the webhook was told of every incident it had to be told of, in order.

use std::{collections::BTreeMap, path::Path};

use foreshock_journal::{EmbeddedReader, EntryKind, Partition, Stream};
use foreshock_model::proto;
use prost::Message;

use super::{stages::each_entry, webhook::Told};

/// The consumer that tells the webhook.
pub(super) const NOTIFY: &str = "notify";

/// What was to be told and what was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Notifications {
    /// Incidents that had to be told.
    pub(super) due: u64,
    /// Of them, those whose newest revision never arrived.
    pub(super) lost: Vec<String>,
    /// Requests that told of an older revision after a newer one.
    pub(super) out_of_order: u64,
    /// Requests that told again what the webhook had accepted.
    pub(super) repeats: u64,
}

/// The newest revision of an incident, and whether any of them had to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Due {
    revision: u64,
    wanted: bool,
}

/// Compares the incidents stream, as far as it was said to be settled, with what the webhook noted.
pub(super) fn compare(directory: &Path, told: &[Told]) -> anyhow::Result<Notifications> {
    let mut reader = EmbeddedReader::open(directory)?;
    let mut due = BTreeMap::<String, Due>::new();
    for index in 0..reader.partitions(Stream::Incidents) {
        let partition = Partition::new(Stream::Incidents, index);
        let settled = reader.committed(NOTIFY, partition).unwrap_or_default();
        each_entry(&mut reader, partition, |offset, entry| {
            if entry.kind == EntryKind::Data && offset < settled {
                note(&mut due, &proto::Incidents::decode(entry.payload.into_bytes())?);
            }
            Ok(())
        })?;
    }
    due.retain(|_, due| due.wanted);
    Ok(judge(&due, told))
}

fn note(due: &mut BTreeMap<String, Due>, message: &proto::Incidents) {
    for incident in &message.incidents {
        let due = due.entry(incident.id.clone()).or_default();
        due.revision = due.revision.max(incident.revision);
        due.wanted |= incident.severity() >= proto::Severity::Warning;
    }
}

fn judge(due: &BTreeMap<String, Due>, told: &[Told]) -> Notifications {
    let mut result = Notifications { due: due.len() as u64, ..Notifications::default() };
    let mut accepted = BTreeMap::<&str, u64>::new();
    let mut newest = BTreeMap::<&str, u64>::new();
    for told in told {
        let newest = newest.entry(&told.incident).or_insert(told.revision);
        result.out_of_order += u64::from(told.revision < *newest);
        *newest = told.revision.max(*newest);
        if accepted.get(&*told.incident).is_some_and(|accepted| told.revision <= *accepted) {
            result.repeats += 1;
        }
        if told.accepted {
            let accepted = accepted.entry(&told.incident).or_insert(told.revision);
            *accepted = told.revision.max(*accepted);
        }
    }
    for (incident, due) in due {
        match accepted.get(incident.as_str()) {
            Some(revision) if *revision >= due.revision => {}
            found => result.lost.push(format!(
                "incident {incident}: revision {} was due, {} arrived",
                due.revision,
                found.map_or("none".to_owned(), ToString::to_string)
            )),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(incident: &str, revision: u64, accepted: bool) -> Told {
        Told { incident: incident.to_owned(), revision, accepted }
    }

    #[test]
    fn what_was_refused_never_arrived_or_came_late_is_noticed() {
        let due = BTreeMap::from([
            ("a".to_owned(), Due { revision: 2, wanted: true }),
            ("b".to_owned(), Due { revision: 1, wanted: true }),
        ]);
        let good = [told("a", 0, false), told("a", 2, true), told("b", 1, true), told("b", 1, true)];
        let result = judge(&due, &good);
        assert_eq!((result.due, result.lost.len(), result.out_of_order, result.repeats), (2, 0, 0, 1));
        let refused = [told("a", 2, true), told("a", 1, true), told("b", 1, false)];
        let result = judge(&due, &refused);
        assert_eq!((result.lost.len(), result.out_of_order), (1, 1));
        assert_eq!(judge(&due, &[]).lost.len(), 2);
    }
}
