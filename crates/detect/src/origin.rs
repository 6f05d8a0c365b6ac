//! Where messages come from: stamped by the stage that writes, checked by the stage that reads.

use std::{collections::BTreeMap, fmt};

use foreshock_model::proto;
use serde::{Deserialize, Serialize};

/// One input partition of a stage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InputId {
    /// The stream's name.
    pub stream: String,
    /// The partition.
    pub partition: u16,
}

impl InputId {
    /// Of a message's source.
    pub fn of(source: &proto::Source) -> Self {
        Self { stream: source.stream.clone(), partition: u16::try_from(source.partition).unwrap_or(u16::MAX) }
    }
}

impl fmt::Display for InputId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.stream, self.partition)
    }
}

/// Stamps a stage's messages with their source and a dense number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Origin {
    stage: String,
    input: InputId,
    /// Last number given, by output partition.
    given: Vec<u64>,
    /// How many partitions the input's stream has; 0 where that is not said. No state: it is as the owner knows it now.
    #[serde(skip)]
    partitions: u16,
}

impl Origin {
    /// Of `stage` reading `input` and writing to `outputs` partitions.
    pub fn new(stage: &str, input: InputId, outputs: u16) -> Self {
        Self { stage: stage.to_owned(), input, given: vec![0; usize::from(outputs.max(1))], partitions: 0 }
    }

    /// Says in every stamp that the input is one of so many partitions.
    pub(crate) fn one_of(&mut self, partitions: u16) {
        self.partitions = partitions;
    }

    /// How many partitions the output stream has.
    pub fn outputs(&self) -> u16 {
        u16::try_from(self.given.len()).unwrap_or(u16::MAX)
    }

    /// The input it reads.
    pub fn input(&self) -> &InputId {
        &self.input
    }

    /// The stamp of the next message to `output` that the input entry at `offset` caused.
    pub fn stamp(&mut self, output: u16, offset: u64) -> proto::Source {
        let given = &mut self.given[usize::from(output)];
        *given += 1;
        proto::Source {
            stage: self.stage.clone(),
            stream: self.input.stream.clone(),
            partition: self.input.partition.into(),
            offset,
            sequence: *given,
            partitions: self.partitions.into(),
        }
    }
}

/// Whether a message is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The next of its source.
    Next,
    /// Seen before: to be passed over.
    Repeat,
    /// Something before it is missing. To be taken, and to be counted: this must never be.
    Hole,
}

/// Checks that each message of each source comes once and without a hole.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Holes {
    seen: BTreeMap<(String, InputId), u64>,
    holes: u64,
    repeats: u64,
}

impl Holes {
    /// Takes note of a message.
    pub fn arrive(&mut self, source: &proto::Source) -> Arrival {
        let seen = self.seen.entry((source.stage.clone(), InputId::of(source))).or_default();
        if source.sequence <= *seen {
            self.repeats += 1;
            return Arrival::Repeat;
        }
        let expected = *seen + 1;
        *seen = source.sequence;
        if source.sequence == expected {
            return Arrival::Next;
        }
        self.holes += source.sequence - expected;
        Arrival::Hole
    }

    /// Messages that never came. Must be 0.
    pub fn holes(&self) -> u64 {
        self.holes
    }

    /// Messages that came again.
    pub fn repeats(&self) -> u64 {
        self.repeats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_passed_over_and_holes_are_counted() {
        let input = InputId { stream: "otlp_logs".into(), partition: 3 };
        let mut origin = Origin::new("reduce", input, 2);
        let mut holes = Holes::default();
        let first = origin.stamp(1, 10);
        let second = origin.stamp(1, 11);
        let third = origin.stamp(1, 12);
        assert_eq!((first.sequence, third.sequence), (1, 3));
        assert_eq!(holes.arrive(&first), Arrival::Next);
        assert_eq!(holes.arrive(&first), Arrival::Repeat);
        assert_eq!(holes.arrive(&third), Arrival::Hole);
        assert_eq!(holes.arrive(&second), Arrival::Repeat);
        assert_eq!((holes.holes(), holes.repeats()), (1, 2));
    }
}
