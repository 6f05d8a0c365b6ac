//! Several sources as one: always the one goes on whose next record is the earliest.
//!
//! Each source is read at most one entry ahead. Where its own records are not in order, they are not put in order here.

use std::{cmp::Reverse, collections::BinaryHeap};

use foreshock_model::Timestamp;

use crate::{
    ScanError,
    records::{RecordEntry, Records},
};

/// Sources, merged by the time of their records.
pub(crate) struct Merge {
    sources: Vec<Records>,
    /// The time of the next record of each source that has one; of equal ones the source that was named first.
    next: BinaryHeap<Reverse<(Timestamp, usize)>>,
}

impl Merge {
    pub(crate) fn new(mut sources: Vec<Records>) -> Result<Self, ScanError> {
        let mut next = BinaryHeap::with_capacity(sources.len());
        for (index, source) in sources.iter_mut().enumerate() {
            next.extend(source.next_time()?.map(|time| Reverse((time, index))));
        }
        Ok(Self { sources, next })
    }

    /// The next entry, and whose it is.
    pub(crate) fn next(&mut self) -> Result<Option<(usize, RecordEntry)>, ScanError> {
        while let Some(Reverse((_, index))) = self.next.pop() {
            let until = self.next.peek().map_or(Timestamp::MAX, |Reverse((time, _))| *time);
            let Some(source) = self.sources.get_mut(index) else { continue };
            let entry = source.next(until)?;
            self.next.extend(source.next_time()?.map(|time| Reverse((time, index))));
            if let Some(entry) = entry {
                return Ok(Some((index, entry)));
            }
        }
        Ok(None)
    }

    /// What could not be read so far, a sentence a source.
    pub(crate) fn unreadable(&self) -> impl Iterator<Item = String> {
        self.sources.iter().filter_map(Records::unreadable)
    }
}
