//! Where in a segment the frames of each partition are.
//!
//! A group's frames are sorted by partition, so that one partition's are one stretch, a *run*: a reader that is
//! behind reads its own runs and nothing else. Runs that begin close to one another are kept as one, which bounds
//! an index to one run a partition for every [`SPAN`] of file.

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

    /// The number of the run that holds an offset, if it is there at all: the last that begins at or before it.
    pub(super) fn locate(&self, slot: usize, offset: u64) -> usize {
        self.runs[slot].partition_point(|run| run.first <= offset).saturating_sub(1)
    }

    pub(super) fn run(&self, slot: usize, number: usize) -> Option<Run> {
        self.runs[slot].get(number).copied()
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
            let run = index.run(0, index.locate(0, offset)).unwrap();
            assert!(run.first <= offset && run.start <= offset / 10 * 4096 && offset / 10 * 4096 < run.end);
        }
        assert_eq!(index.run(0, index.runs[0].len()), None);
    }
}
