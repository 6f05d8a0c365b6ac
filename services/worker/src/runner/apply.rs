//! Entries go into the stage, messages come out.

use foreshock_detect::{Input, InputKind, Taken};
use foreshock_journal::{Entry, EntryKind, Fetched, Offset, Partition, Stream};
use foreshock_model::Tenant;
use foreshock_otlp::{Signal, count_records};
use tracing::{debug, warn};

use super::Runner;
use crate::{Served, poison};

impl<S: Served> Runner<S> {
    /// Applies a fetch and keeps its outputs.
    pub(super) fn take(&mut self, fetched: &Fetched) {
        let (mut messages, mut records, mut bytes) = (0, 0, 0);
        for (offset, entry) in fetched {
            if entry.kind == EntryKind::Data {
                messages += 1;
                records += records_in(self.input.stream, entry);
            }
            bytes += entry.payload.len() as u64;
            self.apply(*offset, entry);
            self.collect(*offset, entry);
        }
        if messages > 0 {
            self.figures.is_busy();
        }
        let entries = fetched.len() as u64;
        self.pace.took(entries, messages, bytes);
        self.figures.took(entries, messages, records, bytes);
        let received = fetched.last().map(|(_, entry)| entry.received);
        self.figures.stands(self.position, received, self.stage.reading());
    }

    /// Applies a fetch whose outputs are on the journal already.
    pub(super) fn replay(&mut self, fetched: &Fetched) {
        let mut bytes = 0;
        for (offset, entry) in fetched {
            bytes += entry.payload.len() as u64;
            self.apply(*offset, entry);
            for (output, _) in self.out.messages.drain(..) {
                if let Some(counted) = self.counted.get_mut(usize::from(output)) {
                    *counted += 1;
                }
            }
            self.out.poison.clear();
        }
        self.pace.took(fetched.len() as u64, fetched.len() as u64, bytes);
    }

    fn apply(&mut self, offset: Offset, entry: &Entry) {
        let payload = entry.payload.clone().into_bytes();
        if let Some(sources) = &mut self.sources
            && entry.kind == EntryKind::Data
        {
            sources.hear(&payload);
        }
        let kind = match entry.kind {
            EntryKind::Data => InputKind::Data,
            EntryKind::Tick => InputKind::Tick,
            EntryKind::Marker => InputKind::Marker,
            EntryKind::Skip => InputKind::Skip,
        };
        let input = Input {
            offset: offset.0,
            tenant: &entry.tenant,
            received: entry.received,
            kind,
            payload: &payload,
        };
        if self.stage.apply_or_set_aside(input, &mut self.out) == Taken::SetAside {
            self.figures.panicked();
        }
        self.position = offset.next();
    }

    fn collect(&mut self, offset: Offset, entry: &Entry) {
        for (output, message) in self.out.messages.drain(..) {
            if S::is_news(&message) {
                self.ready.news.push(entry.received);
            }
            let bytes = self.sequences.encode(output, &message);
            self.figures.put_out(bytes.len());
            let partition = Partition::new(self.output, output);
            self.ready.push(partition, Entry::data(Tenant::default(), entry.received, 1, bytes));
        }
        for (at, reason) in self.out.poison.drain(..) {
            if at != offset.0 {
                debug!(stage = S::NAME, input = %self.input, at, %offset, "a stage names another entry than the one it was given");
            }
            warn!(stage = S::NAME, input = %self.input, offset = at, %reason, "an entry is set aside");
            self.figures.poisoned();
            let (partition, poison) = poison::set_aside(S::NAME, self.input, at, entry, reason);
            self.ready.push(partition, poison);
        }
    }
}

/// Records of an entry of data: counted where its writer did not.
fn records_in(stream: Stream, entry: &Entry) -> u64 {
    let signal = match stream {
        Stream::Logs => Signal::Logs,
        Stream::Metrics => Signal::Metrics,
        Stream::Spans => Signal::Traces,
        _ => return entry.records.into(),
    };
    match entry.records {
        0 => entry.payload.slices().iter().map(|slice| count_records(signal, slice)).sum(),
        records => records.into(),
    }
}
