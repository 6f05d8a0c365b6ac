//! Which records of the load lie in the journal, and how often.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
};

use foreshock_journal::{Offset, Partition};
use foreshock_model::Timestamp;

use super::pressure::{REQUEST_RECORDS, Sent};
use crate::payload::each_number;

/// A counter for every record that was ever numbered, and what tells one attempt to send them from another.
pub(super) struct Records {
    counters: Vec<AtomicU8>,
    /// Where the entries lie.
    entries: Mutex<HashMap<Attempt, (Partition, Offset)>>,
    twice: Mutex<Vec<String>>,
}

/// What the counters say beside what was acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Presence {
    /// Records of acknowledged requests.
    pub(super) acknowledged: u64,
    /// Of them, those in the journal.
    pub(super) present: u64,
    /// Of them, those that are not.
    pub(super) missing: u64,
    /// Records that are there again because their request was sent again after a missing answer.
    pub(super) repeats: u64,
    /// Records that are there more often than they were sent.
    pub(super) unexplained: u64,
}

/// What an entry has in common with no other: the first of its records, and when it was received, which differs from
/// one attempt to send it to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Attempt {
    number: u64,
    place: u32,
    received: Timestamp,
}

impl Records {
    pub(super) fn new(numbers: u64) -> Self {
        let counters = (0..numbers as usize * REQUEST_RECORDS).map(|_| AtomicU8::new(0)).collect();
        Self { counters, entries: Mutex::default(), twice: Mutex::default() }
    }

    /// Counts the records of an entry. Lines of other senders carry no number.
    pub(super) fn count(&self, at: (Partition, Offset), received: Timestamp, payload: &[u8]) {
        let mut first = None;
        each_number(payload, |number, place| {
            first.get_or_insert((number, place));
            if place as usize >= REQUEST_RECORDS {
                return;
            }
            let index = (number as usize).saturating_mul(REQUEST_RECORDS).saturating_add(place as usize);
            if let Some(counter) = self.counters.get(index) {
                counter.fetch_add(1, Relaxed);
            }
        });
        let Some((number, place)) = first else { return };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((partition, offset)) = entries.insert(Attempt { number, place, received }, at) {
            let said = format!(
                "request {number} from its record {place} on, of one attempt, lies at {offset} and at {} of {partition}",
                at.1
            );
            self.twice.lock().unwrap_or_else(PoisonError::into_inner).push(said);
        }
    }

    /// Entries that are there twice although they were sent once, in words. What a client sent again is none.
    pub(super) fn twice(&self) -> Vec<String> {
        self.twice.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Compares with what was sent.
    pub(super) fn presence(&self, sent: &Sent) -> Presence {
        let mut presence = Presence::default();
        let mut times_acknowledged = vec![0_u32; sent.numbers as usize];
        for number in &sent.acknowledged {
            times_acknowledged[*number as usize] += 1;
        }
        for (number, counters) in self.counters.chunks(REQUEST_RECORDS).enumerate() {
            let acknowledged = times_acknowledged[number];
            let most = acknowledged + sent.unanswered.get(&(number as u64)).copied().unwrap_or(0);
            for counter in counters {
                let count = u32::from(counter.load(Relaxed));
                if acknowledged > 0 {
                    presence.acknowledged += 1;
                    presence.present += u64::from(count > 0);
                    presence.missing += u64::from(count == 0);
                }
                presence.repeats += u64::from(count.min(most).saturating_sub(1));
                presence.unexplained += u64::from(count.saturating_sub(most));
            }
        }
        presence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_repeated_and_unexplained_records_are_told_apart() {
        let records = Records::new(3);
        let set = |number: usize, count: u8| {
            for place in 0..REQUEST_RECORDS {
                records.counters[number * REQUEST_RECORDS + place].store(count, Relaxed);
            }
        };
        let sent = Sent {
            acknowledged: vec![0, 1],
            unanswered: [(1, 1), (2, 1)].into(),
            numbers: 3,
            ..Sent::default()
        };
        set(0, 1);
        set(1, 2);
        set(2, 1);
        let whole = Presence {
            acknowledged: 2 * REQUEST_RECORDS as u64,
            present: 2 * REQUEST_RECORDS as u64,
            repeats: REQUEST_RECORDS as u64,
            ..Presence::default()
        };
        assert_eq!(records.presence(&sent), whole);
        assert_eq!(records.twice(), Vec::<String>::new());
        records.counters[5].store(0, Relaxed);
        records.counters[6].store(2, Relaxed);
        let bad = Presence { present: whole.present - 1, missing: 1, unexplained: 1, ..whole };
        assert_eq!(records.presence(&sent), bad);
    }
}
