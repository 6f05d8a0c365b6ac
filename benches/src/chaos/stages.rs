//! Every stage once more, from nothing and undisturbed, over the very entries it read: does the journal hold the
//! messages that come out, byte for byte, each once and in order?
//!
//! A stage is a pure function of the entries of its partition, ticks, markers and skips included. So for each input
//! partition the entries up to the committed offset determine what has to be in the output stream; offset and outputs
//! became durable in one step, so that there is neither more nor less of it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use anyhow::Context as _;
use foreshock_detect::{
    DetectConfig, Input, InputId, InputKind, Outputs, Stage, correlate::Correlate, detect::Detect,
    reduce::Reduce,
};
use foreshock_journal::{EntryKind, Partition, Stream};
use foreshock_model::{fingerprint64, proto};
use prost::Message;

use super::records::Records;
use crate::remains::{Look, Remains};

/// Partitions looked at side by side.
const THREADS: usize = 2;

/// The messages that a stage made from one input partition for one output partition, as fingerprints, in order.
type Messages = BTreeMap<(Partition, u16), Vec<u64>>;

/// How the outputs of a stage compare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// Messages in the journal.
    pub(super) messages: u64,
    /// What differs, in words; empty: nothing.
    pub(super) differences: Vec<String>,
    /// Numbers missing or out of order in the journal's messages.
    pub(super) holes: u64,
    /// Entries that the stage could not read.
    pub(super) poison: u64,
}

/// All three stages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stages {
    pub(super) summaries: Compared,
    pub(super) findings: Compared,
    pub(super) incidents: Compared,
}

/// The beginning that all messages of stages share.
#[derive(Clone, PartialEq, Message)]
struct Stamp {
    #[prost(message, optional, tag = "1")]
    source: Option<proto::Source>,
}

/// Replays every stage over the journal, and counts the load's records on the way.
pub(super) fn compare(remains: &Remains, config: DetectConfig, records: &Records) -> anyhow::Result<Stages> {
    let audit = Audit { remains, config: Arc::new(config), records };
    let telemetry = remains.look()?.partitions(Stream::Logs);
    let reduce =
        |config, input, sources, outputs| Reduce::new(config, input, sources, outputs).one_of(telemetry);
    Ok(Stages {
        summaries: audit.stage(&Stream::TELEMETRY, Stream::Summaries, &[], reduce)?,
        findings: audit.stage(&[Stream::Summaries], Stream::Findings, &Stream::TELEMETRY, Detect::new)?,
        incidents: audit.stage(
            &[Stream::Findings],
            Stream::Incidents,
            &[Stream::Summaries],
            Correlate::new,
        )?,
    })
}

struct Audit<'a> {
    remains: &'a Remains,
    config: Arc<DetectConfig>,
    records: &'a Records,
}

impl Audit<'_> {
    /// One stage: what it makes of `inputs` beside what lies in `output`.
    fn stage<S: Stage>(
        &self,
        inputs: &[Stream],
        output: Stream,
        sources: &[Stream],
        new: impl Fn(Arc<DetectConfig>, InputId, Vec<InputId>, u16) -> S + Sync,
    ) -> anyhow::Result<Compared> {
        let mut look = self.remains.look()?;
        let id = |partition: &Partition| InputId {
            stream: partition.stream.name().to_owned(),
            partition: partition.index,
        };
        let inputs = look.all(inputs);
        let sources: Vec<InputId> = look.all(sources).iter().map(id).collect();
        let outputs = look.partitions(output);
        let turn = AtomicUsize::new(0);
        let made = Mutex::new((Messages::new(), 0));
        thread::scope(|scope| {
            let work = || -> anyhow::Result<()> {
                while let Some(input) = inputs.get(turn.fetch_add(1, Relaxed)) {
                    let stage = new(Arc::clone(&self.config), id(input), sources.clone(), outputs);
                    let (messages, poison) = self.replay(*input, stage)?;
                    let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
                    made.0.extend(messages);
                    made.1 += poison;
                }
                Ok(())
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().map_err(|_| anyhow::anyhow!("replaying {} panicked", S::NAME))?
            })
        })?;
        let (made, poison) = made.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut compared = Compared { poison, ..Compared::default() };
        let found = recorded(&mut look, output, &mut compared)?;
        differences(&made, &found, &mut compared.differences);
        Ok(compared)
    }

    /// What a fresh stage makes of a partition up to where the journal says that it has come.
    fn replay<S: Stage>(&self, input: Partition, mut stage: S) -> anyhow::Result<(Messages, u64)> {
        let mut look = self.remains.look()?;
        let committed = look.committed(S::NAME, input).unwrap_or_default();
        let mut messages = Messages::new();
        let mut poison = 0;
        look.each_entry(input, |offset, entry| {
            let payload = entry.payload.into_bytes();
            if input.stream == Stream::Logs && entry.kind == EntryKind::Data {
                self.records.count((input, offset), entry.received, &payload);
            }
            if offset >= committed {
                return Ok(());
            }
            let kind = match entry.kind {
                EntryKind::Data => InputKind::Data,
                EntryKind::Tick => InputKind::Tick,
                EntryKind::Marker => InputKind::Marker,
                EntryKind::Skip => InputKind::Skip,
            };
            let (tenant, received) = (&entry.tenant, entry.received);
            let mut out = Outputs::default();
            stage.apply_or_set_aside(
                Input { offset: offset.0, tenant, received, kind, payload: &payload },
                &mut out,
            );
            poison += out.poison.len() as u64;
            for (output, message) in out.messages {
                let print = fingerprint(received.nanos(), message.encode_to_vec());
                messages.entry((input, output)).or_default().push(print);
            }
            Ok(())
        })?;
        Ok((messages, poison))
    }
}

/// A message and the receive time that it is kept with.
fn fingerprint(received: u64, mut message: Vec<u8>) -> u64 {
    message.extend(received.to_le_bytes());
    fingerprint64(&message)
}

/// What lies in a stream, by the input partition it was made from; holes in the numbers are counted.
fn recorded(look: &mut Look, stream: Stream, compared: &mut Compared) -> anyhow::Result<Messages> {
    let mut found = Messages::new();
    for index in 0..look.partitions(stream) {
        let partition = Partition::new(stream, index);
        look.each_entry(partition, |offset, entry| {
            if entry.kind != EntryKind::Data {
                return Ok(());
            }
            let received = entry.received.nanos();
            let payload = entry.payload.into_bytes();
            let Stamp { source } = Stamp::decode(payload.clone())?;
            let source =
                source.with_context(|| format!("{partition} at {offset} does not name its source"))?;
            let of = Stream::parse(&source.stream).context("its source's stream is not known")?;
            let input = Partition::new(of, u16::try_from(source.partition)?);
            let messages = found.entry((input, index)).or_default();
            messages.push(fingerprint(received, payload.into()));
            compared.messages += 1;
            compared.holes += u64::from(source.sequence != messages.len() as u64);
            Ok(())
        })?;
    }
    Ok(found)
}

fn differences(made: &Messages, found: &Messages, differences: &mut Vec<String>) {
    let none = Vec::new();
    let mut keys: Vec<_> = made.keys().chain(found.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let (made, found) = (made.get(key).unwrap_or(&none), found.get(key).unwrap_or(&none));
        if made == found {
            continue;
        }
        let same = made.iter().zip(found).take_while(|(made, found)| made == found).count();
        differences.push(format!(
            "from {} to partition {}: message {} of {} (the replay makes {}) is the first that differs",
            key.0,
            key.1,
            same + 1,
            found.len(),
            made.len()
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_too_many_too_few_or_changed_is_a_difference() {
        let key = (Partition::new(Stream::Logs, 1), 0);
        let made = Messages::from([(key, vec![1, 2, 3])]);
        let differing = |found: Vec<u64>| {
            let mut said = Vec::new();
            differences(&made, &Messages::from([(key, found)]), &mut said);
            said.len()
        };
        assert_eq!(differing(vec![1, 2, 3]), 0);
        for found in [vec![1, 2], vec![1, 2, 3, 4], vec![1, 3, 2], vec![]] {
            assert_eq!(differing(found), 1);
        }
    }
}
