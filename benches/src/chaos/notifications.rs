//! Whether the webhook was told of every incident it had to be told of, in order.

use std::collections::BTreeMap;

use foreshock_journal::{EntryKind, Partition, Stream};
use foreshock_model::{Incident, proto};
use prost::Message;
use serde_json::Value;

use super::webhook::Told;
use crate::{aftermath::NOTIFY, remains::Remains};

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
    /// Requests whose body is not the incident that the journal has under their id and revision.
    pub(super) altered: u64,
}

/// The newest revision of an incident, and whether any of them had to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Due {
    revision: u64,
    wanted: bool,
}

/// What the journal says of incidents, by id and revision.
type Written = BTreeMap<(String, u64), Vec<Value>>;

/// Compares the incidents stream, as far as it was said to be settled, with what the webhook noted.
pub(super) fn compare(remains: &Remains, told: &[Told]) -> anyhow::Result<Notifications> {
    let mut look = remains.look()?;
    let mut due = BTreeMap::<String, Due>::new();
    let mut written = Written::new();
    for index in 0..look.partitions(Stream::Incidents) {
        let partition = Partition::new(Stream::Incidents, index);
        let settled = look.committed(NOTIFY, partition).unwrap_or_default();
        look.each_entry(partition, |offset, entry| {
            if entry.kind != EntryKind::Data {
                return Ok(());
            }
            let message = proto::Incidents::decode(entry.payload.into_bytes())?;
            for incident in &message.incidents {
                // By way of its text, as the webhook got it: numbers are then read alike.
                let body = serde_json::from_slice(&serde_json::to_vec(&Incident::try_from(incident)?)?)?;
                written.entry((incident.id.clone(), incident.revision)).or_default().push(body);
            }
            if offset < settled {
                note(&mut due, &message);
            }
            Ok(())
        })?;
    }
    due.retain(|_, due| due.wanted);
    Ok(judge(&due, &written, told))
}

fn note(due: &mut BTreeMap<String, Due>, message: &proto::Incidents) {
    for incident in &message.incidents {
        let due = due.entry(incident.id.clone()).or_default();
        due.revision = due.revision.max(incident.revision);
        due.wanted |= incident.severity() >= proto::Severity::Warning;
    }
}

fn judge(due: &BTreeMap<String, Due>, written: &Written, told: &[Told]) -> Notifications {
    let mut result = Notifications { due: due.len() as u64, ..Notifications::default() };
    let mut accepted = BTreeMap::<&str, u64>::new();
    let mut newest = BTreeMap::<&str, u64>::new();
    for told in told {
        let written = written.get(&(told.incident.clone(), told.revision));
        result.altered += u64::from(!written.is_some_and(|bodies| bodies.contains(&told.body)));
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
        Told { incident: incident.to_owned(), revision, body: Value::from(revision), accepted }
    }

    fn written() -> Written {
        let of =
            |incident: &str, revision: u64| ((incident.to_owned(), revision), vec![Value::from(revision)]);
        Written::from([of("a", 0), of("a", 1), of("a", 2), of("b", 1)])
    }

    fn due() -> BTreeMap<String, Due> {
        BTreeMap::from([
            ("a".to_owned(), Due { revision: 2, wanted: true }),
            ("b".to_owned(), Due { revision: 1, wanted: true }),
        ])
    }

    #[test]
    fn what_was_refused_never_arrived_or_came_late_is_noticed() {
        let judged = |told: &[Told]| judge(&due(), &written(), told);
        let result =
            judged(&[told("a", 0, false), told("a", 2, true), told("b", 1, true), told("b", 1, true)]);
        let good = Notifications { due: 2, repeats: 1, ..Notifications::default() };
        assert_eq!(result, good);
        let result = judged(&[told("a", 2, true), told("a", 1, true), told("b", 1, false)]);
        assert_eq!((result.lost.len(), result.out_of_order), (1, 1));
        assert_eq!(judged(&[]).lost.len(), 2);
    }

    #[test]
    fn a_body_that_the_journal_does_not_have_under_that_revision_is_noticed() {
        let mut all = [told("a", 2, true), told("b", 1, true)];
        assert_eq!(judge(&due(), &written(), &all).altered, 0);
        all[0].body = Value::from(1);
        assert_eq!(judge(&due(), &written(), &all).altered, 1);
        all[1].revision = 7;
        assert_eq!(judge(&due(), &written(), &all).altered, 2);
    }
}
