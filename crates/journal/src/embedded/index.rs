//! Where in a segment the frames of each partition are.
//!
//! A group's frames are sorted by partition, so that one partition's are one stretch, a *run*: a reader that is
//! behind reads its own runs and nothing else. Runs that begin close to one another are kept as one, which bounds
//! an index to one run a partition for every [`SPAN`] of file.

use std::ops::Range;

/// Runs are joined until they reach this far.
const SPAN: u64 = 64 << 10;

/// A stretch of a segment in which a partition has frames; between them there may be others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The offset of its first frame.
    pub(super) first: u64,
    /// Where its first frame begins.
    pub(super) start: u64,
    /// Where its last frame ends.
    pub(super) end: u64,
}

/// The runs of one segment, by slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Index {
    runs: Vec<Vec<Run>>,
}

impl Index {
    pub(super) fn new(slots: usize) -> Self {
        Self { runs: vec![Vec::new(); slots] }
    }

    /// Notes a stretch of one group, after all that was noted before.
    pub(super) fn note(&mut self, slot: usize, run: Run) {
        match self.runs[slot].last_mut() {
            Some(last) if run.end - last.start <= SPAN => last.end = run.end,
            _ => self.runs[slot].push(run),
        }
    }

    /// Where the run begins that holds an offset, if it is there at all: the last that begins at or before it.
    pub(super) fn locate(&self, slot: usize, offset: u64) -> u64 {
        let runs = &self.runs[slot];
        let number = runs.partition_point(|run| run.first <= offset).saturating_sub(1);
        runs.get(number).map_or(0, |run| run.start)
    }

    /// The next stretch behind `at` where the partition has frames, from `at` on where it begins before that.
    ///
    /// Whoever reads on asks by the place it has come to: meanwhile a run may have grown, or another index of the
    /// same segment may have cut the runs elsewhere.
    pub(super) fn stretch(&self, slot: usize, at: u64) -> Option<Range<u64>> {
        let runs = &self.runs[slot];
        let run = runs.get(runs.partition_point(|run| run.end <= at))?;
        Some(run.start.max(at)..run.end)
    }

    /// The oldest offset of a partition in it.
    pub(super) fn first(&self, slot: usize) -> Option<u64> {
        self.runs[slot].first().map(|run| run.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_runs_are_one_and_an_offset_is_found_in_the_run_that_holds_it() {
        let mut index = Index::new(1);
        for number in 0..100 {
            index.note(0, Run { first: number * 10, start: number * 4096, end: number * 4096 + 500 });
        }
        assert!(index.runs[0].len() <= 100 * 4096 / SPAN as usize + 1);
        for offset in 0..1000 {
            let stretch = index.stretch(0, index.locate(0, offset)).unwrap();
            assert!(stretch.contains(&(offset / 10 * 4096)));
        }
        assert_eq!(index.stretch(0, 99 * 4096 + 500), None);
    }

    #[test]
    fn what_a_run_grew_by_while_it_was_read_comes_next() {
        let mut index = Index::new(1);
        index.note(0, Run { first: 0, start: 0, end: 500 });
        let read = index.stretch(0, index.locate(0, 0)).unwrap();
        assert_eq!(read, 0..500);
        index.note(0, Run { first: 10, start: 4096, end: 4596 });
        index.note(0, Run { first: 20, start: SPAN, end: SPAN + 500 });
        assert_eq!(index.stretch(0, read.end), Some(500..4596));
        assert_eq!(index.stretch(0, 4596), Some(SPAN..SPAN + 500));
    }
}
