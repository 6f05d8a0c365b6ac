//! Which records lie in the journal, beside those that were acknowledged: a bit a record, so that a hundred million
//! take 12 MB.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    thread,
};

use anyhow::Context as _;
use foreshock_journal::{EntryKind, Partition, Stream};

use super::{RECORDS, RESOURCES};
use crate::{payload::each_number, remains::Remains};

/// Records of a request, and the words of their bits.
const REQUEST_RECORDS: usize = RESOURCES * RECORDS;
const WORDS: usize = REQUEST_RECORDS / 64;
const _: () = assert!(REQUEST_RECORDS.is_multiple_of(64), "a request's bits are whole words");
/// Partitions read side by side.
const THREADS: usize = 2;

/// The records of the journal beside the acknowledged ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Presence {
    /// Records of acknowledged requests.
    pub(super) acknowledged: u64,
    /// Of them, those in the journal.
    pub(super) present: u64,
    /// Of them, those that are not.
    pub(super) missing: u64,
    /// Records that are there more than once; each request was sent once.
    pub(super) repeated: u64,
    /// Records of requests that were not acknowledged.
    pub(super) not_acknowledged: u64,
    /// Records with a number that was never given.
    pub(super) foreign: u64,
}

/// A bit for every record that was ever numbered.
pub(super) struct Records {
    bits: Vec<AtomicU64>,
    repeated: AtomicU64,
    foreign: AtomicU64,
}

impl Records {
    /// For the requests 0 to `numbers` - 1.
    fn new(numbers: u64) -> Self {
        let words = numbers as usize * WORDS;
        Self {
            bits: (0..words).map(|_| AtomicU64::new(0)).collect(),
            repeated: AtomicU64::new(0),
            foreign: AtomicU64::new(0),
        }
    }

    /// Notes a record of the journal.
    fn note(&self, number: u64, place: u32) {
        let place = place as usize;
        let word = (number as usize).saturating_mul(WORDS).saturating_add(place / 64);
        match self.bits.get(word) {
            Some(bits) if place < REQUEST_RECORDS => {
                let bit = 1 << (place % 64);
                let before = bits.fetch_or(bit, Relaxed);
                self.repeated.fetch_add(u64::from(before & bit != 0), Relaxed);
            }
            _ => {
                self.foreign.fetch_add(1, Relaxed);
            }
        }
    }

    /// Beside the numbers of acknowledged requests.
    fn presence(&self, acknowledged: &[u64]) -> anyhow::Result<Presence> {
        let mut presence = Presence {
            repeated: self.repeated.load(Relaxed),
            foreign: self.foreign.load(Relaxed),
            ..Presence::default()
        };
        let mut is_acknowledged = vec![false; self.bits.len() / WORDS];
        for number in acknowledged {
            let known = is_acknowledged.get_mut(*number as usize);
            *known.with_context(|| format!("request {number} was acknowledged and never numbered"))? = true;
        }
        for (bits, is_acknowledged) in self.bits.chunks(WORDS).zip(is_acknowledged) {
            let present: u64 = bits.iter().map(|word| u64::from(word.load(Relaxed).count_ones())).sum();
            if is_acknowledged {
                presence.acknowledged += REQUEST_RECORDS as u64;
                presence.present += present;
                presence.missing += REQUEST_RECORDS as u64 - present;
            } else {
                presence.not_acknowledged += present;
            }
        }
        Ok(presence)
    }
}

/// Reads all log records of a journal, and compares them with the files of acknowledged requests.
pub(super) fn compare(journal: &Path, numbers: u64, acked: &[PathBuf]) -> anyhow::Result<Presence> {
    let records = Records::new(numbers);
    let remains = Remains::Embedded(journal.to_owned());
    let partitions = remains.look()?.partitions(Stream::Logs);
    let turn = AtomicUsize::new(0);
    let read = || -> anyhow::Result<()> {
        let mut look = remains.look()?;
        while let Some(index) =
            u16::try_from(turn.fetch_add(1, Relaxed)).ok().filter(|index| *index < partitions)
        {
            look.each_entry(Partition::new(Stream::Logs, index), |_, entry| {
                if entry.kind == EntryKind::Data {
                    each_number(&entry.payload.into_bytes(), |number, place| records.note(number, place));
                }
                Ok(())
            })?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(read)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| anyhow::anyhow!("reading the journal panicked"))?
        })
    })?;
    let mut acknowledged = Vec::new();
    for path in acked {
        let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
        for line in text.lines() {
            let number = line.split(' ').next().unwrap_or_default();
            acknowledged.push(u64::from_str_radix(number, 16).with_context(|| format!("{line:?}"))?);
        }
    }
    records.presence(&acknowledged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(notes: impl IntoIterator<Item = (u64, u32)>) -> Records {
        let records = Records::new(3);
        notes.into_iter().for_each(|(number, place)| records.note(number, place));
        records
    }

    fn all(number: u64) -> impl Iterator<Item = (u64, u32)> {
        (0..REQUEST_RECORDS as u32).map(move |place| (number, place))
    }

    #[test]
    fn missing_repeated_and_foreign_records_are_told_apart() {
        let each = REQUEST_RECORDS as u64;
        let whole = Presence { acknowledged: 2 * each, present: 2 * each, ..Presence::default() };
        assert_eq!(with(all(0).chain(all(2))).presence(&[2, 0]).unwrap(), whole);
        let without_one = all(0).chain(all(2)).filter(|note| *note != (2, 77));
        let bad = Presence {
            present: 2 * each - 1,
            missing: 1,
            repeated: 1,
            not_acknowledged: 1,
            foreign: 2,
            ..whole
        };
        let others = [(0, 5), (1, 64), (3, 0), (0, REQUEST_RECORDS as u32)];
        assert_eq!(with(without_one.chain(others)).presence(&[0, 2]).unwrap(), bad);
        assert!(with([]).presence(&[3]).is_err());
    }
}
