//! Whether each message of a source is seen once and without a hole.

use std::collections::HashMap;

use foreshock_journal::Partition;
use foreshock_model::proto::Source;

/// Most sources that are remembered; there is one for each input partition of a stage.
const MOST: usize = 4096;

/// What a message's number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The next one.
    Next,
    /// It was here before.
    Repeat,
    /// So many before it are missing.
    Hole(u64),
}

/// The last number of each source, by the partition it writes to.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    last: HashMap<(Partition, String, String, u32), u64>,
}

impl Sources {
    /// Takes note of a message of `source` read from `partition`. `from_start`: nothing of the partition was
    /// removed before reading began, so that the first number has to be 1.
    pub(crate) fn arrive(&mut self, partition: Partition, source: &Source, from_start: bool) -> Arrival {
        // Sequences begin at 1: a writer that numbers nothing can't be checked.
        if source.sequence == 0 {
            return Arrival::Next;
        }
        let key = (partition, source.stage.clone(), source.stream.clone(), source.partition);
        let expected = match self.last.get(&key) {
            Some(last) => last + 1,
            None if from_start => 1,
            None => source.sequence,
        };
        if source.sequence < expected {
            return Arrival::Repeat;
        }
        if self.last.len() < MOST || self.last.contains_key(&key) {
            self.last.insert(key, source.sequence);
        }
        match source.sequence - expected {
            0 => Arrival::Next,
            missing => Arrival::Hole(missing),
        }
    }
}

#[cfg(test)]
mod tests {
    use foreshock_journal::Stream;

    use super::*;

    #[test]
    fn repeats_and_holes_are_told_for_each_source_alone() {
        let mut sources = Sources::default();
        let here = Partition::new(Stream::Incidents, 0);
        let mut arrive = |partition, sequence| {
            let source = Source { stage: "correlate".into(), partition, sequence, ..Source::default() };
            sources.arrive(here, &source, true)
        };
        assert_eq!(arrive(0, 1), Arrival::Next);
        assert_eq!(arrive(1, 1), Arrival::Next);
        assert_eq!(arrive(0, 2), Arrival::Next);
        assert_eq!(arrive(0, 2), Arrival::Repeat);
        assert_eq!(arrive(0, 5), Arrival::Hole(2));
        assert_eq!(arrive(1, 2), Arrival::Next);
        assert_eq!(arrive(2, 3), Arrival::Hole(2));
    }
}
