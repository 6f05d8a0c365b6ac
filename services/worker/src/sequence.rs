//! Keeps the numbers of a stage's messages dense when its state had to be rebuilt from a log that has lost its beginning.
//!
//! Every message carries a dense number by input and output partition, counted in the stage's state, and readers
//! drop what they have seen. A state rebuilt from the middle of the log, or by a version that puts out more or
//! fewer messages, counts differently; its numbers are shifted to go on where the journal left off.

use std::{
    io::{self, Read, Write},
    sync::Arc,
};

use foreshock_journal::{EntryKind, Journal, JournalError, Offset, Partition, Stream};
use foreshock_model::proto;
use prost::Message;

use crate::ask::ask;

const READ_BYTES: usize = 4 << 20;

/// The beginning that all messages of stages share.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Stamp {
    #[prost(message, optional, tag = "1")]
    pub(crate) source: Option<proto::Source>,
    #[prost(fixed64, tag = "2")]
    pub(crate) watermark: u64,
}

/// What is added to the stage's own numbers, by output partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sequences {
    shift: Vec<u64>,
}

impl Sequences {
    /// Nothing is added.
    pub(crate) fn new(outputs: u16) -> Self {
        Self { shift: vec![0; usize::from(outputs)] }
    }

    /// Goes on after `written` although the stage has counted to `counted`.
    pub(crate) fn go_on(&mut self, written: &[u64], counted: &[u64]) {
        for ((shift, written), counted) in self.shift.iter_mut().zip(written).zip(counted) {
            *shift = written.wrapping_sub(*counted);
        }
    }

    /// Whether anything is added.
    pub(crate) fn is_shifted(&self) -> bool {
        self.shift.iter().any(|shift| *shift != 0)
    }

    /// Encodes a message with its number corrected.
    pub(crate) fn encode<M: Message>(&self, output: u16, message: &M) -> Vec<u8> {
        let mut bytes = message.encode_to_vec();
        let shift = self.shift.get(usize::from(output)).copied().unwrap_or(0);
        if shift == 0 {
            return bytes;
        }
        let Ok(Stamp { source: Some(source), .. }) = Stamp::decode(bytes.as_slice()) else { return bytes };
        // A second occurrence of a sub-message is merged into the first: the encoding's own way to amend a field.
        let sequence = source.sequence.wrapping_add(shift);
        let amended = Stamp { source: Some(proto::Source { sequence, ..Default::default() }), watermark: 0 };
        amended.encode(&mut bytes).expect("a vector grows");
        bytes
    }

    /// Writes what is added.
    pub(crate) fn save(&self, to: &mut dyn Write) -> io::Result<()> {
        to.write_all(&(self.shift.len() as u32).to_le_bytes())?;
        self.shift.iter().try_for_each(|shift| to.write_all(&shift.to_le_bytes()))
    }

    /// Reads what [`Sequences::save`] wrote; `None` where it is for another number of output partitions.
    pub(crate) fn restore(outputs: u16, from: &mut dyn Read) -> io::Result<Option<Self>> {
        let mut count = [0; 4];
        from.read_exact(&mut count)?;
        if u32::from_le_bytes(count) != u32::from(outputs) {
            return Ok(None);
        }
        let mut shift = Vec::with_capacity(usize::from(outputs));
        for _ in 0..outputs {
            let mut bytes = [0; 8];
            from.read_exact(&mut bytes)?;
            shift.push(u64::from_le_bytes(bytes));
        }
        Ok(Some(Self { shift }))
    }
}

/// The last number on the journal that `stage` reading `input` gave to what came of entries before `position`, by
/// partition of `output`; 0 where there is none.
pub(crate) async fn last_written(
    journal: &Arc<dyn Journal>,
    stage: &str,
    input: Partition,
    output: Stream,
    position: Offset,
) -> Result<Vec<u64>, JournalError> {
    let mut last = vec![0; usize::from(journal.partitions(output))];
    for (index, last) in (0_u16..).zip(&mut last) {
        let partition = Partition::new(output, index);
        let (next, mut reader) = ask(journal, move |journal| {
            let (first, next) = journal.bounds(partition)?;
            Ok((next, journal.reader(partition, first)?))
        })
        .await?;
        while reader.position() < next {
            let fetched = reader.read_now(READ_BYTES).await?;
            if fetched.is_empty() {
                break;
            }
            for (_, entry) in fetched {
                if entry.kind != EntryKind::Data {
                    continue;
                }
                let Ok(Stamp { source: Some(source), .. }) = Stamp::decode(entry.payload.into_bytes()) else {
                    continue;
                };
                if source.stage == stage
                    && source.stream == input.stream.name()
                    && source.partition == u32::from(input.index)
                    && source.offset < position.0
                {
                    *last = source.sequence.max(*last);
                }
            }
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amended_number_is_the_only_thing_that_changes() {
        let source = proto::Source {
            stage: "reduce".into(),
            stream: "otlp_logs".into(),
            partition: 3,
            offset: 77,
            sequence: 5,
            partitions: 2,
        };
        let finding = proto::Finding { id: "a".into(), ..Default::default() };
        let message = proto::Findings {
            source: Some(source),
            watermark: 9,
            findings: vec![finding],
            ..Default::default()
        };
        let mut sequences = Sequences::new(2);
        sequences.go_on(&[0, 1000], &[0, 4]);
        assert_eq!(sequences.encode(0, &message), message.encode_to_vec());
        let mut expected = message.clone();
        expected.source.as_mut().expect("set").sequence = 1001;
        let amended = proto::Findings::decode(sequences.encode(1, &message).as_slice()).expect("valid");
        assert_eq!(amended, expected);

        let mut saved = Vec::new();
        sequences.save(&mut saved).expect("a vector grows");
        assert_eq!(Sequences::restore(2, &mut saved.as_slice()).expect("whole"), Some(sequences));
        assert_eq!(Sequences::restore(4, &mut saved.as_slice()).expect("whole"), None);
    }
}
