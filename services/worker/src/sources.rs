//! Notices a source that holds the others up: then it is not waited for any more.
//!
//! A source is given up when it is behind the others and has not moved for the whole of `hold_up`. One that is
//! behind and catches up is waited for: giving it up would make all it still says late.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use foreshock_detect::InputId;
use foreshock_journal::{Entry, EntryKind};
use foreshock_model::{Tenant, Timestamp, proto};
use prost::Message;

use crate::sequence::Stamp;

#[derive(Debug, Default)]
struct Heard {
    watermark: u64,
    behind_since: Option<Instant>,
    given_up: bool,
}

/// The sources of one input partition and how far each has come.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The stage that writes them.
    stage: &'static str,
    hold_up: Duration,
    sources: BTreeMap<InputId, Heard>,
}

impl Sources {
    pub(crate) fn new(stage: &'static str, sources: &[InputId], hold_up: Duration) -> Self {
        let sources = sources.iter().map(|source| (source.clone(), Heard::default())).collect();
        Self { stage, hold_up, sources }
    }

    /// Takes note of a message. One of a partition that was not there at the start is watched from then on.
    pub(crate) fn hear(&mut self, message: &Bytes) {
        let Ok(Stamp { source: Some(source), watermark }) = Stamp::decode(message.clone()) else { return };
        let partitions = u16::try_from(source.partitions).unwrap_or(u16::MAX);
        for partition in (0..partitions).rev() {
            let sibling = InputId { stream: source.stream.clone(), partition };
            if self.sources.contains_key(&sibling) {
                break;
            }
            self.sources.insert(sibling, Heard::default());
        }
        let heard = self.sources.entry(InputId::of(&source)).or_default();
        if watermark > heard.watermark {
            *heard = Heard { watermark, ..Heard::default() };
        }
    }

    /// The sources to be given up now; each is named once until it moves again.
    pub(crate) fn held_up_by(&mut self, now: Instant) -> Vec<InputId> {
        let furthest = self.furthest();
        let mut held_up_by = Vec::new();
        for (id, heard) in &mut self.sources {
            if heard.watermark == furthest || heard.given_up {
                continue;
            }
            let since = *heard.behind_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= self.hold_up {
                heard.given_up = true;
                held_up_by.push(id.clone());
            }
        }
        held_up_by
    }

    /// How far the furthest has come, Unix nanoseconds.
    pub(crate) fn furthest(&self) -> u64 {
        self.sources.values().map(|heard| heard.watermark).max().unwrap_or(0)
    }

    /// The entry that gives up `source`.
    pub(crate) fn skip(&self, source: &InputId, now: Timestamp) -> Entry {
        let source = proto::Source {
            stage: self.stage.to_owned(),
            stream: source.stream.clone(),
            partition: source.partition.into(),
            ..Default::default()
        };
        Entry {
            tenant: Tenant::default(),
            received: now,
            kind: EntryKind::Skip,
            records: 0,
            payload: source.encode_to_vec().into(),
            key: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(partition: u16, watermark: u64) -> Bytes {
        message_of(partition, 0, watermark)
    }

    /// Of a writer that knows of so many partitions.
    fn message_of(partition: u16, partitions: u32, watermark: u64) -> Bytes {
        let source = proto::Source {
            stage: "reduce".into(),
            stream: "otlp_logs".into(),
            partition: partition.into(),
            offset: 1,
            sequence: 1,
            partitions,
        };
        proto::Summaries { source: Some(source), watermark, ..Default::default() }.encode_to_vec().into()
    }

    #[test]
    fn a_source_is_given_up_once_when_it_stands_still_behind_the_others_for_the_whole_time() {
        let ids: Vec<InputId> =
            (0..3).map(|partition| InputId { stream: "otlp_logs".into(), partition }).collect();
        let mut sources = Sources::new("reduce", &ids, Duration::from_secs(120));
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        assert!(sources.held_up_by(at(0)).is_empty(), "nobody is ahead");
        sources.hear(&message(0, 100));
        sources.hear(&message(1, 50));
        assert!(sources.held_up_by(at(1)).is_empty());
        sources.hear(&message(1, 60));
        assert!(sources.held_up_by(at(100)).is_empty());
        assert_eq!(sources.held_up_by(at(121)), [ids[2].clone()], "1 has moved, 2 has not");
        assert!(sources.held_up_by(at(200)).is_empty(), "named once");
        sources.hear(&message(2, 70));
        assert_eq!(sources.held_up_by(at(220)), [ids[1].clone()]);
        assert_eq!(sources.held_up_by(at(340)), [ids[2].clone()], "named again after it had moved");
    }

    #[test]
    fn a_partition_that_came_later_is_given_up_like_any_other() {
        let id = |partition| InputId { stream: "otlp_logs".into(), partition };
        let mut sources = Sources::new("reduce", &[id(0)], Duration::from_secs(120));
        let start = Instant::now();
        sources.hear(&message_of(0, 1, 100));
        sources.hear(&message_of(2, 4, 90));
        assert!(sources.held_up_by(start).is_empty());
        assert_eq!(sources.held_up_by(start + Duration::from_secs(120)), [id(1), id(2), id(3)]);
    }
}
