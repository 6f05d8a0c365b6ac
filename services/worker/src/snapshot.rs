//! When a state is saved, and in what form.

use std::{
    io::{self, BufWriter, Read, Write},
    time::{Duration, Instant},
};

use foreshock_detect::{RestoreError, Stage};

use crate::{WorkerConfig, sequence::Sequences};

const MAGIC: [u8; 4] = *b"FSW1";

/// A state up to this size is written to memory first, so that the disk is not waited for.
const MEMORY_BYTES: usize = 16 << 20;

/// Decides when the next snapshot is due.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: Duration,
    input_limit: u64,
    /// How many times longer than its cost the time between two snapshots is.
    rest: u32,
    last: Instant,
    cost: Duration,
    input_bytes: u64,
    messages: u64,
    entries: u64,
}

impl Pace {
    /// As configured, counting from now.
    pub(crate) fn new(config: &WorkerConfig) -> Self {
        Self {
            interval: Duration::from_secs(config.snapshot_seconds.into()),
            input_limit: u64::from(config.snapshot_input_mib) << 20,
            rest: 100 / u32::from(config.snapshot_percent.max(1)),
            last: Instant::now(),
            cost: Duration::ZERO,
            input_bytes: 0,
            messages: 0,
            entries: 0,
        }
    }

    /// Takes note of what the state has taken in.
    pub(crate) fn took(&mut self, entries: u64, messages: u64, bytes: u64) {
        self.entries += entries;
        self.messages += messages;
        self.input_bytes += bytes;
    }

    /// Whether the state has changed since it was saved.
    pub(crate) fn has_changed(&self) -> bool {
        self.entries > 0
    }

    /// Whether it is time. Ticks alone change little: a partition that gets nothing else is saved ten times less often.
    pub(crate) fn is_due(&self) -> bool {
        let since = self.last.elapsed();
        let interval = if self.messages > 0 { self.interval } else { self.interval * 10 };
        let wanted = self.input_bytes >= self.input_limit || since >= interval;
        self.has_changed() && wanted && since >= self.cost * self.rest
    }

    /// A snapshot of everything taken so far was begun and has held up the partition for `cost`.
    pub(crate) fn begun(&mut self, cost: Duration) {
        self.last = Instant::now();
        self.cost = cost;
        self.input_bytes = 0;
        self.messages = 0;
        self.entries = 0;
    }

    /// Writing it took this long beside the partition.
    pub(crate) fn written(&mut self, took: Duration) {
        self.cost += took;
    }

    /// It could not be written: tried again after the interval.
    pub(crate) fn failed(&mut self) {
        self.entries += 1;
        self.messages += 1;
    }
}

/// A state in memory, or word that it is too large for that.
pub(crate) enum Image {
    /// The whole snapshot.
    InMemory(Vec<u8>),
    /// To be streamed to the disk.
    TooLarge,
}

/// Writes the snapshot to memory if it is small.
pub(crate) fn image<S: Stage>(stage: &S, sequences: &Sequences) -> io::Result<Image> {
    let mut memory = Bounded { bytes: Vec::new(), overflown: false };
    match write(stage, sequences, &mut memory) {
        Ok(()) => Ok(Image::InMemory(memory.bytes)),
        Err(_) if memory.overflown => Ok(Image::TooLarge),
        Err(error) => Err(error),
    }
}

/// Writes the snapshot.
pub(crate) fn write<S: Stage>(stage: &S, sequences: &Sequences, to: &mut dyn Write) -> io::Result<()> {
    let mut to = BufWriter::with_capacity(256 << 10, to);
    to.write_all(&MAGIC)?;
    sequences.save(&mut to)?;
    stage.save(&mut to)?;
    to.flush()
}

/// Reads what [`write`] wrote.
pub(crate) fn read<S: Stage>(
    stage: &mut S,
    outputs: u16,
    from: &mut dyn Read,
) -> Result<Sequences, RestoreError> {
    let mut magic = [0; 4];
    from.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(RestoreError::Damaged(format!("it begins with {magic:?}")));
    }
    let sequences = Sequences::restore(outputs, from)?.ok_or_else(|| {
        RestoreError::Damaged(format!("it is not for {outputs} partitions of the output stream"))
    })?;
    stage.restore(from)?;
    Ok(sequences)
}

struct Bounded {
    bytes: Vec<u8>,
    overflown: bool,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + piece.len() > MEMORY_BYTES {
            self.overflown = true;
            self.bytes = Vec::new();
            return Err(io::Error::other("above the limit"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts what is written through it.
pub(crate) struct Counting<'a> {
    pub(crate) to: &'a mut dyn Write,
    pub(crate) bytes: u64,
}

impl Write for Counting<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let written = self.to.write(piece)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_costly_snapshot_waits_until_it_takes_its_share_of_the_time_only() {
        let config = WorkerConfig { snapshot_input_mib: 1, snapshot_percent: 2, ..WorkerConfig::default() };
        let mut pace = Pace::new(&config);
        assert!(!pace.is_due());
        pace.took(1, 1, 2 << 20);
        assert!(pace.is_due(), "above the limit of input");
        pace.begun(Duration::from_secs(1));
        pace.took(1, 1, 2 << 20);
        assert!(!pace.is_due(), "one second of work earns 50 seconds of rest");
        pace.last = Instant::now().checked_sub(Duration::from_secs(51)).expect("the machine is up longer");
        assert!(pace.is_due());
    }
}
