//! How streams and partitions are spread over the two volumes, and what their files are called.

use std::path::{Path, PathBuf};

use crate::{Partition, Stream};

/// Blocks are written whole: batches start at, and are padded to, a multiple of this.
pub(super) const BLOCK: u64 = 4096;

/// The next multiple of [`BLOCK`].
pub(super) fn block_up(at: u64) -> u64 {
    at.next_multiple_of(BLOCK)
}

/// One physical log in which all partitions of its streams are interleaved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Volume {
    /// What was received.
    Telemetry,
    /// What the stages and services wrote.
    Stages,
}

impl Volume {
    pub(super) const ALL: [Self; 2] = [Self::Telemetry, Self::Stages];

    pub(super) fn of(stream: Stream) -> Self {
        if stream.is_telemetry() { Self::Telemetry } else { Self::Stages }
    }

    /// The directory below the journal's, also its name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Telemetry => "telemetry",
            Self::Stages => "stages",
        }
    }

    pub(super) fn index(self) -> usize {
        self as usize
    }
}

/// The number of a stream on disk: its place in [`Stream::ALL`], to which streams are only ever appended.
pub(super) fn stream_code(stream: Stream) -> u8 {
    stream as u8
}

/// The stream of a number on disk.
pub(super) fn stream_of(code: u8) -> Option<Stream> {
    Stream::ALL.get(usize::from(code)).copied()
}

/// How many partitions each stream has, by [`stream_code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts(pub(super) [u16; Stream::ALL.len()]);

impl Counts {
    pub(super) fn of(&self, stream: Stream) -> u16 {
        self.0[usize::from(stream_code(stream))]
    }

    pub(super) fn has(&self, partition: Partition) -> bool {
        partition.index < self.of(partition.stream)
    }
}

/// The partitions of one volume, each with a dense number: its *slot*.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    partitions: Vec<Partition>,
    /// The slot of each stream's partition 0.
    base: [usize; Stream::ALL.len()],
    counts: Counts,
}

impl Slots {
    pub(super) fn new(volume: Volume, counts: Counts) -> Self {
        let mut partitions = Vec::new();
        let mut base = [0; Stream::ALL.len()];
        for stream in Stream::ALL.into_iter().filter(|stream| Volume::of(*stream) == volume) {
            base[usize::from(stream_code(stream))] = partitions.len();
            partitions.extend((0..counts.of(stream)).map(|index| Partition::new(stream, index)));
        }
        Self { partitions, base, counts }
    }

    /// The slot of a partition of this volume.
    pub(super) fn slot(&self, partition: Partition) -> Option<usize> {
        let slot = self.base[usize::from(stream_code(partition.stream))] + usize::from(partition.index);
        (self.counts.has(partition) && self.partitions.get(slot) == Some(&partition)).then_some(slot)
    }

    pub(super) fn partition(&self, slot: usize) -> Partition {
        self.partitions[slot]
    }

    pub(super) fn len(&self) -> usize {
        self.partitions.len()
    }
}

/// Where things lie below the journal's directory.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    pub(super) root: PathBuf,
}

impl Paths {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("LOCK")
    }

    pub(super) fn volume(&self, volume: Volume) -> PathBuf {
        self.root.join(volume.name())
    }

    pub(super) fn segment(&self, volume: Volume, sequence: u64) -> PathBuf {
        self.volume(volume).join(format!("{sequence:016x}.seg"))
    }

    /// A file that holds nothing and waits to become a segment.
    pub(super) fn spare(&self, volume: Volume, number: u64) -> PathBuf {
        self.volume(volume).join(format!("{number:016x}.spare"))
    }

    pub(super) fn damaged(&self) -> PathBuf {
        self.root.join("damaged")
    }

    pub(super) fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }
}

/// The sequence in the name of a segment file.
pub(super) fn segment_sequence(name: &str) -> Option<u64> {
    name.strip_suffix(".seg").filter(|hex| hex.len() == 16).and_then(|hex| u64::from_str_radix(hex, 16).ok())
}

/// The number in the name of a spare file.
pub(super) fn spare_number(name: &str) -> Option<u64> {
    name.strip_suffix(".spare")
        .filter(|hex| hex.len() == 16)
        .and_then(|hex| u64::from_str_radix(hex, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_keeps_its_number_on_disk() {
        for (code, stream) in (0u8..).zip(Stream::ALL) {
            assert_eq!(stream_code(stream), code);
            assert_eq!(stream_of(code), Some(stream));
        }
    }

    #[test]
    fn every_partition_has_one_slot_in_its_own_volume() {
        let counts = Counts([4, 4, 4, 4, 4, 4, 1, 1, 1]);
        for volume in Volume::ALL {
            let slots = Slots::new(volume, counts);
            for slot in 0..slots.len() {
                assert_eq!(slots.slot(slots.partition(slot)), Some(slot));
            }
            for stream in Stream::ALL {
                assert_eq!(slots.slot(Partition::new(stream, counts.of(stream))), None);
                assert_eq!(slots.slot(Partition::new(stream, 0)).is_some(), Volume::of(stream) == volume);
            }
        }
    }
}
