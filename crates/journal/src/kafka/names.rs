//! Topics by stream.

use crate::{Partition, Stream};

/// The topics' names, each behind the configured prefix.
#[derive(Clone, Debug)]
pub(super) struct Names {
    topics: Vec<(Stream, String)>,
    pub(super) snapshots: String,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        let topics = Stream::ALL.into_iter().map(|stream| (stream, format!("{prefix}{}", stream.name())));
        Self { topics: topics.collect(), snapshots: format!("{prefix}foreshock_snapshots") }
    }

    /// The topic of a stream.
    pub(super) fn topic(&self, stream: Stream) -> &str {
        let found = self.topics.iter().find(|(known, _)| *known == stream);
        found.map(|(_, topic)| topic.as_str()).expect("every stream has a topic")
    }

    /// The stream of a topic.
    fn stream(&self, topic: &str) -> Option<Stream> {
        self.topics.iter().find(|(_, name)| name == topic).map(|(stream, _)| *stream)
    }

    /// The partition that is one of a topic of ours.
    pub(super) fn partition(&self, topic: &str, index: i32) -> Option<Partition> {
        Some(Partition::new(self.stream(topic)?, u16::try_from(index).ok()?))
    }

    /// Every stream with its topic.
    pub(super) fn all(&self) -> impl Iterator<Item = (Stream, &str)> {
        self.topics.iter().map(|(stream, topic)| (*stream, topic.as_str()))
    }
}
