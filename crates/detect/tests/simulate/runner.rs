//! One owner of one input partition: fetches, applies, commits outputs with offsets, saves its state, as the worker's
//! runner does. At most one attempt is on its way, and at most one fetch is applied beyond it.

use std::sync::Arc;

use bytes::Bytes;
use foreshock_detect::InputKind;

use super::{
    chance::Chance,
    journal::{Entry, Fenced, Journal, Place, Snapshot, Stream},
    machine::{Machine, Setting},
};

/// What becomes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Committed,
    /// Refused: nothing of it is there, and it is made again.
    Aborted,
    /// Committed, but the answer was lost.
    CommittedUnheard,
    /// Not committed, but that was not heard.
    AbortedUnheard,
}

/// A batch on its way.
struct Flight {
    outputs: Vec<(Place, Arc<Entry>)>,
    next: u64,
    stands: Stands,
}

/// What the owner knows of a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// It is to be sent, for the first time or again.
    Unsent,
    /// It is written and not ended yet.
    Open(usize),
    /// It ended, and nobody heard how.
    Unheard,
}

pub(crate) struct Runner {
    pub(crate) input: Place,
    generation: u64,
    pub(crate) machine: Machine,
    /// The next offset to apply.
    position: u64,
    /// The next offset to apply as the journal has it.
    durable: u64,
    ready: Vec<(Place, Arc<Entry>)>,
    flight: Option<Flight>,
}

impl Runner {
    /// Takes over an input: a snapshot of any age or none, then what was committed after it, in silence.
    pub(crate) fn take_up(
        journal: &mut Journal,
        setting: &Setting,
        input: Place,
        chance: &mut Chance,
    ) -> Self {
        let generation = journal.take_over(input);
        let mut machine = Machine::new(setting, input);
        let committed = journal.committed(input);
        let mut position = 0;
        let snapshots = journal.snapshots(input);
        let snapshot = match chance.below(6) {
            0 => None,
            1..4 => snapshots.last(),
            _ => snapshots.get(chance.index(snapshots.len())),
        };
        if let Some(snapshot) = snapshot {
            assert!(snapshot.covers <= committed, "a state is saved when all before it is committed");
            machine.restore(&snapshot.state).expect("what was saved can be restored");
            position = snapshot.covers;
        }
        while position < committed {
            let fetched = journal.read(input, position, chance.between(1, 500) as usize);
            let before = fetched.iter().take_while(|(offset, _)| *offset < committed);
            let mut last = None;
            for (offset, entry) in before {
                machine.apply(*offset, entry);
                last = Some(*offset);
            }
            // Between the last entry and the committed offset there may be nothing but gaps.
            position = last.map_or(committed, |offset| offset + 1);
        }
        Self { input, generation, machine, position, durable: committed, ready: Vec::new(), flight: None }
    }

    /// Applies up to `most` entries, unless outputs wait behind a batch. Returns how many.
    pub(crate) fn fetch(&mut self, journal: &Journal, most: usize) -> usize {
        if self.flight.is_some() && !self.ready.is_empty() {
            return 0;
        }
        let fetched = journal.read(self.input, self.position, most);
        for (offset, entry) in &fetched {
            self.apply(*offset, entry);
        }
        fetched.len()
    }

    fn apply(&mut self, offset: u64, entry: &Entry) {
        let made = self.machine.apply(offset, entry);
        let stream = Machine::output(self.input);
        let caused = |payload: Bytes| {
            let (tenant, received) = (entry.tenant.clone(), entry.received);
            Arc::new(Entry { tenant, received, kind: InputKind::Data, payload })
        };
        for (partition, message) in made.messages {
            self.ready.push((Place::new(stream, partition), caused(message.into())));
        }
        for reason in made.poison {
            let told = format!("{:?}: {reason}", self.input);
            self.ready.push((Place::new(Stream::Poison, 0), caused(told.into_bytes().into())));
        }
        self.position = offset + 1;
    }

    /// Sends what is ready, or what was refused before, unless a batch is on its way. Returns whether it wrote anything.
    pub(crate) fn send(&mut self, journal: &mut Journal) -> Result<bool, Fenced> {
        if self.flight.is_none() && (!self.ready.is_empty() || self.position > self.durable) {
            let outputs = std::mem::take(&mut self.ready);
            self.flight = Some(Flight { outputs, next: self.position, stands: Stands::Unsent });
        }
        let Some(flight) = &mut self.flight else { return Ok(false) };
        match flight.stands {
            Stands::Open(_) => return Ok(false),
            // Who did not hear asks how far the input is consumed before anything is sent again.
            Stands::Unheard if journal.committed(self.input) == flight.next => {
                self.is_durable();
                return Ok(false);
            }
            Stands::Unheard | Stands::Unsent => {}
        }
        let attempt = journal.begin(self.input, self.generation, &flight.outputs, flight.next)?;
        flight.stands = Stands::Open(attempt);
        Ok(true)
    }

    fn is_durable(&mut self) {
        if let Some(flight) = self.flight.take() {
            self.durable = flight.next;
        }
    }

    /// Ends the batch that is on its way.
    pub(crate) fn settle(&mut self, journal: &mut Journal, fate: Fate) -> Result<(), Fenced> {
        let Some(flight) = &mut self.flight else { return Ok(()) };
        let Stands::Open(attempt) = flight.stands else { return Ok(()) };
        let commits = matches!(fate, Fate::Committed | Fate::CommittedUnheard);
        journal.finish(attempt, self.generation, commits)?;
        match fate {
            Fate::Committed => self.is_durable(),
            Fate::Aborted => flight.stands = Stands::Unsent,
            Fate::CommittedUnheard | Fate::AbortedUnheard => flight.stands = Stands::Unheard,
        }
        Ok(())
    }

    /// Saves the state, if everything before it is committed.
    pub(crate) fn save(&self, journal: &mut Journal) {
        if self.is_settled() {
            journal.save(self.input, Snapshot { covers: self.position, state: self.machine.save() });
        }
    }

    /// Whether nothing is on its way and nothing waits.
    pub(crate) fn is_settled(&self) -> bool {
        self.flight.is_none() && self.ready.is_empty() && self.position == self.durable
    }

    /// Commits everything and saves, to hand the input over.
    pub(crate) fn hand_over(mut self, journal: &mut Journal) -> Result<(), String> {
        // What was sent, and what waited behind it, each of them perhaps not heard of at first.
        for _ in 0..4 {
            let sent = self.send(journal);
            let ended = sent.and_then(|_| self.settle(journal, Fate::Committed));
            ended.map_err(|Fenced| "an owner that hands over was refused".to_owned())?;
        }
        if !self.is_settled() {
            return Err(format!("what {:?} came to is not committed in order", self.input));
        }
        self.save(journal);
        Ok(())
    }
}
