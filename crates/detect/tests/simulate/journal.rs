//! A journal as Kafka is one, in memory: partitions of entries with offsets, attempts that write to several of them
//! and become visible together or never, consumed offsets, generations, snapshots.
//!
//! Offsets have gaps: an aborted attempt leaves its entries' offsets behind, and the end of every attempt takes one in
//! each partition it wrote to. Readers see what is committed, up to the first entry of an attempt that is still open.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use foreshock_detect::InputKind;
use foreshock_model::{Tenant, Timestamp};

/// All streams there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stream {
    Logs,
    Metrics,
    Spans,
    Summaries,
    Findings,
    Incidents,
    Poison,
}

impl Stream {
    pub(crate) const TELEMETRY: [Self; 3] = [Self::Logs, Self::Metrics, Self::Spans];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Logs => "otlp_logs",
            Self::Metrics => "otlp_metrics",
            Self::Spans => "otlp_spans",
            Self::Summaries => "foreshock_summaries",
            Self::Findings => "foreshock_findings",
            Self::Incidents => "foreshock_incidents",
            Self::Poison => "foreshock_poison",
        }
    }
}

/// One partition of a stream. An input partition also names the one task that reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) stream: Stream,
    pub(crate) partition: u16,
}

impl Place {
    pub(crate) fn new(stream: Stream, partition: u16) -> Self {
        Self { stream, partition }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) tenant: Tenant,
    pub(crate) received: Timestamp,
    pub(crate) kind: InputKind,
    pub(crate) payload: Bytes,
}

/// The owner that spoke is one no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fenced;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Open,
    Committed,
    Aborted,
}

struct Attempt {
    input: Place,
    next: u64,
    wrote_to: Vec<Place>,
    outcome: Outcome,
}

#[derive(Default)]
struct Log {
    /// By offset: the attempt it belongs to, if any, and the entry.
    entries: Vec<(u64, Option<usize>, Arc<Entry>)>,
    next: u64,
}

impl Log {
    fn push(&mut self, attempt: Option<usize>, entry: Arc<Entry>) {
        self.entries.push((self.next, attempt, entry));
        self.next += 1;
    }
}

/// A state and the offset it covers the input up to.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub(crate) covers: u64,
    pub(crate) state: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Journal {
    logs: BTreeMap<Place, Log>,
    attempts: Vec<Attempt>,
    committed: BTreeMap<Place, u64>,
    generations: BTreeMap<Place, u64>,
    snapshots: BTreeMap<Place, Vec<Snapshot>>,
}

impl Journal {
    /// Appends outside of any attempt: telemetry, ticks, words of owners.
    pub(crate) fn append(&mut self, place: Place, entry: Entry) {
        self.logs.entry(place).or_default().push(None, Arc::new(entry));
    }

    /// An offset that holds nothing, as somebody's aborted attempt leaves it.
    pub(crate) fn leave_gap(&mut self, place: Place) {
        self.logs.entry(place).or_default().next += 1;
    }

    /// The next owner of an input takes over: attempts of those before it end here, and whatever they do is refused.
    pub(crate) fn take_over(&mut self, input: Place) -> u64 {
        let open: Vec<usize> = (0..self.attempts.len())
            .filter(|id| self.attempts[*id].input == input && self.attempts[*id].outcome == Outcome::Open)
            .collect();
        open.into_iter().for_each(|id| self.end(id, Outcome::Aborted));
        let generation = self.generations.entry(input).or_default();
        *generation += 1;
        *generation
    }

    fn check(&self, input: Place, generation: u64) -> Result<(), Fenced> {
        if self.generations.get(&input) == Some(&generation) { Ok(()) } else { Err(Fenced) }
    }

    /// Writes outputs, not visible yet, with the word that `input` is consumed up to `next`.
    pub(crate) fn begin(
        &mut self,
        input: Place,
        generation: u64,
        outputs: &[(Place, Arc<Entry>)],
        next: u64,
    ) -> Result<usize, Fenced> {
        self.check(input, generation)?;
        let id = self.attempts.len();
        let mut wrote_to: Vec<Place> = outputs.iter().map(|(place, _)| *place).collect();
        for (place, entry) in outputs {
            self.logs.entry(*place).or_default().push(Some(id), Arc::clone(entry));
        }
        wrote_to.sort_unstable();
        wrote_to.dedup();
        self.attempts.push(Attempt { input, next, wrote_to, outcome: Outcome::Open });
        Ok(id)
    }

    /// Ends an attempt: all of it is there with its consumed offset, or nothing.
    pub(crate) fn finish(&mut self, id: usize, generation: u64, commit: bool) -> Result<(), Fenced> {
        let (input, next) = (self.attempts[id].input, self.attempts[id].next);
        self.check(input, generation)?;
        self.end(id, if commit { Outcome::Committed } else { Outcome::Aborted });
        if commit {
            self.committed.insert(input, next);
        }
        Ok(())
    }

    fn end(&mut self, id: usize, outcome: Outcome) {
        let attempt = &mut self.attempts[id];
        assert_eq!(attempt.outcome, Outcome::Open, "an attempt ends once");
        attempt.outcome = outcome;
        for place in &attempt.wrote_to {
            self.logs.entry(*place).or_default().next += 1;
        }
    }

    /// The input is consumed up to here, as far as the journal knows.
    pub(crate) fn committed(&self, input: Place) -> u64 {
        self.committed.get(&input).copied().unwrap_or(0)
    }

    /// Up to `most` visible entries from an offset on.
    pub(crate) fn read(&self, place: Place, from: u64, most: usize) -> Vec<(u64, Arc<Entry>)> {
        let Some(log) = self.logs.get(&place) else { return Vec::new() };
        let begin = log.entries.partition_point(|(offset, ..)| *offset < from);
        let outcome =
            |attempt: &Option<usize>| attempt.map_or(Outcome::Committed, |id| self.attempts[id].outcome);
        log.entries[begin..]
            .iter()
            .take_while(|(_, attempt, _)| outcome(attempt) != Outcome::Open)
            .filter(|(_, attempt, _)| outcome(attempt) == Outcome::Committed)
            .take(most)
            .map(|(offset, _, entry)| (*offset, Arc::clone(entry)))
            .collect()
    }

    /// Every partition that holds something.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        self.logs.keys().copied()
    }

    pub(crate) fn save(&mut self, input: Place, snapshot: Snapshot) {
        self.snapshots.entry(input).or_default().push(snapshot);
    }

    pub(crate) fn snapshots(&self, input: Place) -> &[Snapshot] {
        self.snapshots.get(&input).map_or(&[], Vec::as_slice)
    }

    /// Entries that readers see, and attempts that came to nothing.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        let visible = self.places().map(|place| self.read(place, 0, usize::MAX).len() as u64).sum();
        let aborted = self.attempts.iter().filter(|attempt| attempt.outcome == Outcome::Aborted).count();
        (visible, aborted as u64)
    }
}
