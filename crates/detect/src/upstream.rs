//! The sources a stage reads from: whether each message comes once, how far each has come, who is not waited for.

use std::collections::BTreeMap;

use bytes::Bytes;
use foreshock_model::{Finding, Timestamp, Window, proto};
use prost::Message;
use serde::{Deserialize, Serialize};

use crate::{Holes, InputId, degraded::Unread, origin::Arrival};

/// A message that names its source.
pub(crate) trait Sent: Message + Default {
    /// Where it came from.
    fn source(&self) -> Option<&proto::Source>;
}

impl Sent for proto::Summaries {
    fn source(&self) -> Option<&proto::Source> {
        self.source.as_ref()
    }
}

impl Sent for proto::Findings {
    fn source(&self) -> Option<&proto::Source> {
        self.source.as_ref()
    }
}

/// In the place of how far a source has come: it is not waited for.
const GIVEN_UP: Timestamp = Timestamp::MAX;

/// All partitions of the stage before, as one partition of a stage sees them.
///
/// Which there are follows from the messages alone, so that a state rebuilt from the log waits for the same ones as the
/// first did, whatever number of partitions the streams have by then: each message says how many its stream has, and a
/// source is known at the latest by its first message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Upstream {
    holes: Holes,
    /// How far each source has come, or that it is given up.
    reached: BTreeMap<InputId, Timestamp>,
    /// Sources given up, entries that could not be read: not told yet.
    given_up: BTreeMap<InputId, u64>,
    unread: Unread,
}

impl Upstream {
    /// Sources that are known from the start, and have said nothing yet.
    pub(crate) fn new(sources: impl IntoIterator<Item = InputId>) -> Self {
        Self {
            holes: Holes::default(),
            reached: sources.into_iter().map(|source| (source, Timestamp::default())).collect(),
            given_up: BTreeMap::new(),
            unread: Unread::default(),
        }
    }

    /// Reads a message. `None`: it came before and is passed over.
    pub(crate) fn read<M: Sent>(&mut self, payload: &Bytes) -> Result<Option<(InputId, M)>, String> {
        let message = M::decode(payload.clone()).map_err(|error| error.to_string())?;
        let source = message.source().ok_or("it names no source")?;
        if self.holes.arrive(source) == Arrival::Repeat {
            return Ok(None);
        }
        self.meet_all_of(source);
        Ok(Some((InputId::of(source), message)))
    }

    /// Waits for all partitions that the stream of `source` has by its word.
    fn meet_all_of(&mut self, source: &proto::Source) {
        let of = |partition| InputId { stream: source.stream.clone(), partition };
        let partitions = u16::try_from(source.partitions).unwrap_or(u16::MAX);
        let Some(last) = partitions.checked_sub(1).map(of) else { return };
        if !self.reached.contains_key(&last) {
            for partition in 0..partitions {
                self.reached.entry(of(partition)).or_default();
            }
        }
    }

    /// Windows that end at or before `watermark` are complete from a source; 0 says nothing.
    pub(crate) fn tell(&mut self, source: InputId, watermark: u64) {
        if watermark > 0 {
            self.reached.insert(source, Timestamp(watermark));
        }
    }

    /// Takes the word that a source which is behind is not waited for until it says something again.
    pub(crate) fn skip(&mut self, payload: &Bytes) -> Result<(), String> {
        let source = proto::Source::decode(payload.clone()).map_err(|error| error.to_string())?;
        let waited_for = self.reached.values().filter(|reached| **reached != GIVEN_UP);
        let furthest = waited_for.max().copied().unwrap_or_default();
        let source = InputId::of(&source);
        if let Some(reached) = self.reached.get_mut(&source)
            && *reached < furthest
        {
            *reached = GIVEN_UP;
            *self.given_up.entry(source).or_default() += 1;
        }
        Ok(())
    }

    /// Takes note of an entry that was set aside.
    pub(crate) fn set_aside(&mut self, offset: u64, reason: &str) {
        self.unread.note(1, offset, reason);
    }

    /// How far the source has come that is furthest behind.
    pub(crate) fn lowest(&self) -> Option<Timestamp> {
        self.reached.values().min().copied()
    }

    /// How far each source has come; the end of time for one that is given up.
    pub(crate) fn reached(&self) -> &BTreeMap<InputId, Timestamp> {
        &self.reached
    }

    /// Whether each message came once and without a hole.
    pub(crate) fn holes(&self) -> &Holes {
        &self.holes
    }

    /// Whether there is something to tell of the way to here.
    pub(crate) fn is_troubled(&self) -> bool {
        !self.given_up.is_empty() || self.unread.count > 0
    }

    /// What there is to tell, as findings of `window`, once. `input` is what the stage reads.
    pub(crate) fn take_troubles(&mut self, input: &InputId, window: Window) -> Vec<Finding> {
        let given_up = std::mem::take(&mut self.given_up);
        let unread = std::mem::take(&mut self.unread);
        let unread = unread.finding(&Default::default(), input, window);
        given_up
            .iter()
            .map(|(source, times)| crate::degraded::given_up(source, *times, window))
            .chain(unread)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(partition: u16) -> InputId {
        InputId { stream: "otlp_logs".into(), partition }
    }

    fn payload(partition: u16, sequence: u64, watermark: u64) -> Bytes {
        payload_of(partition, 0, sequence, watermark)
    }

    /// Of a writer that knows of so many partitions.
    fn payload_of(partition: u16, partitions: u32, sequence: u64, watermark: u64) -> Bytes {
        let source = proto::Source {
            stage: "reduce".into(),
            stream: "otlp_logs".into(),
            partition: partition.into(),
            offset: sequence,
            sequence,
            partitions,
        };
        proto::Summaries { source: Some(source), watermark, ..Default::default() }.encode_to_vec().into()
    }

    fn take(upstream: &mut Upstream, payload: &Bytes) -> bool {
        let Some((source, message)) = upstream.read::<proto::Summaries>(payload).expect("ours") else {
            return false;
        };
        upstream.tell(source, message.watermark);
        true
    }

    #[test]
    fn the_source_that_is_furthest_behind_counts_until_it_is_given_up_and_that_is_told_once() {
        let mut upstream = Upstream::new(vec![input(0), input(1)]);
        assert!(take(&mut upstream, &payload(0, 1, 500)));
        assert!(!take(&mut upstream, &payload(0, 1, 900)), "a repeat");
        assert!(take(&mut upstream, &payload(1, 1, 0)), "it says nothing of time");
        assert_eq!(upstream.lowest(), Some(Timestamp(0)));

        let skip: Bytes = proto::Source { stream: "otlp_logs".into(), partition: 1, ..Default::default() }
            .encode_to_vec()
            .into();
        upstream.skip(&skip).expect("ours");
        assert_eq!(upstream.lowest(), Some(Timestamp(500)));
        upstream.skip(&skip).expect("ours");
        upstream.set_aside(7, "it is no message");
        assert!(upstream.is_troubled());

        let window = Window { start: Timestamp(0), length: foreshock_model::BASE_WINDOW };
        let told =
            upstream.take_troubles(&InputId { stream: "foreshock_summaries".into(), partition: 3 }, window);
        let told: Vec<_> = told.iter().map(|f| (f.series.as_str(), f.observed)).collect();
        let expected =
            [("foreshock.given_up.otlp_logs-1", 1.0), ("foreshock.unread.foreshock_summaries-3", 1.0)];
        assert_eq!(told, expected, "one that is not behind is not given up");
        assert!(!upstream.is_troubled());
    }

    #[test]
    fn a_source_that_is_given_up_is_not_waited_for_until_it_says_something_again() {
        let mut upstream = Upstream::new([input(0), input(1), input(2)]);
        let skip = |partition: u32| -> Bytes {
            proto::Source { stream: "otlp_logs".into(), partition, ..Default::default() }
                .encode_to_vec()
                .into()
        };
        take(&mut upstream, &payload(0, 1, 500));
        take(&mut upstream, &payload(2, 1, 450));
        upstream.skip(&skip(1)).expect("ours");
        assert_eq!(upstream.lowest(), Some(Timestamp(450)));
        take(&mut upstream, &payload(0, 2, 600));
        take(&mut upstream, &payload(2, 2, 600));
        assert_eq!(upstream.lowest(), Some(Timestamp(600)), "one word is enough for as long as it is silent");
        upstream.skip(&skip(0)).expect("ours");
        upstream.skip(&skip(2)).expect("ours");
        assert_eq!(upstream.lowest(), Some(Timestamp(600)), "those that are furthest are waited for");
        take(&mut upstream, &payload(1, 1, 550));
        assert_eq!(upstream.lowest(), Some(Timestamp(550)));
    }

    #[test]
    fn partitions_that_come_later_are_waited_for_from_the_first_message_that_knows_of_them() {
        let mut upstream = Upstream::new([input(0)]);
        take(&mut upstream, &payload_of(1, 2, 1, 500));
        assert_eq!(upstream.lowest(), Some(Timestamp(0)), "0 has said nothing yet");
        take(&mut upstream, &payload_of(0, 2, 1, 500));
        assert_eq!(upstream.lowest(), Some(Timestamp(500)));
        take(&mut upstream, &payload_of(0, 4, 2, 700));
        take(&mut upstream, &payload_of(1, 2, 2, 700));
        take(&mut upstream, &payload_of(3, 4, 1, 600));
        assert_eq!(upstream.lowest(), Some(Timestamp(0)), "2 has said nothing yet");
        take(&mut upstream, &payload_of(2, 4, 1, 650));
        assert_eq!(upstream.lowest(), Some(Timestamp(600)));
        take(&mut upstream, &payload(7, 1, 550));
        assert_eq!(
            upstream.lowest(),
            Some(Timestamp(550)),
            "of a writer that does not say how many there are"
        );
    }

    #[test]
    fn what_is_no_message_or_names_no_source_can_not_be_read() {
        let mut upstream = Upstream::new(vec![]);
        assert!(upstream.read::<proto::Summaries>(&Bytes::from_static(&[0xff])).is_err());
        assert!(upstream.read::<proto::Findings>(&Bytes::new()).is_err());
        assert!(upstream.skip(&Bytes::from_static(&[0xff])).is_err());
    }
}
