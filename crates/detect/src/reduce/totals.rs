//! What each source's lines of a window add up to.
//!
//! The lines of a request are mostly of few sources, one after the other: those of one source are added up first, and
//! to its sum when another's come.

use std::collections::BTreeMap;

use foreshock_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::sources::SourceId;

/// The sums of one source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct SourceTotals {
    pub(super) lines: u64,
    pub(super) errors: u64,
    pub(super) bytes: u64,
    pub(super) late: u64,
    pub(super) ahead: u64,
    pub(super) continuations: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl SourceTotals {
    /// Takes in the time of a line.
    pub(super) fn seen(&mut self, time: Timestamp) {
        if self.first == Timestamp::default() || time < self.first {
            self.first = time;
        }
        self.last = self.last.max(time);
    }

    fn add(&mut self, more: &Self) {
        self.lines += more.lines;
        self.errors += more.errors;
        self.bytes += more.bytes;
        self.late += more.late;
        self.ahead += more.ahead;
        self.continuations += more.continuations;
        // Of what was seen at least.
        if more.first != Timestamp::default() {
            self.seen(more.first);
        }
        self.last = self.last.max(more.last);
    }
}

/// The sums of a window's sources.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Totals {
    by_source: BTreeMap<SourceId, SourceTotals>,
    /// Of the source that had the last line, what is not added to its sum yet.
    pending: Option<(SourceId, SourceTotals)>,
}

impl Totals {
    /// What the next line of a source is added to.
    pub(super) fn of(&mut self, source: SourceId) -> &mut SourceTotals {
        if self.pending.as_ref().is_none_or(|(pending, _)| *pending != source) {
            self.settle();
        }
        &mut self.pending.get_or_insert_with(|| (source, SourceTotals::default())).1
    }

    /// The sums, by source.
    pub(super) fn into_sums(mut self) -> BTreeMap<SourceId, SourceTotals> {
        self.settle();
        self.by_source
    }

    fn settle(&mut self) {
        if let Some((source, totals)) = self.pending.take() {
            self.by_source.entry(source).or_default().add(&totals);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_each_source_whatever_the_order_of_its_lines() {
        let lines: Vec<(SourceId, u64)> =
            (1..200).map(|n| ((n % 7 * n % 3) as SourceId, n * 37 % 101)).collect();
        let mut totals = Totals::default();
        let mut expected: BTreeMap<SourceId, SourceTotals> = BTreeMap::new();
        for (source, n) in lines {
            for of_source in [totals.of(source), expected.entry(source).or_default()] {
                of_source.lines += 1;
                of_source.bytes += n;
                of_source.errors += n % 2;
                of_source.late += n % 3;
                of_source.ahead += n % 5;
                of_source.continuations += n % 7;
                of_source.seen(Timestamp(n + 1));
            }
        }
        assert_eq!(totals.into_sums(), expected);
    }
}
