//! The telemetry partitions of a journal and the skips and markers on its inner streams, fed to the stages side by
//! side.
//!
//! Within a partition the order is the journal's. Between partitions it is free, so the one whose time is furthest
//! behind goes next: windows close as early as they can, and little waits in memory.

use std::{collections::VecDeque, ops::Range, time::Duration};

use bytes::Bytes;
use foreshock_detect::{
    InputId, InputKind, NextWindow,
    pipeline::{self, Pipeline},
};
use foreshock_journal::{Entry, EntryKind, Observe, Offset, Partition, Stream};
use foreshock_model::{BASE_WINDOW, Timestamp, proto};
use prost::Message;

use super::looked::{Looked, READ_BYTES, each_entry};

/// Markers are handed over this long before what was received with them: longer than one stretch can be.
const MARKERS_EARLY: Duration = Duration::from_secs(60);

/// A journal on its way into a pipeline.
pub(crate) struct Feed {
    looked: Looked,
    /// The telemetry partitions that still hold something.
    partitions: Vec<Source>,
    /// Skips and markers by receive time, the earliest first.
    words: VecDeque<Word>,
    warnings: Vec<String>,
    /// Entries at the start.
    all: u64,
}

/// A skip or a marker.
struct Word {
    partition: Partition,
    received: Timestamp,
    kind: InputKind,
    payload: Bytes,
}

/// One telemetry partition and how far it was read.
struct Source {
    partition: Partition,
    /// In [`pipeline::TELEMETRY`].
    stream: usize,
    position: Offset,
    /// Read and not fed yet; begins at `position`.
    ahead: VecDeque<(Offset, Entry)>,
    /// What is written later is the next replay's.
    end: Offset,
    /// When what was fed last was received.
    received: Timestamp,
}

impl Feed {
    /// Over what lies in the journal at present.
    pub(super) fn new(mut looked: Looked) -> anyhow::Result<Self> {
        let journal = &mut *looked.journal;
        let (mut partitions, mut warnings) = (Vec::new(), Vec::new());
        let mut words = Vec::new();
        for row in journal.stat()? {
            let name = row.partition.stream.name();
            if let Some(stream) = pipeline::TELEMETRY.iter().position(|telemetry| *telemetry == name) {
                if row.first > Offset(0) {
                    warnings.push(format!(
                        "{} begins at offset {}: retention took what came before, so the first findings differ from those of then",
                        row.partition, row.first
                    ));
                }
                let (position, end) = (row.first, row.next);
                let source = Source {
                    partition: row.partition,
                    stream,
                    position,
                    end,
                    ahead: VecDeque::new(),
                    received: Timestamp::default(),
                };
                partitions.push(source);
            } else if matches!(row.partition.stream, Stream::Summaries | Stream::Findings) {
                let partition = row.partition;
                let before = words.len();
                each_entry(journal, partition, row.first..row.next, &mut |entry| {
                    words.extend(word(partition, entry));
                })?;
                if words[before..].iter().any(|word| feedback(word).is_some()) {
                    words.truncate(before);
                    words.extend(placed(journal, partition, row.first..row.next)?);
                }
            }
        }
        let skips = words.iter().filter(|word| word.kind == InputKind::Skip).count();
        if skips > 0 {
            warnings.push(format!(
                "{skips} times a partition was given up as it lagged; findings right after may differ from those of then"
            ));
        }
        words.sort_by_key(|word| word.received);
        let all = partitions.iter().map(|source| source.end.0.saturating_sub(source.position.0)).sum();
        Ok(Self { looked, partitions, words: words.into(), warnings, all })
    }

    /// Why the replay may differ from what was found then.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Entries that were fed, and all there are.
    pub(crate) fn progress(&self) -> (u64, u64) {
        let left: u64 =
            self.partitions.iter().map(|source| source.end.0.saturating_sub(source.position.0)).sum();
        (self.all.saturating_sub(left), self.all)
    }

    /// Feeds a stretch of one partition. Returns how far time has come in the furthest behind; `None` at the end.
    pub(crate) fn next(&mut self, pipeline: &mut Pipeline) -> anyhow::Result<Option<Timestamp>> {
        self.hand_over_words(pipeline, Timestamp::default());
        self.partitions.retain(|source| source.position < source.end);
        let reached = |source: &Source| pipeline.reached(source.stream, source.partition.index);
        let Some(source) = self.partitions.iter_mut().min_by_key(|source| reached(source)) else {
            self.hand_over_words(pipeline, Timestamp::MAX);
            return Ok(None);
        };
        let before = pipeline.reached(source.stream, source.partition.index);
        if source.ahead.is_empty() {
            source.ahead = self.looked.journal.read(source.partition, source.position, READ_BYTES)?.into();
        }
        let end = source.end;
        let mut fed = false;
        while let Some((offset, entry)) = source.ahead.pop_front_if(|(offset, _)| *offset < end) {
            fed = true;
            source.position = offset.next();
            source.received = source.received.max(entry.received);
            feed(pipeline, source, entry);
            // A tick is no reason to leave the partition; a window is, for others may be far behind by then.
            if pipeline.reached(source.stream, source.partition.index).since(before) > BASE_WINDOW {
                break;
            }
        }
        if !fed {
            source.position = end;
        }
        let received = self.partitions.iter().map(|source| source.received).min().unwrap_or_default();
        self.hand_over_words(pipeline, received);
        Ok(Some(before))
    }

    /// Hands over what people said before anything is fed, for it names its window; skips where everything that was received before has been fed, and markers a little earlier: those
    /// wait for the window they were written in, and must be there before it is closed.
    fn hand_over_words(&mut self, pipeline: &mut Pipeline, received: Timestamp) {
        let is_due = |word: &mut Word| {
            let early = if word.kind == InputKind::Marker { MARKERS_EARLY } else { Duration::ZERO };
            word.received <= received.plus(early)
        };
        while let Some(word) = self.words.pop_front_if(is_due) {
            let Word { partition, received, kind, payload } = word;
            if partition.stream == Stream::Summaries {
                pipeline.word_to_detect(partition.index, received, kind, &payload);
            } else {
                pipeline.word_to_correlate(partition.index, received, kind, &payload);
            }
        }
    }
}

fn feed(pipeline: &mut Pipeline, source: &Source, entry: Entry) {
    let kind = input_kind(entry.kind);
    let payload = entry.payload.into_bytes();
    let entry = pipeline::Entry { tenant: &entry.tenant, received: entry.received, kind, payload: &payload };
    pipeline.feed(source.stream, source.partition.index, entry);
}

/// The words on a partition of findings. What people said has a place between messages there, which the replay makes anew,
/// so it is given the window that it took hold in.
fn placed(
    journal: &mut dyn Observe,
    partition: Partition,
    stretch: Range<Offset>,
) -> anyhow::Result<Vec<Word>> {
    let sources = (0..journal.partitions(Stream::Summaries))
        .map(|partition| InputId { stream: Stream::Summaries.name().to_owned(), partition });
    let (mut next, mut words) = (NextWindow::new(sources.collect()), Vec::new());
    each_entry(journal, partition, stretch, &mut |entry| {
        let (kind, payload) = (input_kind(entry.kind), entry.payload.clone().into_bytes());
        if let Some(mut word) = word(partition, entry) {
            if let Some(mut said) = feedback(&word) {
                said.from = said.from.max(next.end().nanos());
                let marker = proto::Marker { says: Some(proto::marker::Says::Feedback(said)) };
                (word.received, word.payload) = (Timestamp::default(), marker.encode_to_vec().into());
            }
            words.push(word);
        }
        next.pass(kind, &payload);
    })?;
    Ok(words)
}

/// What a person said, if that is what a word is.
fn feedback(word: &Word) -> Option<proto::Feedback> {
    if word.kind != InputKind::Marker || word.partition.stream != Stream::Findings {
        return None;
    }
    match proto::Marker::decode(word.payload.clone()).ok()?.says {
        Some(proto::marker::Says::Feedback(said)) => Some(said),
        _ => None,
    }
}

fn input_kind(kind: EntryKind) -> InputKind {
    match kind {
        EntryKind::Data => InputKind::Data,
        EntryKind::Tick => InputKind::Tick,
        EntryKind::Marker => InputKind::Marker,
        EntryKind::Skip => InputKind::Skip,
    }
}

/// The skip or marker that an entry is, if it is one.
fn word(partition: Partition, entry: Entry) -> Option<Word> {
    let kind = input_kind(entry.kind);
    if !matches!(kind, InputKind::Skip | InputKind::Marker) {
        return None;
    }
    Some(Word { partition, received: entry.received, kind, payload: entry.payload.into_bytes() })
}
